"""Chunks of RIFF, RF64 and FORM files, whole and broken."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.metadata import MAX_BYTES, read_metadata
from engine.audio.riff import (
    MAX_CHUNKS,
    Order,
    chunk_bytes,
    container_of,
    content_of,
    parts_in,
    with_chunks,
)

printable_names = st.text("ABCDEFGHIJabcdefghij 0123", min_size=4, max_size=4).map(str.encode)
parts = st.lists(st.tuples(printable_names, st.binary(max_size=40)), max_size=8)


def whole(chunks: list[tuple[bytes, bytes]], order: Order = "little") -> bytes:
    magic, kind = (b"RIFF", b"WAVE") if order == "little" else (b"FORM", b"AIFF")
    body = kind + b"".join(chunk_bytes(*chunk, order) for chunk in chunks)
    return magic + len(body).to_bytes(4, order) + body


def listed(content: bytes) -> list[tuple[bytes, bytes]]:
    file = io.BytesIO(content)
    container = container_of(file)
    assert container is not None
    return [(chunk.name, content_of(file, chunk)) for chunk in container.chunks]


@pytest.mark.parametrize("order", ["little", "big"])
@given(chunks=parts)
def test_chunks_are_listed_as_they_were_written(order: Order, chunks: list[tuple[bytes, bytes]]) -> None:
    assert listed(whole(chunks, order)) == chunks


@given(chunks=parts, added=parts, order=st.sampled_from(["little", "big"]))
def test_chunks_go_before_the_audio_which_stays(
    chunks: list[tuple[bytes, bytes]], added: list[tuple[bytes, bytes]], order: Order
) -> None:
    audio = (b"data" if order == "little" else b"SSND", b"12345")
    content = with_chunks(whole([*chunks, audio, (b"tail", b"")], order), added)
    assert listed(content) == [*chunks, *added, audio, (b"tail", b"")]
    assert int.from_bytes(content[4:8], order) == len(content) - 8


@given(chunks=parts, data=st.data())
def test_a_file_cut_at_any_byte_never_reaches_past_its_end(
    chunks: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    content = whole(chunks)
    cut = content[: data.draw(st.integers(0, len(content)))]
    file = io.BytesIO(cut)
    container = container_of(file)
    for chunk in container.chunks if container else ():
        assert len(content_of(file, chunk)) == chunk.size
        assert chunk.start + chunk.size <= len(cut)


@given(content=st.binary(max_size=200), magic=st.sampled_from([b"RIFF", b"RF64", b"BW64", b"FORM", b""]))
@settings(max_examples=300)
def test_any_bytes_are_a_list_of_chunks_or_none(content: bytes, magic: bytes) -> None:
    container_of(io.BytesIO(magic + content))
    for order in ("little", "big"):
        assert sum(len(part) + 8 for _, part in parts_in(content, order)) <= len(content) + 8


def test_a_writer_that_forgets_the_pad_byte_is_understood() -> None:
    body = b"WAVE" + b"odd " + struct.pack("<I", 3) + b"abc" + b"next" + struct.pack("<I", 2) + b"xy"
    content = b"RIFF" + struct.pack("<I", len(body)) + body
    assert listed(content) == [(b"odd ", b"abc"), (b"next", b"xy")]


def test_endless_empty_chunks_come_to_an_end() -> None:
    content = whole([]) + (b"JUNK" + bytes(4)) * (MAX_CHUNKS + 5)
    assert len(listed(content)) == MAX_CHUNKS


def test_what_follows_five_gigabytes_of_audio_is_found_without_reading_them(tmp_path: Path) -> None:
    path = tmp_path / "huge.wav"
    audio_bytes = 5 * 2**30
    with path.open("wb") as file:
        sizes = struct.pack("<QQQI", audio_bytes + 80, audio_bytes, audio_bytes // 4, 0)
        file.write(b"RF64" + b"\xff" * 4 + b"WAVE" + chunk_bytes(b"ds64", sizes, "little"))
        file.write(b"data" + b"\xff" * 4)
        file.seek(audio_bytes, io.SEEK_CUR)
        file.write(chunk_bytes(b"bext", b"after", "little"))
    with path.open("rb") as file:
        container = container_of(file)
        assert container is not None
        assert [chunk.name for chunk in container.chunks] == [b"ds64", b"data", b"bext"]
        assert container.chunks[1].size == audio_bytes
        assert content_of(file, container.chunks[2]) == b"after"
    assert read_metadata(path).parts == ((b"bext", b"after"),)


def test_metadata_beyond_the_limit_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "stuffed.wav"
    chunks = [(b"tiny", b"kept"), (b"huge", bytes(MAX_BYTES)), (b"last", b"kept too"), (b"PEAK", b"old")]
    path.write_bytes(whole(chunks))
    assert read_metadata(path).parts == ((b"tiny", b"kept"), (b"last", b"kept too"))


def test_a_size_that_lies_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "liar.wav"
    path.write_bytes(whole([]) + b"bext" + struct.pack("<I", 0xFFFFFFF0) + b"short")
    assert read_metadata(path).parts == ((b"bext", b"short"),)

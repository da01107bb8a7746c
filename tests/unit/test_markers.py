"""Markers, loops and tempo moved with a region."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.markers import (
    Cut,
    cue_points,
    info_list,
    moved_acid,
    moved_aiff,
    moved_cue,
    moved_labels,
    moved_riff,
    moved_smpl,
    texts_of,
)
from engine.audio.riff import chunk_bytes, parts_in

CUT = Cut(first_sample=1000, length_samples=500, sample_rate_hz=48_000)
WHOLE = Cut(first_sample=0, length_samples=10_000, sample_rate_hz=48_000)


def cue(*points: tuple[int, int]) -> bytes:
    records = [struct.pack("<II4sIII", number, at, b"data", 0, 0, at) for number, at in points]
    return struct.pack("<I", len(points)) + b"".join(records)


def smpl(*loops: tuple[int, int], extra: bytes = b"") -> bytes:
    records = [struct.pack("<6I", 7, 0, first, last, 0, 0) for first, last in loops]
    head = struct.pack("<7I", 1, 2, 3, 60, 0, 0, 0)
    return head + struct.pack("<II", len(loops), len(extra)) + b"".join(records) + extra


def acid(flags: int, beats: int, tempo_bpm: float) -> bytes:
    return struct.pack("<IHHfIHHf", flags, 60, 0x8000, 0.0, beats, 4, 4, tempo_bpm)


def marks(*points: tuple[int, int, bytes]) -> bytes:
    content = struct.pack(">H", len(points))
    for number, at, name in points:
        padded = bytes([len(name)]) + name
        content += struct.pack(">hI", number, at) + padded + bytes(len(padded) % 2)
    return content


def test_points_move_and_those_outside_go() -> None:
    moved = moved_cue(cue((1, 999), (2, 1000), (3, 1200), (4, 1500), (5, 1501)), CUT)
    assert cue_points(moved) == {2: 0, 3: 200, 4: 500}
    assert moved == cue((2, 0), (3, 200), (4, 500))


def test_a_whole_file_keeps_all_bytes() -> None:
    content = {
        b"cue ": cue((1, 5), (2, 10_000)),
        b"adtl": chunk_bytes(b"labl", struct.pack("<I", 1) + b"verse\0", "little"),
        b"smpl": smpl((0, 9_999), extra=b"own"),
        b"acid": acid(0, 2, 576.0),
        b"plst": struct.pack("<IIII", 1, 2, 100, 1),
    }
    assert moved_riff(content, WHOLE) == content


def test_texts_go_with_their_points_and_stretches_end_with_the_region() -> None:
    texts = [(b"labl", struct.pack("<I", 3) + b"here\0"), (b"labl", struct.pack("<I", 9) + b"gone\0")]
    stretch = struct.pack("<II4s4H", 3, 5000, b"rgn ", 0, 0, 0, 0)
    content = b"".join(chunk_bytes(*part, "little") for part in (*texts, (b"ltxt", stretch)))
    left = list(parts_in(moved_labels(content, {3: 200}, CUT), "little"))
    assert left == [texts[0], (b"ltxt", stretch[:4] + struct.pack("<I", 300) + stretch[8:])]


def test_loops_that_are_not_wholly_inside_go() -> None:
    moved = moved_smpl(smpl((900, 1100), (1000, 1499), (1000, 1500), (1400, 1300), extra=b"!"), CUT)
    assert moved == smpl((0, 499), extra=b"!")


@pytest.mark.parametrize(
    ("content", "beats"),
    [
        (acid(0, 16, 120.0), 1),
        (acid(0, 16, 5760.0 * 4), 4),
        (acid(1, 16, 120.0), 16),
        (acid(0, 16, float("nan")), 16),
        (acid(0, 16, float("inf")), 16),
        (acid(0, 16, -1.0), 16),
    ],
)
def test_a_part_of_a_loop_has_its_own_beats(content: bytes, beats: int) -> None:
    moved = moved_acid(content, CUT)
    assert struct.unpack_from("<I", moved, 12) == (beats,)
    assert moved[:12] + moved[16:] == content[:12] + content[16:]


def test_marks_of_aiff_move_and_what_needs_them_knows() -> None:
    instrument = struct.pack(">8b", *range(8)) + struct.pack(">6h", 1, 1, 2, 1, 2, 3)
    comments = struct.pack(">H", 2) + struct.pack(">IhH", 5, 3, 3) + b"abc\0" + struct.pack(">IhH", 6, 2, 0)
    moved = moved_aiff(
        {
            b"MARK": marks((1, 1000, b"on"), (2, 1400, b"off"), (3, 10, b"lost")),
            b"INST": instrument,
            b"COMT": comments,
        },
        CUT,
    )
    assert moved[b"MARK"] == marks((1, 0, b"on"), (2, 400, b"off"))
    assert moved[b"INST"] == instrument[:14] + bytes(6)
    assert moved[b"COMT"] == comments[:6] + bytes(2) + comments[8:]


def test_info_is_read_as_it_was_written() -> None:
    entries = {b"INAM": b"a name", b"ICMT": b"odd", b"ISFT": b""}
    assert texts_of(info_list(entries)[4:]) == entries


@pytest.mark.parametrize("name", [b"cue ", b"adtl", b"smpl", b"acid", b"plst"])
@given(content=st.binary(max_size=150), first=st.integers(0, 2**33), length=st.integers(1, 2**33))
@settings(max_examples=60)
def test_nonsense_moves_without_a_crash(name: bytes, content: bytes, first: int, length: int) -> None:
    cut = Cut(first_sample=first, length_samples=length, sample_rate_hz=48_000)
    assert set(moved_riff({name: content}, cut)) <= {name}


@pytest.mark.parametrize("make", [lambda c: {b"MARK": c}, lambda c: {b"INST": c}, lambda c: {b"COMT": c}])
@given(content=st.binary(max_size=150))
@settings(max_examples=60)
def test_nonsense_of_aiff_moves_without_a_crash(
    make: Callable[[bytes], dict[bytes, bytes]], content: bytes
) -> None:
    moved_aiff(make(content), CUT)

"""RIFF, RF64 and FORM files as lists of chunks; what is between the chunks is never read.

Sizes in a file are claims: a chunk is never said to reach past the file's end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

MAX_CHUNKS = 10_000
_HEADER_BYTES = 8
_FIRST_CHUNK = 12
_SEE_LONG_SIZES = 0xFFFFFFFF
_AUDIO = (b"data", b"SSND")
# Programs that write into a pipe cannot know the length: ffmpeg puts 2^32 - 1, others about 2^31.
_UNKNOWN_BYTES = 0x7F000000
_ORDERS: dict[bytes, Order] = {
    b"RIFF": "little",
    b"RF64": "little",
    b"BW64": "little",
    b"RIFX": "big",
    b"FORM": "big",
}

Order = Literal["little", "big"]
Parts = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Where a chunk's content lies in the file, as far as the file goes, and how much of it is missing."""

    name: bytes
    start: int
    size: int
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A file of chunks: kind is WAVE, AIFF or another form's name."""

    kind: bytes
    order: Order
    chunks: tuple[Chunk, ...]


def container_of(file: BinaryIO) -> Container | None:
    """List the chunks of a file; None for a file of another build."""
    file.seek(0)
    head = file.read(_FIRST_CHUNK)
    order = _ORDERS.get(head[:4])
    if order is None or len(head) < _FIRST_CHUNK:
        return None
    return Container(kind=head[8:], order=order, chunks=tuple(_chunks(file, order)))


def missing_audio_bytes(file: BinaryIO) -> int:
    """Return how much audio a file lacks that its header promises, which libsndfile does not tell."""
    container = container_of(file)
    audio = (chunk for chunk in container.chunks if chunk.name in _AUDIO) if container else ()
    return next((chunk.missing for chunk in audio), 0)


def content_of(file: BinaryIO, chunk: Chunk) -> bytes:
    """Read a chunk; the caller has looked at its size."""
    file.seek(chunk.start)
    return file.read(chunk.size)


def chunk_bytes(name: bytes, content: bytes, order: Order) -> bytes:
    """Return a chunk with header and pad byte."""
    assert len(name) == 4, f"a chunk's name has four characters, not {name!r}"
    return name + len(content).to_bytes(4, order) + content + bytes(len(content) % 2)


def with_chunks(content: bytes, parts: Parts) -> bytes:
    """Insert chunks before the audio of a whole RIFF or FORM file."""
    order = _ORDERS[content[:4]]
    place = _audio_start(content, order)
    added = b"".join(chunk_bytes(name, part, order) for name, part in parts)
    size = len(content) + len(added) - _HEADER_BYTES
    head = content[:4] + size.to_bytes(4, order) + content[8:place]
    # One copy, and no more: the audio may be most of the memory there is.
    return b"".join((head, added, memoryview(content)[place:]))


def parts_in(content: bytes, order: Order) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the chunks within another's content, as far as they are whole."""
    place = 0
    for _ in range(MAX_CHUNKS):
        start = place + _HEADER_BYTES
        size = int.from_bytes(content[place + 4 : start], order)
        if start + size > len(content) or start > len(content):
            return
        yield content[place : place + 4], content[start : start + size]
        place = start + size + size % 2


def is_name(name: bytes) -> bool:
    """Tell whether bytes can be a chunk's name; readers give up at others."""
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def _chunks(file: BinaryIO, order: Order) -> Iterator[Chunk]:
    length = file.seek(0, os.SEEK_END)
    place, long_sizes = _FIRST_CHUNK, dict[bytes, int]()
    for _ in range(MAX_CHUNKS):
        file.seek(place)
        header = file.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            return
        name, size = header[:4], int.from_bytes(header[4:], order)
        is_long = size == _SEE_LONG_SIZES and long_sizes.get(name, 0) > 0
        size = long_sizes[name] if is_long else size
        start = place + _HEADER_BYTES
        there = min(size, length - start)
        missing = size - there if is_long or size < _UNKNOWN_BYTES else 0
        chunk = Chunk(name=name, start=start, size=there, missing=missing)
        if name == b"ds64":
            long_sizes = _long_sizes(content_of(file, Chunk(name=name, start=start, size=min(size, 4096))))
        yield chunk
        place = _after(file, start + size, is_odd=size % 2 == 1)


def _long_sizes(content: bytes) -> dict[bytes, int]:
    """Return the sizes that RF64 keeps apart: of data, and of the chunks in its table."""
    sizes = {b"data": int.from_bytes(content[8:16], "little")}
    for place in range(28, len(content) - 11, 12):
        sizes[content[place : place + 4]] = int.from_bytes(content[place + 4 : place + 12], "little")
    return sizes


def _after(file: BinaryIO, end: int, *, is_odd: bool) -> int:
    """Return where the next chunk begins; some writers leave out the pad byte."""
    if not is_odd:
        return end
    file.seek(end)
    following = file.read(5)
    is_unpadded = is_name(following[:4]) and not is_name(following[1:])
    return end if is_unpadded else end + 1


def _audio_start(content: bytes, order: Order) -> int:
    place = _FIRST_CHUNK
    while content[place : place + 4] not in _AUDIO:
        assert place < len(content), "a file that we encoded has audio"
        size = int.from_bytes(content[place + 4 : place + 8], order)
        place += _HEADER_BYTES + size + size % 2
    return place

"""FLAC files as lists of metadata blocks, and the Vorbis comments in one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

MAGIC = b"fLaC"
MAX_BLOCKS = 1_000
MAX_BLOCK_BYTES = 2**24 - 1
_HEADER_BYTES = 4
_LAST = 0x80
_ID3_HEADER_BYTES = 10

Tags = tuple[tuple[str, str], ...]


class BlockKind(IntEnum):
    STREAM_INFO = 0
    PADDING = 1
    APPLICATION = 2
    SEEK_TABLE = 3
    COMMENTS = 4
    CUE_SHEET = 5
    PICTURE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Where a block's content lies in the file."""

    kind: int
    start: int
    size: int


def blocks_of(file: BinaryIO) -> tuple[Block, ...] | None:
    """List the metadata blocks of a file without reading them; None for a file of another build."""
    place = _after_id3(file)
    file.seek(place)
    if file.read(len(MAGIC)) != MAGIC:
        return None
    return tuple(_blocks(file, place + len(MAGIC)))


def read_tags(content: bytes) -> Tags:
    """Return the Vorbis comments of a block, keys in capitals, as far as they are whole."""
    place = 4 + int.from_bytes(content[:4], "little")
    count = int.from_bytes(content[place : place + 4], "little")
    return tuple(_tags(content, place + 4, count))


def comments_block(tags: Tags, vendor: bytes) -> bytes:
    """Return the content of a block of Vorbis comments."""
    entries = [f"{key}={value}".encode() for key, value in tags]
    parts = [_counted(vendor), len(entries).to_bytes(4, "little"), *map(_counted, entries)]
    return b"".join(parts)


def vendor_of(content: bytes) -> bytes:
    return content[4 : 4 + int.from_bytes(content[:4], "little")]


def with_blocks(content: bytes, blocks: Sequence[tuple[int, bytes]]) -> bytes:
    """Replace the metadata of a whole FLAC file, but for its stream info and seek table, by blocks."""
    place = len(MAGIC)
    kept: list[tuple[int, bytes]] = []
    is_last = False
    while not is_last:
        kind, size = content[place] & ~_LAST, int.from_bytes(content[place + 1 : place + 4], "big")
        is_last = content[place] >= _LAST
        start = place + _HEADER_BYTES
        if kind in (BlockKind.STREAM_INFO, BlockKind.SEEK_TABLE):
            kept.append((kind, content[start : start + size]))
        place = start + size
    kept += blocks
    written = [_block(*block, is_last=block is kept[-1]) for block in kept]
    return b"".join((MAGIC, *written, memoryview(content)[place:]))


def _blocks(file: BinaryIO, place: int) -> Iterator[Block]:
    for _ in range(MAX_BLOCKS):
        file.seek(place)
        header = file.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            return
        size = int.from_bytes(header[1:], "big")
        yield Block(kind=header[0] & ~_LAST, start=place + _HEADER_BYTES, size=size)
        if header[0] & _LAST:
            return
        place += _HEADER_BYTES + size


def _after_id3(file: BinaryIO) -> int:
    """Return where FLAC begins: some taggers write an ID3 tag before it."""
    file.seek(0)
    head = file.read(_ID3_HEADER_BYTES)
    if head[:3] != b"ID3" or len(head) < _ID3_HEADER_BYTES:
        return 0
    size = 0
    for byte in head[6:]:
        size = size << 7 | byte & 0x7F
    return _ID3_HEADER_BYTES + size


def _tags(content: bytes, place: int, count: int) -> Iterator[tuple[str, str]]:
    for _ in range(count):
        start = place + 4
        size = int.from_bytes(content[place:start], "little")
        if start > len(content) or start + size > len(content):
            return
        key, equals, value = content[start : start + size].decode("utf-8", "replace").partition("=")
        if equals:
            yield key.upper(), value
        place = start + size


def _counted(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little") + content


def _block(kind: int, content: bytes, *, is_last: bool) -> bytes:
    assert len(content) <= MAX_BLOCK_BYTES, "a block has a size of 24 bits"
    return bytes([kind | _LAST * is_last]) + len(content).to_bytes(3, "big") + content

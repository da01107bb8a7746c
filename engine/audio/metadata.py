"""What a file says besides its audio, read without reading the audio.

Whatever is damaged, too large or beside the point is left out: no metadata keeps anyone from rendering.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

import soundfile

from engine.audio.flac_blocks import BlockKind, blocks_of
from engine.audio.riff import container_of, is_name

MAX_BYTES = 8 * 2**20
_STRUCTURE = {b"fmt ", b"data", b"fact", b"ds64", b"COMM", b"SSND", b"FVER", b"wavl", b"slnt"}
# Of the audio as it was: levels for drawing and checksums, besides what only fills up.
_OUTDATED = {b"PEAK", b"levl", b"MD5 ", b"JUNK", b"junk", b"FLLR", b"PAD ", b"Fake"}
_BLOCKS = (BlockKind.COMMENTS, BlockKind.PICTURE, BlockKind.APPLICATION)


class Build(Enum):
    """How a file keeps its metadata."""

    RIFF = "riff"
    AIFF = "aiff"
    FLAC = "flac"
    TAGS = "tags"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Parts by name, in the file's order: chunks, FLAC's blocks by their kind as one byte, or tags."""

    build: Build = Build.TAGS
    parts: tuple[tuple[bytes, bytes], ...] = ()

    def all(self, name: bytes) -> tuple[bytes, ...]:
        return tuple(content for other, content in self.parts if other == name)

    def first(self, name: bytes) -> bytes:
        """Return the first part of a name, empty where there is none."""
        return next(iter(self.all(name)), b"")


def read_metadata(path: str | Path) -> Metadata:
    """Read all that may be carried to a take, at most MAX_BYTES of it."""
    try:
        with Path(path).open("rb") as file:
            return _from_chunks(file) or _from_blocks(file) or _from_tags(path)
    except (OSError, ValueError):
        return Metadata()


def _from_chunks(file: BinaryIO) -> Metadata | None:
    container = container_of(file)
    if container is None or (container.kind == b"WAVE" and container.order == "big"):
        return None
    chunks = (chunk for chunk in container.chunks if _is_carried(chunk.name))
    build = Build.RIFF if container.order == "little" else Build.AIFF
    return Metadata(build=build, parts=_read(file, ((one.name, one.start, one.size) for one in chunks)))


def _is_carried(name: bytes) -> bool:
    return name not in _STRUCTURE | _OUTDATED and is_name(name)


def _from_blocks(file: BinaryIO) -> Metadata | None:
    blocks = blocks_of(file)
    if blocks is None:
        return None
    wanted = (block for block in blocks if block.kind in _BLOCKS)
    places = ((bytes([block.kind]), block.start, block.size) for block in wanted)
    return Metadata(build=Build.FLAC, parts=_read(file, places))


def _read(file: BinaryIO, places: Iterable[tuple[bytes, int, int]]) -> tuple[tuple[bytes, bytes], ...]:
    """Read parts of given starts and sizes, leaving out those for which there is no room left."""
    room, parts = MAX_BYTES, []
    for name, start, size in places:
        if size <= room:
            file.seek(start)
            content = file.read(size)
            room -= len(content)
            parts.append((name, content))
    return tuple(parts)


def _from_tags(path: str | Path) -> Metadata:
    """Read what libsndfile tells of OGG and MP3 files."""
    try:
        with soundfile.SoundFile(str(path)) as file:
            tags = file.copy_metadata()
    except (soundfile.LibsndfileError, RuntimeError, TypeError):
        return Metadata()
    return Metadata(parts=tuple((name.encode(), text.encode()) for name, text in tags.items()))

"""WAV and AIFF files seen as chunks: whether a file holds all the audio that its header promises.

libsndfile does not tell: it takes what there is for the whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

# Programs that write into a pipe cannot know the length: ffmpeg puts 2^32 - 1, others about 2^31.
_UNKNOWN_BYTES = 0x7F000000
_SEE_LONG_SIZE = 0xFFFFFFFF
_MOST_CHUNKS = 10_000
_MAGICS: dict[bytes, Literal["little", "big"]] = {
    b"RIFF": "little",
    b"RF64": "little",
    b"BW64": "little",
    b"RIFX": "big",
    b"FORM": "big",
}
_AUDIO = (b"data", b"SSND")
_LONG_SIZES = b"ds64"


def missing_bytes(path: Path) -> int:
    """Return how much audio a file lacks that its header promises; 0 too where it promises nothing.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        long_size = 0
        for name, size, start in _chunks(file):
            if name == _LONG_SIZES:
                long_size = int.from_bytes(file.read(16)[8:], "little")
            if name in _AUDIO:
                return max(0, start + _promised(size, long_size) - length)
    return 0


def _promised(size: int, long_size: int) -> int:
    if size == _SEE_LONG_SIZE and long_size:
        return long_size
    return size if size < _UNKNOWN_BYTES else 0


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, size and start of each chunk's content, the file standing there."""
    order = _MAGICS.get(file.read(4))
    if order is None:
        return
    start = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(start)
        header = file.read(8)
        if len(header) < 8:
            return
        name, size = header[:4], int.from_bytes(header[4:], order)
        yield name, size, start + 8
        start += 8 + size + size % 2

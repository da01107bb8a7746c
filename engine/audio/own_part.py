"""Parts of a take's file that only this program reads: a RIFF chunk, an AIFF or a FLAC application block."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from engine.audio.flac_blocks import MAX_BLOCK_BYTES, BlockKind, blocks_of
from engine.audio.riff import container_of, content_of

RECIPE = b"dawb"
LATENTS = b"dawl"
OWN = (RECIPE, LATENTS)
AIFF_CHUNK = b"APPL"
# What fits into one block of any of these files.
MAX_PART_BYTES = MAX_BLOCK_BYTES - len(LATENTS)
_SUM_CHARACTERS = 64
_HASHED_SAMPLES = 2**16


def read_part(file: BinaryIO, name: bytes) -> bytes | None:
    """Return the part of a name, None where the file has none; raises OSError."""
    container = container_of(file)
    if container is not None:
        chunks = (one for one in container.chunks if one.size <= MAX_PART_BYTES + len(name))
        named = (one for one in chunks if one.name in (name, AIFF_CHUNK))
        contents = ((one.name, content_of(file, one)) for one in named)
        return next((own for own in (_own(*one, name) for one in contents) if own is not None), None)
    for block in blocks_of(file) or ():
        if block.kind == BlockKind.APPLICATION:
            file.seek(block.start)
            if file.read(len(name)) == name:
                return file.read(block.size - len(name))
    return None


def is_own_application(content: bytes) -> bool:
    """Tell whether the content of an application's chunk or block is a part of this program."""
    return content.startswith(OWN)


def samples_sha256(blocks_NS: Iterable[np.ndarray]) -> str:
    """Return the SHA-256 of samples as little-endian 64-bit floats, channels interleaved."""
    total = hashlib.sha256()
    for block_NS in blocks_NS:
        total.update(np.ascontiguousarray(block_NS.T, dtype="<f8").tobytes())
    return total.hexdigest()


def bound(part: bytes, content: bytes) -> bytes:
    """Return a part that counts only beside the audio of a whole file; empty if it is empty or too long."""
    if not part or len(part) > MAX_PART_BYTES - _SUM_CHARACTERS:
        return b""
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        return _sum_of(file) + part


def read_bound(path: Path, name: bytes) -> bytes:
    """Return a part that `bound` made; empty where there is none, or the audio is another by now."""
    try:
        with path.open("rb") as raw:
            found = read_part(raw, name) or b""
        if len(found) <= _SUM_CHARACTERS:
            return b""
        with soundfile.SoundFile(str(path)) as file:
            return found[_SUM_CHARACTERS:] if found.startswith(_sum_of(file)) else b""
    except (OSError, RuntimeError):
        return b""


def _sum_of(file: soundfile.SoundFile) -> bytes:
    # Finer than the samples of any file, so that the sum is that of the numbers and not of their type.
    blocks_SN = file.blocks(_HASHED_SAMPLES, dtype="float64", always_2d=True)
    return samples_sha256(block_SN.T for block_SN in blocks_SN).encode("ascii")


def _own(name: bytes, content: bytes, wanted: bytes) -> bytes | None:
    if name == wanted:
        return content
    return content.removeprefix(wanted) if content.startswith(wanted) else None

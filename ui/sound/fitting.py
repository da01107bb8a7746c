"""A take put into the place of a file's sound: whether it fits there, and the file that it makes.

Legend: N channels, S samples.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import soundfile

from engine.errors import AudioIOError

_BLOCK_SAMPLES = 2**18
# Of these formats a stretch can be written anew without touching anything else in the file.
_WRITABLE_IN_PLACE = ("WAV", "WAVEX", "AIFF", "RF64", "W64")


def fitted(file: Path, take: Path, start_s: float, out: Path) -> Path:
    """Return the sound that a file becomes by a take: the take itself, or out, the file with it at start_s.

    Raises:
        AudioIOError: one of them cannot be read, or the take does not fit; nothing is written.
    """
    try:
        whole, part = soundfile.info(file), soundfile.info(take)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioIOError(f"{take.name} cannot be written over {file.name}: {error}") from error
    # The nearest sample, halves upwards, as where the take was cut from.
    start = math.floor(start_s * whole.samplerate + 0.5)
    if sentence := _misfit(whole, part, start):
        raise AudioIOError(f"{take.name} does not fit {file.name}: {sentence}", "Choose a take of this file.")
    if part.frames == whole.frames:
        return take
    try:
        _write(file, take, start, out)
    except (OSError, soundfile.SoundFileError) as error:
        out.unlink(missing_ok=True)
        raise AudioIOError(f"{take.name} cannot be put into {file.name}: {error}") from error
    return out


def _misfit(whole: Any, part: Any, start: int) -> str:
    """Tell in words why a take is not of a file; empty where it is."""
    for name, unit in (("samplerate", "Hz"), ("channels", "channels"), ("format", ""), ("subtype", "")):
        wanted, found = getattr(whole, name), getattr(part, name)
        if wanted != found:
            return f"it has {found} {unit} and the file {wanted}".replace("  ", " ")
    if start + part.frames > whole.frames:
        return f"it has {part.frames} samples, and the file has {whole.frames - start} from there on"
    return ""


def _write(file: Path, take: Path, start: int, out: Path) -> None:
    """Write a copy of a file with a take from a sample on; all else stays bit for bit."""
    shutil.copyfile(file, out)
    if soundfile.info(file).format not in _WRITABLE_IN_PLACE:
        _write_anew(file, take, start, out)
        return
    with soundfile.SoundFile(out, "r+") as whole, soundfile.SoundFile(take) as part:
        whole.seek(start)
        for block_SN in part.blocks(_BLOCK_SAMPLES, dtype=_exact(part), always_2d=True):
            whole.write(block_SN)


def _write_anew(file: Path, take: Path, start: int, out: Path) -> None:
    with soundfile.SoundFile(file) as whole, soundfile.SoundFile(take) as part:
        like = {"samplerate": whole.samplerate, "channels": whole.channels, "subtype": whole.subtype}
        with soundfile.SoundFile(out, "w", format=whole.format, **like) as made:
            for source, frames in ((whole, start), (part, part.frames), (whole, -1)):
                if source is whole and frames < 0:
                    whole.seek(start + part.frames)
                for block_SN in source.blocks(
                    _BLOCK_SAMPLES, frames=frames, dtype=_exact(source), always_2d=True
                ):
                    made.write(block_SN)


def _exact(file: Any) -> str:
    """Return the type of numbers that holds each sample of a file as it is."""
    return "float64" if file.subtype in ("FLOAT", "DOUBLE") else "int32"

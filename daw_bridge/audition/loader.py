"""Files as they are heard: at the device's rate, in stereo, whole in memory.

Legend: C channels, S frames; audio is S x C.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from daw_bridge.audition.voice import CHANNELS, Frames
from engine.errors import AudioIOError, AudioMissing, Cancelled, EngineError, OutOfMemory, SpecError, TooLarge

MAX_DURATION_S = 600.0
_EDGE_S = 0.002
_CHUNK_FRAMES = 1 << 16
_FORMATS_HINT = "WAV, FLAC, AIFF, Ogg and MP3 files work."

# How much of each channel goes left and right, before both are scaled so that they cannot clip: ITU-R BS.775,
# without the effects channel. Channels are in the order of WAV files.
_HALF = math.sqrt(0.5)
_L, _R, _C, _LFE = (1.0, 0.0), (0.0, 1.0), (_HALF, _HALF), (0.0, 0.0)
_LS, _RS, _CS = (_HALF, 0.0), (0.0, _HALF), (0.5, 0.5)
_DOWNMIXES = {
    1: ((1.0, 1.0),),
    2: (_L, _R),
    3: (_L, _R, _C),
    4: (_L, _R, _LS, _RS),
    5: (_L, _R, _C, _LS, _RS),
    6: (_L, _R, _C, _LFE, _LS, _RS),
    7: (_L, _R, _C, _LFE, _CS, _LS, _RS),
    8: (_L, _R, _C, _LFE, _LS, _RS, _LS, _RS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The part of a file to hear, in seconds; without an end, as far as it goes."""

    from_s: float = 0.0
    to_s: float | None = None


class _File(Protocol):
    """What is used of soundfile.SoundFile, which has no types."""

    samplerate: int
    frames: int
    channels: int

    def seek(self, frames: int) -> int: ...

    def read(self, frames: int, dtype: str, *, always_2d: bool) -> Frames: ...


def load(path: str, rate_hz: int, cut: Cut, cancelled: Callable[[], bool]) -> Frames:
    """Read a part of a file for a device of that rate.

    Where the part begins or ends inside the file, 2 ms are faded; the file's own ends stay as they are.

    Raises:
        AudioMissing: no such file.
        AudioIOError: not usable audio.
        SpecError: the part is not within the file.
        TooLarge: it is longer than 10 minutes.
        Cancelled: cancelled() was true at some moment.
    """
    with _opened(path) as file:
        start, stop = _part(file, cut, path)
        length = max(1, round((stop - start) * rate_hz / file.samplerate))
        audio = _fitted(_resampled(file, start, stop, rate_hz, cancelled), length)
        _fade_edges(audio, rate_hz, inside=(start > 0, stop < file.frames))
        return audio


def downmix(channels: int) -> NDArray[np.float32]:
    """Return the C x 2 matrix to stereo; unknown layouts alternate between left and right."""
    rows = _DOWNMIXES.get(channels) or tuple((_L, _R)[channel % 2] for channel in range(channels))
    loudest = max(sum(row[side] for row in rows) for side in range(CHANNELS))
    return np.array(rows, np.float32) / np.float32(max(1.0, loudest))


def _resampled(
    file: _File, start: int, stop: int, rate_hz: int, cancelled: Callable[[], bool]
) -> Iterator[Frames]:
    stream = soxr.ResampleStream(file.samplerate, rate_hz, CHANNELS, dtype="float32", quality="HQ")
    for chunk in _stereo_chunks(file, start, stop, cancelled):
        yield chunk if file.samplerate == rate_hz else stream.resample_chunk(chunk)
    if file.samplerate != rate_hz:
        yield stream.resample_chunk(np.empty((0, CHANNELS), np.float32), last=True)


def _stereo_chunks(file: _File, start: int, stop: int, cancelled: Callable[[], bool]) -> Iterator[Frames]:
    matrix = downmix(file.channels)
    file.seek(start)
    for position in range(start, stop, _CHUNK_FRAMES):
        if cancelled():
            raise Cancelled("something else was asked for before this file was read")
        chunk = file.read(min(_CHUNK_FRAMES, stop - position), dtype="float32", always_2d=True)
        yield np.nan_to_num(chunk, nan=0.0, posinf=1.0, neginf=-1.0) @ matrix


def _part(file: _File, cut: Cut, path: str) -> tuple[int, int]:
    start = round(cut.from_s * file.samplerate)
    stop = file.frames if cut.to_s is None else min(file.frames, round(cut.to_s * file.samplerate))
    if file.frames == 0:
        raise AudioIOError(f"{path} has no audio in it")
    if not 0 <= start < stop:
        raise SpecError(f"the part to play is not within {path}", f"It is {_duration_s(file):.2f} s long.")
    if stop - start > MAX_DURATION_S * file.samplerate:
        raise TooLarge(
            f"{path} is longer than the {MAX_DURATION_S / 60:g} minutes that can be played at once",
            "Play a part of it.",
        )
    return start, stop


def _duration_s(file: _File) -> float:
    return float(file.frames / file.samplerate)


def _fitted(parts: Iterable[Frames], length: int) -> Frames:
    """Return exactly that many frames: a converter rounds, and a damaged file ends early."""
    audio = np.zeros((length, CHANNELS), np.float32)
    filled = 0
    for part in parts:
        taken = part[: length - filled]
        audio[filled : filled + len(taken)] = taken
        filled += len(taken)
    return audio


def _fade_edges(audio: Frames, rate_hz: int, inside: tuple[bool, bool]) -> None:
    frames = min(len(audio) // 2, round(_EDGE_S * rate_hz))
    ramp = (np.arange(1, frames + 1, dtype=np.float32) / (frames + 1))[:, None]
    if inside[0]:
        audio[:frames] *= ramp
    if inside[1]:
        audio[len(audio) - frames :] *= ramp[::-1]


@contextmanager
def _opened(path: str) -> Iterator[_File]:
    try:
        _require_file(Path(path))
        with soundfile.SoundFile(path) as file:
            yield file
    except EngineError:
        raise
    except (soundfile.LibsndfileError, OSError, ValueError, TypeError) as error:
        raise AudioIOError(f"{path} is not audio that can be read", _FORMATS_HINT) from error
    except MemoryError as error:
        raise OutOfMemory(f"there is no memory to play {path}", "Close other programs.") from error


def _require_file(path: Path) -> None:
    if not path.exists():
        raise AudioMissing(f"no such file: {path}", "Check the path.")
    if not path.is_file():
        raise AudioIOError(f"{path} is not an audio file", _FORMATS_HINT)

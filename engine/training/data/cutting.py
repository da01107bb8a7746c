"""A sound file as clips of one length: cut, mixed to mono, brought to one rate, padded.

N channels, S samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from engine.audio.grid import samples_at
from engine.audio.io import AudioClip, probe, read_clip
from engine.audio.resample import resample
from engine.audio.splice import fit_length
from engine.errors import SpecError
from engine.training.data.manifest import SoundFile, path_number
from engine.types import TimeSpan

RATES_HZ = (16_000, 48_000)
PEAK = 0.5
SILENT_PEAK = 1e-4
RETRIES = 10
_TINY = 1e-8


class Cut(Enum):
    """Pieces one after another (the paper), or windows at random (its training repository)."""

    PIECES = "pieces"
    CROPS = "crops"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutConfig:
    """Of each file the first first_s are used, in clips of piece_s that are padded to padded_s.

    A rest shorter than shortest_s that follows a whole piece is left out. crops is how many windows a file
    gives, where they are cut at random; one that is silent is tried again. level brings each clip's
    mean to 0 and its peak to one half, as the training repository does.
    """

    cut: Cut = Cut.PIECES
    first_s: float = 30.0
    piece_s: float = 10.0
    padded_s: float = 10.24
    shortest_s: float = 1.0
    sample_rate_hz: int = 16_000
    crops: int = 1
    level: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sample_rate_hz not in RATES_HZ:
            raise SpecError(f"Clips are of 16000 or 48000 Hz, not {self.sample_rate_hz}.")
        if not (0.01 <= self.piece_s <= self.padded_s < math.inf):
            raise SpecError(
                f"A piece of {self.piece_s} s padded to {self.padded_s} s is no clip.",
                "Pieces last 0.01 s at least and are not longer than the clip.",
            )
        if not self.piece_s <= self.first_s < math.inf or not 0 <= self.shortest_s <= self.piece_s:
            raise SpecError(
                f"Pieces of {self.piece_s} s, {self.shortest_s} s at least, do not fit {self.first_s} s."
            )
        if self.crops < 1:
            raise SpecError("A file gives one crop at least.")

    @property
    def piece_samples(self) -> int:
        return samples_at(self.piece_s, self.sample_rate_hz)

    @property
    def clip_samples(self) -> int:
        return samples_at(self.padded_s, self.sample_rate_hz)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """A clip of a file, which begins at start_s there."""

    start_s: float
    audio_S: np.ndarray


def cut_file(root: Path, file: SoundFile, config: CutConfig) -> tuple[list[Piece], int]:
    """Return the clips of a file, and how many more would have been silent.

    Raises:
        AudioIOError: a file that is missing or damaged.
    """
    path = root / file.path
    span = stretch(file, probe(path).duration_s, config.first_s)
    if config.cut is Cut.CROPS:
        return _crops(path, file, span, config)
    clip = read_clip(path, span)
    whole_S = _mono(clip, config.sample_rate_hz)
    bounds = piece_bounds(
        len(whole_S), config.piece_samples, samples_at(config.shortest_s, config.sample_rate_hz)
    )
    heard = [(start, whole_S[start:stop]) for start, stop in bounds if not silent(whole_S[start:stop])]
    pieces = [
        Piece(start_s=span.start_s + start / config.sample_rate_hz, audio_S=_finished(piece_S, config))
        for start, piece_S in heard
    ]
    return pieces, len(bounds) - len(pieces)


def stretch(file: SoundFile, duration_s: float, first_s: float) -> TimeSpan:
    """Return which part of a file is used: the first seconds of the stretch that is meant."""
    start_s, end_s = 0.0, duration_s
    if file.end_s is not None and file.end_s <= duration_s:
        start_s, end_s = file.start_s, file.end_s
    elif file.end_s is None and file.start_s < duration_s:
        start_s = file.start_s
    return TimeSpan(start_s=start_s, end_s=min(end_s, start_s + first_s))


def piece_bounds(length: int, piece: int, shortest: int) -> list[tuple[int, int]]:
    """Return starts and ends of pieces one after another; the last is as short as what is left.

    A rest below shortest is left out, unless it is all there is.
    """
    bounds = [(start, min(start + piece, length)) for start in range(0, length, piece)]
    rest = bounds[-1][1] - bounds[-1][0] if bounds else 0
    return bounds[:-1] if len(bounds) > 1 and rest < shortest else bounds


def silent(audio_S: np.ndarray) -> bool:
    """Tell whether a sound stays near its mean."""
    return float(np.abs(audio_S - audio_S.mean()).max()) < SILENT_PEAK


def retried(draw: Callable[[], AudioClip]) -> AudioClip | None:
    """Return the first of some draws that is not silent, or None where all are."""
    draws = (draw() for _ in range(1 + RETRIES))
    return next((clip for clip in draws if not silent(clip.audio_NS.mean(axis=0))), None)


def _crops(path: Path, file: SoundFile, span: TimeSpan, config: CutConfig) -> tuple[list[Piece], int]:
    # A file's crops depend on its name, not on which files are prepared with it.
    rng = np.random.default_rng((config.seed, path_number(file.path)))
    room_s = max(0.0, span.duration_s - config.piece_s)
    length_s = min(config.piece_s, span.duration_s)

    def window() -> AudioClip:
        start_s = span.start_s + rng.uniform(0.0, room_s)
        return read_clip(path, TimeSpan(start_s=start_s, end_s=min(start_s + length_s, span.end_s)))

    found = [clip for clip in (retried(window) for _ in range(config.crops)) if clip is not None]
    pieces = [
        Piece(
            start_s=clip.first_sample / clip.sample_rate_hz,
            audio_S=_finished(_mono(clip, config.sample_rate_hz), config),
        )
        for clip in found
    ]
    return pieces, config.crops - len(pieces)


def _mono(clip: AudioClip, rate_hz: int) -> np.ndarray:
    """Return the mean of the channels at another rate."""
    mono_NS = clip.audio_NS.mean(axis=0, keepdims=True)
    return resample(mono_NS, clip.sample_rate_hz, rate_hz)[0]


def _finished(audio_S: np.ndarray, config: CutConfig) -> np.ndarray:
    """Bring a clip to its level and length; what is padded stays at zero."""
    if config.level:
        audio_S = audio_S - audio_S.mean()
        audio_S = audio_S * (PEAK / (float(np.abs(audio_S).max()) + _TINY))
    return fit_length(audio_S[None].astype(np.float32), config.clip_samples)[0]

"""Levels: what the model expects, and what the source had. N channels, S samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MODEL_PEAK = 0.5
SILENCE_PEAK = 1e-5
FLOOR_DB = -200.0
_AUDIBLE_RMS = 1e-3
_BLOCK_SAMPLES = 2**18


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLevel:
    """How a signal was brought to the level the model was trained at."""

    mean: float
    gain: float

    def apply(self, audio_S: np.ndarray) -> np.ndarray:
        return (audio_S - self.mean) * self.gain


def model_level(audio_S: np.ndarray) -> ModelLevel:
    """Measure a signal so that applying the result removes the mean and sets the peak to 0.5.

    Silence keeps its level.
    """
    mean = float(np.mean(audio_S, dtype=np.float64)) if audio_S.size else 0.0
    peak = float(np.max(np.abs(audio_S - mean), initial=0.0))
    return ModelLevel(mean=mean, gain=MODEL_PEAK / peak if peak > SILENCE_PEAK else 1.0)


def in_blocks(audio: np.ndarray, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
    """Yield stretches of samples start to stop: what is computed from each is small beside the whole."""
    end = audio.shape[-1] if stop is None else min(stop, audio.shape[-1])
    for first in range(start, end, _BLOCK_SAMPLES):
        yield audio[..., first : min(first + _BLOCK_SAMPLES, end)]


def rms(audio: np.ndarray) -> float:
    """Return the root mean square over everything given, 0 of nothing."""
    power = sum(float(np.square(block, dtype=np.float64).sum()) for block in in_blocks(audio))
    return math.sqrt(power / audio.size) if audio.size else 0.0


def peak(audio: np.ndarray) -> float:
    return float(np.max(np.abs(audio), initial=0.0))


def decibels(amplitude: float) -> float:
    """Return dB relative to full scale, never below the floor."""
    return 20.0 * math.log10(amplitude) if amplitude > 10.0 ** (FLOOR_DB / 20.0) else FLOOR_DB


def is_audible(audio: np.ndarray) -> bool:
    """Tell whether the signal is above -60 dBFS RMS."""
    return rms(audio) > _AUDIBLE_RMS


def mono(audio_NS: np.ndarray) -> np.ndarray:
    """Return what a mono model should hear: the mean of the channels, or the loudest if that cancels."""
    mixed_S = np.concatenate([_mean(block_NS) for block_NS in in_blocks(audio_NS)] or [_mean(audio_NS)])
    loudest_S = max(audio_NS, key=rms)
    return loudest_S.astype(np.float32) if rms(mixed_S) < 0.1 * rms(loudest_S) else mixed_S


def _mean(audio_NS: np.ndarray) -> np.ndarray:
    return np.asarray(np.mean(audio_NS, axis=0, dtype=np.float64)).astype(np.float32)

"""Sample-rate conversion of exact length. N channels, S samples."""

from __future__ import annotations

import numpy as np
import soxr

from engine.audio.grid import resampled_length
from engine.audio.splice import fit_length


def resample(audio_NS: np.ndarray, from_hz: int, to_hz: int, length_samples: int | None = None) -> np.ndarray:
    """Convert without delay (soxr VHQ); the length is length_samples, else what covers the input."""
    if length_samples is None:
        length_samples = resampled_length(audio_NS.shape[1], from_hz, to_hz)
    if from_hz != to_hz and audio_NS.shape[1] > 0:
        audio_NS = soxr.resample(np.ascontiguousarray(audio_NS.T), from_hz, to_hz, quality="VHQ").T
    return fit_length(audio_NS, length_samples)

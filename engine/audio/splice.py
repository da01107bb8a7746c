"""Lengths made exact. Legend: N channels, S samples."""

from __future__ import annotations

import numpy as np


def fit_length(audio_NS: np.ndarray, length_samples: int) -> np.ndarray:
    """Cut or zero-pad the end to an exact length."""
    missing = length_samples - audio_NS.shape[-1]
    if missing <= 0:
        return audio_NS[..., :length_samples]
    return np.pad(audio_NS, [(0, 0)] * (audio_NS.ndim - 1) + [(0, missing)])


def mirrored(audio_NS: np.ndarray, left: int, right: int) -> np.ndarray:
    """Pad by mirror images, repeated as often as needed; nothing to mirror gives silence."""
    mode = "constant" if audio_NS.shape[1] < 2 else "reflect"
    return np.pad(audio_NS, ((0, 0), (left, right)), mode=mode)  # type: ignore[call-overload]

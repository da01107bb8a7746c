"""Two sounds made one (mixup), with what is said of them. S samples."""

from __future__ import annotations

import numpy as np

from engine.training.clips import ClipInfo

MIXTURE_PEAK = 0.5
BETA = 5.0
_SILENT = 1e-8


def mix(first_S: np.ndarray, second_S: np.ndarray, weight: float) -> np.ndarray:
    """Return the weighted sum of two sounds at a peak of one half (AudioLDM, eq. 8)."""
    mixed_S = weight * first_S + (1 - weight) * second_S
    mixed_S *= MIXTURE_PEAK / max(float(np.abs(mixed_S).max()), _SILENT)
    return mixed_S


def as_loud(second_S: np.ndarray, first_S: np.ndarray) -> np.ndarray:
    """Return the second sound with the energy of the first, so that the weights alone say which is heard."""
    first, second = (float(np.sqrt(np.mean(np.square(sound_S)))) for sound_S in (first_S, second_S))
    return second_S * (first / max(second, _SILENT))


def join(first: ClipInfo, second: ClipInfo) -> ClipInfo:
    """Join captions by "and"; a concept of both is named once."""
    caption = " and ".join(info.caption for info in (first, second) if info.caption)
    return ClipInfo(caption=caption, concepts=tuple(dict.fromkeys(first.concepts + second.concepts)))

"""Lengths made exact. Legend: N channels, S samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def fit_length(audio_NS: np.ndarray, length_samples: int) -> np.ndarray:
    """Cut or zero-pad the end to an exact length."""
    missing = length_samples - audio_NS.shape[-1]
    if missing <= 0:
        return audio_NS[..., :length_samples]
    return np.pad(audio_NS, [(0, 0)] * (audio_NS.ndim - 1) + [(0, missing)])


def between(parts: Sequence[np.ndarray], first: int, start: int, stop: int) -> np.ndarray:
    """Return samples start to stop of parts that begin at `first` and follow each other.

    Beyond them come mirror images, repeated as often as needed; of less than two samples, silence.
    """
    total = sum(part_NS.shape[1] for part_NS in parts)
    if first <= start and stop <= first + total:
        return cut(parts, start - first, stop - first)
    if total < 2:
        return np.pad(cut(parts, 0, total), ((0, 0), (first - start, stop - first - total)))
    round_trip = 2 * (total - 1)
    there_S = np.arange(start - first, stop - first) % round_trip
    folded_S = np.minimum(there_S, round_trip - there_S)
    lowest = int(folded_S.min())
    return cut(parts, lowest, int(folded_S.max()) + 1)[:, folded_S - lowest]


def cut(parts: Sequence[np.ndarray], start: int, stop: int) -> np.ndarray:
    """Return what there is of samples start to stop of parts that follow each other."""
    found, begins = [], 0
    for part_NS in parts:
        cut_NS = part_NS[:, max(0, start - begins) : max(0, stop - begins)]
        found += [cut_NS] if cut_NS.size else []
        begins += part_NS.shape[1]
    return found[0] if len(found) == 1 else np.concatenate(found or [parts[0][:, :0]], axis=1)

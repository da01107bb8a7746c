"""How much later than another sound's the onsets of a sound are. Legend: N channels, S samples, K hops."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import correlate

_HOP_S = 0.00025
# 10 ms, the mel's own step: onsets that a vocoder has made are no sharper.
_WINDOW_HOPS = 41
_LONGEST_S = 0.03
# Enough to be sure, and never a lot to calculate.
_LISTENED_S = 30.0
# Against the loudest moment: what is softer is no onset.
_FLOOR = 1e-6
# Less alike than this, and a lag says nothing.
_LEAST_LIKENESS = 0.3


def onset_lag_s(before_NS: np.ndarray, after_NS: np.ndarray, rate_hz: int) -> float | None:
    """Return how much later the second sound's onsets are; None where they are not those of the first.

    Compares how the energy of both rises, within 30 ms; between two hops a parabola tells.
    """
    hop = max(1, round(_HOP_S * rate_hz))
    before_K, after_K = (_rises(audio_NS, hop, rate_hz) for audio_NS in (before_NS, after_NS))
    size, reach = len(before_K), math.ceil(_LONGEST_S * rate_hz / hop)
    power = float(np.linalg.norm(before_K) * np.linalg.norm(after_K))
    if size <= 2 * reach or power == 0.0:
        return None
    near_K = correlate(after_K, before_K, method="fft")[size - 1 - reach : size + reach] / power
    best = int(np.argmax(near_K))
    if near_K[best] < _LEAST_LIKENESS or best in (0, len(near_K) - 1):
        return None
    left, top, right = near_K[best - 1 : best + 2]
    return float(best - reach + 0.5 * (left - right) / (left - 2 * top + right)) * hop / rate_hz


def _rises(audio_NS: np.ndarray, hop: int, rate_hz: int) -> np.ndarray:
    """Return by how much the level of all but the bass rises from hop to hop, without the mean."""
    heard_NS = audio_NS[:, : round(_LISTENED_S * rate_hz)].astype(np.float64)
    energy_S = np.square(np.diff(heard_NS, axis=1)).sum(axis=0)
    hops = len(energy_S) // hop
    energy_K = energy_S[: hops * hop].reshape(hops, hop).sum(axis=1)
    if hops <= _WINDOW_HOPS:
        return np.zeros(0)
    level_K = np.convolve(energy_K, np.hanning(_WINDOW_HOPS), mode="valid")
    loud_K = np.log(level_K + _FLOOR * level_K.max() + np.finfo(float).tiny)
    rises_K = np.maximum(0.0, np.diff(loud_K))
    return np.asarray(rises_K - rises_K.mean())

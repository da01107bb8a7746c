"""How loud a sound is from moment to moment, and the gain that makes another one follow it.

Legend: V voices, S samples, K moments of a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from scipy.signal import fftconvolve

MOMENT_S = 0.001
# Of a Blackman window of this length nothing above 42 Hz is left (-58 dB): with a shorter one the gain would
# ride on the waves of a bass.
WINDOW_S = 0.072
# Against the loudest moment: what is softer counts as silence, so that no noise floor is pumped up.
FLOOR_DB = -50.0
MOST_GAIN_DB = 18.0
# What is that much louder over so long than before is a step, and no wave of a bass.
STEP_RATIO, _STEP_S = 3.0, 0.04
_TURNS = 4
_BLOCK_SAMPLES = 2**18


def moment_samples(rate_hz: int) -> int:
    """Return how many samples a moment has."""
    return max(1, round(MOMENT_S * rate_hz))


def energies(audio_VS: np.ndarray, power_V: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return the energy of each moment, the last of which may be cut short; voices count by their power."""
    moment = moment_samples(rate_hz)
    starts = np.arange(0, audio_VS.shape[1], moment)
    energy_K = np.zeros(len(starts))
    for voice_S, power in zip(audio_VS, power_V, strict=True):
        energy_K += power * np.add.reduceat(np.square(voice_S, dtype=np.float64), starts)
    return energy_K


def smoothed(energy_K: np.ndarray, begins: Sequence[int]) -> np.ndarray:
    """Return the mean energy around each moment; what begins at one is never mixed with what was before."""
    window = np.blackman(round(WINDOW_S / MOMENT_S) + 1)[1:-1]
    parts = [_mean(energy_K[span], window) for span in _spans(begins, len(energy_K))]
    return np.maximum(0.0, np.concatenate(parts))


def steps(energy_K: np.ndarray, moments: Sequence[int]) -> tuple[int, ...]:
    """Return those moments at which a sound becomes louder at once and stays so for a while."""
    sums_K = np.concatenate([np.zeros(1), np.cumsum(energy_K)])
    reach = round(_STEP_S / MOMENT_S)

    def mean(start: int, stop: int) -> float:
        first, past = max(0, start), min(len(energy_K), stop)
        return float(sums_K[past] - sums_K[first]) / max(1, past - first)

    return tuple(
        moment
        for moment in moments
        if mean(moment, moment + reach) > STEP_RATIO * mean(moment - reach, moment)
    )


def following_gain_db(
    source_K: np.ndarray, made_K: np.ndarray, source_steps: Sequence[int], made_steps: Sequence[int]
) -> np.ndarray:
    """Return the gain (K,) with which a sound is as loud as its source at each moment, in all as before.

    It is the same for all that is louder than the floor, falls to it with a source that is silent, and lifts
    nothing by more than MOST_GAIN_DB: of silence nothing is made. Steps are where either one gets louder.
    """
    if not source_K.any() or not made_K.any():
        return np.full(len(made_K), -np.inf if made_K.any() else 0.0)
    wanted_K = smoothed(source_K * (made_K.sum() / source_K.sum()), source_steps)
    have_K = smoothed(made_K, made_steps)
    floor = 10 ** (FLOOR_DB / 10) * wanted_K.max()
    gain_K = np.zeros(len(made_K))
    for _ in range(_TURNS):
        gain_K = np.minimum(gain_K + 10 * np.log10((wanted_K + floor) / (have_K + floor)), MOST_GAIN_DB)
        # A smoothed level is not quite the level: the next look finds what this one left. The steps are the
        # source's by now.
        have_K = smoothed(made_K * 10 ** (gain_K / 10), source_steps)
    return gain_K


def with_gain(audio_VS: np.ndarray, gain_K: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return voices under one gain in dB for each moment, straight from middle to middle."""
    if not gain_K.any():
        return audio_VS
    middles = (np.arange(len(gain_K)) + 0.5) * moment_samples(rate_hz)
    factors_K = 10 ** (gain_K / 20)
    result_VS = np.empty_like(audio_VS)
    for start in range(0, audio_VS.shape[1], _BLOCK_SAMPLES):
        part_VS = audio_VS[:, start : start + _BLOCK_SAMPLES]
        factors_S = np.interp(start + np.arange(part_VS.shape[1]), middles, factors_K)
        result_VS[:, start : start + _BLOCK_SAMPLES] = part_VS * factors_S
    return result_VS


def _mean(energy_K: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Return the mean under a window of odd length, as far as there is anything under it."""
    around = len(window) // 2
    sums_K, weights_K = (
        fftconvolve(each_K, window)[around : around + len(energy_K)]
        for each_K in (energy_K, np.ones(len(energy_K)))
    )
    return np.asarray(sums_K / weights_K)


def _spans(begins: Sequence[int], size: int) -> Iterator[slice]:
    ends = sorted({0, *(begin for begin in begins if 0 < begin < size), size})
    return (slice(start, stop) for start, stop in pairwise(ends))

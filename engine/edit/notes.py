"""The notes of a sound given to another one: its spectrum shaped by those that the first one sounds.

Legend: V voices, S samples, K frames, F bins, P pitches (a third of a semitone apart).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter

from engine.edit.transform import Frames, Transform, changed, transform_of

# Long enough to tell semitones apart from 400 Hz on, whole tones from 200 Hz.
WINDOW_S = 0.2
MOST_BOOST_DB, MOST_CUT_DB = 12.0, -24.0
LOWEST_HZ, HIGHEST_HZ = 55.0, 5000.0
_PITCHES_PER_SEMITONE = 3
# A partial stands out from what surrounds it by some semitones.
_AROUND_SEMITONES = 4.0
_FLOOR_SHARE = 1e-5
# A partial goes on for longer than half of this, and a stroke is wider (Fitzgerald 2010).
_STEADY_FRAMES, _WIDE_SEMITONES, _STANDS_OUT = 11, 6, 2.0
# Of a frame that lost partials: it is made as loud again as it was, but not much louder than what is left.
_MOST_MAKEUP = 4.0
_TINY = 1e-30


def with_notes_of(source_S: np.ndarray, made_S: np.ndarray, made_VS: np.ndarray, rate_hz: int) -> np.ndarray:
    """Shape voices so that what they sound of notes is what the source sounds; the mono signals are heard.

    Gains are from MOST_CUT_DB to MOST_BOOST_DB and what goes with them to a frame's loudness, alike for all
    voices; phases stay. Noise and strokes stay as they are, and all where the source has no notes.
    """
    transform = transform_of(rate_hz, WINDOW_S)
    floors = _floor(source_S, transform), _floor(made_S, transform)
    if 0.0 in floors:
        return made_VS

    def shape(frames: Frames, spectra: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        source_KF, made_KF = (np.square(np.abs(one_1KF[0])) for one_1KF in spectra[:2])
        gain_KF = _gain(source_KF, made_KF, frames.freqs_hz, floors)
        return (spectra[2] * (gain_KF - 1.0),)

    result_VS = made_VS.copy()
    for where, (change_VS,) in changed(transform, (source_S[None], made_S[None], made_VS), shape):
        result_VS[:, where] += change_VS.astype(made_VS.dtype)
    return result_VS


def _floor(audio_S: np.ndarray, transform: Transform) -> float:
    """Return the power of a bin that is nothing beside the sound."""
    mean = float(np.mean(np.square(audio_S, dtype=np.float64)))
    return _FLOOR_SHARE * mean * float(np.square(transform.heard_L).sum())


def _gain(
    source_KF: np.ndarray, made_KF: np.ndarray, freqs_hz: np.ndarray, floors: tuple[float, float]
) -> np.ndarray:
    """Return the gain of each bin from the powers of both."""
    pitches_FP = _pitches(len(freqs_hz), float(freqs_hz[1]))
    source_KP, made_KP = (power_KF @ pitches_FP for power_KF in (source_KF, made_KF))
    wanted_KP, have_KP = (
        _standing_out_db(power_KP + floor)
        for power_KP, floor in zip((source_KP, made_KP), floors, strict=True)
    )
    gain_KP = np.clip(wanted_KP - have_KP, MOST_CUT_DB, MOST_BOOST_DB)
    gain_KP *= np.sqrt(_steadiness(made_KP + floors[1]))
    notes_K = (source_KP * _steadiness(source_KP + floors[0])).sum(axis=1) / (
        source_KP.sum(axis=1) + floors[0]
    )
    gain_KP *= notes_K[:, None]
    gain_KF = 10 ** (gaussian_filter1d(gain_KP, 1.0, axis=0) @ _bins(len(freqs_hz), float(freqs_hz[1])) / 20)
    before_K, after_K = made_KF.sum(axis=1), (made_KF * np.square(gain_KF)).sum(axis=1)
    makeup_K = np.clip((before_K + _TINY) / (after_K + _TINY), 1 / _MOST_MAKEUP, _MOST_MAKEUP)
    return gain_KF * np.sqrt(gaussian_filter1d(makeup_K, 1.0))[:, None]


def _standing_out_db(power_KP: np.ndarray) -> np.ndarray:
    around_KP = gaussian_filter1d(power_KP, _AROUND_SEMITONES * _PITCHES_PER_SEMITONE, axis=1, mode="nearest")
    return 10 * np.log10(power_KP / around_KP)


def _steadiness(power_KP: np.ndarray) -> np.ndarray:
    """Return what share of each pitch is a partial that goes on, and no noise or stroke."""
    along_KP = median_filter(power_KP, (_STEADY_FRAMES, 1))
    across_KP = median_filter(power_KP, (1, _WIDE_SEMITONES * _PITCHES_PER_SEMITONE + 1))
    # Fourth powers, so that noise, where both are alike, counts little.
    return 1.0 / (1.0 + (_STANDS_OUT * across_KP / along_KP) ** 4)


def _keys(width: int, step_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of pitches and of bins on a scale on which neighbouring pitches are 1 apart."""
    top_hz = min(HIGHEST_HZ, (width - 1) * step_hz)
    count = math.floor(12 * _PITCHES_PER_SEMITONE * math.log2(top_hz / LOWEST_HZ)) + 1
    bins_hz = np.maximum(np.arange(width) * step_hz, step_hz / 4)
    return np.arange(count, dtype=float), 12 * _PITCHES_PER_SEMITONE * np.log2(bins_hz / LOWEST_HZ)


@lru_cache(maxsize=4)
def _pitches(width: int, step_hz: float) -> np.ndarray:
    """Return what each pitch hears of each bin (F, P): as wide as a pitch, in the lows as a bin."""
    pitches_P, bins_F = _keys(width, step_hz)
    pitch_hz = LOWEST_HZ * 2 ** (pitches_P / (12 * _PITCHES_PER_SEMITONE))
    wide_P = np.maximum(1.0, 12 * _PITCHES_PER_SEMITONE * np.log2(1 + step_hz / pitch_hz))
    shares_FP = np.maximum(0.0, 1.0 - np.abs(bins_F[:, None] - pitches_P) / wide_P)
    return shares_FP / shares_FP.sum(axis=0)


@lru_cache(maxsize=4)
def _bins(width: int, step_hz: float) -> np.ndarray:
    """Return what each bin gets of each pitch (P, F); nothing below the lowest or above the highest one."""
    pitches_P, bins_F = _keys(width, step_hz)
    nearest_F = np.clip(bins_F, 0.0, pitches_P[-1])
    shares_PF = np.maximum(0.0, 1.0 - np.abs(nearest_F - pitches_P[:, None]))
    return shares_PF * np.maximum(0.0, 1.0 - np.abs(bins_F - nearest_F) / (12 * _PITCHES_PER_SEMITONE))

"""Where music may be cut unheard: at bar lines where the tempo is known, else at onsets.

Legend: N channels, S samples, F frequency bins, K frames.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter

from engine.types import TimeSpan

_HOP_S = 0.005
_FRAME_S = 0.023
_BLOCK_FRAMES = 2048
# Magnitudes are compressed as log(1 + 100 x), so that soft onsets count beside loud ones.
_COMPRESSION = 100.0
_NEAREST_S = 0.05
_AROUND_S = 0.25
_RISE_S = 0.002
# How many times louder a sound must become at once for that to be its beginning.
_SUDDEN = 4.0
_TINY = 1e-12


def bar_lines_s(
    span: TimeSpan, tempo_bpm: float, position_s: float = 0.0, beats_per_bar: int = 4
) -> tuple[float, ...]:
    """Return the bar lines within a span of a region whose first sample lies at position_s in the project.

    The project's first bar starts at 0, and its tempo is constant.
    """
    if not 0.0 < tempo_bpm < math.inf or beats_per_bar < 1:
        raise ValueError(f"bars need a tempo and beats, got {tempo_bpm} bpm and {beats_per_bar} beats")
    return _lines_s(span, 60.0 / tempo_bpm * beats_per_bar, position_s)


def onsets_s(audio_S: np.ndarray, rate_hz: int) -> tuple[float, ...]:
    """Return where sounds begin, by peaks of the rectified spectral flux (Dixon 2006, sec. 2.1).

    Sounds that begin at once are placed to 2 ms, others to about 10. Memory beyond that of the sound
    itself is a few numbers for each 5 ms.
    """
    if len(audio_S) == 0:
        return ()
    hop, frame = round(_HOP_S * rate_hz), round(_FRAME_S * rate_hz)
    flux_K = _flux_K(audio_S, frame, hop)
    peaks = _peaks(flux_K)
    centres = (round(k * hop - frame / 4) for k in peaks)
    return _apart(sorted(_steepest(audio_S, centre, frame, rate_hz) / rate_hz for centre in centres))


def preferred_cuts_s(
    audio_NS: np.ndarray,
    rate_hz: int,
    *,
    tempo_bpm: float | None = None,
    position_s: float = 0.0,
    beats_per_bar: int = 4,
    longest_s: float = math.inf,
) -> tuple[float, ...]:
    """Return the bar lines of a region where its tempo is known, else its onsets; seconds from its start.

    Bars longer than longest_s, in which no bar line may be within a window's reach, are cut at beats.
    """
    duration_s = audio_NS.shape[1] / rate_hz
    if duration_s == 0.0:
        return ()
    if tempo_bpm is None:
        return onsets_s(audio_NS.mean(axis=0), rate_hz)
    span = TimeSpan(start_s=0.0, end_s=duration_s)
    bars_fit = 60.0 / tempo_bpm * beats_per_bar <= longest_s
    return bar_lines_s(span, tempo_bpm, position_s, beats_per_bar if bars_fit else 1)


def _lines_s(span: TimeSpan, every_s: float, position_s: float) -> tuple[float, ...]:
    tolerance = 1e-9
    first = math.ceil((position_s + span.start_s) / every_s - tolerance)
    last = math.floor((position_s + span.end_s) / every_s + tolerance)
    lines_s = (index * every_s - position_s for index in range(first, last + 1))
    return tuple(min(max(line_s, span.start_s), span.end_s) for line_s in lines_s)


def _flux_K(audio_S: np.ndarray, frame: int, hop: int) -> np.ndarray:
    """Return the growth of compressed magnitudes from frame to frame; frame k ends before hop k."""
    padded_S = np.pad(audio_S, (frame, max(0, hop - len(audio_S))))
    frames = np.lib.stride_tricks.sliding_window_view(padded_S, frame)[::hop]
    window = np.hanning(frame)
    # As loud as the sound may be: a quiet recording has onsets too.
    scale = _COMPRESSION / max(float(np.abs(audio_S).max(initial=0.0)) * window.sum() / 2, _TINY)
    flux: list[np.ndarray] = []
    for start in range(0, len(frames) - 1, _BLOCK_FRAMES):
        spectrum_KF = np.fft.rfft(frames[start : start + _BLOCK_FRAMES + 1] * window)
        level_KF = np.log1p(scale * np.abs(spectrum_KF))
        flux.append(np.maximum(0.0, np.diff(level_KF, axis=0)).mean(axis=1))
    return np.concatenate(flux)


def _peaks(flux_K: np.ndarray) -> np.ndarray:
    """Return the frames that stand out from their neighbourhood."""
    nearest, around = (2 * round(reach_s / _HOP_S) + 1 for reach_s in (_NEAREST_S, _AROUND_S))
    usual_K = median_filter(flux_K, around, mode="constant")
    highest_K = maximum_filter1d(flux_K, nearest)
    threshold_K = usual_K + np.maximum(usual_K, 0.1 * float(flux_K.max(initial=0.0)))
    return np.flatnonzero((flux_K == highest_K) & (flux_K > np.maximum(threshold_K, _TINY)))


def _steepest(audio_S: np.ndarray, near: int, frame: int, rate_hz: int) -> int:
    """Return the sample near a flux peak where the level of the 2 ms after exceeds that before most.

    The slope stands for the sound, or a bass note's own waves would be taken for rises.
    """
    reach = max(1, round(_RISE_S * rate_hz))
    start = max(0, near - frame)
    slope_S = np.diff(_from(audio_S, start - reach - 1, near + frame + reach))
    sums_S = np.cumsum(np.square(slope_S))
    level_S = np.sqrt(np.maximum(0.0, sums_S[reach:] - sums_S[:-reach]))
    before_S, after_S = level_S[:-reach], level_S[reach:]
    best = int(np.argmax(after_S - before_S))
    return start + best if after_S[best] > _SUDDEN * before_S[best] else max(near, 0)


def _from(audio_S: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Return samples start..stop, zero before and after the sound."""
    heard_S = audio_S[max(0, start) : stop].astype(np.float64)
    ahead = max(0, -start)
    return np.pad(heard_S, (ahead, stop - start - ahead - len(heard_S)))


def _apart(times_s: list[float]) -> tuple[float, ...]:
    kept: list[float] = []
    for time_s in times_s:
        if not kept or time_s - kept[-1] >= _NEAREST_S:
            kept.append(time_s)
    return tuple(kept)

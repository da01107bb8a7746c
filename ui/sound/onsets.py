"""Where sounds begin, stretch by stretch, so that long files need not be read as a whole.

Legend: S samples, F frequency bins, K frames.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ui.sound.sources import Source

TILE_S = 5.0
_AROUND_S = 0.5
_HOP_S, _FRAME_S = 0.004, 0.024
_APART_S = 0.05
# Loudness is closer to the logarithm; below a thousandth of full scale magnitudes count as they are.
_COMPRESSION = 1000.0
_USUAL_S = 0.25
_STAND_OUT, _STAND_OUT_SHARE = 0.01, 0.1
_FINE_S = 0.001


def onsets_s(source: Source, tile: int) -> tuple[float, ...]:
    """Return the onsets within stretch `tile` of TILE_S, in seconds from the beginning of the sound.

    Peaks of the rectified spectral flux (Dixon 2006, sec. 2.1), moved to where the level rises most.
    """
    rate_hz = source.facts.rate_hz
    start_s = tile * TILE_S
    first = round((start_s - _AROUND_S) * rate_hz)
    audio_S = source.read(first, round((start_s + TILE_S + _AROUND_S) * rate_hz)).mean(axis=0)
    hop, frame = max(1, round(_HOP_S * rate_hz)), max(8, round(_FRAME_S * rate_hz))
    flux_K = _flux(audio_S, frame, hop)
    found_s = [float(first + _steepest(audio_S, k * hop, frame, rate_hz)) / rate_hz for k in _peaks(flux_K)]
    # A sound that is cut off clicks at its end, too.
    past_s = min(start_s + TILE_S, source.facts.duration_s - 2 * _FRAME_S)
    return tuple(time_s for time_s in found_s if start_s <= time_s < past_s)


def _flux(audio_S: NDArray[np.float32], frame: int, hop: int) -> NDArray[np.float32]:
    """Return how much louder the bands get up to frame k, whose middle is at sample k * hop."""
    padded_S = np.pad(audio_S, (frame // 2 + hop, frame))
    frames_KS = sliding_window_view(padded_S, frame)[::hop]
    window = np.hanning(frame).astype(np.float32)
    spectrum_KF = np.fft.rfft(frames_KS * (window * (2.0 / window.sum())))
    level_KF = np.log1p(_COMPRESSION * np.abs(spectrum_KF))
    flux_K: NDArray[np.float32] = np.maximum(np.diff(level_KF, axis=0), 0.0).mean(axis=1)
    return flux_K


def _peaks(flux_K: NDArray[np.float32]) -> NDArray[np.int64]:
    nearest, around = round(_APART_S / _HOP_S), round(_USUAL_S / _HOP_S)
    highest_K = _windows(flux_K, nearest).max(axis=1)
    usual_K = np.median(_windows(flux_K, around), axis=1)
    threshold_K = 2 * usual_K + max(_STAND_OUT, _STAND_OUT_SHARE * float(flux_K.max()))
    return np.flatnonzero((flux_K == highest_K) & (flux_K > threshold_K))


def _windows(values_K: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    return sliding_window_view(np.pad(values_K, reach), 2 * reach + 1)


def _steepest(audio_S: NDArray[np.float32], near: int, frame: int, rate_hz: int) -> int:
    """Return the sample near a peak before which it is quietest beside what follows."""
    reach = max(1, round(_FINE_S * rate_hz))
    start, stop = max(0, near - frame), min(len(audio_S), near + frame)
    # The slope stands for the sound, or a bass note's own waves would be taken for rises.
    slope_S = np.diff(audio_S[start:stop].astype(np.float64), prepend=float(audio_S[start]))
    sums_S = np.cumsum(np.pad(np.square(slope_S), (reach + 1, reach)))
    level_S = np.sqrt(np.maximum(sums_S[reach:] - sums_S[:-reach], 0.0))
    rise_S = level_S[reach:] - level_S[:-reach]
    return start + min(int(np.argmax(rise_S[: stop - start])), max(0, stop - start - 1))

"""The figures by which edits are compared; `tests.bench.test_edits` says what each one means.

Legend: N channels, S samples, F bins, K frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from pyloudnorm import Meter
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann, kaiser

from engine.audio.level import decibels, peak

SEAM_S, AROUND_SEAM_S = 0.002, 0.05
# A changed bin sounds this far beyond its edges through a window of 43 ms whose sidelobes are below -120 dB.
BAND_MARGIN_HZ = 250.0
_KAISER_BETA = 16.0
_WINDOW_S = 0.0427
_SPECTRAL_FLOOR_DB = -100.0
_ONSET_HOP_S = 0.00025
_ONSET_BAND_HZ = (200.0, 7000.0)
_ONSET_FLOOR = 1e-8
_LONGEST_LAG_S = 0.05


def level_error_lu(original_NS: np.ndarray, result_NS: np.ndarray, rate_hz: int) -> float:
    before, after = (
        Meter(rate_hz).integrated_loudness(audio_NS.T.astype(np.float64))
        for audio_NS in (original_NS, result_NS)
    )
    return float(abs(after - before))


def null_depth_db(original_NS: np.ndarray, result_NS: np.ndarray, where_S: np.ndarray) -> float:
    return decibels(peak((result_NS.astype(np.float64) - original_NS)[:, where_S]))


def band_null_depth_db(
    original_NS: np.ndarray,
    result_NS: np.ndarray,
    where_S: np.ndarray,
    band_hz: tuple[float, float],
    rate_hz: int,
) -> float:
    stft = _transform(rate_hz, _WINDOW_S, kaiser_beta=_KAISER_BETA)
    difference_NFK = stft.stft(result_NS.astype(np.float64) - original_NS)
    low_hz, high_hz = band_hz[0] - BAND_MARGIN_HZ, band_hz[1] + BAND_MARGIN_HZ
    difference_NFK[:, (stft.f >= low_hz) & (stft.f <= high_hz)] = 0.0
    return decibels(peak(stft.istft(difference_NFK, k1=original_NS.shape[1])[:, where_S]))


def spectral_distance_db(
    original_NS: np.ndarray, result_NS: np.ndarray, rate_hz: int, from_hz: float
) -> float:
    stft = _transform(rate_hz, _WINDOW_S)
    above = stft.f >= from_hz
    before_NFK, after_NFK = (_spectrum_db(stft, audio_NS)[:, above] for audio_NS in (original_NS, result_NS))
    return float(np.sqrt(np.square(after_NFK - before_NFK).mean(axis=1)).mean())


def correlation_error(original_NS: np.ndarray, result_NS: np.ndarray) -> float:
    before, after = (float(np.corrcoef(audio_NS)[0, 1]) for audio_NS in (original_NS, result_NS))
    return abs(after - before)


def seam_energy_db(audio_NS: np.ndarray, seams: Iterable[int], rate_hz: int) -> float:
    return max(_seam_energy_db(audio_NS, seam, rate_hz) for seam in seams)


def onset_lag_ms(original_NS: np.ndarray, result_NS: np.ndarray, rate_hz: int) -> float:
    """Return how much later the result's onsets are; between two hops a parabola tells."""
    before_K, after_K = (_onsets(audio_NS, rate_hz) for audio_NS in (original_NS, result_NS))
    likeness_K = np.correlate(after_K, before_K, mode="full")
    zero, reach = len(before_K) - 1, round(_LONGEST_LAG_S / _ONSET_HOP_S)
    best = zero - reach + int(np.argmax(likeness_K[zero - reach : zero + reach + 1]))
    left, top, right = likeness_K[best - 1 : best + 2]
    shift = 0.5 * (left - right) / (left - 2 * top + right)
    return float(best - zero + shift) * _ONSET_HOP_S * 1000


def _seam_energy_db(audio_NS: np.ndarray, seam: int, rate_hz: int) -> float:
    corners_S = np.square(np.diff(audio_NS.astype(np.float64), n=2, axis=1)).sum(axis=0)
    distance_S = np.abs(np.arange(len(corners_S)) + 1 - seam)
    near_S = distance_S <= SEAM_S * rate_hz
    around_S = (distance_S <= AROUND_SEAM_S * rate_hz) & ~near_S
    around = float(corners_S[around_S].mean())
    return 10 * math.log10(float(corners_S[near_S].mean()) / around) if around > 0 else math.inf


def _onsets(audio_NS: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return by how much the band's level rises from hop to hop, without the mean."""
    stft = _transform(rate_hz, _WINDOW_S, hop_s=_ONSET_HOP_S)
    share_FK = np.abs(stft.stft(audio_NS.mean(axis=0, dtype=np.float64))) / _full_scale(stft)
    band = (stft.f >= _ONSET_BAND_HZ[0]) & (stft.f <= _ONSET_BAND_HZ[1])
    level_K = np.log(np.square(share_FK[band]).sum(axis=0) + _ONSET_FLOOR)
    # Where a clip is cut it begins and ends at once, whatever it is.
    ends = round(_LONGEST_LAG_S / _ONSET_HOP_S)
    rises_K = np.maximum(0.0, np.diff(level_K))[ends:-ends]
    return np.asarray(rises_K - rises_K.mean())


def _spectrum_db(stft: ShortTimeFFT, audio_NS: np.ndarray) -> np.ndarray:
    """Return the level of each bin, 0 dB for a sine of full scale, never below the floor."""
    floor = 10 ** (_SPECTRAL_FLOOR_DB / 20)
    share_NFK = np.abs(stft.stft(audio_NS.astype(np.float64))) / _full_scale(stft)
    return np.asarray(20 * np.log10(np.maximum(share_NFK, floor)))


def _full_scale(stft: ShortTimeFFT) -> float:
    return float(np.sum(stft.win)) / 2


def _transform(
    rate_hz: int, window_s: float, *, hop_s: float | None = None, kaiser_beta: float | None = None
) -> ShortTimeFFT:
    size = 2 * round(window_s * rate_hz / 2)
    window_S = hann(size, sym=False) if kaiser_beta is None else kaiser(size, kaiser_beta, sym=False)
    hop = size // 8 if hop_s is None else round(hop_s * rate_hz)
    return ShortTimeFFT(window_S, hop=hop, fs=rate_hz, fft_mode="onesided")

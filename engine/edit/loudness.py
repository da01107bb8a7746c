"""Loudness that is matched, and true peaks that are kept below a ceiling.

Legend: N channels, S samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import soxr
from pyloudnorm import Meter
from scipy.ndimage import minimum_filter1d
from scipy.signal import fftconvolve

from engine.audio.grid import samples_at
from engine.audio.level import decibels, peak

# BS.1770's gate: what is quieter has no loudness.
SILENT_LUFS = -70.0
CEILING_DBTP = -1.0
# What a generation has about.
USUAL_LUFS = -20.0
_BLOCK_S = 0.4
_METERED_CHANNELS = 5
_METERED_S = 20
# Blocks 10 dB below the mean of the audible ones do not count.
_RELATIVE_GATE = 10.0
_MAX_GAIN_DB = 40.0
# How long before and after a peak a limiter turns down.
LOOKAHEAD_S = 0.006
_HEARD_DB = 0.3
_OVERSAMPLING = 4
_CHUNK_SAMPLES = 2**18
_CHUNK_MARGIN = 256


def loudness_lufs(audio_NS: np.ndarray, rate_hz: int) -> float:
    """Return the integrated loudness (ITU-R BS.1770-4), of less than a gating block that of the whole.

    Silence is -inf.
    """
    if audio_NS.shape[0] > _METERED_CHANNELS:
        parts = [loudness_lufs(channel_1S, rate_hz) for channel_1S in audio_NS[:, None]]
        power = sum(10 ** (part / 10) for part in parts)
        return 10 * math.log10(power) if power > 0 else -math.inf
    powers = np.concatenate(list(_block_powers(audio_NS, rate_hz)))
    audible = powers[powers >= 10 ** (SILENT_LUFS / 10)]
    if not audible.size:
        return -math.inf
    loud = audible[audible > audible.mean() / _RELATIVE_GATE]
    return 10 * math.log10(loud.mean())


def _block_powers(audio_NS: np.ndarray, rate_hz: int) -> Iterator[np.ndarray]:
    """Yield the loudness of gating blocks, as powers; a long sound is read in parts."""
    # A hair less than all of a short sound: the meter compares seconds.
    meter = Meter(rate_hz, block_size=min(_BLOCK_S, audio_NS.shape[1] / rate_hz * (1 - 1e-9)))
    # Parts share so much that no block is missed.
    advance, overlap = rate_hz * _METERED_S, round(_BLOCK_S * rate_hz * (1 - meter.overlap))
    for start in range(0, audio_NS.shape[1], advance):
        part_NS = audio_NS[:, max(0, start - overlap * 3) : start + advance]
        if part_NS.shape[1] >= meter.block_size * rate_hz:
            meter.integrated_loudness(part_NS.T.astype(np.float64))
            yield 10 ** (np.array(meter.blockwise_loudness) / 10)


def matching_gain(reference_NS: np.ndarray, audio_NS: np.ndarray, rate_hz: int) -> float:
    """Return the gain that gives audio the loudness of a reference, within +-40 dB; 1 beside silence."""
    want, have = loudness_lufs(reference_NS, rate_hz), loudness_lufs(audio_NS, rate_hz)
    if math.inf in (-want, -have):
        return 1.0
    return 10 ** (min(_MAX_GAIN_DB, max(-_MAX_GAIN_DB, want - have)) / 20)


def usual_gain(audio_NS: np.ndarray, rate_hz: int) -> float:
    """Return the gain that turns what is louder than finished audio is down to that."""
    have = loudness_lufs(audio_NS, rate_hz)
    return 10 ** (min(0.0, USUAL_LUFS - have) / 20)


def is_heard(gain: float) -> bool:
    """Tell whether a change of loudness matters."""
    return abs(decibels(gain)) > _HEARD_DB


def true_peak_db(audio_NS: np.ndarray) -> float:
    """Return the highest peak between the samples (BS.1770-4, annex 2), in dBTP."""
    return decibels(max((peak(part_NS) for _, part_NS in _oversampled(audio_NS)), default=0.0))


def limited(audio_NS: np.ndarray, rate_hz: int, ceiling_db: float = CEILING_DBTP) -> np.ndarray:
    """Return a sound with its true peaks kept below the ceiling."""
    gain_S = limiting_gain(np.zeros_like(audio_NS), audio_NS, lookahead_window(rate_hz), ceiling_db)
    return np.asarray(audio_NS * gain_S)


def lookahead_window(rate_hz: int) -> np.ndarray:
    """Return the shape (S,) in which a limiter reaches a reduction and leaves it again."""
    return np.hanning(samples_at(LOOKAHEAD_S, rate_hz) + 2)


def limiting_gain(
    fixed_NS: np.ndarray, limited_NS: np.ndarray, window_S: np.ndarray, ceiling_db: float = CEILING_DBTP
) -> np.ndarray:
    """Return gains (S,) for the second part that keep the sum's true peak below the ceiling.

    Every reduction is held for the window's length and reached in its shape. Where the first part alone
    is too high nothing of the second remains.
    """
    allowed_S = _allowed_gain(fixed_NS, limited_NS, 10 ** (ceiling_db / 20))
    if allowed_S.min(initial=1.0) >= 1.0:
        return np.ones(len(allowed_S))
    held_S = np.pad(minimum_filter1d(allowed_S, len(window_S) | 1), len(window_S), mode="edge")
    smooth_S = fftconvolve(held_S, window_S / window_S.sum(), mode="same")
    return np.clip(smooth_S[len(window_S) : -len(window_S)], 0.0, 1.0)


def _allowed_gain(fixed_NS: np.ndarray, limited_NS: np.ndarray, ceiling: float) -> np.ndarray:
    """Return for each sample the gain up to which no point between it and the next is too high."""
    gain_S = np.ones(limited_NS.shape[1])
    for (start, fixed_part_NS), (_, part_NS) in zip(
        _oversampled(fixed_NS), _oversampled(limited_NS), strict=True
    ):
        too_high_NS = np.abs(fixed_part_NS + part_NS) > ceiling
        room_NS = np.maximum(0.0, ceiling - np.abs(fixed_part_NS)) / np.maximum(np.abs(part_NS), 1e-12)
        fine_S = np.where(too_high_NS, np.minimum(1.0, room_NS), 1.0).min(axis=0)
        coarse_S = fine_S.reshape(-1, _OVERSAMPLING).min(axis=1)
        gain_S[start : start + len(coarse_S)] = np.minimum(coarse_S, np.append(1.0, coarse_S[:-1]))
    return gain_S


def _oversampled(audio_NS: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield stretches at four times the rate, each with the sample at which it starts."""
    samples = audio_NS.shape[1]
    for start in range(0, samples, _CHUNK_SAMPLES):
        first, past = max(0, start - _CHUNK_MARGIN), min(samples, start + _CHUNK_SAMPLES + _CHUNK_MARGIN)
        stretch_SN = np.ascontiguousarray(audio_NS[:, first:past].T.astype(np.float64))
        finer_SN = soxr.resample(stretch_SN, 1, _OVERSAMPLING, quality="HQ")
        ahead = (start - first) * _OVERSAMPLING
        count = (min(samples, start + _CHUNK_SAMPLES) - start) * _OVERSAMPLING
        finer_SN = np.pad(finer_SN, ((0, max(0, ahead + count - len(finer_SN))), (0, 0)))
        # The filter loses what is next to half the rate, and with it peaks on the samples themselves.
        finer_SN[ahead : ahead + count : _OVERSAMPLING] = audio_NS[:, start : start + _CHUNK_SAMPLES].T
        yield start, finer_SN[ahead : ahead + count].T

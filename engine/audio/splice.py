"""Putting a new stretch of audio back into the untouched original.

Legend: N channels, S samples, F STFT bins, K STFT frames.
"""

from __future__ import annotations

import numpy as np

from engine.audio.grid import covers_all_bands, samples_at, spans, stft_for, stft_mask
from engine.types import Mask, TimeSpan

EDGE_FADE_S = 0.01


def fit_length(audio_NS: np.ndarray, length_samples: int) -> np.ndarray:
    """Cut or zero-pad the end to an exact length."""
    missing = length_samples - audio_NS.shape[-1]
    if missing <= 0:
        return audio_NS[..., :length_samples]
    return np.pad(audio_NS, [(0, 0)] * (audio_NS.ndim - 1) + [(0, missing)])


def surround(
    region_S: np.ndarray, before_S: np.ndarray, after_S: np.ndarray, length_samples: int
) -> tuple[np.ndarray, int]:
    """Widen a region to a canvas of exact length; return it and where the region starts in it.

    Real context comes first, shared between both sides; mirror images fill the rest.
    """
    room = max(0, length_samples - len(region_S))
    ahead = min(len(before_S), max(room // 2, room - len(after_S)))
    behind = min(len(after_S), room - ahead)
    real_S = np.concatenate([before_S[len(before_S) - ahead :], region_S, after_S[:behind]])
    left = (room - ahead - behind) // 2
    right = max(0, length_samples - len(real_S) - left)
    return _mirrored(real_S, left, right)[:length_samples], left + ahead


def envelope(spans_s: tuple[TimeSpan, ...], length_samples: int, rate_hz: int, fade_s: float) -> np.ndarray:
    """Return gains (S,) from 0 outside all spans to 1 within, straight ramps just inside the ends."""
    envelope_S = np.zeros(length_samples)
    for span in spans_s:
        start = min(length_samples, samples_at(span.start_s, rate_hz))
        stop = min(length_samples, samples_at(span.end_s, rate_hz))
        fade = min(samples_at(fade_s, rate_hz), (stop - start) // 2)
        ramp_S = np.minimum(np.arange(stop - start), np.arange(stop - start)[::-1])
        gains_S = np.clip((ramp_S + 0.5) / (fade + 0.5), 0.0, 1.0)
        envelope_S[start:stop] = np.maximum(envelope_S[start:stop], gains_S)
    return envelope_S


def crossfade(original_NS: np.ndarray, new_NS: np.ndarray, envelope_S: np.ndarray) -> np.ndarray:
    """Blend at equal power; where the envelope is 0 the original stays bit for bit."""
    angle_S = envelope_S * (np.pi / 2)
    mixed_NS = np.cos(angle_S) * original_NS + np.sin(angle_S) * new_NS
    return _keep_outside(original_NS, np.where(envelope_S == 1.0, new_NS, mixed_NS), envelope_S)


def composite(original_NS: np.ndarray, new_NS: np.ndarray, rate_hz: int, mask: Mask | None) -> np.ndarray:
    """Replace what the mask covers, everything if there is none, in the original's sample type.

    Without bounds in frequency this is a crossfade in time; else only the masked STFT bins change.
    Samples outside the mask's time span stay bit for bit.
    """
    length = original_NS.shape[1]
    if mask is None:
        whole = (TimeSpan(start_s=0.0, end_s=length / rate_hz),)
        return crossfade(original_NS, new_NS, envelope(whole, length, rate_hz, EDGE_FADE_S))
    envelope_S = envelope(spans(mask), length, rate_hz, mask.feather_s)
    if covers_all_bands(mask):
        return crossfade(original_NS, new_NS, envelope_S)
    difference_NS = new_NS.astype(np.float64) - original_NS
    changed_NS = original_NS + envelope_S * masked_part(difference_NS, rate_hz, mask)
    return _keep_outside(original_NS, changed_NS, envelope_S)


def masked_part(audio_NS: np.ndarray, rate_hz: int, mask: Mask) -> np.ndarray:
    """Return only the masked STFT bins of the audio, same length."""
    stft = stft_for(rate_hz)
    length = audio_NS.shape[1]
    padded_NS = fit_length(audio_NS, max(length, stft.m_num))
    bins_NFK = stft.stft(padded_NS, axis=-1) * stft_mask(mask, stft, padded_NS.shape[1])
    return stft.istft(bins_NFK, k1=padded_NS.shape[1])[:, :length]


def _keep_outside(original_NS: np.ndarray, changed_NS: np.ndarray, envelope_S: np.ndarray) -> np.ndarray:
    return np.where(envelope_S == 0.0, original_NS, changed_NS.astype(original_NS.dtype))


def _mirrored(audio_S: np.ndarray, left: int, right: int) -> np.ndarray:
    """Pad by mirror images, repeated as often as needed; nothing to mirror gives silence."""
    if len(audio_S) < 2:
        return np.pad(audio_S, (left, right))
    return np.pad(audio_S, (left, right), mode="reflect")

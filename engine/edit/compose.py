"""Putting a new sound into the untouched original: only where and in which bands the mask says.

Legend: N channels, S samples, F bins, K frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import ShortTimeFFT

from engine.audio.grid import covers_all_bands, samples_at, spans
from engine.edit.transform import Frames, changed, mask_weights, transform_for
from engine.types import Highs, Mask, TimeSpan

EDGE_FADE_S = 0.01
# A fade may move this far inwards, to where it is quiet.
_FADE_SEARCH_S = 0.03
_FADE_SEARCH_SHARE = 0.05
# The crossover ends where the model's band does, and is this share of it wide.
_CROSSOVER_SHARE = 0.07
_FOLLOW_SMOOTH_S = 0.02
_FOLLOW_MOST, _FOLLOW_FLOOR = 2.0, 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how a new sound goes into a stretch of the original.

    offset_s is where the stretch starts in the region, duration_s the region's length; top_hz is the end
    of the model's band. Without a mask all is replaced; within_s leaves the rest of it to other stretches.
    """

    mask: Mask | None
    rate_hz: int
    offset_s: float
    duration_s: float
    top_hz: float
    highs: Highs
    within_s: TimeSpan | None = None

    @property
    def spans_s(self) -> tuple[TimeSpan, ...]:
        """Return what is replaced, in the stretch's own time."""
        whole = self.within_s or TimeSpan(start_s=0.0, end_s=self.duration_s)
        found = (whole,) if self.mask is None else spans(self.mask)
        inside = (part for span in found if (part := span.intersect(whole)) is not None)
        return tuple(
            TimeSpan(start_s=part.start_s - self.offset_s, end_s=part.end_s - self.offset_s)
            for part in inside
        )

    @property
    def is_banded(self) -> bool:
        return self.mask is not None and not covers_all_bands(self.mask)

    @property
    def has_crossover(self) -> bool:
        return self.top_hz < self.rate_hz / 2

    @property
    def transform(self) -> ShortTimeFFT:
        return transform_for(self.rate_hz, min((span.duration_s for span in self.spans_s), default=math.inf))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """The original without what is replaced, what is replaced, and what comes in its place.

    The first two add up to the original.
    """

    kept_NS: np.ndarray
    replaced_NS: np.ndarray
    new_NS: np.ndarray


def split(original_NS: np.ndarray, heard_NS: np.ndarray, new_NS: np.ndarray, place: Place) -> Split:
    """Take both sounds apart where the mask and the model's band end, at equal power.

    heard_NS is what of the original can be replaced at all: what its voices hold.
    """
    if not place.is_banded and not place.has_crossover:
        return Split(kept_NS=original_NS - heard_NS, replaced_NS=heard_NS, new_NS=new_NS)
    replaced_NS, coming_NS = np.empty(original_NS.shape), np.empty(original_NS.shape)

    def change(frames: Frames, spectra: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        angle_FK = _share(place, frames) * (np.pi / 2)
        return (1.0 - np.cos(angle_FK)) * spectra[0], np.sin(angle_FK) * spectra[1]

    for where, parts in changed(place.transform, (heard_NS, new_NS), change):
        replaced_NS[:, where], coming_NS[:, where] = parts
    return Split(kept_NS=original_NS - replaced_NS, replaced_NS=replaced_NS, new_NS=coming_NS)


def with_highs(parts: Split, place: Place) -> Split:
    """Let what is kept above the model's band follow the new sound, or leave it out."""
    if place.highs is Highs.KEEP or not place.has_crossover:
        return parts
    kept_NS = np.empty(parts.kept_NS.shape)

    def change(frames: Frames, spectra: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        gain_K = np.zeros(1) if place.highs is Highs.DROP else _follow(place, frames, spectra[1], spectra[2])
        above_FK = _weights(place, frames) * (1.0 - _below(place, frames))
        return (spectra[0] * (1.0 + above_FK * (gain_K - 1.0)),)

    signals = (parts.kept_NS, parts.replaced_NS, parts.new_NS)
    for where, changed_parts in changed(place.transform, signals, change):
        kept_NS[:, where] = changed_parts[0]
    return Split(kept_NS=kept_NS, replaced_NS=parts.replaced_NS, new_NS=parts.new_NS)


def joined(original_NS: np.ndarray, parts: Split, place: Place) -> np.ndarray:
    """Return the stretch with the new sound in it, in the original's sample type.

    Outside the mask's time every sample is the original's, bit for bit.
    """
    envelope_S = envelope_of(original_NS, parts, place)
    inside_S = np.minimum(1.0, envelope_S) if not place.is_banded else (envelope_S > 0).astype(np.float64)
    angle_S = inside_S * (np.pi / 2)
    # What is kept is nearly the same on both sides of a fade, what is exchanged is not.
    kept_NS = parts.kept_NS * inside_S + (original_NS - parts.replaced_NS) * (1.0 - inside_S)
    mixed_NS = (
        kept_NS + np.cos(angle_S) * parts.replaced_NS * (inside_S < 1.0) + np.sin(angle_S) * parts.new_NS
    )
    return np.where(envelope_S == 0.0, original_NS, mixed_NS.astype(original_NS.dtype))


def envelope_of(original_NS: np.ndarray, parts: Split, place: Place) -> np.ndarray:
    """Return gains (S,) from 0 outside all spans to 1 within; ramps lie where it is quiet."""
    length = original_NS.shape[1]
    envelope_S = np.zeros(length)
    feather_s = EDGE_FADE_S if place.mask is None else place.mask.feather_s
    for span in place.spans_s:
        start = min(length, samples_at(span.start_s, place.rate_hz))
        stop = min(length, samples_at(span.end_s, place.rate_hz))
        fade = min(samples_at(feather_s, place.rate_hz), (stop - start) // 2)
        slack = (
            0
            if place.is_banded
            else min(
                samples_at(_FADE_SEARCH_S, place.rate_hz),
                int(_FADE_SEARCH_SHARE * (stop - start)),
                (stop - start) // 2 - fade,
            )
        )
        energy_S = np.square(parts.replaced_NS[:, start:stop]).sum(0) + np.square(
            parts.new_NS[:, start:stop]
        ).sum(0)
        ahead, behind = _quietest(energy_S, fade, slack), _quietest(energy_S[::-1], fade, slack)
        ramp_S = np.minimum(np.arange(stop - start) - ahead, np.arange(stop - start)[::-1] - behind)
        gains_S = np.clip((ramp_S + 0.5) / (fade + 0.5), 0.0, 1.0)
        envelope_S[start:stop] = np.maximum(envelope_S[start:stop], gains_S)
    return envelope_S


def _quietest(energy_S: np.ndarray, fade: int, slack: int) -> int:
    """Return how far inwards a fade meets the least energy, the nearest of equals."""
    if slack <= 0 or fade <= 0:
        return 0
    total_S = np.concatenate([[0.0], np.cumsum(energy_S[: fade + slack])])
    return int(np.argmin(total_S[fade:] - total_S[: len(total_S) - fade]))


def _weights(place: Place, frames: Frames) -> np.ndarray:
    """Return the mask's weights (F, K), ones where the mask only chooses times."""
    if not place.is_banded:
        return np.ones((len(frames.freqs_hz), len(frames.centres_s)))
    assert place.mask is not None
    return mask_weights(place.mask, frames, place.offset_s, place.duration_s)


def _below(place: Place, frames: Frames) -> np.ndarray:
    """Return which share of each bin (F, 1) is the model's: linear phase, since it is a real factor."""
    if not place.has_crossover:
        return np.ones((len(frames.freqs_hz), 1))
    width_hz = _CROSSOVER_SHARE * place.top_hz
    return np.clip((place.top_hz - frames.freqs_hz) / width_hz, 0.0, 1.0)[:, None]


def _share(place: Place, frames: Frames) -> np.ndarray:
    return _weights(place, frames) * _below(place, frames)


def _follow(place: Place, frames: Frames, old_NFK: np.ndarray, new_NFK: np.ndarray) -> np.ndarray:
    """Return the gain (K,) that the upper octave of the model's band has been given."""
    band = (frames.freqs_hz > place.top_hz / 2) & (frames.freqs_hz < place.top_hz * (1 - _CROSSOVER_SHARE))
    size = max(1, round(_FOLLOW_SMOOTH_S / frames.hop_s))
    old_K, new_K = (
        # The filter's running sum may fall below zero by a rounding error.
        np.sqrt(
            np.maximum(0.0, uniform_filter1d(np.square(np.abs(part_NFK[:, band])).sum(axis=(0, 1)), size))
        )
        for part_NFK in (old_NFK, new_NFK)
    )
    floor = _FOLLOW_FLOOR * math.sqrt(max(1, band.sum()) * place.transform.m_num)
    return np.where(old_K > floor, np.clip(new_K / np.maximum(old_K, floor), 0.0, _FOLLOW_MOST), 1.0)

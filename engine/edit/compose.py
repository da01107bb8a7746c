"""Putting a new sound into the untouched original: only where and in which bands the mask says.

Legend: N channels, S samples, K frames, F bins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve

from engine.audio.grid import covers_all_bands, samples_at, spans
from engine.edit.transform import Frames, Transform, changed, mask_weights, transform_for
from engine.types import Highs, Mask, TimeSpan

EDGE_FADE_S = 0.01
# A fade may move this far inwards, to where it is quiet.
_FADE_SEARCH_S = 0.03
_FADE_SEARCH_SHARE = 0.05
# How much louder than its neighbourhood something must be to be what an edit is to take away.
_SUDDEN = 1.5
_AROUND_FADE_S = 0.03
_SHORTEST_FADE_S = 0.001
# The crossover ends where the model's band does, and is this share of it wide.
_CROSSOVER_SHARE = 0.07
_FOLLOW_SMOOTH_S = 0.005
_FOLLOW_MOST, _FOLLOW_FLOOR = 2.0, 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how a new sound goes into a region of so many samples.

    top_hz is the end of the model's band. Without a mask all is replaced; within_s leaves the rest of it
    to other sounds.
    """

    mask: Mask | None
    rate_hz: int
    length_samples: int
    top_hz: float
    highs: Highs
    within_s: TimeSpan | None = None

    @property
    def duration_s(self) -> float:
        return self.length_samples / self.rate_hz

    @property
    def spans_samples(self) -> tuple[tuple[int, int], ...]:
        """Return the first sample and the one after the last of each stretch that is replaced."""
        whole = TimeSpan(start_s=0.0, end_s=self.duration_s)
        limits = self.within_s or whole
        found = (whole,) if self.mask is None else spans(self.mask)
        inside = (part for span in found if (part := span.intersect(limits)) is not None)
        ends = (
            (samples_at(part.start_s, self.rate_hz), samples_at(part.end_s, self.rate_hz)) for part in inside
        )
        cut = ((start, min(stop, self.length_samples)) for start, stop in ends)
        return tuple((start, stop) for start, stop in cut if start < stop)

    @property
    def fade_s(self) -> float:
        return EDGE_FADE_S if self.mask is None else self.mask.feather_s

    @property
    def settled_samples(self) -> tuple[tuple[int, int], ...]:
        """Return what of each stretch no fade reaches."""
        reach = samples_at(self.fade_s + _FADE_SEARCH_S, self.rate_hz)
        inner = ((start + reach, stop - reach) for start, stop in self.spans_samples)
        return tuple((start, stop) for start, stop in inner if start < stop)

    @property
    def is_banded(self) -> bool:
        return self.mask is not None and not covers_all_bands(self.mask)

    @property
    def has_crossover(self) -> bool:
        return self.top_hz < self.rate_hz / 2

    @property
    def transform(self) -> Transform:
        lengths = (stop - start for start, stop in self.spans_samples)
        return transform_for(self.rate_hz, min(lengths, default=self.length_samples) / self.rate_hz)

    def weights(self, frames: Frames, first: int = 0) -> np.ndarray:
        """Return the mask's weights (K, F) for frames of audio that begins at the region's sample `first`."""
        assert self.mask is not None
        spans_s = [(start / self.rate_hz, stop / self.rate_hz) for start, stop in self.spans_samples]
        return mask_weights(self.mask, frames, first / self.rate_hz, spans_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fade:
    """Ramps of equal power: up from one sample on, down until another, rise and fall samples long."""

    rises_at: int
    ends_at: int
    rise: int
    fall: int

    def gains(self, start: int, stop: int) -> np.ndarray:
        """Return gains (S,) for samples start to stop of the region, 0 outside."""
        place_S = np.arange(start, stop)
        up_S = (place_S - self.rises_at + 0.5) / (self.rise + 0.5)
        down_S = (self.ends_at - place_S - 0.5) / (self.fall + 0.5)
        return np.clip(np.minimum(up_S, down_S), 0.0, 1.0)


EnergyAt = Callable[[int, int], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """What is kept of the original, what is replaced, and what comes in its place.

    Kept and replaced add up to the original; highs is what is added to the kept part above the model's band.
    """

    kept_NS: np.ndarray
    highs_NS: np.ndarray
    replaced_NS: np.ndarray
    new_NS: np.ndarray


def crossover_hz(top_hz: float) -> float:
    """Return where the crossover to what lies above a model's band begins."""
    return top_hz * (1 - _CROSSOVER_SHARE)


def split(
    original_NS: np.ndarray, heard_NS: np.ndarray, new_NS: np.ndarray, place: Place, first: int = 0
) -> Split:
    """Take both sounds apart where the mask and the model's band end, at equal power.

    All begin at sample `first` of the region. heard_NS is what of the original can be replaced at all:
    what its voices hold. What is kept above the model's band follows the new sound, if it is to.
    """
    if not place.is_banded and not place.has_crossover:
        kept_NS = original_NS - heard_NS
        return Split(kept_NS=kept_NS, highs_NS=np.zeros_like(kept_NS), replaced_NS=heard_NS, new_NS=new_NS)
    changes_highs = place.highs is not Highs.KEEP and place.has_crossover
    # Replaced, coming, the original's highs, and the octave below them of both sounds.
    found = [np.zeros(original_NS.shape) for _ in range(5 if changes_highs else 2)]

    def change(frames: Frames, spectra: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        weights_KF, below_1F = _weights(place, frames, first), _below(place, frames)
        angle_KF = weights_KF * below_1F * (np.pi / 2)
        parts = ((1.0 - np.cos(angle_KF)) * spectra[0], np.sin(angle_KF) * spectra[1])
        if not changes_highs:
            return parts
        octave_F = _octave_below(place, frames)
        above_KF = np.cos(angle_KF) * weights_KF * (1.0 - below_1F)
        return (*parts, above_KF * spectra[0], octave_F * spectra[0], octave_F * spectra[1])

    for where, parts in changed(place.transform, (heard_NS, new_NS), change):
        for whole_NS, part_NS in zip(found, parts, strict=True):
            whole_NS[:, where] = part_NS
    replaced_NS, coming_NS, *above = found
    highs_NS = above[0] * (_highs_gain_S(place, *above[1:]) - 1.0) if above else np.zeros(original_NS.shape)
    return Split(
        kept_NS=original_NS - replaced_NS, highs_NS=highs_NS, replaced_NS=replaced_NS, new_NS=coming_NS
    )


def joined(
    original_NS: np.ndarray, parts: Split, place: Place, fades: Sequence[Fade], first: int = 0
) -> np.ndarray:
    """Return the original with the new sound in it, in the original's sample type.

    Outside the mask's time every sample is the original's, bit for bit.
    """
    envelope_S = envelope(fades, first, first + original_NS.shape[1])
    # The transform has faded what has bands already.
    inside_S = (envelope_S > 0).astype(np.float64) if place.is_banded else envelope_S
    angle_S = inside_S * (np.pi / 2)
    # What is kept is nearly the same on both sides of a fade, what is exchanged is not.
    kept_NS = parts.kept_NS + parts.highs_NS * inside_S
    mixed_NS = (
        kept_NS + np.cos(angle_S) * parts.replaced_NS * (inside_S < 1.0) + np.sin(angle_S) * parts.new_NS
    )
    return np.where(envelope_S == 0.0, original_NS, mixed_NS.astype(original_NS.dtype))


def envelope(fades: Sequence[Fade], start: int, stop: int) -> np.ndarray:
    """Return the highest gain of all fades for samples start to stop of the region."""
    gains = [fade.gains(start, stop) for fade in fades]
    return np.max(gains, axis=0) if gains else np.zeros(stop - start)


def fades_of(place: Place, energy_at: EnergyAt, level_at: EnergyAt) -> tuple[Fade, ...]:
    """Place the ramps of each stretch where there is least energy, not far inside its ends.

    energy_at(start, stop) tells that of both sounds together, level_at the magnitude of the original, nothing
    of it where the file has no sound; both for each of these samples. Nothing that stands out from what is
    before the stretch is kept by a ramp that comes late: a click or an attack goes with the first sample.
    """
    around = samples_at(_AROUND_FADE_S, place.rate_hz)
    fades: list[Fade] = []
    for start, stop in place.spans_samples:
        length = min(samples_at(place.fade_s, place.rate_hz), (stop - start) // 2)
        if place.is_banded or length == 0:
            fades.append(Fade(rises_at=start, ends_at=stop, rise=length, fall=length))
            continue
        shortest = min(length, samples_at(_SHORTEST_FADE_S, place.rate_hz))
        reach = length + _slack(stop - start, length, place.rate_hz)
        inner, outer = (start, start + reach), (start - around, start)
        ahead, rise = _ramp(energy_at(*inner), level_at(*inner), level_at(*outer), length, shortest)
        inner, outer = (stop - reach, stop), (stop, stop + around)
        behind, fall = _ramp(
            energy_at(*inner)[::-1], level_at(*inner)[::-1], level_at(*outer), length, shortest
        )
        fades.append(Fade(rises_at=start + ahead, ends_at=stop - behind, rise=rise, fall=fall))
    return tuple(fades)


def _ramp(
    energy_S: np.ndarray, level_S: np.ndarray, outside_S: np.ndarray, length: int, shortest: int
) -> tuple[int, int]:
    """Return how far inwards a ramp begins, and its length in samples; all count from the end inwards."""
    calm = _calm(level_S, outside_S)
    if calm < length:
        return 0, max(calm, shortest)
    room = min(len(energy_S), calm)
    return _quietest(energy_S[:room], length, room - length), length


def _calm(level_S: np.ndarray, outside_S: np.ndarray) -> int:
    """Return how many samples come before anything that is louder than what is outside."""
    if not outside_S.size:
        return 0
    sudden_S = level_S > _SUDDEN * outside_S.max()
    return int(np.argmax(sudden_S)) if sudden_S.any() else len(level_S)


def _slack(span_samples: int, fade_samples: int, rate_hz: int) -> int:
    most = min(samples_at(_FADE_SEARCH_S, rate_hz), int(_FADE_SEARCH_SHARE * span_samples))
    return max(0, min(most, span_samples // 2 - fade_samples))


def _quietest(energy_S: np.ndarray, fade: int, slack: int) -> int:
    """Return how far inwards a fade meets the least energy, the nearest of equals."""
    if slack <= 0 or fade <= 0:
        return 0
    total_S = np.concatenate([[0.0], np.cumsum(energy_S)])
    return int(np.argmin(total_S[fade:] - total_S[: len(total_S) - fade]))


def _weights(place: Place, frames: Frames, first: int) -> np.ndarray:
    """Return the mask's weights (K, F), one for all where the mask only chooses times."""
    return place.weights(frames, first) if place.is_banded else np.ones((1, 1))


def _below(place: Place, frames: Frames) -> np.ndarray:
    """Return which share of each bin (1, F) is the model's: linear phase, since it is a real factor."""
    if not place.has_crossover:
        return np.ones((1, 1))
    width_hz = _CROSSOVER_SHARE * place.top_hz
    return np.clip((place.top_hz - frames.freqs_hz) / width_hz, 0.0, 1.0)[None]


def _octave_below(place: Place, frames: Frames) -> np.ndarray:
    """Return 1 for the bins (F,) of the octave that ends where the crossover begins."""
    top_hz = crossover_hz(place.top_hz)
    return ((frames.freqs_hz > place.top_hz / 2) & (frames.freqs_hz < top_hz)).astype(np.float64)


def _highs_gain_S(place: Place, before_NS: np.ndarray, after_NS: np.ndarray) -> np.ndarray:
    """Return the gain (S,) of the original's highs: none, or that of the octave below them."""
    if place.highs is Highs.DROP:
        return np.zeros(before_NS.shape[1])
    # Beside bands that stay, a gain that moves must spread nothing farther than the transform does.
    size = samples_at(_FOLLOW_SMOOTH_S, place.rate_hz)
    window_S = place.transform.sounded_L if place.is_banded else np.hanning(size + 2)
    had_S, has_S = (
        np.sqrt(_smoothed(np.square(one_NS).sum(axis=0), window_S)) for one_NS in (before_NS, after_NS)
    )
    gain_S = np.clip(has_S / np.maximum(had_S, _FOLLOW_FLOOR), 0.0, _FOLLOW_MOST)
    return _smoothed(np.where(had_S > _FOLLOW_FLOOR, gain_S, 1.0), window_S)


def _smoothed(values_S: np.ndarray, window_S: np.ndarray) -> np.ndarray:
    """Return positive values averaged over a window around each, the first and the last going on for ever."""
    wide_S = np.pad(values_S, len(window_S), mode="edge")
    mean_S = fftconvolve(wide_S, window_S / window_S.sum(), mode="same")
    # The transform may give a rounding error below zero.
    return np.maximum(0.0, mean_S[len(window_S) : -len(window_S)])

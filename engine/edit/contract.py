"""What an edit promises, measured on its result.

Legend: N channels, S samples, F bins, K frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from engine.audio.grid import samples_at
from engine.audio.level import FLOOR_DB, decibels, peak
from engine.edit.compose import Place
from engine.edit.loudness import loudness_lufs, true_peak_db
from engine.edit.transform import Frames, changed, margin_hz, mask_weights
from engine.edit.voices import correlation

_SEAM_S = 0.002
_AROUND_SEAM_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """An edit measured against its original.

    changed_outside counts samples that changed outside the mask's time; outside_band_db is the highest
    peak of what changed outside the mask's bands and the window's main lobes around them, None where the
    mask has no bands. Loudness is that of the replaced part before and after, None where it was silent.
    seam_db is the sharpest corner at a seam relative to the sharpest nearby: 0 or less is no click.
    """

    length_samples: int
    sample_rate_hz: int
    channels: int
    changed_outside: int
    outside_band_db: float | None
    loudness_before_lufs: float | None
    loudness_after_lufs: float | None
    true_peak_dbtp: float
    seam_db: float
    correlation_before: float
    correlation_after: float


def measured(original_NS: np.ndarray, result_NS: np.ndarray, place: Place) -> Contract:
    """Measure a whole region (its place has offset 0) before and after."""
    inside_S = inside(place, original_NS.shape[1])
    changed_S = (original_NS != result_NS).any(axis=0)
    before, after = (
        loudness_lufs(audio_NS[:, inside_S], place.rate_hz) if inside_S.any() else -math.inf
        for audio_NS in (original_NS, result_NS)
    )
    return Contract(
        length_samples=result_NS.shape[1],
        sample_rate_hz=place.rate_hz,
        channels=len(result_NS),
        changed_outside=int(np.count_nonzero(changed_S & ~inside_S)),
        outside_band_db=_outside_band_db(original_NS, result_NS, place) if place.is_banded else None,
        loudness_before_lufs=before if math.isfinite(before) else None,
        loudness_after_lufs=after if math.isfinite(after) else None,
        true_peak_dbtp=true_peak_db(result_NS),
        seam_db=_seam_db(original_NS, result_NS, place),
        correlation_before=correlation(original_NS[:, inside_S]),
        correlation_after=correlation(result_NS[:, inside_S]),
    )


def inside(place: Place, length_samples: int) -> np.ndarray:
    """Tell which samples (S,) lie within the mask's time."""
    inside_S = np.zeros(length_samples, dtype=bool)
    for span in place.spans_s:
        inside_S[samples_at(span.start_s, place.rate_hz) : samples_at(span.end_s, place.rate_hz)] = True
    return inside_S


def _outside_band_db(original_NS: np.ndarray, result_NS: np.ndarray, place: Place) -> float:
    """Return the peak of the change in all bins farther from the mask than the main lobe reaches."""
    stft = place.transform
    reach = math.ceil(margin_hz(stft) / stft.delta_f)

    def outside(frames: Frames, spectra: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        assert place.mask is not None
        weights_FK = mask_weights(place.mask, frames, place.offset_s, place.duration_s)
        masked_F = weights_FK.any(axis=1).astype(np.uint8)
        near_F = maximum_filter1d(masked_F, 2 * reach + 1, mode="constant")
        return (spectra[0] * (near_F == 0)[:, None],)

    difference_NS = result_NS.astype(np.float64) - original_NS
    peaks = [peak(parts[0]) for _, parts in changed(stft, (difference_NS,), outside)]
    return decibels(max(peaks, default=0.0))


def _seam_db(original_NS: np.ndarray, result_NS: np.ndarray, place: Place) -> float:
    """Compare second differences at the seams with those of both sounds nearby."""
    worst = FLOOR_DB
    near, around = samples_at(_SEAM_S, place.rate_hz), samples_at(_AROUND_SEAM_S, place.rate_hz)
    for span in place.spans_s:
        for time_s in (span.start_s, span.end_s):
            seam = samples_at(time_s, place.rate_hz)
            here = _corner(result_NS, seam - near, seam + near)
            nearby = max(
                _corner(original_NS, seam - around, seam + around),
                _corner(result_NS, seam + near, seam + around),
                _corner(result_NS, seam - around, seam - near),
            )
            if here > 0:
                worst = max(worst, decibels(here / nearby) if nearby > 0 else 0.0)
    return worst


def _corner(audio_NS: np.ndarray, start: int, stop: int) -> float:
    part_NS = audio_NS[:, max(0, start) : max(0, stop)].astype(np.float64)
    return peak(np.diff(part_NS, n=2)) if part_NS.shape[1] > 2 else 0.0

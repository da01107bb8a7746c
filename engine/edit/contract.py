"""What an edit promises, measured on its result.

Legend: N channels, S samples, K frames, F bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from engine.audio.grid import samples_at
from engine.audio.lag import onset_lag_s
from engine.audio.level import FLOOR_DB, decibels, peak
from engine.edit.compose import Place
from engine.edit.loudness import loudness_lufs, true_peak_db
from engine.edit.transform import Frames, changed
from engine.edit.voices import correlation

_SEAM_S = 0.002
_AROUND_SEAM_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """An edit measured against its original.

    changed_outside counts samples that changed outside the mask's time; outside_band_db is the highest
    peak of what changed outside the mask's bands and the window's main lobes around them, None where these
    are all there is. Loudness is that of the replaced part before and after, None where it was silent.
    seam_db is the sharpest corner at a seam relative to the sharpest nearby: 0 or less is no click.
    onset_lag_ms is how much later the new part's onsets are, None where they are not those that were there.
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
    onset_lag_ms: float | None
    correlation_before: float
    correlation_after: float


def measured(original_NS: np.ndarray, result_NS: np.ndarray, place: Place) -> Contract:
    """Measure a region before and after."""
    ends = place.spans_samples
    replaced_NS, new_NS = (audio_NS[:, ends[0][0] : ends[-1][1]] for audio_NS in (original_NS, result_NS))
    lag_s = onset_lag_s(replaced_NS, new_NS, place.rate_hz)
    before, after = (loudness_lufs(audio_NS, place.rate_hz) for audio_NS in (replaced_NS, new_NS))
    return Contract(
        length_samples=result_NS.shape[1],
        sample_rate_hz=place.rate_hz,
        channels=len(result_NS),
        changed_outside=_changed_outside(original_NS, result_NS, place),
        outside_band_db=_outside_band_db(original_NS, result_NS, place) if place.is_banded else None,
        loudness_before_lufs=before if math.isfinite(before) else None,
        loudness_after_lufs=after if math.isfinite(after) else None,
        true_peak_dbtp=true_peak_db(result_NS),
        seam_db=_seam_db(original_NS, result_NS, place),
        onset_lag_ms=None if lag_s is None else lag_s * 1000.0,
        correlation_before=correlation(replaced_NS),
        correlation_after=correlation(new_NS),
    )


def _changed_outside(original_NS: np.ndarray, result_NS: np.ndarray, place: Place) -> int:
    inside_S = np.zeros(original_NS.shape[1], dtype=bool)
    for start, stop in place.spans_samples:
        inside_S[start:stop] = True
    changed_S = (original_NS != result_NS).any(axis=0)
    return int(np.count_nonzero(changed_S & ~inside_S))


def _outside_band_db(original_NS: np.ndarray, result_NS: np.ndarray, place: Place) -> float | None:
    """Return the peak of the change in all bins farther from the mask than the main lobe reaches."""
    transform = place.transform
    reach = math.ceil(transform.margin_hz / transform.freqs_hz[1])
    is_measured = False

    def outside(frames: Frames, spectra: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        nonlocal is_measured
        masked_F = place.weights(frames).any(axis=0).astype(np.uint8)
        far_F = maximum_filter1d(masked_F, 2 * reach + 1, mode="constant") == 0
        is_measured |= bool(far_F.any())
        return ((spectra[1] - spectra[0]) * far_F,)

    peaks = [peak(parts[0]) for _, parts in changed(transform, (original_NS, result_NS), outside)]
    return decibels(max(peaks, default=0.0)) if is_measured else None


def _seam_db(original_NS: np.ndarray, result_NS: np.ndarray, place: Place) -> float:
    """Compare second differences at the seams with those of both sounds nearby."""
    worst = FLOOR_DB
    near, around = samples_at(_SEAM_S, place.rate_hz), samples_at(_AROUND_SEAM_S, place.rate_hz)
    for ends in place.spans_samples:
        for seam in ends:
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

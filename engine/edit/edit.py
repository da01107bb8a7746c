"""One edit of a region: what the model hears of it, and the model's sounds back in it.

Legend: N channels, V voices, S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.audio.grid import LatentGrid, samples_at, seconds_at
from engine.audio.io import AudioClip
from engine.audio.level import is_audible
from engine.edit.canvas import Canvas, canvas_of, in_session
from engine.edit.compose import Place, Split, joined, split, with_highs
from engine.edit.contract import Contract, inside, measured
from engine.edit.loudness import CEILING_DBTP, limiting_gain, matching_gain, true_peak_db
from engine.edit.patches import patches_of
from engine.edit.voices import Voices, voices_of, with_balance_of, with_image_of
from engine.types import Highs, Mask, RenderSpec, Task

# More than a window of the transform, so that it never meets the end of a stretch.
_AROUND_S = 0.2
_LOOKAHEAD_S = 0.006


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edit:
    """A region with its canvases; the mask is what the task regenerates, None for all of it."""

    spec: RenderSpec
    clip: AudioClip
    mask: Mask | None
    grid: LatentGrid
    voices: Voices
    canvases: tuple[Canvas, ...]

    @property
    def place(self) -> Place:
        """Return where the new sound goes in the region as a whole."""
        return Place(
            mask=self.mask,
            rate_hz=self.clip.sample_rate_hz,
            offset_s=0.0,
            duration_s=self.clip.duration_s,
            top_hz=self.grid.high_hz,
            highs=_highs(self.spec),
        )


def edit_of(spec: RenderSpec, clip: AudioClip, mask: Mask | None, grid: LatentGrid, canvas_s: float) -> Edit:
    """Prepare everything that all takes of an edit share."""
    voices = voices_of(clip.audio_NS, spec.stereo)
    patches = patches_of(clip, mask, grid, canvas_s)
    canvases = tuple(canvas_of(clip, voices, patch, grid) for patch in patches)
    return Edit(spec=spec, clip=clip, mask=mask, grid=grid, voices=voices, canvases=canvases)


def finished(edit: Edit, rendered_VS: Sequence[np.ndarray]) -> AudioClip:
    """Put what the model made of each canvas, or of the first ones, into the region."""
    result_NS = edit.clip.audio_NS.copy()
    for canvas, audio_VS in zip(edit.canvases, rendered_VS, strict=False):
        where = _stretch(edit, canvas)
        made_VS = _imaged(edit, canvas, canvas.at_session_level(audio_VS))
        new_VS = in_session(
            canvas, made_VS, edit.grid.sample_rate_hz, edit.clip.sample_rate_hz, where.start, where.stop
        )
        result_NS[:, where] = _placed(edit, canvas, where, edit.voices.channels(new_VS))
    empty_N0 = edit.clip.audio_NS[:, :0]
    return replace(edit.clip, audio_NS=result_NS, before_NS=empty_N0, after_NS=empty_N0)


def contract(edit: Edit, result: AudioClip) -> Contract:
    """Measure what the edit promises."""
    return measured(edit.clip.audio_NS, result.audio_NS, edit.place)


def changed_part(edit: Edit, result: AudioClip) -> AudioClip:
    """Return what was replaced, from its first sample to its last."""
    spans_s = edit.place.spans_s
    start = samples_at(spans_s[0].start_s, result.sample_rate_hz)
    stop = samples_at(spans_s[-1].end_s, result.sample_rate_hz)
    return replace(result, audio_NS=result.audio_NS[:, start:stop])


def _highs(spec: RenderSpec) -> Highs:
    """Return what lies above the model's band; new highs below it are nothing for old ones to follow."""
    is_followed = spec.highs is Highs.FOLLOW and spec.task is not Task.SUPERRES
    return spec.highs if is_followed or spec.highs is Highs.DROP else Highs.KEEP


def _stretch(edit: Edit, canvas: Canvas) -> slice:
    """Return the samples of the region that a canvas has a say in, and some around them."""
    covered_s, rate_hz = canvas.patch.covered_s, edit.clip.sample_rate_hz
    start = max(0, samples_at(covered_s.start_s - _AROUND_S, rate_hz))
    return slice(start, min(edit.clip.length_samples, samples_at(covered_s.end_s + _AROUND_S, rate_hz)))


def _imaged(edit: Edit, canvas: Canvas, made_VS: np.ndarray) -> np.ndarray:
    """Give the voices the original's stereo image where they are made anew."""
    covered_s, rate_hz = canvas.patch.covered_s, edit.grid.sample_rate_hz
    where_S = np.zeros(made_VS.shape[1], dtype=bool)
    start = samples_at(covered_s.start_s, rate_hz) - canvas.first_sample
    stop = samples_at(covered_s.end_s, rate_hz) - canvas.first_sample
    where_S[max(0, start) : max(start + 1, stop)] = True
    if edit.clip.channels == 2 and edit.voices.is_mid_side:
        return with_image_of(canvas.heard_VS, made_VS, where_S, rate_hz)
    return with_balance_of(canvas.heard_VS, made_VS, where_S)


def _placed(edit: Edit, canvas: Canvas, where: slice, new_NS: np.ndarray) -> np.ndarray:
    original_NS = edit.clip.audio_NS[:, where]
    covered_s = canvas.patch.covered_s
    offset_s = seconds_at(where.start, edit.clip.sample_rate_hz)
    place = replace(edit.place, offset_s=offset_s, within_s=covered_s)
    heard_NS = edit.voices.channels(edit.voices.of(original_NS))
    parts = split(original_NS, heard_NS, new_NS, place)
    parts = replace(parts, new_NS=parts.new_NS * _gain(edit, parts, place))
    parts = with_highs(parts, place)
    return joined(original_NS, _limited(original_NS, parts, place), place)


def _limited(original_NS: np.ndarray, parts: Split, place: Place) -> Split:
    """Keep the true peak of the result below -1 dBTP; where bands are kept, below what the original has."""
    if place.is_banded:
        # Of the transform's own window: a gain that moves then spreads the new part no farther than that.
        window_S = place.transform.dual_win
        ceiling_db = max(CEILING_DBTP, true_peak_db(original_NS))
        return replace(
            parts, new_NS=parts.new_NS * limiting_gain(parts.kept_NS, parts.new_NS, window_S, ceiling_db)
        )
    window_S = np.hanning(samples_at(_LOOKAHEAD_S, place.rate_hz) + 2)
    gain_S = limiting_gain(np.zeros_like(parts.new_NS), parts.kept_NS + parts.new_NS, window_S)
    return replace(parts, kept_NS=parts.kept_NS * gain_S, new_NS=parts.new_NS * gain_S)


def _gain(edit: Edit, parts: Split, place: Place) -> float:
    """Match the loudness of what is replaced; what fills a gap has the level of its surroundings already."""
    task = edit.spec.task
    if not edit.spec.match_level or task is Task.SUPERRES:
        return 1.0
    inside_S = inside(place, parts.new_NS.shape[1])
    replaced_NS = parts.replaced_NS[:, inside_S]
    if task is Task.INPAINT and not is_audible(replaced_NS):
        return 1.0
    return matching_gain(replaced_NS, parts.new_NS[:, inside_S], place.rate_hz)

"""One edit of a region: what the model hears of it, and the model's sounds back in it.

Legend: N channels, V voices, S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.audio.grid import LatentGrid
from engine.audio.io import AudioClip
from engine.edit.canvas import Canvas, canvas_of, region_sample
from engine.edit.compose import Place
from engine.edit.contract import Contract, measured
from engine.edit.patches import patches_of
from engine.edit.placing import Placing
from engine.edit.take_latents import LatentStretch, grid_origin
from engine.edit.voices import Voices, voices_of
from engine.types import Highs, Mask, RenderSpec, Task


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edit:
    """A region with its canvases; the mask is what the task regenerates, None for all of it.

    The stretches are what the file of a region, where it is a take, keeps of its latents.
    """

    spec: RenderSpec
    clip: AudioClip
    mask: Mask | None
    grid: LatentGrid
    voices: Voices
    canvases: tuple[Canvas, ...]
    stretches: tuple[LatentStretch, ...] = ()

    @property
    def place(self) -> Place:
        """Return where the new sound goes in the region as a whole."""
        return Place(
            mask=self.mask,
            rate_hz=self.clip.sample_rate_hz,
            length_samples=self.clip.length_samples,
            top_hz=self.grid.high_hz,
            highs=_highs(self.spec),
        )

    @property
    def new_samples(self) -> tuple[tuple[int, int], ...]:
        """Return the stretches in which anything of the original may change."""
        return self.place.spans_samples


def edit_of(
    spec: RenderSpec,
    clip: AudioClip,
    mask: Mask | None,
    grid: LatentGrid,
    canvas_s: float,
    stretches: Sequence[LatentStretch] = (),
) -> Edit:
    """Prepare everything that all takes of an edit share; stretches are those of a clip that is a take."""
    voices = voices_of(clip.audio_NS, spec.stereo)
    origin_samples = grid_origin(stretches, region_sample(clip, grid), grid.cell_samples)
    patches = patches_of(clip, mask, grid, canvas_s, origin_samples)
    canvases = tuple(canvas_of(clip, voices, patch, grid, stretches) for patch in patches)
    return Edit(
        spec=spec,
        clip=clip,
        mask=mask,
        grid=grid,
        voices=voices,
        canvases=canvases,
        stretches=tuple(stretches),
    )


def placed(edit: Edit, made_VS: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Bring what the model made of each canvas, or of the first ones, to image and level of the region."""
    pairs = zip(edit.canvases, made_VS, strict=False)
    return [_placing(edit, canvas).placed(edit.spec, audio_VS) for canvas, audio_VS in pairs]


def finished(edit: Edit, placed_VS: Sequence[np.ndarray]) -> AudioClip:
    """Put sounds that are placed into the region."""
    result_NS = edit.clip.audio_NS.copy()
    for canvas, audio_VS in zip(edit.canvases, placed_VS, strict=False):
        for where, part_NS in _placing(edit, canvas).parts(audio_VS):
            result_NS[:, where] = part_NS
    empty_N0 = edit.clip.audio_NS[:, :0]
    return replace(edit.clip, audio_NS=result_NS, before_NS=empty_N0, after_NS=empty_N0)


def _placing(edit: Edit, canvas: Canvas) -> Placing:
    return Placing(
        clip=edit.clip,
        voices=edit.voices,
        canvas=canvas,
        model_hz=edit.grid.sample_rate_hz,
        place=edit.place,
    )


def contract(edit: Edit, result: AudioClip) -> Contract:
    """Measure what the edit promises."""
    return measured(edit.clip.audio_NS, result.audio_NS, edit.place)


def changed_part(edit: Edit, result: AudioClip) -> AudioClip:
    """Return what was replaced, from its first sample to its last."""
    ends = edit.place.spans_samples
    return replace(result, audio_NS=result.audio_NS[:, ends[0][0] : ends[-1][1]])


def _highs(spec: RenderSpec) -> Highs:
    """Return what lies above the model's band, before another model makes any.

    New highs below it are nothing for old ones to follow.
    """
    if spec.highs in (Highs.KEEP, Highs.DROP):
        return spec.highs
    return Highs.KEEP if spec.task is Task.SUPERRES else Highs.FOLLOW

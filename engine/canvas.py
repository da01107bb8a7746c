"""What the model hears of a region, and the way back into the session.

Legend: N channels, S samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from engine.audio.grid import LatentGrid, require_inside, resampled_length, samples_at
from engine.audio.io import AudioClip
from engine.audio.level import (
    ModelLevel,
    channel_gains,
    is_audible,
    matching_gain,
    model_level,
    mono,
    peak,
    safe_gain,
)
from engine.audio.raster import shape_low_hz
from engine.audio.resample import resample
from engine.audio.splice import composite, fit_length, masked_part, surround
from engine.errors import SpecError
from engine.types import Mask, MaskOp, RectShape, RenderSpec, Task, TimeSpan

SUPERRES_FEATHER_HZ = 150.0
FADE_OUT_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Canvas:
    """A stretch of whole latent cells at the model's rate and level, with the region inside it."""

    audio_S: np.ndarray
    offset_samples: int
    region_samples: int
    level: ModelLevel

    @property
    def length_samples(self) -> int:
        return len(self.audio_S)


def empty_canvas(duration_s: float, grid: LatentGrid, canvas_s: float) -> Canvas:
    """Return silence for a generation, at least as long as the model was trained on."""
    region = samples_at(duration_s, grid.sample_rate_hz)
    length = grid.whole_samples(max(region, samples_at(canvas_s, grid.sample_rate_hz)))
    return Canvas(
        audio_S=np.zeros(length),
        offset_samples=0,
        region_samples=region,
        level=ModelLevel(mean=0.0, gain=1.0),
    )


def canvas_of(clip: AudioClip, grid: LatentGrid, canvas_s: float) -> Canvas:
    """Mix to mono, convert to the model's rate and level, and widen with the region's own context."""
    rate_hz, model_hz = clip.sample_rate_hz, grid.sample_rate_hz
    # Only whole numbers of samples at both rates keep the region's start on a sample.
    lead = _whole_lead(clip.before_NS.shape[-1], rate_hz, model_hz)
    parts = [clip.audio_NS]
    if lead:
        parts.insert(0, clip.before_NS[:, clip.before_NS.shape[1] - lead :])
    if clip.after_NS.shape[-1]:
        parts.append(clip.after_NS)
    heard_S = resample(mono(np.concatenate(parts, axis=1))[None], rate_hz, model_hz)[0]
    start = lead * model_hz // rate_hz
    stop = start + resampled_length(clip.length_samples, rate_hz, model_hz)
    length = grid.whole_samples(max(stop - start, samples_at(canvas_s, model_hz)))
    heard_S = fit_length(heard_S[None], max(stop, len(heard_S)))[0]
    audio_S, offset = surround(heard_S[start:stop], heard_S[:start], heard_S[stop:], length)
    level = model_level(audio_S)
    return Canvas(
        audio_S=level.apply(audio_S), offset_samples=offset, region_samples=stop - start, level=level
    )


def region_of(canvas: Canvas, rendered_S: np.ndarray, model_hz: int, clip: AudioClip) -> np.ndarray:
    """Cut the region out of a rendered canvas: the clip's level, rate and exact length, mono (S,)."""
    lead = _whole_lead(canvas.offset_samples, model_hz, clip.sample_rate_hz)
    heard_S = canvas.level.undo(rendered_S.astype(np.float64))[canvas.offset_samples - lead :]
    skip = lead * clip.sample_rate_hz // model_hz
    resampled_1S = resample(heard_S[None], model_hz, clip.sample_rate_hz)[:, skip:]
    return fit_length(resampled_1S, clip.length_samples)[0]


def generated_clip(canvas: Canvas, rendered_S: np.ndarray, model_hz: int) -> AudioClip:
    """Return a generation of exact length, faded out at the very end, below full scale."""
    audio_S = fit_length(rendered_S[None], canvas.region_samples)[0].astype(np.float64)
    fade = min(samples_at(FADE_OUT_S, model_hz), len(audio_S))
    audio_S[len(audio_S) - fade :] *= np.linspace(1.0, 0.0, fade)
    audio_S *= safe_gain(audio_S)
    return AudioClip(audio_NS=audio_S[None].astype(np.float32), sample_rate_hz=model_hz)


def edited_clip(spec: RenderSpec, clip: AudioClip, new_S: np.ndarray, mask: Mask | None) -> AudioClip:
    """Put a mono result into every channel of the clip, where the mask lets it."""
    new_NS = channel_gains(clip.audio_NS)[:, None] * new_S
    if spec.match_level:
        new_NS = new_NS * _level_gain(spec.task, clip, new_NS, mask)
    mixed_NS = composite(clip.audio_NS, new_NS, clip.sample_rate_hz, mask)
    reduction = safe_gain(mixed_NS, max(1.0, peak(clip.audio_NS)))
    if reduction < 1.0:
        mixed_NS = composite(clip.audio_NS, new_NS * reduction, clip.sample_rate_hz, mask)
    empty_N0 = clip.audio_NS[:, :0]
    return replace(clip, audio_NS=mixed_NS, before_NS=empty_N0, after_NS=empty_N0)


def effective_mask(spec: RenderSpec, clip: AudioClip, grid: LatentGrid) -> Mask | None:
    """Return what a task regenerates, None for all of it.

    Raises:
        SpecError: a mask or cutoff outside the region or above what model and file can hold.
    """
    top_hz = min(grid.high_hz, clip.sample_rate_hz / 2)
    if spec.mask is not None:
        require_inside(spec.mask, clip.duration_s)
        _require_below(spec.mask, top_hz)
    return _superres_mask(spec, clip, grid, top_hz) if spec.task is Task.SUPERRES else spec.mask


def _superres_mask(spec: RenderSpec, clip: AudioClip, grid: LatentGrid, top_hz: float) -> Mask:
    cutoff_hz = grid.high_hz / 2 if spec.cutoff_hz is None else spec.cutoff_hz
    if not 0.0 < cutoff_hz < top_hz:
        raise SpecError(
            f"the cutoff of {cutoff_hz:g} Hz is not below {top_hz:g} Hz, the highest that can be rendered",
            "Give a lower --cutoff, or convert the file to a higher sample rate first.",
        )
    whole = TimeSpan(start_s=0.0, end_s=clip.duration_s)
    if spec.mask is None:
        above = RectShape(span=whole, low_hz=cutoff_hz)
        return Mask(shapes=(above,), feather_hz=SUPERRES_FEATHER_HZ)
    below = RectShape(span=whole, high_hz=cutoff_hz, op=MaskOp.SUBTRACT)
    return replace(spec.mask, shapes=(*spec.mask.shapes, below))


def _require_below(mask: Mask, top_hz: float) -> None:
    for shape in mask.shapes:
        if shape.op is MaskOp.ADD and shape_low_hz(shape) >= top_hz:
            raise SpecError(
                f"the mask starts at {shape_low_hz(shape):g} Hz, but only {top_hz:g} Hz can be rendered",
                "Give a lower --mask-band.",
            )


def _level_gain(task: Task, clip: AudioClip, new_NS: np.ndarray, mask: Mask | None) -> float:
    """Match what is replaced; where that is silent or meant to be empty, what is kept."""
    if mask is None:
        return matching_gain(clip.audio_NS, new_NS)
    replaced_NS = masked_part(clip.audio_NS, clip.sample_rate_hz, mask)
    new_part_NS = masked_part(new_NS, clip.sample_rate_hz, mask)
    kept_NS = clip.audio_NS - replaced_NS
    by_kept = task is Task.SUPERRES or (task is Task.INPAINT and not is_audible(replaced_NS))
    if not by_kept:
        return matching_gain(replaced_NS, new_part_NS)
    return matching_gain(kept_NS, new_NS - new_part_NS) if is_audible(kept_NS) else 1.0


def _whole_lead(available_samples: int, rate_hz: int, other_hz: int) -> int:
    step = rate_hz // math.gcd(rate_hz, other_hz)
    return available_samples // step * step

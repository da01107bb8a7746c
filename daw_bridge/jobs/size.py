"""How much a job has to do, as far as its spec tells, and in which stages its time goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from engine.types import (
    BATCH_TAKES,
    BrushShape,
    Editor,
    Mask,
    MaskOp,
    RectShape,
    RenderSpec,
    Shape,
    Stereo,
    Task,
)

# A region without a span is a whole file: of a loop or a phrase, as long as anybody knows.
UNKNOWN_REGION_S = 10.0
# What is rendered beside what a mask covers, on both sides.
CONTEXT_S = 0.64
# A difference asks the network for the source too, beside the two predictions of guidance.
_EDITOR_COST = {Editor.RENOISE: 1.0, Editor.INVERT: 1.5, Editor.DIRECT: 1.5}
# A condition that changes is asked for at so many places at least.
_COURSE_COST = 3.0
# Neighbouring windows of what is longer than a model's clips share so much of each.
_SHARED = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The seconds of a job's stages, expected or seen; what the worker told of its size is beside them.

    load_s is 0 for a job whose model was in memory. canvas_s and audio_s are 0 where they are not known.
    """

    load_s: float = 0.0
    sample_s: float = 0.0
    finish_s: float = 0.0
    other_s: float = 0.0
    canvas_s: float = 0.0
    audio_s: float = 0.0

    @property
    def total_s(self) -> float:
        return self.load_s + self.sample_s + self.finish_s + self.other_s


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSize:
    """audio_s is what the model works on for each of the voices, at least its canvas.

    steps are those of an ordinary sampler that take as long.
    """

    audio_s: float
    steps: int
    takes: int
    voices: int

    @property
    def sound_s(self) -> float:
        """The sound of a take: voices side by side."""
        return self.audio_s * self.voices

    @property
    def batches(self) -> int:
        """In how many batches the takes are sampled; a sweep, in more of them, is no matter of sizes."""
        return math.ceil(self.takes / BATCH_TAKES)

    @property
    def batch_s(self) -> float:
        """The sound that each step works on: takes side by side too."""
        return self.sound_s * self.takes / self.batches


def size_of(spec: RenderSpec, canvas_s: float = 0.0, region_s: float = 0.0) -> JobSize:
    """Return what a job has to do with a model of a canvas; region_s is how long its region turned out."""
    # A transfer starts part of the way into noise and takes that part of the steps.
    strengths = spec.sweep or (spec.sampler.strength if spec.task is Task.TRANSFER else 1.0,)
    return JobSize(
        audio_s=_worked_on_s(spec, canvas_s, region_s),
        steps=math.ceil(fmean(strengths) * spec.sampler.steps * _step_cost(spec)),
        takes=spec.takes,
        # Most of what lies in a session is stereo.
        voices=2 if spec.task.needs_region and spec.stereo is not Stereo.MID else 1,
    )


def _step_cost(spec: RenderSpec) -> float:
    changes = bool(spec.prompt_curve) or any(condition.curve for condition in spec.conditions)
    editor = _EDITOR_COST[spec.editor] if spec.task is Task.TRANSFER else 1.0
    return editor * (_COURSE_COST if changes else 1.0)


def _worked_on_s(spec: RenderSpec, canvas_s: float, region_s: float) -> float:
    if spec.task is Task.GENERATE and spec.duration_s:
        return _windows_s(spec.duration_s, canvas_s)
    span = spec.region.span if spec.region is not None else None
    whole_s = span.duration_s if span is not None else region_s or UNKNOWN_REGION_S
    if spec.mask is None:
        return _windows_s(whole_s, canvas_s)
    patches = ((max(0.0, start_s), min(whole_s, end_s)) for start_s, end_s in _patches(spec.mask))
    return sum(_windows_s(end_s - start_s, canvas_s) for start_s, end_s in patches if start_s < end_s)


def _windows_s(audio_s: float, canvas_s: float) -> float:
    """Return how much a model hears of so much: it hears canvases, which overlap where there are many."""
    if canvas_s <= 0 or audio_s <= canvas_s:
        return max(audio_s, canvas_s)
    shared_s = _SHARED * canvas_s
    return canvas_s * math.ceil((audio_s - shared_s) / (canvas_s - shared_s))


def _patches(mask: Mask) -> list[tuple[float, float]]:
    """Return from when to when a mask needs something rendered; what lies near together is one."""
    patches: list[tuple[float, float]] = []
    for start_s, end_s in sorted(_around(shape) for shape in mask.shapes if shape.op is MaskOp.ADD):
        if patches and start_s <= patches[-1][1]:
            patches[-1] = (patches[-1][0], max(end_s, patches[-1][1]))
        else:
            patches.append((start_s, end_s))
    return patches


def _around(shape: Shape) -> tuple[float, float]:
    if isinstance(shape, RectShape):
        return shape.span.start_s - CONTEXT_S, shape.span.end_s + CONTEXT_S
    times_s = [time_s for time_s, _ in shape.points]
    reach_s = CONTEXT_S + (shape.radius_s if isinstance(shape, BrushShape) else 0.0)
    return min(times_s) - reach_s, max(times_s) + reach_s

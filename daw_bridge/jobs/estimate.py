"""How long a job takes, learned from those that are done.

A job samples, which costs so much for each step of so much sound; it finishes takes, which costs so much for
so much sound; the rest it always costs; and perhaps it loads its model first. Each of these is learned apart
for each model and task, so that one job tells about another of any size. Medians are taken throughout: a few
jobs that were slow for reasons of their own do not bend them.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from daw_bridge.jobs.size import JobSize, Stages, size_of
from engine.types import RenderSpec

# The embedded starter on a small CPU; only what is said before the first job of all is done.
FIRST_STEP_COST_S = 0.01
FIRST_TAKE_COST_S = 0.1
FIRST_OTHER_S = 0.5
FIRST_LOAD_S = 5.0
KEPT_DURATIONS = 64
# Of sizes that hardly differ, noise would decide how the next larger one is judged.
_APART = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDuration:
    """What a finished job had to do, and the seconds that it took by a clock that nobody sets.

    elapsed_s is the whole, the others are parts of it. canvas_s is the least that its model works on.
    """

    model: str
    task: str
    audio_s: float
    steps: int
    takes: int
    elapsed_s: float
    voices: int = 1
    canvas_s: float = 0.0
    load_s: float = 0.0
    sample_s: float = 0.0
    finish_s: float = 0.0

    @property
    def size(self) -> JobSize:
        return JobSize(audio_s=self.audio_s, steps=self.steps, takes=self.takes, voices=self.voices)

    @property
    def other_s(self) -> float:
        return max(0.0, self.elapsed_s - self.load_s - self.sample_s - self.finish_s)


@dataclass(frozen=True, slots=True)
class Line:
    """What something costs that works on so many seconds of sound."""

    fixed_s: float
    slope: float

    def at(self, sound_s: float) -> float:
        return self.fixed_s + self.slope * sound_s


class Estimator:
    """Tells durations; of a task that a model never did, by its other tasks, and then by any model's."""

    def __init__(self, durations: Iterable[JobDuration] = ()) -> None:
        self._past: dict[tuple[str, ...], deque[JobDuration]] = defaultdict(
            lambda: deque(maxlen=KEPT_DURATIONS)
        )
        self._costs: dict[tuple[str, ...], _Costs] = {}
        for duration in durations:
            self.learn(duration)

    def learn(self, duration: JobDuration) -> None:
        """Remember a job that finished; the oldest of its kind is forgotten."""
        for kind in _kinds(duration.model, duration.task):
            self._past[kind].append(duration)
            self._costs.pop(kind, None)

    def stages(self, spec: RenderSpec) -> Stages:
        """Return what a job's stages take, loading its model among them."""
        known = next((kind for kind in _kinds(spec.model, spec.task.value) if kind in self._past), ())
        if known not in self._costs:
            self._costs[known] = _costs_of(tuple(self._past.get(known, ())))
        return self._costs[known].stages(size_of(spec, self._canvas_s(spec.model)))

    def duration_s(self, spec: RenderSpec, *, loads: bool = False) -> float:
        """Return the seconds that a job takes once it runs, and loads its model first or has it already."""
        stages = self.stages(spec)
        return stages.total_s - (0.0 if loads else stages.load_s)

    def _canvas_s(self, model: str) -> float:
        past = self._past.get((model,), ())
        return next((one.canvas_s for one in reversed(past) if one.canvas_s > 0), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Costs:
    """What one kind of jobs costs: a step, finishing a take, the model, and the rest of a job."""

    step: Line
    take: Line
    load_s: float
    other_s: float

    def stages(self, size: JobSize) -> Stages:
        return Stages(
            load_s=self.load_s,
            sample_s=size.steps * size.batches * self.step.at(size.batch_s),
            finish_s=size.takes * self.take.at(size.sound_s),
            other_s=self.other_s,
        )


def duration_of(spec: RenderSpec, elapsed_s: float, seen: Stages | None = None) -> JobDuration:
    """Return what is to be learned from a job that took so long, of which stages were seen."""
    seen = seen or Stages()
    size = size_of(spec, seen.canvas_s, seen.audio_s)
    return JobDuration(
        model=spec.model,
        task=spec.task.value,
        audio_s=size.audio_s,
        steps=size.steps,
        takes=size.takes,
        voices=size.voices,
        canvas_s=seen.canvas_s,
        elapsed_s=elapsed_s,
        load_s=seen.load_s,
        sample_s=seen.sample_s,
        finish_s=seen.finish_s,
    )


def fitted(points: Sequence[tuple[float, float]], first_slope: float) -> Line:
    """Return the line through points of seconds of sound and their cost, by Theil and Sen (Sen 1968).

    Neither part is ever negative. Of points that lie too near together it goes through the origin; without
    points it has the first slope.
    """
    points = [point for point in points if point[0] > 0]
    if not points:
        return Line(0.0, first_slope)
    far = [(a, b) for a, b in combinations(sorted(points), 2) if b[0] >= _APART * a[0]]
    proportional = Line(0.0, median(cost_s / sound_s for sound_s, cost_s in points))
    if not far:
        return proportional
    slope = max(0.0, median((b[1] - a[1]) / (b[0] - a[0]) for a, b in far))
    fixed_s = median(cost_s - slope * sound_s for sound_s, cost_s in points)
    return Line(fixed_s, slope) if fixed_s >= 0 else proportional


def _costs_of(past: Sequence[JobDuration]) -> _Costs:
    sampled = [
        (one.size.batch_s, one.sample_s / (one.steps * one.size.batches))
        for one in past
        if one.sample_s > 0 and one.steps > 0
    ]
    finished = [(one.size.sound_s, one.finish_s / one.takes) for one in past if one.finish_s > 0]
    return _Costs(
        step=fitted(sampled, 0.0 if past else FIRST_STEP_COST_S),
        take=fitted(finished, 0.0 if past else FIRST_TAKE_COST_S),
        load_s=median([one.load_s for one in past if one.load_s > 0] or [FIRST_LOAD_S]),
        other_s=median([one.other_s for one in past] or [FIRST_OTHER_S]),
    )


def _kinds(model: str, task: str) -> tuple[tuple[str, ...], ...]:
    """Return under which headings a job is remembered, the most telling first."""
    return ((model, task), (model,), ())

"""How long a job takes, learned from those that are done.

A job costs so many seconds for each second of audio, sampling step and take, and some that it always costs.
Both are fitted for each model and task with Theil's and Sen's estimator (Sen 1968), which a few jobs that
were slow for reasons of their own do not bend.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from engine.types import MAX_DURATION_S, RenderSpec, Task

# The embedded starter on a small CPU; only what is said before the first job of all is done.
FIRST_COST_S = 0.01
FIRST_OVERHEAD_S = 3.0
KEPT_DURATIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDuration:
    """What a finished job had to do, and the seconds that it took by a clock that nobody sets."""

    model: str
    task: str
    audio_s: float
    steps: int
    takes: int
    elapsed_s: float

    @property
    def work(self) -> float:
        return self.audio_s * self.steps * self.takes


@dataclass(frozen=True, slots=True)
class Line:
    """elapsed_s = overhead_s + cost_s * work."""

    overhead_s: float = FIRST_OVERHEAD_S
    cost_s: float = FIRST_COST_S

    def at(self, work: float) -> float:
        return self.overhead_s + self.cost_s * work


class Estimator:
    """Tells durations; of a task that a model never did, by its other tasks, and then by any model's."""

    def __init__(self, durations: Iterable[JobDuration] = ()) -> None:
        self._past: dict[tuple[str, ...], deque[JobDuration]] = defaultdict(
            lambda: deque(maxlen=KEPT_DURATIONS)
        )
        self._lines: dict[tuple[str, ...], Line] = {}
        for duration in durations:
            self.learn(duration)

    def learn(self, duration: JobDuration) -> None:
        """Remember a job that finished; the oldest of its kind is forgotten."""
        for kind in _kinds(duration.model, duration.task):
            self._past[kind].append(duration)
            self._lines.pop(kind, None)

    def duration_s(self, spec: RenderSpec) -> float:
        """Return the seconds that a job takes once it runs."""
        kinds = _kinds(spec.model, spec.task.value)
        known = next((kind for kind in kinds if kind in self._past), ())
        return self._line(known).at(duration_of(spec, 0.0).work)

    def _line(self, kind: tuple[str, ...]) -> Line:
        if kind not in self._lines:
            self._lines[kind] = fitted(self._past[kind]) if kind in self._past else Line()
        return self._lines[kind]


def duration_of(spec: RenderSpec, elapsed_s: float) -> JobDuration:
    """Return what is to be learned from a job that took so long; a region without a span counts as long."""
    span = spec.region.span if spec.region is not None else None
    region_s = span.duration_s if span is not None else MAX_DURATION_S
    # A transfer starts part of the way into noise and takes that part of the steps.
    strength = spec.sampler.strength if spec.task is Task.TRANSFER else 1.0
    return JobDuration(
        model=spec.model,
        task=spec.task.value,
        audio_s=spec.duration_s if spec.task is Task.GENERATE and spec.duration_s else region_s,
        steps=math.ceil(strength * spec.sampler.steps),
        takes=spec.takes,
        elapsed_s=elapsed_s,
    )


def fitted(durations: Iterable[JobDuration]) -> Line:
    """Return the line through some durations; neither part is ever negative."""
    points = [(one.work, one.elapsed_s) for one in durations]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if a[0] != b[0]]
    slopes = [slope for slope in slopes if math.isfinite(slope)]
    if not slopes:
        return _through_one(points)
    cost_s = max(0.0, median(slopes))
    return Line(max(0.0, median(elapsed_s - cost_s * work for work, elapsed_s in points)), cost_s)


def left_s(expected_s: float, elapsed_s: float, fraction: float) -> float:
    """Return the seconds that a running job still takes.

    What was expected counts at first; the nearer the end, the more what was seen: at a fraction f the pace so
    far says elapsed (1 - f) / f and has the weight f squared.
    """
    fraction = min(1.0, max(0.0, fraction))
    return (1 - fraction) * ((1 - fraction**2) * expected_s + fraction * max(0.0, elapsed_s))


def _through_one(points: list[tuple[float, float]]) -> Line:
    """Split the typical time of jobs of one size in the proportion that is assumed before any job."""
    work, elapsed_s = points[0][0], median(elapsed_s for _, elapsed_s in points)
    scale = elapsed_s / Line().at(work)
    return Line(scale * FIRST_OVERHEAD_S, scale * FIRST_COST_S)


def _kinds(model: str, task: str) -> tuple[tuple[str, ...], ...]:
    """Return under which headings a job is remembered, the most telling first."""
    return ((model, task), (model,), ())

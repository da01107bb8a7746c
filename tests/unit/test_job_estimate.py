"""How long a job will take, learned from those that are done, and from the job itself while it runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.jobs.estimate import KEPT_DURATIONS, Estimator, JobDuration, duration_of, fitted
from daw_bridge.jobs.progress import fraction
from daw_bridge.jobs.size import CONTEXT_S, UNKNOWN_REGION_S, Stages, size_of
from daw_bridge.jobs.stopwatch import Stopwatch
from engine.types import (
    BATCH_TAKES,
    MAX_TAKES,
    BrushShape,
    Editor,
    Mask,
    RectShape,
    Region,
    RenderSpec,
    SamplerSpec,
    Stereo,
    Task,
    TimeSpan,
)
from tests.unit.histories import a_spec

SECONDS = st.floats(0, 1e5)
SPAN = TimeSpan(start_s=1.0, end_s=4.0)
CANVAS_S = 2.56


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine and a model whose times follow closed forms."""

    load_s: float = 20.0
    step_s: float = 0.03
    take_s: float = 0.4
    other_s: float = 0.7

    def stages(self, spec: RenderSpec, *, loads: bool) -> Stages:
        # What is longer than a canvas is heard in windows that share a quarter.
        windows = ((spec.duration_s or 0.0) / CANVAS_S - 0.25) / 0.75
        sound_s = CANVAS_S * max(1, math.ceil(windows))
        return Stages(
            load_s=self.load_s if loads else 0.0,
            sample_s=spec.takes * spec.sampler.steps * self.step_s * sound_s,
            finish_s=spec.takes * self.take_s * sound_s,
            other_s=self.other_s,
        )

    def events(self, spec: RenderSpec, *, loads: bool) -> Iterator[tuple[float, dict[str, object]]]:
        """Yield what the worker tells of a job, and how long after the event before."""
        took, steps = self.stages(spec, loads=loads), spec.sampler.steps
        if loads:
            yield 0.0, told("load", 0, 1, spec)
            yield took.load_s, told("load", 1, 1, spec)
        yield took.other_s, told("encode", 1, 1, spec)
        for first in range(1, spec.takes + 1, BATCH_TAKES):
            batch = min(BATCH_TAKES, spec.takes + 1 - first)
            for step in range(1, steps + 1):
                step_s = took.sample_s / spec.takes * batch / steps
                yield step_s, told("sample", step, steps, spec, first, batch)
            for row in range(batch):
                place = (spec, first + row, batch, row)
                yield 0.0, told("decode", 0, 1, *place)
                yield 0.9 * took.finish_s / spec.takes, told("decode", 1, 1, *place)
                yield 0.1 * took.finish_s / spec.takes, told("rank", 1, 1, *place)

    def watched(self, spec: RenderSpec, watch: Stopwatch, *, loads: bool) -> Iterator[float]:
        """Let a stopwatch follow a job; yield the time after each event."""
        now_s = 0.0
        watch.begin(now_s)
        for delay_s, payload in self.events(spec, loads=loads):
            now_s += delay_s
            watch.progress(payload, now_s)
            yield now_s

    def done(self, spec: RenderSpec, *, loads: bool = False) -> JobDuration:
        """Return what is learned from a job."""
        watch = Stopwatch(Stages(), 0.0)
        *_, end_s = self.watched(spec, watch, loads=loads)
        return duration_of(spec, end_s, replace(watch.stages(), canvas_s=CANVAS_S))


def told(
    stage: str, step: int, total: int, spec: RenderSpec, take: int = 1, batch: int = 1, row: int = 0
) -> dict[str, object]:
    place = {"take": take, "takes": spec.takes, "batch": batch, "row": row}
    return {"stage": stage, "step": step, "total": total, **place}


def a_job(seconds: float = 2.0, steps: int = 20, takes: int = 1, **changes: Any) -> RenderSpec:
    return a_spec(duration_s=seconds, sampler=SamplerSpec(steps=steps), takes=takes, **changes)


def took(elapsed_s: float, model: str = "starter", **changes: Any) -> JobDuration:
    """Return a job that spent almost all of its time in 20 steps of two seconds."""
    work = {"audio_s": 2.0, "steps": 20, "takes": 1, "sample_s": elapsed_s}
    return JobDuration(**{"model": model, "task": "generate", "elapsed_s": elapsed_s, **work, **changes})


def edit(task: Task, **changes: Any) -> RenderSpec:
    mask = Mask(shapes=(RectShape(span=SPAN),)) if task is Task.INPAINT else None
    spec = a_spec(task=task, region=Region(path="loop.wav", span=SPAN), duration_s=None, mask=mask)
    return replace(spec, **changes)


MACHINES = st.builds(
    Machine,
    load_s=st.floats(0.5, 60),
    step_s=st.floats(0.001, 1),
    take_s=st.floats(0.001, 3),
    other_s=st.floats(0, 2),
)
JOBS = st.builds(
    a_job, seconds=st.floats(0.2, 10.24), steps=st.integers(4, 300), takes=st.integers(1, MAX_TAKES)
)


@given(machine=MACHINES, first=JOBS, second=JOBS)
def test_one_job_tells_how_long_one_of_another_size_takes(
    machine: Machine, first: RenderSpec, second: RenderSpec
) -> None:
    estimator = Estimator([machine.done(first, loads=True)])
    for loads in (False, True):
        estimate_s, true_s = estimator.duration_s(second, loads=loads), machine.stages(second, loads=loads)
        assert true_s.total_s / 2 <= estimate_s <= 2 * true_s.total_s


@given(machine=MACHINES, slowdown=st.floats(0.01, 100), job=JOBS)
def test_a_job_that_is_half_done_knows_how_long_it_still_takes(
    machine: Machine, slowdown: float, job: RenderSpec
) -> None:
    thought = machine.stages(job, loads=True)
    parts = ("sample_s", "finish_s", "other_s")
    expected = replace(thought, **{part: slowdown * getattr(thought, part) for part in parts})
    watch = Stopwatch(expected, 0.0)
    end_s = machine.stages(job, loads=True).total_s
    for now_s in machine.watched(job, watch, loads=True):
        if now_s - machine.load_s - machine.other_s >= 0.5 * (thought.sample_s + thought.finish_s):
            true_s = end_s - now_s
            assert watch.left_s(now_s) == pytest.approx(true_s, rel=0.25, abs=0.25 * machine.other_s + 1e-6)


@given(takes=st.integers(1, MAX_TAKES), steps=st.integers(1, 9))
def test_a_job_goes_on_and_never_back_to_its_very_end(takes: int, steps: int) -> None:
    told_of = [payload for _, payload in Machine().events(a_job(steps=steps, takes=takes), loads=True)]
    shares = [fraction(payload) for payload in told_of]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == pytest.approx(1.0)


def test_takes_that_share_their_steps_are_thought_to_share_what_a_step_costs_by_itself() -> None:
    def done(seconds: float, takes: int) -> JobDuration:
        sound_s = max(seconds, CANVAS_S) * takes
        sample_s = 20 * (0.03 + 0.01 * sound_s)
        return took(sample_s, audio_s=seconds, takes=takes, sample_s=sample_s, canvas_s=CANVAS_S)

    estimator = Estimator([done(2.56, 1), done(10.24, 1), done(2.56, 2)])
    alone_s, together_s = (estimator.stages(a_job(2.5, takes=takes)).sample_s for takes in (1, 8))
    assert alone_s == pytest.approx(20 * (0.03 + 0.01 * 2.56))
    assert together_s == pytest.approx(20 * (0.03 + 0.01 * 8 * 2.56))


def test_after_three_steps_a_wrong_expectation_is_forgotten() -> None:
    machine, job = Machine(), a_job(10.0, steps=300)
    watch = Stopwatch(Stages(sample_s=1e4, finish_s=100.0, other_s=10.0), 0.0)
    true_s = machine.stages(job, loads=False).total_s
    left = [(watch.left_s(now_s), now_s) for now_s in machine.watched(job, watch, loads=False)]
    assert left[4][0] == pytest.approx(true_s - left[4][1], rel=0.25)


def test_the_time_that_a_model_took_to_load_is_no_part_of_the_pace() -> None:
    machine = Machine(load_s=90.0)
    estimator = Estimator(machine.done(a_job(0.5, steps=2), loads=number == 0) for number in range(3))
    large = a_job(10.0, steps=300)
    assert estimator.duration_s(large) < 2 * machine.stages(large, loads=False).total_s
    assert estimator.duration_s(large, loads=True) - estimator.duration_s(large) == pytest.approx(
        90.0, rel=0.1
    )


def test_a_load_counts_down_and_then_no_more() -> None:
    watch = Stopwatch(Stages(load_s=10.0, sample_s=4.0), 0.0)
    watch.begin(1.0)
    watch.progress(told("load", 0, 1, a_job()), 2.0)
    assert watch.left_s(5.0) == pytest.approx(9.0)
    watch.progress(told("load", 1, 1, a_job()), 30.0)
    assert watch.left_s(30.0) == pytest.approx(4.0)
    assert watch.stages().load_s == pytest.approx(30.0)


@given(st.lists(st.tuples(st.floats(0.1, 1e3), SECONDS), min_size=1, max_size=12))
def test_a_cost_is_never_negative_and_never_falls_with_the_work(past: list[tuple[float, float]]) -> None:
    line = fitted(past, 1.0)
    assert 0 <= line.at(0.0) <= line.at(10.0) <= line.at(1e6)


@given(
    sounds_s=st.lists(st.integers(1, 1000), min_size=2, max_size=20, unique=True),
    fixed_s=st.floats(0, 100),
    slope=st.floats(0, 10),
)
def test_costs_on_a_line_give_the_line(sounds_s: list[int], fixed_s: float, slope: float) -> None:
    ends = 2.0 * max(sounds_s)
    points = [(float(sound_s), fixed_s + slope * sound_s) for sound_s in (*sounds_s, ends)]
    found = fitted(points, 1.0)
    assert [found.at(sound_s) for sound_s, _ in points] == pytest.approx(
        [cost_s for _, cost_s in points], abs=1e-6
    )


def test_a_few_jobs_that_were_slow_for_reasons_of_their_own_do_not_bend_it() -> None:
    machine, slow = Machine(), Machine(step_s=2.0)
    past = [machine.done(a_job(0.5 * number)) for number in range(1, 16)]
    estimate_s = Estimator([*past, *(slow.done(a_job(seconds)) for seconds in (1.0, 3.0, 6.0))])
    job = a_job(8.0)
    assert estimate_s.duration_s(job) == pytest.approx(machine.stages(job, loads=False).total_s, rel=0.5)


def test_before_any_job_there_is_an_estimate_that_grows_with_the_work() -> None:
    sizes = [a_job(), a_job(seconds=4.0), a_job(seconds=4.0, steps=40), a_job(seconds=4.0, steps=40, takes=2)]
    estimates_s = [Estimator().duration_s(job) for job in sizes]
    assert estimates_s[0] > 0 and estimates_s == sorted(set(estimates_s))


def test_a_task_never_done_is_judged_by_the_models_others_and_then_by_any_model() -> None:
    estimator = Estimator([took(8.0), took(80.0, model="large")])
    span = TimeSpan(start_s=0.0, end_s=2.0)
    other = edit(Task.SUPERRES, region=Region(path="loop.wav", span=span), stereo=Stereo.MID)
    for model, expected_s in (("starter", 8.0), ("large", 80.0), ("unheard", 44.0)):
        estimate_s = estimator.duration_s(replace(other, model=model))
        assert estimate_s == pytest.approx(expected_s)


def test_what_it_learns_counts_at_once_and_the_oldest_is_forgotten() -> None:
    estimator, spec = Estimator(took(50.0) for _ in range(KEPT_DURATIONS)), a_job()
    assert estimator.stages(spec).sample_s == pytest.approx(50.0)
    for _ in range(KEPT_DURATIONS):
        estimator.learn(took(5.0))
    assert estimator.stages(spec).sample_s == pytest.approx(5.0)


@pytest.mark.parametrize("task", [Task.TRANSFER, Task.SUPERRES])
def test_an_edit_is_as_long_as_its_region(task: Task) -> None:
    assert size_of(edit(task)).audio_s == 3.0
    unknown = edit(task, region=Region(path="loop.wav"))
    assert size_of(unknown).audio_s == UNKNOWN_REGION_S
    assert size_of(unknown, region_s=7.0).audio_s == 7.0


def test_of_a_masked_region_the_masked_parts_count_and_what_lies_around_them() -> None:
    span = TimeSpan(start_s=0.0, end_s=60.0)
    far = RectShape(span=TimeSpan(start_s=50.0, end_s=51.0))
    stroke = BrushShape(points=((52.0, 100.0),), radius_s=0.5, radius_hz=50.0)
    for shapes, expected_s in (
        ((RectShape(span=SPAN),), 3.0 + 2 * CONTEXT_S),
        ((RectShape(span=SPAN), far), 4.0 + 4 * CONTEXT_S),
        ((far, stroke), 2.5 + 2 * CONTEXT_S),
    ):
        mask = Mask(shapes=shapes)
        spec = edit(Task.INPAINT, region=Region(path="loop.wav", span=span), mask=mask)
        assert size_of(spec).audio_s == pytest.approx(expected_s)


def test_a_model_works_on_a_canvas_at_least_and_on_windows_that_overlap_of_more() -> None:
    heard_s = [size_of(a_job(seconds), CANVAS_S).audio_s / CANVAS_S for seconds in (0.5, 2.56, 2.6, 10.0)]
    assert heard_s == [1.0, 1.0, 2.0, 5.0]


def test_stereo_is_two_voices_unless_only_the_middle_is_made() -> None:
    voices = [size_of(edit(Task.TRANSFER, stereo=stereo)).voices for stereo in Stereo]
    assert dict(zip(Stereo, voices, strict=True)) == {
        Stereo.MID: 1,
        Stereo.MID_SIDE: 2,
        Stereo.CHANNELS: 2,
    }
    assert size_of(a_job()).voices == 1


def test_a_transfer_takes_the_part_of_the_steps_that_its_strength_says() -> None:
    sampler = SamplerSpec(steps=20, strength=0.33)
    assert size_of(edit(Task.TRANSFER, sampler=sampler, editor=Editor.RENOISE)).steps == 7
    assert size_of(edit(Task.INPAINT, sampler=sampler)).steps == 20


def test_who_asks_the_network_more_in_a_step_takes_longer() -> None:
    sampler, bends = SamplerSpec(steps=20, strength=0.5), ((0.0, 1.0), (2.0, 0.5))
    steps = [size_of(edit(Task.TRANSFER, sampler=sampler, editor=editor)).steps for editor in Editor]
    assert dict(zip(Editor, steps, strict=True)) == {Editor.RENOISE: 10, Editor.INVERT: 15, Editor.DIRECT: 15}
    assert size_of(edit(Task.INPAINT, sampler=sampler, editor=Editor.DIRECT)).steps == 20
    assert size_of(edit(Task.INPAINT, sampler=sampler, prompt_curve=bends)).steps == 60


@given(
    machine=MACHINES,
    expected=st.builds(Stages, sample_s=SECONDS, finish_s=SECONDS, other_s=SECONDS),
    job=JOBS,
)
def test_what_is_left_is_never_negative_and_ends_at_nothing(
    machine: Machine, expected: Stages, job: RenderSpec
) -> None:
    watch = Stopwatch(expected, 0.0)
    left = [watch.left_s(now_s) for now_s in machine.watched(job, watch, loads=False)]
    assert min(left) >= 0 and math.isfinite(max(left))
    assert left[-1] == pytest.approx(0.0, abs=1e-6)

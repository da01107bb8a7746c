"""How long a job will take, learned from those that are done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.jobs.estimate import KEPT_DURATIONS, Estimator, JobDuration, Line, duration_of, fitted, left_s
from engine.types import MAX_DURATION_S, Mask, RectShape, Region, RenderSpec, SamplerSpec, Task, TimeSpan
from tests.unit.histories import a_spec

SECONDS = st.floats(0, 1e5)
OVERHEAD_S, COST_S = 2.0, 0.05
SPAN = TimeSpan(start_s=1.0, end_s=4.0)


def took(audio_s: float, elapsed_s: float | None = None, model: str = "starter") -> JobDuration:
    """Return a job of 20 steps and 1 take that took as long as the true line says, or other seconds."""
    true_s = OVERHEAD_S + COST_S * 20 * audio_s
    return JobDuration(
        model=model,
        task="generate",
        audio_s=audio_s,
        steps=20,
        takes=1,
        elapsed_s=true_s if elapsed_s is None else elapsed_s,
    )


def edit(task: Task, **changes: Any) -> RenderSpec:
    mask = Mask(shapes=(RectShape(span=SPAN),)) if task is Task.INPAINT else None
    spec = a_spec(task=task, region=Region(path="loop.wav", span=SPAN), duration_s=None, mask=mask)
    return replace(spec, **changes)


@given(
    works=st.lists(st.floats(1, 1e4), min_size=2, max_size=20, unique_by=round),
    overhead_s=st.floats(0, 100),
    cost_s=st.floats(0, 10),
)
def test_jobs_on_a_line_give_the_line(works: list[float], overhead_s: float, cost_s: float) -> None:
    line = Line(overhead_s, cost_s)
    found = fitted(
        JobDuration(model="m", task="t", audio_s=work, steps=1, takes=1, elapsed_s=line.at(work))
        for work in works
    )
    assert [found.at(work) for work in works] == pytest.approx([line.at(work) for work in works], abs=1e-6)


@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=12))
def test_an_estimate_is_never_negative_and_never_falls_with_the_work(past: list[tuple[float, float]]) -> None:
    line = fitted(took(audio_s, elapsed_s) for audio_s, elapsed_s in past)
    assert 0 <= line.at(0.0) <= line.at(10.0) <= line.at(1e6)


def test_a_few_jobs_that_were_slow_for_reasons_of_their_own_do_not_bend_it() -> None:
    past = [took(0.5 * number) for number in range(1, 16)]
    slow = [took(1.0, 900.0), took(3.0, 500.0), took(6.0, 1200.0)]
    estimate_s = Estimator([*past, *slow]).duration_s(a_spec(duration_s=8.0))
    assert estimate_s == pytest.approx(OVERHEAD_S + COST_S * 20 * 8.0, rel=0.2)


def test_before_any_job_there_is_an_estimate_that_grows_with_the_work() -> None:
    estimator = Estimator()
    small, large = a_spec(), a_spec(takes=4)
    assert 0 < estimator.duration_s(small) < estimator.duration_s(large)


def test_jobs_of_one_size_are_met_and_larger_ones_take_longer() -> None:
    estimator = Estimator([took(2.0, 7.0), took(2.0, 9.0), took(2.0, 8.0)])
    assert estimator.duration_s(a_spec(duration_s=2.0)) == pytest.approx(8.0)
    assert estimator.duration_s(a_spec(duration_s=4.0)) > 8.0


def test_a_task_never_done_is_judged_by_the_models_others_and_then_by_any_model() -> None:
    estimator = Estimator([took(2.0, 8.0), took(2.0, 80.0, model="large")])
    span = TimeSpan(start_s=0.0, end_s=2.0)
    other = edit(Task.INPAINT, region=Region(path="loop.wav", span=span))
    assert estimator.duration_s(other) == pytest.approx(8.0)
    assert estimator.duration_s(replace(other, model="large")) == pytest.approx(80.0)
    assert estimator.duration_s(replace(other, model="unheard")) == pytest.approx(44.0)


def test_what_it_learns_counts_at_once_and_the_oldest_is_forgotten() -> None:
    estimator, spec = Estimator(took(2.0, 50.0) for _ in range(KEPT_DURATIONS)), a_spec()
    assert estimator.duration_s(spec) == pytest.approx(50.0)
    for _ in range(KEPT_DURATIONS):
        estimator.learn(took(2.0, 5.0))
    assert estimator.duration_s(spec) == pytest.approx(5.0)


def test_the_work_is_audio_times_steps_times_takes() -> None:
    spec = a_spec(duration_s=3.0, takes=2, sampler=SamplerSpec(steps=10))
    duration = duration_of(spec, 5.0)
    assert (duration.work, duration.elapsed_s) == (60.0, 5.0)


@pytest.mark.parametrize("task", [Task.INPAINT, Task.SUPERRES])
def test_an_edit_is_as_long_as_its_region(task: Task) -> None:
    assert duration_of(edit(task), 0.0).audio_s == 3.0
    assert duration_of(edit(task, region=Region(path="loop.wav")), 0.0).audio_s == MAX_DURATION_S


def test_a_transfer_takes_the_part_of_the_steps_that_its_strength_says() -> None:
    sampler = SamplerSpec(steps=20, strength=0.33)
    assert duration_of(edit(Task.TRANSFER, sampler=sampler), 0.0).steps == 7
    assert duration_of(edit(Task.INPAINT, sampler=sampler), 0.0).steps == 20


@given(expected_s=SECONDS, elapsed_s=SECONDS, fraction=st.floats(-1, 2))
def test_what_is_left_is_never_negative_and_ends_at_nothing(
    expected_s: float, elapsed_s: float, fraction: float
) -> None:
    assert left_s(expected_s, elapsed_s, fraction) >= 0
    assert left_s(expected_s, elapsed_s, 1.0) == 0
    assert left_s(expected_s, elapsed_s, 0.0) == expected_s


@given(expected_s=st.floats(1, 1e4), fraction=st.floats(0, 1))
def test_a_job_that_keeps_to_its_estimate_ends_when_it_was_said(expected_s: float, fraction: float) -> None:
    assert left_s(expected_s, fraction * expected_s, fraction) == pytest.approx((1 - fraction) * expected_s)


def test_the_nearer_the_end_the_more_the_pace_counts() -> None:
    twice_as_slow = [left_s(10.0, 20.0 * fraction, fraction) / (1 - fraction) for fraction in (0.1, 0.5, 0.9)]
    assert twice_as_slow == sorted(twice_as_slow)
    assert twice_as_slow[0] == pytest.approx(10.1)
    assert twice_as_slow[-1] > 18

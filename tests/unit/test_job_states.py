"""A job passes only through the states of the table, and keeps what it has made."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.jobs.state import (
    MAX_SEED,
    TRANSITIONS,
    InvalidTransition,
    Job,
    JobState,
    new_job_id,
    retried,
)
from engine.types import ErrorCode, ErrorInfo
from tests.unit.histories import a_job, a_spec, a_take

LOST = ErrorInfo(code=ErrorCode.IO_MISSING, message="the loop is gone")
STEPS: dict[JobState, Callable[[Job], Job]] = {
    JobState.RUNNING: lambda job: job.started(2.0, "rain-2"),
    JobState.QUEUED: Job.requeued,
    JobState.FINISHED: lambda job: job.finished(3.0),
    JobState.FAILED: lambda job: job.failed(3.0, LOST),
    JobState.CANCELLED: lambda job: job.cancelled(3.0),
}
WALKS = st.lists(st.sampled_from(JobState), max_size=12)


@pytest.mark.parametrize("before", JobState)
@pytest.mark.parametrize("after", JobState)
def test_every_pair_of_states_is_a_step_or_an_error(before: JobState, after: JobState) -> None:
    job = a_job(state=before)
    if before.can_become(after):
        assert STEPS[after](job).state is after
        return
    with pytest.raises(InvalidTransition, match=f"job A is {before.value} and cannot become {after.value}"):
        STEPS[after](job)


def test_what_has_ended_has_ended() -> None:
    ended = {state for state in JobState if state.is_terminal}
    assert ended == {JobState.FINISHED, JobState.FAILED, JobState.CANCELLED}
    assert set(TRANSITIONS) == set(JobState)


@given(walk=WALKS)
def test_only_an_ended_job_has_an_end_and_only_an_unlucky_one_an_error(walk: list[JobState]) -> None:
    job, starts = a_job(), 0
    for state in walk:
        if job.state.can_become(state):
            job, starts = STEPS[state](job), starts + (state is JobState.RUNNING)
    assert (job.ended_s is not None) is job.state.is_terminal
    assert (job.error is not None) is (job.state in (JobState.FAILED, JobState.CANCELLED))
    assert job.attempts == starts
    assert job.state is not JobState.RUNNING or (job.started_s, job.file_stem) == (2.0, "rain-2")


def test_an_interrupted_job_keeps_its_takes_and_attempts() -> None:
    running = a_job(rank=7.0).started(2.0, "rain")
    again = running.with_take(a_take(running)).requeued()
    assert again.takes == (a_take(running),)
    assert (again.attempts, again.rank, again.started_s) == (1, 7.0, None)


def test_a_running_job_may_be_asked_to_stop_and_still_end_well() -> None:
    asked = a_job().started(2.0, "rain").cancelling()
    assert asked.state is JobState.RUNNING
    assert asked.finished(3.0).state is JobState.FINISHED
    cancelled = asked.cancelled(3.0)
    assert cancelled.error is not None
    assert cancelled.error.code is ErrorCode.CANCELLED


@pytest.mark.parametrize("wrong", [lambda job: job.cancelling(), lambda job: job.with_take(a_take(job))])
def test_only_what_runs_makes_takes_or_is_stopping(wrong: Callable[[Job], Job]) -> None:
    with pytest.raises(AssertionError):
        wrong(a_job())


@given(st.lists(st.floats(0, 2**38), min_size=2, max_size=8))
def test_ids_sort_by_time_and_are_plain_words(times_s: list[float]) -> None:
    ids = [new_job_id(now_s) for now_s in sorted(times_s)]
    assert all(len(one) == 26 and one.isalnum() and one.isupper() for one in ids)
    assert all(before[:10] <= after[:10] for before, after in pairwise(ids))
    assert len(set(ids)) == len(ids)


def test_an_id_is_the_ulid_of_its_time_and_random_bytes() -> None:
    assert new_job_id(1_469_918_176.385, bytes) == "01ARYZ6S41" + 16 * "0"
    assert new_job_id(0.0, lambda count: b"\xff" * count) == 10 * "0" + 16 * "Z"


@pytest.mark.parametrize("now_s", [-1.0, 2.0**60])
def test_a_clock_far_off_still_gives_an_id(now_s: float) -> None:
    assert len(new_job_id(now_s)) == 26


def test_a_retry_is_a_new_job_with_the_first_seed_that_was_not_used() -> None:
    old = a_job(spec=a_spec(seed=5, takes=3), priority=4, slot="pad").started(2.0, "rain-2").finished(3.0)
    new = retried(old, job_id="B", now_s=9.0)
    assert (new.id, new.parent_id, new.state, new.created_s) == ("B", "A", JobState.QUEUED, 9.0)
    assert (new.spec.seed, new.priority, new.stem, new.slot) == (8, 4, "rain", "")
    assert (new.takes, new.attempts, new.file_stem) == ((), 0, "")
    assert retried(old, job_id="B", now_s=9.0, seed=5).spec == old.spec


def test_the_seed_after_the_highest_is_a_seed() -> None:
    old = a_job(spec=a_spec(seed=MAX_SEED, takes=2))
    assert retried(old, job_id="B", now_s=9.0).spec.seed == 1
    with pytest.raises(ValueError, match="seed"):
        retried(old, job_id="B", now_s=9.0, seed=MAX_SEED + 1)

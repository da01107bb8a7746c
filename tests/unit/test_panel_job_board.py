"""What the panel knows of jobs: the same as the service, by events alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from daw_bridge.jobs.queue import JobQueue
from daw_bridge.jobs.state import Job, JobState
from daw_bridge.messages.events import (
    JobDoneEvent,
    JobFailEvent,
    JobProgressEvent,
    JobStateEvent,
    JobTakeEvent,
)
from engine.spec_json import spec_to_dict
from engine.types import ErrorCode, RenderSpec, SamplerSpec, Task
from ui.model.job_board import JobBoard, JobEvent
from ui.model.job_words import shown

SPEC = RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=1.0)


def a_state(job_id: str, seq: int, state: str, position: int = 0) -> JobStateEvent:
    return JobStateEvent(job_id=job_id, seq=seq, state=state, position=position)


def a_progress(job_id: str, seq: int, fraction: float) -> JobProgressEvent:
    return JobProgressEvent(
        job_id=job_id, seq=seq, step=1, total=2, fraction=fraction, eta_s=3.0, stage="sample", take=2, takes=3
    )


def a_take(job_id: str, seq: int, index: int) -> JobTakeEvent:
    return JobTakeEvent(
        job_id=job_id,
        seq=seq,
        index=index,
        path=f"/takes/{job_id}_{index}.wav",
        clap_score=0.5,
        peak_db=-1.0,
        rms_db=-20.0,
        length_samples=100,
        spec_digest="ab",
        score=0.4,
        dry="",
        note="",
        seed=7,
    )


def life_of(job_id: str) -> Iterator[JobEvent]:
    """Yield the events of a job with two takes, as a service tells them."""
    yield a_state(job_id, 0, "queued")
    yield a_state(job_id, 1, "running")
    yield a_progress(job_id, 1, 0.3)
    yield a_take(job_id, 2, 0)
    yield a_take(job_id, 3, 1)
    yield a_state(job_id, 4, "finished")
    yield JobDoneEvent(job_id=job_id, seq=5, takes=2, path=f"/takes/{job_id}_0.wav", recipe="")


def told(job_id: str, state: str, **more: Any) -> dict[str, Any]:
    """Return a line of job/list."""
    plain = {"id": job_id, "state": state, "task": "generate", "prompt": "rain", "takes": 0, "ended_s": None}
    return {**plain, "error": None, **more}


@given(st.sets(st.integers(0, 6)))
def test_a_lost_event_is_noticed_by_the_next_that_counts(lost: set[int]) -> None:
    board = JobBoard()
    board.listed([told("j", "queued", position=0)])
    board.hear(a_state("j", 0, "queued"))
    events = [event for number, event in enumerate(life_of("j")) if number not in lost | {0}]
    for event in events:
        board.hear(event)
    last, is_gap = 0, False
    for event in events:
        is_gap |= event.seq > last + (not isinstance(event, JobProgressEvent))
        last = event.seq
    assert ("j" in board.gaps) == is_gap


def test_progress_that_is_left_out_is_no_gap() -> None:
    board = JobBoard()
    for event in life_of("j"):
        if not isinstance(event, JobProgressEvent):
            board.hear(event)
    assert not board.gaps
    row = board["j"]
    assert (row.state, row.made, row.path) == (JobState.FINISHED, 2, "/takes/j_0.wav")


def test_what_comes_after_the_end_changes_nothing() -> None:
    board = JobBoard()
    for event in life_of("j"):
        board.hear(event)
    before = board["j"]
    board.hear(a_progress("j", 5, 0.9))
    board.hear(a_state("j", 5, "running"))
    assert board["j"] == before


@pytest.mark.parametrize(("code", "state"), [(ErrorCode.CANCELLED, "cancelled"), (ErrorCode.OOM, "failed")])
def test_a_job_that_ends_without_takes_says_why(code: ErrorCode, state: str) -> None:
    board = JobBoard()
    board.hear(a_state("j", 0, "running"))
    board.hear(JobFailEvent(job_id="j", seq=1, code=code, message="no memory", hint="Take less."))
    assert board["j"].state.value == state
    assert board["j"].error is not None and board["j"].error.hint == "Take less."


def test_jobs_that_no_list_names_have_ended_unheard() -> None:
    board = JobBoard()
    board.listed([told("a", "running"), told("b", "queued", position=0), told("c", "queued", position=1)])
    board.begin_listing()
    board.listed([told("c", "queued", position=0)])
    board.hear(a_state("b", 0, "running"))
    assert board.end_listing() == {"a"}


def test_a_move_that_comes_between_two_pages_makes_another_list_necessary() -> None:
    board = JobBoard()
    board.begin_listing()
    board.listed([told("d", "queued", position=3), told("c", "queued", position=2)])
    board.hear(a_state("d", 0, "queued", 0))
    board.listed([told("b", "queued", position=2), told("a", "queued", position=1)])
    board.end_listing()
    assert board.order()[0] == "d" and board.is_torn
    board.begin_listing()
    board.listed([told("d", "queued", position=0), told("c", "queued", position=3)])
    board.listed([told("b", "queued", position=2), told("a", "queued", position=1)])
    board.end_listing()
    assert board.order() == ["d", "a", "b", "c"] and not board.is_torn


def test_a_move_after_the_last_page_counts() -> None:
    board = JobBoard()
    board.begin_listing()
    board.listed([told(name, "queued", position=place) for place, name in ((2, "c"), (1, "b"), (0, "a"))])
    board.hear(a_state("c", 0, "queued", 0))
    board.end_listing()
    assert board.order() == ["c", "a", "b"] and not board.is_torn


def test_those_that_ended_first_go_first() -> None:
    times = iter(range(1_000))
    board = JobBoard(most_ended=20, clock=lambda: float(next(times)))
    for number in range(500):
        for event in life_of(f"j{number:03}"):
            board.hear(event)
    assert 20 <= len(board) <= 25
    assert board.order()[0] == "j499" and "j479" not in board.order()[20:]
    assert not board.gaps and len(board.lacking) == len(board)


class AnyQueue(RuleBasedStateMachine):
    """A real queue whose changes are told as the service tells them."""

    def __init__(self) -> None:
        super().__init__()
        self.queue, self.board = JobQueue(), JobBoard()
        self.seq: dict[str, int] = {}
        self.count = 0

    def tell(self, job: Job) -> None:
        position = self.queue.position(job.id) if job.state is JobState.QUEUED else 0
        self.seq[job.id] = self.seq.get(job.id, -1) + 1
        self.board.hear(a_state(job.id, self.seq[job.id], job.state.value, position))

    def waiting(self, number: int) -> str:
        ids = [job.id for job in self.queue]
        return ids[number % len(ids)]

    @rule(priority=st.integers(-1, 1))
    def submit(self, priority: int) -> None:
        self.count += 1
        new = Job(id=f"j{self.count}", spec=SPEC, folder="/out", stem="a", created_s=0.0, priority=priority)
        jobs = self.queue.plan_submit(new)
        self.queue.apply(jobs)
        self.tell(jobs[-1])

    @precondition(lambda self: len(self.queue) > 0)
    @rule(number=st.integers(0, 50), position=st.integers(0, 12))
    def move(self, number: int, position: int) -> None:
        job_id = self.waiting(number)
        self.queue.apply(self.queue.plan_move(job_id, position))
        self.tell(self.queue.get(job_id))

    @precondition(lambda self: len(self.queue) > 0)
    @rule()
    def start(self) -> None:
        job = self.queue.next()
        assert job is not None
        started = job.started(1.0, "a")
        self.queue.apply([started])
        self.tell(started)

    @precondition(lambda self: len(self.queue.active) > 0)
    @rule(is_dead=st.booleans())
    def end(self, is_dead: bool) -> None:
        (job, *_) = self.queue.active
        ended = self.queue.plan_requeue(job, 2.0) if is_dead else job.finished(2.0)
        self.queue.apply([ended])
        self.tell(ended)

    @precondition(lambda self: len(self.queue) > 0)
    @rule(number=st.integers(0, 50))
    def cancel(self, number: int) -> None:
        for job in self.queue.plan_cancel(self.waiting(number), 3.0):
            self.queue.apply([job])
            self.tell(job)

    @rule()
    def list_anew(self) -> None:
        self.board.begin_listing()
        self.board.listed([told(job.id, "running") for job in self.queue.active])
        jobs = [told(job.id, "queued", position=place) for place, job in enumerate(self.queue)]
        self.board.listed(reversed(jobs))
        assert not self.board.end_listing()

    @invariant()
    def the_order_is_the_queues(self) -> None:
        assert list(self.board.waiting) == [job.id for job in self.queue]
        assert set(self.board.running) == {job.id for job in self.queue.active}
        assert not self.board.gaps


TestAnyQueue = AnyQueue.TestCase
TestAnyQueue.settings = settings(max_examples=40, stateful_step_count=30)


def test_steps_that_a_job_goes_through_are_told_with_those_that_were_chosen() -> None:
    board = JobBoard()
    board.hear(replace(a_progress("a", 0, 0.3), step=7, total=12, take=1, takes=1))
    assert shown(board["a"]) == "Samples, step 7 of 12"
    spec = spec_to_dict(replace(SPEC, sampler=SamplerSpec(steps=20)))
    board.inform({"id": "a", "state": "running", "spec": spec, "ended_s": None})
    assert shown(board["a"]) == "Samples, step 7 of 12 (60 % of 20)"
    board.hear(replace(a_progress("a", 0, 0.5), step=20, total=20, take=1, takes=1))
    assert shown(board["a"]) == "Samples, step 20 of 20"
    board.hear(replace(a_progress("a", 0, 0.9), step=1, total=1, stage="decode", take=1, takes=1))
    assert shown(board["a"]) == "Makes sound"

"""The queue against a plain list, and what its plans promise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from daw_bridge.errors import QueueFull
from daw_bridge.jobs.queue import ALL, ALL_ACTIVE, ALL_QUEUED, MAX_ATTEMPTS, MAX_QUEUED, REPLACED, JobQueue
from daw_bridge.jobs.state import Job, JobState
from engine.errors import NotFound
from engine.types import ErrorCode
from tests.unit.histories import a_job

LIMIT = 12
PRIORITIES = st.integers(-2, 2)
TARGETS = (ALL, ALL_ACTIVE, ALL_QUEUED)


class QueueAgainstList(RuleBasedStateMachine):
    """line is the waiting jobs in order, running those that run; each step is done to both."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.queue = JobQueue(LIMIT)
        self.line: list[Job] = []
        self.running: list[Job] = []
        self.is_paused = False
        self.count = 0

    @rule(target=jobs, priority=PRIORITIES, slot=st.sampled_from(["", "", "pad", "lead"]))
    def submit(self, priority: int, slot: str) -> object:
        self.count += 1
        job = a_job(f"{self.count}", priority=priority, slot=slot)
        replaced = [other for other in self.line if slot and other.slot == slot]
        if len(self.line) >= LIMIT and not replaced:
            with pytest.raises(QueueFull):
                self.queue.plan_submit(job)
            return multiple()
        *ended, new = self.applied(self.queue.plan_submit(job))
        assert [one.id for one in ended] == [one.id for one in replaced]
        assert all(one.error == REPLACED for one in ended)
        self.line = [other for other in self.line if other not in replaced]
        self.line.insert(sum(other.priority >= priority for other in self.line), new)
        return new.id

    @rule()
    def start(self) -> None:
        job = self.queue.next()
        assert job == (None if self.is_paused or not self.line else self.line[0])
        if job is not None:
            started = job.started(2.0, job.stem)
            self.applied((started,))
            self.line.pop(0)
            self.running.append(started)

    @rule(job_id=jobs)
    def end(self, job_id: str) -> None:
        for job in [job for job in self.running if job.id == job_id]:
            self.applied((job.finished(3.0),))
            self.running.remove(job)

    @rule(job_id=jobs)
    def interrupt(self, job_id: str) -> None:
        for job in [job for job in self.running if job.id == job_id]:
            again = self.queue.plan_requeue(job, 3.0)
            assert again.state is self.fate(job)
            self.applied((again,))
            self.running.remove(job)
            if again.state is JobState.QUEUED:
                later = [place for place, other in enumerate(self.line) if _order(other) > _order(again)]
                self.line.insert(min(later, default=len(self.line)), again)

    def fate(self, job: Job) -> JobState:
        if job.is_cancelling or (job.slot and any(other.slot == job.slot for other in self.line)):
            return JobState.CANCELLED
        return JobState.FAILED if job.attempts >= MAX_ATTEMPTS else JobState.QUEUED

    @rule(target=jobs, job_id=consumes(jobs) | st.sampled_from(TARGETS) | st.just("none"))
    def cancel(self, job_id: str) -> object:
        changed = self.applied(self.queue.plan_cancel(job_id, 3.0))
        ended = [job for job in self.line if job_id in (job.id, ALL, ALL_QUEUED)]
        asked = [job for job in self.running if job_id in (job.id, ALL, ALL_ACTIVE)]
        news = {job.id for job in (*ended, *asked) if not job.is_cancelling}
        assert {job.id for job in changed} == news
        self.line = [job for job in self.line if job not in ended]
        self.running = [replace(job, is_cancelling=job.is_cancelling or job in asked) for job in self.running]
        return multiple() if job_id in (*TARGETS, "none") else job_id

    @rule(job_id=jobs, position=st.integers(-2, LIMIT + 2))
    def move(self, job_id: str, position: int) -> None:
        waiting = [job for job in self.line if job.id == job_id]
        if not waiting:
            with pytest.raises(NotFound):
                self.queue.plan_move(job_id, position)
            return
        others = [job for job in self.line if job.id != job_id]
        place = max(0, min(position, len(others)))
        changed = {job.id: job for job in self.applied(self.queue.plan_move(job_id, position))}
        self.line = [changed.get(job.id, job) for job in (*others[:place], *waiting, *others[place:])]

    @rule(count=st.integers(3, 60))
    def squeeze(self, count: int) -> None:
        """Put the last into one gap again and again, until no float is left between two ranks."""
        if len(self.line) > 3:
            for _ in range(count):
                self.move(self.line[-1].id, 2)

    @rule(is_paused=st.booleans())
    def pause(self, is_paused: bool) -> None:
        self.queue.is_paused = self.is_paused = is_paused

    @invariant()
    def agree(self) -> None:
        assert list(self.queue) == self.line
        assert len(self.queue) == len(self.line)
        assert [self.queue.position(job.id) for job in self.line] == list(range(len(self.line)))
        assert sorted(self.queue.active, key=_order) == sorted(self.running, key=_order)
        assert all(self.queue.get(job.id) == job for job in (*self.line, *self.running))

    @invariant()
    def priorities_fall_and_slots_hold_one(self) -> None:
        priorities = [job.priority for job in self.line]
        assert priorities == sorted(priorities, reverse=True)
        slots = [job.slot for job in self.line if job.slot]
        assert len(slots) == len(set(slots))
        assert all(self.queue.in_slot(job.slot) == job for job in self.line if job.slot)
        assert all(self.queue.in_slot(slot) is None for slot in {"", "pad", "lead"}.difference(slots))

    def applied(self, jobs: tuple[Job, ...]) -> tuple[Job, ...]:
        before = list(self.queue), self.queue.active
        assert before == (self.line, self.queue.active), "a plan changes nothing"
        self.queue.apply(jobs)
        return jobs


QueueAgainstList.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_queue_against_list = QueueAgainstList.TestCase


def _order(job: Job) -> tuple[int, float, str]:
    return (-job.priority, job.rank, job.id)


def filled(*jobs: Job, limit: int = MAX_QUEUED) -> JobQueue:
    queue = JobQueue(limit)
    for job in jobs:
        queue.apply(queue.plan_submit(job))
    return queue


def ids(queue: JobQueue) -> list[str]:
    return [job.id for job in queue]


def started(queue: JobQueue) -> Job:
    job = queue.next()
    assert job is not None
    running = job.started(2.0, job.stem)
    queue.apply((running,))
    return running


def test_a_plan_that_is_not_applied_has_never_been() -> None:
    queue = filled(a_job("A"), a_job("B", slot="pad"))
    before = list(queue)
    queue.plan_submit(a_job("C", slot="pad"))
    queue.plan_cancel(ALL, 2.0)
    queue.plan_move("B", 0)
    assert list(queue) == before


def test_an_interrupted_job_waits_in_its_old_place() -> None:
    queue = filled(a_job("A"), a_job("B"), a_job("C"))
    first = started(queue)
    queue.apply(queue.plan_submit(a_job("D")))
    queue.apply((queue.plan_requeue(first, 3.0),))
    assert ids(queue) == ["A", "B", "C", "D"]


def test_a_job_that_keeps_dying_is_given_up() -> None:
    queue = filled(a_job("A"))
    for _ in range(MAX_ATTEMPTS - 1):
        queue.apply((queue.plan_requeue(started(queue), 3.0),))
    given_up = queue.plan_requeue(started(queue), 3.0)
    assert given_up.state is JobState.FAILED
    assert given_up.error is not None
    assert given_up.error.code is ErrorCode.INTERNAL


def test_in_a_full_queue_a_slot_still_takes_the_newest() -> None:
    queue = filled(a_job("A", slot="pad"), a_job("B"), limit=2)
    with pytest.raises(QueueFull, match="2 jobs are waiting"):
        queue.plan_submit(a_job("C"))
    queue.apply(queue.plan_submit(a_job("D", slot="pad")))
    assert ids(queue) == ["B", "D"]


def test_what_runs_or_has_ended_leaves_its_slot_free() -> None:
    queue = filled(a_job("A", slot="pad"))
    running = started(queue)
    queue.apply(queue.plan_submit(a_job("B", slot="pad")))
    assert [job.id for job in queue.active] == ["A"]
    assert ids(queue) == ["B"]
    assert queue.plan_requeue(running, 3.0).error == REPLACED


def test_a_move_past_other_priorities_takes_the_neighbours() -> None:
    queue = filled(a_job("A", priority=5), a_job("B", priority=1), a_job("C"))
    queue.apply(queue.plan_move("C", 0))
    assert [(job.id, job.priority) for job in queue] == [("C", 5), ("A", 5), ("B", 1)]
    queue.apply(queue.plan_move("A", 99))
    assert [(job.id, job.priority) for job in queue] == [("C", 5), ("B", 1), ("A", 1)]


def test_moving_into_one_gap_for_ever_only_renumbers() -> None:
    queue = filled(*(a_job(str(number)) for number in range(5)))
    expected = ids(queue)
    renumbered = 0
    for _ in range(200):
        plan = queue.plan_move(expected[-1], 2)
        renumbered += len(plan) > 1
        queue.apply(plan)
        expected.insert(2, expected.pop())
        assert ids(queue) == expected
    assert renumbered > 0


def test_a_cancel_of_what_is_not_there_changes_nothing() -> None:
    queue = filled(a_job("A"))
    assert queue.plan_cancel("B", 2.0) == ()
    assert queue.plan_cancel(ALL_ACTIVE, 2.0) == ()
    assert filled().plan_cancel(ALL, 2.0) == ()


@pytest.mark.parametrize("ask", [JobQueue.get, JobQueue.position])
def test_an_unknown_id_is_not_found(ask: object) -> None:
    with pytest.raises(NotFound, match="no job 'B'"):
        ask(filled(a_job("A")), "B")  # type: ignore[operator]


def test_ten_thousand_jobs_keep_their_order() -> None:
    jobs = [a_job(f"{number:05}", priority=number % 3) for number in range(MAX_QUEUED)]
    queue = filled(*jobs)
    with pytest.raises(QueueFull):
        queue.plan_submit(a_job("late"))
    for number in range(0, MAX_QUEUED, 2):
        queue.apply(queue.plan_cancel(f"{number:05}", 2.0))
    left = [job for number, job in enumerate(jobs) if number % 2]
    expected = [job.id for job in sorted(left, key=lambda job: -job.priority)]
    assert [queue.position(job_id) for job_id in expected] == list(range(len(expected)))
    assert [started(queue).id for _ in expected] == expected
    assert len(queue.plan_cancel(ALL, 3.0)) == len(expected)

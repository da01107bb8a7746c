"""The queue: which job runs next, and what a request would change; values only.

Every request is planned first and applied later: the plan_ methods return jobs as they would be and change
nothing, apply makes it so. Between the two the caller writes them to the journal, and what could not be
written has never been.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import replace

from daw_bridge.errors import QueueFull
from daw_bridge.jobs.state import Job, JobState
from engine.errors import NotFound
from engine.types import ErrorCode, ErrorInfo

MAX_QUEUED = 10_000
MAX_ATTEMPTS = 5
ALL, ALL_ACTIVE, ALL_QUEUED = "*", "*active", "*queued"
REPLACED = ErrorInfo(code=ErrorCode.CANCELLED, message="a newer job of the same slot replaced it")
_KEPT_DYING = ErrorInfo(
    code=ErrorCode.INTERNAL,
    message=f"the job was interrupted {MAX_ATTEMPTS} times and is not tried again",
    hint="Please report it together with the worker's log.",
)

Jobs = tuple[Job, ...]
_Key = tuple[int, float, str]


class JobQueue:
    """The jobs that wait, in order, and those that run.

    The order is by falling priority, then by rank. Finding a job's place takes O(log n) steps.
    """

    def __init__(self, limit: int = MAX_QUEUED) -> None:
        self.is_paused = False
        self._limit = limit
        self._next_rank = 0.0
        self._order: list[_Key] = []
        self._queued: dict[str, Job] = {}
        self._active: dict[str, Job] = {}
        self._slots: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Job]:
        """Yield the jobs that wait, the next one first."""
        return (self._queued[job_id] for _, _, job_id in self._order)

    @property
    def active(self) -> Jobs:
        return tuple(self._active.values())

    def get(self, job_id: str) -> Job:
        """Return a job that waits or runs; raises NotFound for any other."""
        job = self._queued.get(job_id) or self._active.get(job_id)
        if job is None:
            raise NotFound(f"no job {job_id!r:.60} is waiting or running")
        return job

    def in_slot(self, slot: str) -> Job | None:
        """Return the job that waits in a slot, which the next one there replaces."""
        return self._queued.get(self._slots.get(slot, ""))

    def position(self, job_id: str) -> int:
        """Return how many jobs come before a waiting one; raises NotFound."""
        return bisect_left(self._order, _key(self._waiting(job_id)))

    def next(self) -> Job | None:
        """Return the job to run next; None when paused or empty."""
        return None if self.is_paused or not self._order else self._queued[self._order[0][2]]

    def plan_submit(self, job: Job) -> Jobs:
        """Return the new job, last of its priority, after the one that it replaces in its slot, if any.

        Raises:
            QueueFull: the queue has reached its limit, and the job replaces none.
        """
        assert job.state is JobState.QUEUED, "a new job is queued"
        replaced = self.in_slot(job.slot)
        if replaced is None and len(self) >= self._limit:
            raise QueueFull(f"{len(self)} jobs are waiting already", "Wait for some, or cancel some.")
        new = replace(job, rank=self._next_rank)
        return (new,) if replaced is None else (replaced.cancelled(job.created_s, REPLACED), new)

    def plan_cancel(self, target: str, now_s: float) -> Jobs:
        """Return the jobs of an id, of *active, *queued or *, as cancelled.

        A running one is only cancelling: it is cancelled when its worker says so. One that has ended, or was
        never there, changes nothing.
        """
        if target in (ALL, ALL_ACTIVE, ALL_QUEUED):
            active = self.active if target != ALL_QUEUED else ()
            queued = tuple(self) if target != ALL_ACTIVE else ()
        else:
            active, queued = _found(self._active, target), _found(self._queued, target)
        asked = (job.cancelling() for job in active if not job.is_cancelling)
        return (*asked, *(job.cancelled(now_s) for job in queued))

    def plan_move(self, job_id: str, position: int) -> Jobs:
        """Return the job with the rank of a position from 0, or of the nearest one there is.

        It takes a neighbour's priority where its own forbids the place. Where no rank is left between two
        neighbours, all jobs of that priority are returned with new ranks.

        Raises:
            NotFound: the job does not wait.
        """
        job, index = self._waiting(job_id), self.position(job_id)
        place = max(0, min(position, len(self) - 1))
        before, after = self._without(index, place - 1), self._without(index, place)
        moved = replace(job, priority=_allowed(job.priority, before, after))
        rank = self._rank_between(moved.priority, before, after)
        if rank is not None:
            return (replace(moved, rank=rank),)
        order = [other for other in self if other.id != job_id]
        order.insert(place, moved)
        peers = (other for other in order if other.priority == moved.priority)
        return tuple(replace(peer, rank=self._next_rank + number) for number, peer in enumerate(peers))

    def plan_requeue(self, job: Job, now_s: float) -> Job:
        """Return a running job whose worker or service died as waiting again in its old place.

        It ends instead where someone wanted it cancelled, where its slot holds a newer one, or where it has
        been interrupted MAX_ATTEMPTS times: perhaps it is what kills them.
        """
        if job.is_cancelling:
            return job.cancelled(now_s)
        if job.slot in self._slots:
            return job.cancelled(now_s, REPLACED)
        return job.failed(now_s, _KEPT_DYING) if job.attempts >= MAX_ATTEMPTS else job.requeued()

    def apply(self, jobs: Iterable[Job]) -> None:
        """Put each job where its state says: among the waiting, among the running, or nowhere."""
        for job in jobs:
            self._forget(job.id)
            if job.state is JobState.QUEUED:
                self._insert(job)
            elif job.state is JobState.RUNNING:
                self._active[job.id] = job

    def _waiting(self, job_id: str) -> Job:
        job = self._queued.get(job_id)
        if job is None:
            raise NotFound(f"no job {job_id!r:.60} is waiting")
        return job

    def _insert(self, job: Job) -> None:
        insort(self._order, _key(job))
        self._queued[job.id] = job
        self._next_rank = max(self._next_rank, job.rank + 1)
        if job.slot:
            self._slots[job.slot] = job.id

    def _forget(self, job_id: str) -> None:
        self._active.pop(job_id, None)
        job = self._queued.pop(job_id, None)
        if job is None:
            return
        del self._order[bisect_left(self._order, _key(job))]
        if self._slots.get(job.slot) == job_id:
            del self._slots[job.slot]

    def _without(self, left_out: int, place: int) -> Job | None:
        """Return the waiting job at a place of the order that is left without one of them."""
        if not 0 <= place < len(self) - 1:
            return None
        return self._queued[self._order[place if place < left_out else place + 1][2]]

    def _rank_between(self, priority: int, before: Job | None, after: Job | None) -> float | None:
        """Return a rank for a place among jobs of the priority; None where two floats have none between."""
        if before is None or before.priority != priority:
            return self._next_rank if after is None or after.priority != priority else after.rank - 1
        if after is None or after.priority != priority:
            return self._next_rank
        middle = (before.rank + after.rank) / 2
        return middle if before.rank < middle < after.rank else None


def _key(job: Job) -> _Key:
    return (-job.priority, job.rank, job.id)


def _found(jobs: dict[str, Job], job_id: str) -> Jobs:
    return (jobs[job_id],) if job_id in jobs else ()


def _allowed(priority: int, before: Job | None, after: Job | None) -> int:
    """Return the priority nearest to a job's own that its new place allows."""
    if before is not None:
        priority = min(priority, before.priority)
    return priority if after is None else max(priority, after.priority)

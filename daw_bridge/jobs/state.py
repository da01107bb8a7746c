"""A job and the states it may pass through.

queued ──> running ──> finished
  ^ │         │ │
  │ │         │ ├────> failed
  │ ├─────────┼─┼────> failed       its spec or input is no longer usable
  │ └─────────┼─┴────> cancelled
  └───────────┘                     the service or the worker died
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from engine.types import ErrorCode, ErrorInfo, RenderSpec, Take

MAX_SEED = 2**63 - 1
MAX_PRIORITY = 100
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_WAS_CANCELLED = ErrorInfo(code=ErrorCode.CANCELLED, message="the job was cancelled")


class JobState(Enum):
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return not TRANSITIONS[self]

    def can_become(self, other: JobState) -> bool:
        return other in TRANSITIONS[self]


TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.FINISHED, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED}),
    JobState.FINISHED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


class InvalidTransition(RuntimeError):
    """A step that the table does not have: a mistake of the program, never of a user."""

    def __init__(self, job_id: str, before: JobState, after: JobState) -> None:
        super().__init__(f"job {job_id} is {before.value} and cannot become {after.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file that a job reads, as it was when the job was accepted."""

    path: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request to render, as it is at one moment.

    Times are seconds since 1970 by the wall clock, which may be set back; order never rests on them.
    Among equal priorities the lower rank runs first. A slot holds at most one queued job: live controllers
    submit to one, and the newest wins. stem is the name asked for; once started, file_stem is the free one
    found for it, and the worker writes file_stem_1, file_stem_2, ... into folder. The takes of an interrupted
    attempt stay, and those of the next come after them. threads is with how many its takes are calculated, 0
    as long as nobody said or knows: with another number their last bits may differ. parent_id is the job that
    this one repeats or, where parent_take counts from 1, whose take it varies or makes again.
    """

    id: str
    spec: RenderSpec
    folder: str
    stem: str
    created_s: float
    state: JobState = JobState.QUEUED
    priority: int = 0
    rank: float = 0.0
    slot: str = ""
    parent_id: str | None = None
    parent_take: int = 0
    started_s: float | None = None
    ended_s: float | None = None
    file_stem: str = ""
    attempts: int = 0
    is_cancelling: bool = False
    error: ErrorInfo | None = None
    takes: tuple[Take, ...] = ()
    inputs: tuple[InputFile, ...] = ()
    threads: int = 0

    def started(self, now_s: float, file_stem: str) -> Job:
        job = self._become(JobState.RUNNING)
        return replace(job, started_s=now_s, attempts=self.attempts + 1, file_stem=file_stem)

    def with_take(self, take: Take, threads: int = 0) -> Job:
        assert self.state is JobState.RUNNING, "only a running job makes takes"
        return replace(self, takes=(*self.takes, take), threads=threads or self.threads)

    def cancelling(self) -> Job:
        """Return the running job with the wish, kept over a restart, that it stop."""
        assert self.state is JobState.RUNNING, "a job that is not running is cancelled at once"
        return replace(self, is_cancelling=True)

    def finished(self, now_s: float) -> Job:
        return replace(self._become(JobState.FINISHED), ended_s=now_s)

    def failed(self, now_s: float, error: ErrorInfo) -> Job:
        return replace(self._become(JobState.FAILED), ended_s=now_s, error=error)

    def cancelled(self, now_s: float, error: ErrorInfo = _WAS_CANCELLED) -> Job:
        return replace(self._become(JobState.CANCELLED), ended_s=now_s, error=error)

    def requeued(self) -> Job:
        """Return the job as waiting again, in its old place, after its service or worker died."""
        return replace(self._become(JobState.QUEUED), started_s=None)

    def _become(self, state: JobState) -> Job:
        if not self.state.can_become(state):
            raise InvalidTransition(self.id, self.state, state)
        return replace(self, state=state)


def new_job_id(now_s: float, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return a ULID: 48 bits of milliseconds and 80 random bits in 26 characters of Crockford's base 32."""
    milliseconds = int(now_s * 1000) % 2**48
    number = milliseconds << 80 | int.from_bytes(random_bytes(10), "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def retried(
    job: Job, *, job_id: str, now_s: float, seed: int | None = None, inputs: tuple[InputFile, ...] = ()
) -> Job:
    """Return a new job like an old one with another seed; without one, the first that it did not use."""
    if seed is None:
        seed = (job.spec.seed + job.spec.takes) % (MAX_SEED + 1)
    return Job(
        id=job_id,
        spec=replace(job.spec, seed=seed),
        folder=job.folder,
        stem=job.stem,
        created_s=now_s,
        priority=job.priority,
        # Again what was varied is a variation of the same take.
        parent_id=job.parent_id if job.parent_take else job.id,
        parent_take=job.parent_take,
        inputs=inputs,
        # The same seed asks for the same takes; others may be made by whatever the machine has now.
        threads=job.threads if seed == job.spec.seed else 0,
    )

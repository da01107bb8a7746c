"""What is known of jobs: those that wait and run, and the latest that ended; values only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from daw_bridge.jobs.state import JobState
from daw_bridge.messages.events import (
    JobDoneEvent,
    JobFailEvent,
    JobPreviewEvent,
    JobProgressEvent,
    JobStateEvent,
    JobTakeEvent,
)
from engine.types import ErrorCode, ErrorInfo

MOST_ENDED = 200
JobEvent = JobStateEvent | JobProgressEvent | JobPreviewEvent | JobTakeEvent | JobDoneEvent | JobFailEvent
# These repeat the number of the event before them.
_UNCOUNTED = (JobProgressEvent, JobPreviewEvent)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job as it is now.

    seq is the number of its last event, None where none was heard. task is empty as long as nobody told what
    the job is. take counts from 1; made are the takes that are written, path the best one's file. Of the
    steps that were chosen, 0 where nobody told, total are to be done.
    """

    id: str
    state: JobState = JobState.QUEUED
    seq: int | None = None
    task: str = ""
    prompt: str = ""
    fraction: float = 0.0
    eta_s: float = -1.0
    stage: str = ""
    step: int = 0
    total: int = 0
    steps: int = 0
    take: int = 1
    takes: int = 0
    made: int = 0
    path: str = ""
    ended_s: float = 0.0
    error: ErrorInfo | None = None

    @property
    def is_known(self) -> bool:
        return bool(self.task)


class JobBoard:
    """Puts together what is listed and what is heard; lacking and gaps name the jobs to ask about."""

    def __init__(self, most_ended: int = MOST_ENDED, clock: Callable[[], float] = time.time) -> None:
        self.lacking: set[str] = set()
        self.gaps: set[str] = set()
        # Whether the queue has changed between two pages of its last list, which then tell of two orders.
        self.is_torn = False
        self._is_heard = False
        # It counts changes of which jobs there are, and of their order.
        self.revision = 0
        self._rows: dict[str, JobRow] = {}
        self._running: dict[str, None] = {}
        # When those ended that have.
        self._over: dict[str, float] = {}
        self._waiting: list[str] = []
        # The same: a list of thousands is not looked through for each of them.
        self._waits: set[str] = set()
        self._unseen: set[str] = set()
        self._positions: dict[str, int] = {}
        self._placed: list[tuple[str, int]] | None = None
        self._most_ended = most_ended
        self._clock = clock

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._rows

    def __getitem__(self, job_id: str) -> JobRow:
        return self._rows[job_id]

    def get(self, job_id: str) -> JobRow | None:
        return self._rows.get(job_id)

    def order(self) -> list[str]:
        """Return all jobs: those that run, those that wait in order, those that ended, the last first."""
        return [*self._running, *self._waiting, *self._ended()]

    def position(self, job_id: str) -> int:
        """Return how many jobs wait before this one, -1 for one that does not wait."""
        return self._waiting.index(job_id) if job_id in self._waits else -1

    @property
    def running(self) -> tuple[str, ...]:
        return tuple(self._running)

    @property
    def waiting_count(self) -> int:
        return len(self._waiting)

    @property
    def waiting(self) -> tuple[str, ...]:
        return tuple(self._waiting)

    def begin_listing(self) -> None:
        """Prepare for lists of all that waits and runs; numbers of events begin anew with each service."""
        self._unseen = {row.id for row in self._rows.values() if not row.state.is_terminal}
        self._rows = {job_id: replace(row, seq=None) for job_id, row in self._rows.items()}
        self._positions, self._placed = {}, []
        self.is_torn = self._is_heard = False
        self.gaps.clear()

    def end_listing(self) -> set[str]:
        """Put those that wait into their order; return the jobs that are in no list, and so have ended."""
        self._waiting.sort(key=lambda job_id: self._positions.get(job_id, len(self._waiting)))
        placed, self._placed = self._placed or [], None
        for job_id, position in placed:
            if job_id in self._waits:
                self._place(job_id, position)
        self._positions = {}
        self.revision += 1
        return self._unseen

    def listed(self, jobs: Iterable[Mapping[str, Any]]) -> None:
        """Take over what job/list tells."""
        for told in jobs:
            self.is_torn |= self._is_heard and "position" in told
            self._take_over(told, task=told["task"], prompt=told["prompt"], made=told["takes"])
        self._forget_old()

    def inform(self, told: Mapping[str, Any]) -> None:
        """Take over what job/info tells."""
        spec, takes = told.get("spec", {}), told.get("takes", [])
        known = self._rows.get(told["id"], JobRow(id=told["id"]))
        self._take_over(
            told,
            task=spec.get("task", known.task),
            prompt=spec.get("prompt", known.prompt),
            steps=spec.get("sampler", {}).get("steps", known.steps),
            takes=spec.get("takes", 1),
            made=len(takes),
            path=takes[0]["path"] if takes else known.path,
        )
        self._forget_old()

    def hear(self, event: JobEvent) -> None:
        """Take over what an event tells; one that comes too late changes nothing."""
        known = self._rows.get(event.job_id)
        row = self._numbered(known, event)
        if row is None:
            return
        self._unseen.discard(row.id)
        self._is_heard |= bool(self._positions) and isinstance(event, JobStateEvent)
        match event:
            case JobStateEvent():
                # It tells of a later place than a list that is being put together.
                self._positions.pop(row.id, None)
                self._set(replace(row, state=JobState(event.state)), event.position)
            case JobProgressEvent():
                self._set(_progressed(row, event))
            case JobTakeEvent():
                path = event.path if event.index == 0 else row.path
                self._set(replace(row, made=max(row.made, event.index + 1), path=path))
            case JobDoneEvent():
                self._set(
                    replace(row, state=JobState.FINISHED, made=event.takes, path=event.path or row.path)
                )
            case JobFailEvent():
                self._set(_failed(row, event))
            case JobPreviewEvent():
                self._set(row)
        self._forget_old()

    def drop(self, job_id: str) -> None:
        """Forget a job."""
        self._rows.pop(job_id, None)
        self._over.pop(job_id, None)
        self._running.pop(job_id, None)
        self.revision += 1
        for names in (self.lacking, self.gaps, self._unseen):
            names.discard(job_id)
        self._leave(job_id)

    def _numbered(self, known: JobRow | None, event: JobEvent) -> JobRow | None:
        """Return the row with the event's number; a gap is noted, and None is for what is told too late."""
        is_counted = not isinstance(event, _UNCOUNTED)
        if known is None:
            self.lacking.add(event.job_id)
            return JobRow(id=event.job_id, seq=event.seq)
        if known.state.is_terminal and not isinstance(event, JobDoneEvent | JobFailEvent | JobTakeEvent):
            return None
        if known.seq is not None and event.seq > known.seq + is_counted:
            self.gaps.add(event.job_id)
        return replace(known, seq=max(event.seq, known.seq or 0))

    def _take_over(self, told: Mapping[str, Any], **more: Any) -> None:
        known = self._rows.get(told["id"], JobRow(id=told["id"]))
        state = JobState(told["state"])
        row = replace(
            known,
            state=state,
            fraction=told.get("fraction", known.fraction),
            eta_s=told.get("eta_s", known.eta_s),
            ended_s=told["ended_s"] or 0.0,
            error=_error_of(told.get("error")) if state.is_terminal else None,
            **more,
        )
        for names in (self.lacking, self.gaps, self._unseen):
            names.discard(row.id)
        if self._placed is not None and "position" in told:
            self._positions[row.id] = told["position"]
        self._set(row, told.get("position", -1))

    def _set(self, row: JobRow, position: int = -1) -> None:
        if row.state.is_terminal and not row.ended_s:
            row = replace(row, ended_s=self._clock())
        self._sort_in(row)
        self._rows[row.id] = row
        if row.state is not JobState.QUEUED:
            self._leave(row.id)
        elif row.id in self._positions and row.id in self._waits:
            pass  # The end of the listing puts it into its place.
        elif position >= 0 or row.id not in self._waits:
            self._place(row.id, position if position >= 0 else len(self._waiting))

    def _sort_in(self, row: JobRow) -> None:
        """Count a job among those that run or have ended."""
        known = self._rows.get(row.id)
        if known is not None and (known.state, known.ended_s) == (row.state, row.ended_s):
            return
        self.revision += 1
        self._running.pop(row.id, None)
        if row.state is JobState.RUNNING:
            self._running[row.id] = None
        elif row.state.is_terminal:
            self._over[row.id] = row.ended_s

    def _place(self, job_id: str, position: int) -> None:
        if self._placed is not None and job_id not in self._positions:
            self._placed.append((job_id, position))
        self._leave(job_id)
        self._waiting.insert(position, job_id)
        self._waits.add(job_id)
        self.revision += 1

    def _leave(self, job_id: str) -> None:
        if job_id in self._waits:
            self._waits.discard(job_id)
            self._waiting.remove(job_id)
            self.revision += 1

    def _ended(self) -> list[str]:
        return sorted(self._over, key=lambda job_id: (-self._over[job_id], job_id))

    def _forget_old(self) -> None:
        """Let go of those that ended first; seldom, since it looks at all."""
        if len(self._over) > self._most_ended * 5 // 4:
            for job_id in self._ended()[self._most_ended :]:
                self.drop(job_id)


def _progressed(row: JobRow, event: JobProgressEvent) -> JobRow:
    return replace(
        row,
        state=JobState.RUNNING,
        fraction=event.fraction,
        eta_s=event.eta_s,
        stage=event.stage,
        step=event.step,
        total=event.total,
        take=event.take,
        takes=event.takes,
    )


def _failed(row: JobRow, event: JobFailEvent) -> JobRow:
    state = JobState.CANCELLED if event.code is ErrorCode.CANCELLED else JobState.FAILED
    error = ErrorInfo(code=event.code, message=event.message, hint=event.hint)
    # Which of the two it is was told before, where a job of another kind of end has this code.
    return replace(row, state=row.state if row.state.is_terminal else state, error=error)


def _error_of(told: Mapping[str, Any] | None) -> ErrorInfo | None:
    if not told:
        return None
    return ErrorInfo(code=ErrorCode(told["code"]), message=told["message"], hint=told["hint"])

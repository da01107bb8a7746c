"""What the history tells about jobs and takes, without reading their specs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from daw_bridge.jobs.state import JobState
from engine.types import ErrorInfo, Take, Task


class TakeFile(Enum):
    PRESENT = "present"
    MISSING = "missing"  # moved, renamed or deleted by someone
    REMOVED = "removed"  # by the history: the disk budget, or a deleted job


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEntry:
    """One line of the history; seq counts jobs as they arrived, best_score is that of its best take.

    of_job and of_take name the take that the job edits, varies or makes again, counted from 1; 0 is none.
    """

    seq: int
    id: str
    state: JobState
    task: Task
    model: str
    prompt: str
    created_s: float
    started_s: float | None
    ended_s: float | None
    parent_id: str | None
    takes: int
    favourites: int
    best_score: float | None
    error: ErrorInfo | None
    of_job: str = ""
    of_take: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeEntry:
    """A take of a job; number counts from 1, rating is -1, 0 or 1."""

    job_id: str
    number: int
    take: Take
    file: TakeFile
    rating: int
    is_favourite: bool
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """What removing takes' files brought; those that could not be removed stay."""

    takes: int = 0
    total_bytes: int = 0

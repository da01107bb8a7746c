"""The history: what was asked, what became of it, and which files came of it.

It is the journal too. A job is in it before anyone is told that it was accepted, and each change of some jobs
is one transaction: whenever the process dies, the file tells a state that there was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from daw_bridge.history import disk, records
from daw_bridge.history.database import Database, readable, storable, stored_text
from daw_bridge.history.entries import Freed, JobEntry, TakeEntry
from daw_bridge.jobs.estimate import JobDuration
from daw_bridge.jobs.state import InvalidTransition, Job, JobState
from engine.errors import EngineError, NotFound, SpecError
from engine.types import ErrorInfo, Task

REMEMBERED_DURATIONS = 2000
_PAUSED = "paused"
NEWEST = 2**63 - 1
_WANTED = """
WHERE jobs.job_seq < :before_seq AND (:state IS NULL OR jobs.state = :state)
  AND (:task IS NULL OR specs.task = :task)
  AND (:parent_id IS NULL OR jobs.parent_id = :parent_id) AND (NOT :favourites OR favourites > 0)
  AND NOT EXISTS (SELECT 1 FROM json_each(:terms) WHERE instr(specs.words, json_each.value) = 0)
"""
_INDEXED = " AND specs.spec_id IN (SELECT rowid FROM spec_words WHERE spec_words MATCH :match)"
_NEWEST_FIRST = " ORDER BY jobs.job_seq DESC LIMIT :limit OFFSET :offset"
# The least number of characters that the index of parts of words can look for.
_INDEXED_CHARACTERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """The jobs that wait or run by the journal; unreadable are those that had to fail for their spec."""

    jobs: tuple[Job, ...]
    unreadable: tuple[str, ...]


class History:
    """The jobs and takes of one file, for one thread; use it as a context manager.

    Where the file fails every method raises DiskFull, OutputError or HistoryDamaged, and nothing has changed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the history for writing; raises as Database does. Only one process may."""
        return cls(Database.writer(path))

    @classmethod
    def reader(cls, path: Path) -> Self:
        """Open the history for reading beside the process that writes it; raises as Database.reader does."""
        return cls(Database.reader(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    @property
    def set_aside(self) -> Path | None:
        """Where the damaged file is that was found in this one's place."""
        return self._database.set_aside

    def save(self, jobs: Iterable[Job], durations: Iterable[JobDuration] = ()) -> None:
        """Write new jobs and what became of known ones, all or nothing.

        Raises:
            InvalidTransition: a step that the table of states does not have.
        """
        with self._database.transaction():
            for job in jobs:
                self._save(job)
            for duration in durations:
                self._add_duration(duration)

    def unfinished(self, now_s: float) -> Unfinished:
        """Return the jobs that wait or run, in order of arrival; fail those whose spec cannot be read."""
        rows = self._database.rows(
            records.JOBS + "WHERE jobs.state IN ('queued', 'running') ORDER BY jobs.job_seq"
        )
        jobs: list[Job] = []
        unreadable: dict[int, ErrorInfo] = {}
        for row in rows:
            try:
                jobs.append(records.job_of(self._database, row))
            except EngineError as error:
                unreadable[row["job_seq"]] = error.info
        if unreadable:
            self._fail(unreadable, now_s)
        ids = (str(row["id"]) for row in rows if row["job_seq"] in unreadable)
        return Unfinished(jobs=tuple(jobs), unreadable=tuple(ids))

    @property
    def is_paused(self) -> bool:
        row = self._database.first("SELECT value FROM settings WHERE name = ?", _PAUSED)
        return row is not None and row["value"] == "yes"

    def set_paused(self, paused: bool) -> None:
        """Remember over a restart whether the queue is paused."""
        with self._database.transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)",
                _PAUSED,
                "yes" if paused else "no",
            )

    def durations(self) -> tuple[JobDuration, ...]:
        """Return how long past jobs took, the oldest first."""
        rows = self._database.rows("SELECT * FROM durations ORDER BY duration_seq")
        names = tuple(JobDuration.__dataclass_fields__)
        return tuple(JobDuration(**{name: row[name] for name in names}) for row in rows)

    def job(self, job_id: str) -> Job:
        """Return a job with spec and takes.

        Raises:
            NotFound: no such job.
            SpecError: this version cannot read its spec.
        """
        row = self._database.first(records.JOBS + "WHERE jobs.id = ?", storable(job_id))
        if row is None:
            raise _no_job(job_id)
        return records.job_of(self._database, row)

    def state(self, job_id: str) -> JobState:
        """Return a job's state; raises NotFound where there is no such job."""
        row = self._database.first("SELECT state FROM jobs WHERE id = ?", storable(job_id))
        if row is None:
            raise _no_job(job_id)
        return JobState(row["state"])

    def entries(
        self,
        text: str = "",
        *,
        state: JobState | None = None,
        favourites: bool = False,
        task: Task | None = None,
        parent_id: str | None = None,
        before_seq: int = NEWEST,
        limit: int = 50,
        offset: int = 0,
    ) -> tuple[JobEntry, ...]:
        """Return jobs, the newest first, whose prompt or text conditions hold each word of a text somewhere.

        For the next page give the last entry's seq as before_seq, or how many to leave out as offset.
        """
        terms = records.search_words(text).split()
        match = self._match(terms)
        rows = self._database.rows(
            records.JOBS + _WANTED + (_INDEXED if match else "") + _NEWEST_FIRST,
            before_seq=before_seq,
            state=state.value if state else None,
            parent_id=None if parent_id is None else storable(parent_id),
            favourites=favourites,
            task=task.value if task else None,
            terms=json.dumps(terms),
            match=match,
            limit=limit,
            offset=offset,
        )
        return tuple(records.entry_of(self._database, row) for row in rows)

    def takes(self, job_id: str) -> tuple[TakeEntry, ...]:
        """Return a job's takes; raises NotFound where there is no such job."""
        return records.takes_of(self._database, self._job_seq(job_id), job_id)

    def take_at(self, path: str) -> tuple[str, int]:
        """Return job and number of the take that was last written to a path; "" and 0 where none was."""
        return records.take_at(self._database, path, NEWEST)

    def rate(self, job_id: str, number: int, rating: int) -> None:
        """Rate a take with -1, 0 or 1; raises NotFound, or SpecError for another rating."""
        if rating not in (-1, 0, 1):
            raise SpecError(f"a rating is -1, 0 or 1, got {rating}")
        with self._database.transaction():
            self._database.execute(
                "UPDATE takes SET rating = ? WHERE take_seq = ?", rating, self._take_seq(job_id, number)
            )

    def set_favourite(self, job_id: str, number: int, favourite: bool) -> None:
        """Keep a take from every removal but its job's deletion, or no longer; raises NotFound."""
        with self._database.transaction():
            self._database.execute(
                "UPDATE takes SET is_favourite = ? WHERE take_seq = ?",
                bool(favourite),
                self._take_seq(job_id, number),
            )

    def inputs(self, ended_since_s: float) -> frozenset[str]:
        """Return the files that jobs read which have not ended, or not before a time."""
        rows = self._database.rows(
            "SELECT DISTINCT path FROM inputs JOIN jobs USING (spec_id)"
            " WHERE state IN ('queued', 'running') OR ended_s >= ?",
            ended_since_s,
        )
        return frozenset(stored_text(row["path"]) for row in rows)

    def check_files(self) -> int:
        """Look for the files of all takes, note which are gone or are back, and return how many are gone."""
        return disk.check_files(self._database)

    def keep_within(self, max_bytes: int, folders: Sequence[Path] | None = None) -> Freed:
        """Remove the oldest takes' files until all, or those below folders, are within a budget.

        See disk.keep_within.
        """
        return disk.keep_within(self._database, max_bytes, folders)

    def delete(self, job_id: str) -> Freed:
        """Delete a job that has ended, with its takes and their files.

        Raises:
            NotFound: no such job.
            SpecError: it still waits or runs.
        """
        state = self.state(job_id)
        if not state.is_terminal:
            raise SpecError(f"job {job_id} is still {state.value}", "Cancel it first.")
        return disk.forget_jobs(self._database, [self._job_seq(job_id)])

    def clear(self) -> Freed:
        """Delete all jobs that have ended and have no favourite."""
        rows = self._database.rows(
            "SELECT job_seq FROM jobs WHERE state NOT IN ('queued', 'running')"
            " AND NOT EXISTS (SELECT 1 FROM takes WHERE takes.job_seq = jobs.job_seq AND is_favourite)"
        )
        return disk.forget_jobs(self._database, [row["job_seq"] for row in rows])

    def _save(self, job: Job) -> None:
        row = self._database.first("SELECT job_seq, state FROM jobs WHERE id = ?", job.id)
        if row is None:
            job_seq = records.add_job(self._database, job)
        else:
            job_seq = int(row["job_seq"])
            _require_step(job, JobState(row["state"]))
            records.change_job(self._database, job_seq, job)
        if job.error is not None:
            records.add_error(self._database, job_seq, job.error)
        known = len(self._database.rows("SELECT 1 FROM takes WHERE job_seq = ?", job_seq))
        for take in job.takes[known:]:
            records.add_take(self._database, job_seq, job.folder, take)

    def _fail(self, errors: Mapping[int, ErrorInfo], now_s: float) -> None:
        with self._database.transaction():
            for job_seq, error in errors.items():
                self._database.execute(
                    "UPDATE jobs SET state = 'failed', ended_s = ? WHERE job_seq = ?", now_s, job_seq
                )
                records.add_error(self._database, job_seq, error)

    def _add_duration(self, duration: JobDuration) -> None:
        names = tuple(JobDuration.__dataclass_fields__)
        values = asdict(duration) | {"model": readable(duration.model)}
        newest = self._database.execute(
            f"INSERT INTO durations ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608
            *(values[name] for name in names),
        )
        self._database.execute("DELETE FROM durations WHERE duration_seq <= ?", newest - REMEMBERED_DURATIONS)

    def _match(self, terms: list[str]) -> str | None:
        """Return the question to the index of parts of words; None where it cannot help."""
        long = [term.replace('"', '""') for term in terms if len(term) >= _INDEXED_CHARACTERS]
        if not long or not self._database.has_words:
            return None
        # A SQLite without the index may have written since, and then it does not know everything.
        (newest,) = self._database.rows("SELECT coalesce(max(spec_id), 0) AS spec_id FROM specs")
        is_whole = newest["spec_id"] == self._database.newest_words()
        return " AND ".join(f'"{term}"' for term in long) if is_whole else None

    def _job_seq(self, job_id: str) -> int:
        row = self._database.first("SELECT job_seq FROM jobs WHERE id = ?", storable(job_id))
        if row is None:
            raise _no_job(job_id)
        return int(row["job_seq"])

    def _take_seq(self, job_id: str, number: int) -> int:
        rows = self._database.rows(
            "SELECT take_seq FROM takes WHERE job_seq = ? ORDER BY take_seq", self._job_seq(job_id)
        )
        if not 1 <= number <= len(rows):
            raise NotFound(f"job {job_id} has no take {number}", f"It has {len(rows)}.")
        return int(rows[number - 1]["take_seq"])


def _require_step(job: Job, before: JobState) -> None:
    """Allow a step of the table of states, or a change of an unfinished job within its state."""
    if before.is_terminal or (before is not job.state and not before.can_become(job.state)):
        raise InvalidTransition(job.id, before, job.state)


def _no_job(job_id: str) -> NotFound:
    return NotFound(f"there is no job {job_id!r:.60}", "List the history to see which there are.")

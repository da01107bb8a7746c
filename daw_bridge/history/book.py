"""The queue and the history as one: what happens to a job is written first and true afterwards.

Everything here answers at once and belongs to one thread. A job's times come from the clock that is handed
in; how long it took is handed in by the caller, by a clock that nobody sets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from daw_bridge.history.files import (
    Swept,
    free_stem,
    real_path,
    require_folder,
    require_stem,
    sweep,
    sweep_probes,
)
from daw_bridge.history.history import History
from daw_bridge.history.inputs import inputs_of
from daw_bridge.jobs.estimate import Estimator, JobDuration, duration_of
from daw_bridge.jobs.queue import ALL, ALL_ACTIVE, ALL_QUEUED, MAX_QUEUED, JobQueue
from daw_bridge.jobs.size import Stages
from daw_bridge.jobs.state import MAX_PRIORITY, Job, JobState, new_job_id, retried
from engine.errors import SpecError
from engine.types import ErrorInfo, RenderSpec, Take


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What was found after a start: the jobs that had been running, and the files."""

    interrupted: tuple[Job, ...]
    unreadable: tuple[str, ...]
    found_takes: int
    missing_takes: int
    removed_files: tuple[Path, ...]


class JobBook:
    """All jobs: those that wait or run, in order, and those that were.

    A method that raises has changed nothing. DiskFull, OutputError and HistoryDamaged may come from each that
    changes something.
    """

    def __init__(
        self,
        history: History,
        *,
        limit: int = MAX_QUEUED,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[float], str] = new_job_id,
    ) -> None:
        self.history = history
        self.queue = JobQueue(limit)
        self.estimator = Estimator()
        self._clock = clock
        self._new_id = new_id

    def recover(self, *, check_files: bool = True) -> Recovery:
        """Take up the work where the last service left it; call it once, when no worker is left of that one.

        A job that ran waits again in its place, or is finished if all its takes were whole.
        """
        now_s = self._clock()
        unfinished = self.history.unfinished(now_s)
        self.queue.apply(unfinished.jobs)
        self.queue.is_paused = self.history.is_paused
        self.estimator = Estimator(self.history.durations())
        # The newest first: of two of the same slot it is the one that goes on.
        running = self.queue.active[::-1]
        left = [self._interrupted(job) for job in running]
        probes = (path for folder in {job.folder for job in running} for path in sweep_probes(folder, now_s))
        return Recovery(
            interrupted=tuple(self.history.job(job.id) for job in running),
            unreadable=unfinished.unreadable,
            found_takes=sum(len(swept.found) for swept in left),
            missing_takes=self.history.check_files() if check_files else 0,
            removed_files=(*(path for swept in left for path in swept.removed), *probes),
        )

    def submit(
        self,
        spec: RenderSpec,
        folder: str,
        stem: str,
        *,
        priority: int = 0,
        slot: str = "",
        threads: int = 0,
        take_path: str = "",
    ) -> Job:
        """Take a job on, last of its priority; in a slot it replaces the one that waits there.

        take_path is the file of the take that it varies or makes again.

        Raises:
            QueueFull: too many jobs wait.
            OutputError: the folder is not a whole path, or the stem not a plain file name.
            SpecError: the priority is beyond MAX_PRIORITY.
        """
        require_stem(stem)
        require_folder(folder)
        if abs(priority) > MAX_PRIORITY:
            raise SpecError(f"a priority is from {-MAX_PRIORITY} to {MAX_PRIORITY}, got {priority}")
        now_s = self._clock()
        parent_id, parent_take = self.history.take_at(take_path) if take_path else (None, 0)
        job = Job(
            id=self._new_id(now_s),
            spec=spec,
            folder=str(Path(folder)),
            stem=stem,
            created_s=now_s,
            priority=priority,
            slot=slot,
            inputs=inputs_of(spec),
            threads=threads,
            parent_id=parent_id or None,
            parent_take=parent_take,
        )
        return self._write(self.queue.plan_submit(job))[-1]

    def retry(self, job_id: str, seed: int | None = None) -> Job:
        """Take on a job of the history anew with a seed, or with the next that it did not use.

        Raises:
            NotFound: no such job.
            QueueFull: too many jobs wait.
            SpecError: a seed out of range, or an old spec that this version cannot read.
        """
        now_s, old = self._clock(), self.history.job(job_id)
        try:
            job = retried(old, job_id=self._new_id(now_s), now_s=now_s, seed=seed, inputs=inputs_of(old.spec))
        except ValueError as error:
            raise SpecError(str(error)) from error
        return self._write(self.queue.plan_submit(job))[-1]

    def start_next(self) -> Job | None:
        """Return the next job as running, with the stem for its worker in file_stem; None to wait."""
        job = self.queue.next()
        if job is None:
            return None
        # Two names of one folder count as one: a link may lead to the other.
        folder = real_path(job.folder)
        rivals = (other for other in self.queue.active if real_path(other.folder) == folder)
        reserved = {other.file_stem for other in rivals}
        (started,) = self._write((job.started(self._clock(), free_stem(job, reserved)),))
        return started

    def add_take(self, job_id: str, take: Take, threads: int = 0) -> Job:
        """Record a take that a running job has written, and with how many threads it was calculated."""
        (job,) = self._write((self.queue.get(job_id).with_take(take, threads),))
        return job

    def finish(self, job_id: str, elapsed_s: float | None = None, seen: Stages | None = None) -> Job:
        """End a running job well; later estimates learn from how long it took, and which stages were seen."""
        job = self.queue.get(job_id).finished(self._clock())
        durations = () if elapsed_s is None else (duration_of(job.spec, elapsed_s, seen),)
        self._write((job,), durations)
        for duration in durations:
            self.estimator.learn(duration)
        return job

    def fail(self, job_id: str, error: ErrorInfo) -> Job:
        """End a job with an error; of a running one, nothing unfinished stays on the disk."""
        job, _ = self._swept(self.queue.get(job_id))
        (failed,) = self._write((job.failed(self._clock(), error),))
        return failed

    def interrupt(self, job_id: str) -> Job:
        """Let a running job whose worker died wait again, or end it where plan_requeue says so."""
        self._interrupted(self.queue.get(job_id))
        return self.history.job(job_id)

    def cancel(self, target: str) -> tuple[Job, ...]:
        """Cancel an id, *active, *queued or *; return what changed.

        A job that waited is cancelled. One that runs is only cancelling: tell its worker, and call
        confirm_cancel once that has stopped. One that has ended is not among them.

        Raises:
            NotFound: an id that never was.
        """
        jobs = self.queue.plan_cancel(target, self._clock())
        if not jobs and target not in (ALL, ALL_ACTIVE, ALL_QUEUED):
            self.history.state(target)
        return self._write(jobs)

    def confirm_cancel(self, job_id: str) -> Job:
        """End a running job as cancelled, now that its worker has stopped."""
        job, _ = self._swept(self.queue.get(job_id))
        (cancelled,) = self._write((job.cancelled(self._clock()),))
        return cancelled

    def move(self, job_id: str, position: int) -> Job:
        """Move a waiting job to a position, 0 the next to run; raises NotFound."""
        self._write(self.queue.plan_move(job_id, position))
        return self.queue.get(job_id)

    def pause(self) -> None:
        """Start no more jobs, over a restart too, until resume."""
        self.history.set_paused(True)
        self.queue.is_paused = True

    def resume(self) -> None:
        self.history.set_paused(False)
        self.queue.is_paused = False

    def needed_files(self, ended_within_s: float) -> frozenset[str]:
        """Return the files that jobs read which wait, run, or have ended in the last so many seconds."""
        return self.history.inputs(self._clock() - ended_within_s)

    def _write(self, jobs: tuple[Job, ...], durations: Iterable[JobDuration] = ()) -> tuple[Job, ...]:
        if jobs:
            self.history.save(jobs, durations)
            self.queue.apply(jobs)
        return jobs

    def _interrupted(self, running: Job) -> Swept:
        job, swept = self._swept(running)
        now_s = self._clock()
        # Takes are repeatable: when each spec has its take, only the word that it was done is missing.
        is_done = len({(take.seed, take.spec_digest) for take in job.takes}) >= job.spec.takes
        self._write((job.finished(now_s) if is_done else self.queue.plan_requeue(job, now_s),))
        return swept

    def _swept(self, job: Job) -> tuple[Job, Swept]:
        """Return a job with the whole takes found under its name, now that its worker has stopped."""
        if job.state is not JobState.RUNNING:
            return job, Swept()
        swept = sweep(job)
        return replace(job, takes=(*job.takes, *swept.found)), swept

"""The queue at work: jobs go to a worker one by one, and what becomes of them is written and told."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from daw_bridge.errors import HistoryDamaged, InputChanged
from daw_bridge.history.book import JobBook
from daw_bridge.history.inputs import require_unchanged
from daw_bridge.jobs.progress import number
from daw_bridge.jobs.size import Stages
from daw_bridge.jobs.state import Job, JobState
from daw_bridge.jobs.stopwatch import Stopwatch
from daw_bridge.messages.base import Reply
from daw_bridge.messages.events import (
    MAX_NOTE,
    JobDoneEvent,
    JobFailEvent,
    JobPreviewEvent,
    JobProgressEvent,
    JobStateEvent,
    JobTakeEvent,
)
from daw_bridge.service.audience import Audience
from daw_bridge.workers.asking import Answer, OnProgress, Questions, error_of
from daw_bridge.workers.base import OnEvent, Worker, WorkOrder
from engine.errors import EngineError, OutputError
from engine.spec_json import spec_to_dict, take_from_dict
from engine.types import MAX_TAKES, ErrorCode, ErrorInfo, EventKind, JobEvent, RenderSpec

RETRY_S = 5.0
# Beyond so many jobs the time of those before a job is extrapolated.
COUNTED_JOBS = 20
_LOG = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class _Run:
    """A job that a worker has now."""

    job: Job
    watch: Stopwatch
    events: asyncio.Queue[JobEvent]


class Runs:
    """Hands the jobs of a book to a worker; use it within one event loop."""

    def __init__(
        self,
        book: JobBook,
        make_worker: Callable[[OnEvent], Worker],
        audience: Audience,
        *,
        previews: Path,
        on_finish: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.book = book
        self.worker = make_worker(self._receive)
        self._device = asyncio.Lock()
        self._questions = Questions("load")
        self._audience = audience
        self._previews = previews
        self._on_finish = on_finish
        self._preview_every: dict[str, int] = {}
        self._clock = clock
        # What the worker has in memory, as far as it has told.
        self._loaded_model = ""
        self._runs: dict[str, _Run] = {}
        self._next_seq: dict[str, int] = defaultdict(int)
        self._wake = asyncio.Event()

    async def serve(self) -> None:
        """Run jobs until cancelled."""
        while True:
            await self._something()
            # A job is started only once the device is free: one that runs can be cancelled.
            async with self._device:
                await self._run_next()

    async def close(self) -> None:
        """End the worker; the job that it has is taken up again at the next start."""
        await self.worker.close()

    async def load(self, model: str, tell: Callable[[str], None] = lambda _: None) -> None:
        """Let the worker load a model once it is free, and tell what it waits for; raises WorkFailed."""
        if self._device.locked():
            tell("waiting")
        async with self._device:
            tell("load")
            await self._questions.ask(self.worker, "load", {"name": model})
            self._loaded_model = model

    async def find(self, arguments: Mapping[str, object], on_progress: OnProgress) -> Answer:
        """Let the worker find effects for words once it is free, and name its model; raises WorkFailed."""
        async with self._device:
            answer = await self._questions.ask(self.worker, "find", arguments, on_progress)
            self._loaded_model = str(arguments["model"])
            return answer

    def wake(self) -> None:
        """Look again whether there is something to do."""
        self._wake.set()

    def queued(self, job: Job, preview_every: int = 0) -> None:
        """Tell of a new job; previews are for who waits for it now, and not kept over a restart."""
        if preview_every:
            self._preview_every[job.id] = preview_every
        self.told_state(job)
        self.wake()

    def cancel(self, target: str) -> int:
        """Stop jobs; return how many. One that runs ends when its worker says so."""
        jobs = self.book.cancel(target)
        for job in jobs:
            if job.state is JobState.CANCELLED:
                self.ended(job)
            else:
                self.worker.cancel(job.id)
        return len(jobs)

    def told_state(self, job: Job) -> None:
        self._audience.tell(job.id, self._state_of(job, self._seq(job.id)))

    def so_far(self, job: Job) -> Iterator[Reply]:
        """Yield what a job has become: its state, its takes, and its end if that has come."""
        seq = self._last_seq(job.id)
        yield self._state_of(job, seq)
        for index in range(len(job.takes)):
            yield take_of(job, index, seq)
        if job.state.is_terminal:
            yield end_of(job, seq)

    def ended(self, job: Job) -> None:
        """Tell that a job has ended, and how."""
        self.told_state(job)
        seq = self._seq(job.id)
        self._next_seq.pop(job.id, None)
        self._preview_every.pop(job.id, None)
        self._audience.tell(job.id, end_of(job, seq))

    def eta_s(self, job: Job) -> float:
        """Return the seconds until a job is done, if none goes before it that is not there yet."""
        if (run := self._runs.get(job.id)) is not None:
            return run.watch.left_s(self._clock())
        running_s = sum(run.watch.left_s(self._clock()) for run in self._runs.values())
        return running_s + self._waiting_s(job)

    def fraction(self, job_id: str) -> float:
        return self._runs[job_id].watch.fraction if job_id in self._runs else 0.0

    def _waiting_s(self, job: Job) -> float:
        """Return what a waiting job and those before it take, loading models included."""
        position = self.book.queue.position(job.id)
        before = tuple(itertools.islice(self.book.queue, min(position, COUNTED_JOBS)))
        model = next((run.job.spec.model for run in self._runs.values()), self._loaded_model)
        took_s: list[float] = []
        for one in (*before, job):
            took_s.append(self.book.estimator.duration_s(one.spec, loads=one.spec.model != model))
            model = one.spec.model
        return sum(took_s[:-1]) * position / max(1, len(before)) + took_s[-1]

    def _expected(self, spec: RenderSpec) -> Stages:
        expected = self.book.estimator.stages(spec)
        return replace(expected, load_s=0.0) if spec.model == self._loaded_model else expected

    async def _something(self) -> None:
        """Wait until a job can be started."""
        while self.book.queue.next() is None:
            self._wake.clear()
            await self._wake.wait()

    async def _run_next(self) -> None:
        try:
            job = self.book.start_next()
        except EngineError as error:
            _LOG.warning("no job can be started: %s", error)
            await asyncio.sleep(RETRY_S)
            return
        if job is None:
            return
        try:
            await self._run(job)
        except Exception:  # noqa: BLE001 - one job must not end the others
            _LOG.exception("job %s", job.id)
            self.worker.cancel(job.id)
            if any(job.id == active.id for active in self.book.queue.active):
                self.ended(await self._written(lambda: self.book.fail(job.id, _UNFORESEEN)))

    async def _run(self, job: Job) -> None:
        run = _Run(job=job, watch=Stopwatch(self._expected(job.spec), self._clock()), events=asyncio.Queue())
        self._runs[job.id] = run
        try:
            self.told_state(job)
            if (refusal := _refusal(job)) is not None:
                self.ended(await self._written(lambda: self.book.fail(job.id, refusal)))
                return
            await self.worker.submit(WorkOrder(job_id=job.id, op="render", arguments=self._arguments(job)))
            if self.book.queue.get(job.id).is_cancelling:
                # Asked for while the worker was being started, which then knew nothing of the job.
                self.worker.cancel(job.id)
            while not await self._follow(run, await run.events.get()):
                pass
        finally:
            del self._runs[job.id]

    def _arguments(self, job: Job) -> dict[str, object]:
        out = {"folder": job.folder, "stem": job.file_stem}
        arguments: dict[str, object] = {"spec": spec_to_dict(job.spec), "out": out}
        if job.threads:
            arguments["threads"] = job.threads
        if every := self._preview_every.get(job.id, 0):
            arguments["previews"] = {"folder": str(self._previews / job.id), "every": every}
        return arguments

    def _receive(self, event: JobEvent) -> None:
        if (run := self._runs.get(event.job_id)) is not None:
            run.events.put_nowait(event)
        else:
            self._questions.receive(event)

    async def _follow(self, run: _Run, event: JobEvent) -> bool:
        """Write and tell an event; True when it ended the job."""
        match event.kind:
            case EventKind.STATE:
                run.watch.begin(self._clock())
            case EventKind.PROGRESS:
                self._note_progress(run, event.payload)
                self._tell_progress(run, event.payload)
            case EventKind.PREVIEW:
                self._tell_preview(run, event.payload)
            case EventKind.TAKE:
                await self._add_take(run, event.payload)
            case EventKind.DONE:
                took_s, seen = run.watch.elapsed_s(self._clock()), _seen(run, event.payload)
                self.ended(await self._written(lambda: self.book.finish(run.job.id, took_s, seen)))
                self._on_finish()
                return True
            case EventKind.FAIL:
                info = error_of(event.payload)
                if info.code in _DEATHS:
                    self._loaded_model = ""
                self.ended(await self._written(lambda: self._failed(run.job.id, info)))
                return True
            case _:
                pass
        return False

    def _failed(self, job_id: str, info: ErrorInfo) -> Job:
        if info.code is ErrorCode.CANCELLED and self.book.queue.get(job_id).is_cancelling:
            return self.book.confirm_cancel(job_id)
        return self.book.fail(job_id, info)

    async def _add_take(self, run: _Run, payload: Mapping[str, object]) -> None:
        take = take_from_dict({name: value for name, value in payload.items() if name != "threads"})
        threads = int(number(payload, "threads"))
        job = await self._written(lambda: self.book.add_take(run.job.id, take, threads))
        self._audience.tell(job.id, take_of(job, len(job.takes) - 1, self._seq(job.id)))

    async def _written(self, change: Callable[[], T]) -> T:
        """Change the book, again and again while the disk is full: what has happened must be written."""
        while True:
            try:
                return change()
            except (OutputError, HistoryDamaged) as error:
                _LOG.warning("the history cannot be written: %s", error)
                await asyncio.sleep(RETRY_S)

    def _note_progress(self, run: _Run, payload: Mapping[str, object]) -> None:
        run.watch.progress(payload, self._clock())
        self._loaded_model = run.job.spec.model if run.watch.has_model else ""

    def _tell_progress(self, run: _Run, payload: Mapping[str, object]) -> None:
        event = JobProgressEvent(
            job_id=run.job.id,
            seq=self._last_seq(run.job.id),
            step=int(number(payload, "step")),
            total=int(number(payload, "total")),
            fraction=run.watch.fraction,
            eta_s=run.watch.left_s(self._clock()),
            stage=str(payload.get("stage", ""))[:32],
            take=max(1, int(number(payload, "take"))),
            takes=run.job.spec.takes,
        )
        self._audience.tell(run.job.id, event)

    def _tell_preview(self, run: _Run, payload: Mapping[str, object]) -> None:
        event = JobPreviewEvent(
            job_id=run.job.id,
            seq=self._last_seq(run.job.id),
            path=str(payload["path"]),
            step=int(number(payload, "step")),
            take=max(1, int(number(payload, "take"))),
        )
        self._audience.tell(run.job.id, event)

    def _state_of(self, job: Job, seq: int) -> JobStateEvent:
        position = self.book.queue.position(job.id) if job.state is JobState.QUEUED else 0
        return JobStateEvent(job_id=job.id, seq=seq, state=job.state.value, position=position)

    def _seq(self, job_id: str) -> int:
        seq = self._next_seq[job_id]
        self._next_seq[job_id] = seq + 1
        return seq

    def _last_seq(self, job_id: str) -> int:
        return max(0, self._next_seq.get(job_id, 0) - 1)


# With these the worker may have ended, and what it had in memory with it.
_DEATHS = (ErrorCode.OOM, ErrorCode.TIMEOUT, ErrorCode.INTERNAL)
_UNFORESEEN = ErrorInfo(
    code=ErrorCode.INTERNAL,
    message="the job failed in a way nobody foresaw",
    hint="Please report it together with the service's log.",
)


def _refusal(job: Job) -> ErrorInfo | None:
    try:
        require_unchanged(job)
    except InputChanged as error:
        return error.info
    return None


def _seen(run: _Run, payload: Mapping[str, object]) -> Stages:
    """Return where a job's time went, and the sizes that only its worker knows."""
    sizes = (number(payload, "canvas_s"), number(payload, "audio_s"))
    return replace(run.watch.stages(), canvas_s=sizes[0], audio_s=sizes[1])


def take_of(job: Job, index: int, seq: int) -> JobTakeEvent:
    """Return the event that tells of a take of a job."""
    take = job.takes[index]
    return JobTakeEvent(
        job_id=job.id,
        seq=seq,
        index=index,
        path=take.path,
        clap_score=take.clap_score,
        score=take.clap_score if take.score is None else take.score,
        seed=take.seed,
        peak_db=take.peak_db,
        rms_db=take.rms_db,
        length_samples=take.length_samples,
        spec_digest=take.spec_digest,
        dry=take.dry,
        note=take.note[:MAX_NOTE],
    )


def end_of(job: Job, seq: int) -> JobDoneEvent | JobFailEvent:
    """Return the event that tells how a job has ended."""
    if job.state is JobState.FINISHED:
        path = job.takes[0].path if job.takes else ""
        recipe = str(Path(path).with_suffix(".json")) if path else ""
        # The takes of an attempt that was interrupted are among them.
        takes = min(len(job.takes), MAX_TAKES)
        return JobDoneEvent(job_id=job.id, seq=seq, takes=takes, path=path, recipe=recipe)
    error = job.error or ErrorInfo(code=ErrorCode.CANCELLED, message="the job was cancelled")
    return JobFailEvent.of(job.id, seq, error)

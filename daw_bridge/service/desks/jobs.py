"""Requests about jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from daw_bridge.history.entries import JobEntry
from daw_bridge.history.history import NEWEST
from daw_bridge.jobs.state import Job, JobState
from daw_bridge.messages.answers import Accepted, Done
from daw_bridge.messages.jobs import (
    Cancel,
    CancelDone,
    Generate,
    Inpaint,
    JobAck,
    JobInfo,
    JobInfoDone,
    JobList,
    JobListDone,
    JobMove,
    JobMoveDone,
    JobRetry,
    JobWatch,
    Recall,
    Submit,
    Superres,
    Transfer,
)
from daw_bridge.messages.takes import (
    HistoryDelete,
    HistoryDeleteDone,
    HistorySearch,
    HistorySearchDone,
    HistoryTidy,
    HistoryTidyDone,
)
from daw_bridge.recalling import threads_of, varied
from daw_bridge.service.audience import Audience
from daw_bridge.service.desk import Handlers
from daw_bridge.service.paths import Paths
from daw_bridge.service.room import listing, without
from daw_bridge.service.runs import Runs
from daw_bridge.service.session import Session
from daw_bridge.spec_options import stem_of
from engine.chains import Effect
from engine.errors import SpecError
from engine.spec_json import spec_from_dict, spec_to_dict
from engine.types import Condition, ConditionKind, RenderSpec, Task

JobRequest = Generate | Transfer | Inpaint | Superres | Submit
SpecOf = Callable[[JobRequest, Callable[[str], str]], RenderSpec]
Refuse = Callable[[RenderSpec], None]
# Of a take's file, and of where its source lies now, empty as it was.
RecipeOf = Callable[[str, str], Awaitable[Mapping[str, Any]]]


class RequireAllowed(Protocol):
    """Raises where a client may not name the files of effects."""

    def __call__(self, session: Session, *effects: Effect) -> None: ...


class JobDesk:
    """Takes jobs on and tells of them; spec_of joins a request with the parameters of live control."""

    def __init__(
        self,
        runs: Runs,
        audience: Audience,
        paths: Paths,
        *,
        spec_of: SpecOf,
        refuse: Refuse,
        recipe_of: RecipeOf,
        folder: Path,
        require_allowed: RequireAllowed,
    ) -> None:
        self._runs = runs
        self._book = runs.book
        self._audience = audience
        self._paths = paths
        self._spec_of = spec_of
        self._refuse = refuse
        self._recipe_of = recipe_of
        self._folder = folder
        self._require_allowed = require_allowed

    def handlers(self) -> Handlers:
        submits = dict.fromkeys((Generate, Transfer, Inpaint, Superres, Submit), self._submit)
        return {
            **submits,
            Cancel: self._cancel,
            JobAck: self._ack,
            JobInfo: self._info,
            JobList: self._list,
            JobMove: self._move,
            Recall: self._recall,
            JobRetry: self._retry,
            JobWatch: self._watch,
            HistorySearch: self._search,
            HistoryDelete: self._delete,
            HistoryTidy: self._tidy,
        }

    def _submit(self, session: Session, request: JobRequest) -> Accepted:
        spec = self._spec_of(request, lambda path: self._paths.text(session, path))
        threads = request.threads if isinstance(request, Submit) else 0
        return self._queued(session, request, spec, threads)

    async def _recall(self, session: Session, request: Recall) -> Accepted:
        path = self._paths.readable(session, request.path)
        source = self._paths.readable(session, request.source) if request.source else ""
        recipe = await self._recipe_of(path, source)
        spec = spec_from_dict(recipe["spec"])
        if request.vary:
            spec = varied(spec, request.vary, request.takes)
        elif request.takes > 1:
            raise SpecError("takes does not go without vary above 0", "More of one take are all the same.")
        return self._queued(session, request, spec, threads_of(recipe["details"]))

    def _queued(
        self, session: Session, request: JobRequest | Recall, spec: RenderSpec, threads: int
    ) -> Accepted:
        spec = self._with_paths(session, spec)
        self._refuse(spec)
        folder = self._paths.folder(session, request.folder) if request.folder else str(self._folder)
        stem = request.stem or stem_of(spec)
        replaced = self._book.queue.in_slot(request.slot)
        job = self._book.submit(
            spec,
            folder,
            stem,
            priority=request.priority,
            slot=request.slot,
            threads=threads,
            take_path=request.path if isinstance(request, Recall) else "",
        )
        if replaced is not None:
            self._runs.ended(self._book.history.job(replaced.id))
        return self._accepted(session, request.rid, job, request.preview_every)

    def _with_paths(self, session: Session, spec: RenderSpec) -> RenderSpec:
        """Return the spec with the whole paths of files that are there; a generation reads no region."""
        if spec.region is not None and (spec.task.needs_region or spec.region.path):
            path = self._paths.readable(session, spec.region.path)
            spec = replace(spec, region=replace(spec.region, path=path))
        if spec.delivery is not None and spec.delivery.chain is not None:
            self._require_allowed(session, *spec.delivery.chain.effects)
        return replace(spec, conditions=tuple(self._condition(session, one) for one in spec.conditions))

    def _condition(self, session: Session, condition: Condition) -> Condition:
        if condition.kind is ConditionKind.TEXT:
            return condition
        return replace(condition, value=self._paths.readable(session, condition.value))

    def _retry(self, session: Session, request: JobRetry) -> Accepted:
        old = self._book.history.job(request.job_id)
        self._refuse(old.spec)
        step = request.seed_step
        seed = None if step is None else (old.spec.seed + step) % 2**63
        return self._accepted(session, request.rid, self._book.retry(request.job_id, seed))

    def _accepted(self, session: Session, rid: str, job: Job, preview_every: int = 0) -> Accepted:
        self._audience.own(session.peer, job.id)
        # A client could make nothing of events of a job that it does not know yet.
        session.afterwards.append(lambda: self._runs.queued(job, preview_every))
        position = self._book.queue.position(job.id)
        return Accepted(rid=rid, job_id=job.id, position=position, eta_s=self._runs.eta_s(job))

    def _cancel(self, _: Session, request: Cancel) -> CancelDone:
        return CancelDone(rid=request.rid, count=self._runs.cancel(request.target))

    def _watch(self, session: Session, request: JobWatch) -> Done:
        job = self._book.history.job(request.job_id)
        self._audience.own(session.peer, job.id)
        session.afterwards.append(lambda: self._audience.retell(session.peer, job.id, self._runs.so_far(job)))
        return Done(rid=request.rid, request="job/watch")

    def _ack(self, session: Session, request: JobAck) -> Done:
        self._audience.acknowledge(session.peer, request.job_id)
        return Done(rid=request.rid, request="job/ack")

    def _move(self, _: Session, request: JobMove) -> JobMoveDone:
        job = self._book.move(request.job_id, request.position)
        self._runs.told_state(job)
        return JobMoveDone(rid=request.rid, position=self._book.queue.position(job.id))

    def _list(self, _: Session, request: JobList) -> JobListDone:
        entries = self._book.history.entries(
            state=JobState(request.state) if request.state else None,
            before_seq=request.before or NEWEST,
            limit=request.limit,
            offset=request.offset,
        )
        jobs = listing("jobs", map(self._listed, entries))
        return JobListDone(rid=request.rid, count=len(jobs["jobs"]), jobs=jobs)

    def _search(self, _: Session, request: HistorySearch) -> HistorySearchDone:
        found = self._book.history.entries(
            request.text,
            favourites=request.favourites,
            task=Task(request.task) if request.task else None,
            before_seq=request.before or NEWEST,
            limit=request.limit,
            offset=request.offset,
        )
        jobs = listing("jobs", map(told, found))
        return HistorySearchDone(rid=request.rid, count=len(jobs["jobs"]), jobs=jobs)

    def _delete(self, _: Session, request: HistoryDelete) -> HistoryDeleteDone:
        freed = self._book.history.delete(request.job_id)
        return HistoryDeleteDone(rid=request.rid, takes=freed.takes, total_bytes=freed.total_bytes)

    def _tidy(self, _: Session, request: HistoryTidy) -> HistoryTidyDone:
        freed = self._book.history.keep_within(
            request.max_bytes, None if request.everywhere else (self._folder,)
        )
        return HistoryTidyDone(rid=request.rid, takes=freed.takes, total_bytes=freed.total_bytes)

    def _info(self, _: Session, request: JobInfo) -> JobInfoDone:
        job = self._book.history.job(request.job_id)
        # A mask may be longer than an answer.
        return JobInfoDone(rid=request.rid, job=without(self._told(job), "spec", "takes"))

    def _listed(self, entry: JobEntry) -> dict[str, Any]:
        """Return a line with where the job waits, or how far it is."""
        content = told(entry)
        if entry.state is JobState.QUEUED:
            content["position"] = self._book.queue.position(entry.id)
        elif entry.state is JobState.RUNNING:
            (job,) = (one for one in self._book.queue.active if one.id == entry.id)
            content |= {"eta_s": self._runs.eta_s(job), "fraction": self._runs.fraction(entry.id)}
        return content

    def _told(self, job: Job) -> dict[str, Any]:
        content: dict[str, Any] = {
            "id": job.id,
            "state": job.state.value,
            "spec": spec_to_dict(job.spec),
            "folder": job.folder,
            "priority": job.priority,
            "parent": job.parent_id,
            "threads": job.threads,
            "created_s": job.created_s,
            "started_s": job.started_s,
            "ended_s": job.ended_s,
            "takes": [asdict(take) for take in job.takes],
        }
        if job.error is not None:
            content["error"] = {**asdict(job.error), "code": job.error.code.value}
        if job.state is JobState.QUEUED:
            content["position"] = self._book.queue.position(job.id)
        if not job.state.is_terminal:
            content |= {"eta_s": self._runs.eta_s(job), "fraction": self._runs.fraction(job.id)}
        return content


def told(entry: JobEntry) -> dict[str, Any]:
    """Return a line of the history as JSON has it."""
    content = asdict(entry) | {"state": entry.state.value, "task": entry.task.value}
    if entry.error is not None:
        content["error"] = {**asdict(entry.error), "code": entry.error.code.value}
    return content

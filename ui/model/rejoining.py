"""Jobs of the open sound that run already: sent before the window was closed, or by somebody else."""

from __future__ import annotations

from functools import partial
from typing import Any

from PyQt6.QtCore import QObject

from daw_bridge.messages.jobs import JobInfo
from engine.errors import EngineError
from engine.spec_json import spec_from_dict
from engine.types import ErrorInfo, RenderSpec, Task
from ui.connection.link import Link
from ui.model.jobs import JobsModel
from ui.model.studio import Studio

# Of a long queue only the first ones are looked at.
_MOST_WAITING = 8


class Rejoin(QObject):
    """Shows the first unfinished job of the sound that is open, as long as no other takes are shown."""

    def __init__(self, link: Link, jobs: JobsModel, studio: Studio, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link, self._jobs, self._studio = link, jobs, studio
        self._asked: set[str] = set()
        jobs.counted.connect(self._look)
        studio.region.opened.connect(self._look_anew)

    def _look_anew(self) -> None:
        self._asked.clear()
        self._look()

    def _look(self) -> None:
        if not self._is_free or not self._link.status.is_ready:
            return
        for job_id in self._jobs.unfinished(_MOST_WAITING):
            if job_id not in self._asked:
                self._asked.add(job_id)
                self._link.ask(JobInfo(rid="-", job_id=job_id), self._found, partial(self._give_up, job_id))

    @property
    def _is_free(self) -> bool:
        return not self._studio.takes.job_id and not self._studio.selection.is_opening

    def _give_up(self, job_id: str, _: ErrorInfo) -> None:
        self._asked.discard(job_id)

    def _found(self, answer: Any) -> None:
        spec = _spec_of(answer.job)
        if spec is None or not self._is_free or not self._is_ours(spec):
            return
        self._studio.show_job(answer.job["id"], spec.region if spec.task.needs_region else None)

    def _is_ours(self, spec: RenderSpec) -> bool:
        path = self._studio.region.path
        if spec.task.needs_region:
            return spec.region is not None and bool(path) and spec.region.path == path
        return not path and self._studio.draft.draft.task is Task.GENERATE


def _spec_of(job: dict[str, Any]) -> RenderSpec | None:
    try:
        return spec_from_dict(job["spec"])
    except (KeyError, EngineError):
        return None

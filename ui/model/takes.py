"""The takes of one job, best first, while it renders and afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from daw_bridge.messages.base import Request
from daw_bridge.messages.events import JobDoneEvent, JobFailEvent, JobStateEvent, JobTakeEvent
from daw_bridge.messages.jobs import JobWatch
from daw_bridge.messages.takes import TakeList, TakeRate
from ui.connection.link import Link

PRESENT = "present"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeRow:
    """A take as it is known; index counts from 0, best first.

    dry is the error code of what kept its effects from it, file what became of its file.
    """

    job_id: str
    index: int
    path: str
    seed: int
    score: float
    clap_score: float
    peak_db: float
    length_samples: int
    rating: int = 0
    note: str = ""
    dry: str = ""
    is_favourite: bool = False
    file: str = PRESENT

    @property
    def is_present(self) -> bool:
        return self.file == PRESENT and bool(self.path)


class TakesModel(QObject):
    """Follows one job."""

    changed = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(self, link: Link, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._job_id = ""
        self._rows: tuple[TakeRow, ...] = ()
        self._is_running = False
        link.heard.connect(self._hear)
        link.status_changed.connect(self._ask_again)

    @property
    def job_id(self) -> str:
        return self._job_id

    @property
    def rows(self) -> tuple[TakeRow, ...]:
        return self._rows

    @property
    def is_running(self) -> bool:
        return self._is_running

    def row(self, index: int) -> TakeRow | None:
        return next((row for row in self._rows if row.index == index), None)

    def follow(self, job_id: str) -> None:
        """Show the takes of a job in the place of another's; "" of none."""
        if job_id != self._job_id:
            self._job_id, self._is_running, self._rows = job_id, False, ()
            self.changed.emit()
        self._ask_again()

    def rate(self, row: TakeRow, rating: int) -> None:
        """Rate a take: 1 makes it a favourite, 0 takes that back, -1 lets it go first."""
        assert rating in (-1, 0, 1), "a rating is -1, 0 or 1"
        request = TakeRate(rid="-", job_id=row.job_id, index=row.index, rating=rating)
        self._ask(request, partial(self._was_rated, row.job_id, row.index, rating))

    def toggle_favourite(self, row: TakeRow) -> None:
        self.rate(row, 0 if row.is_favourite else 1)

    def _was_rated(self, job_id: str, index: int, rating: int, _: object) -> None:
        rated = (
            replace(row, rating=rating, is_favourite=rating > 0)
            if (row.job_id, row.index) == (job_id, index)
            else row
            for row in self._rows
        )
        self._set(tuple(rated))

    def _ask_again(self) -> None:
        if self._job_id and self._link.status.is_ready:
            # Its state and takes come as events; their ratings in the list.
            self._ask(JobWatch(rid="-", job_id=self._job_id), lambda _: None)
            self._list()

    def _list(self) -> None:
        if self._link.status.is_ready:
            self._ask(TakeList(rid="-", job_id=self._job_id), partial(self._take_list, self._job_id))

    def _ask(self, request: Request, on_answer: Any) -> None:
        self._link.ask(request, on_answer, self.failed.emit)

    def _take_list(self, job_id: str, answer: Any) -> None:
        if job_id == self._job_id:
            self._set(tuple(row_of(job_id, take) for take in answer.takes["takes"]))

    def _hear(self, reply: object) -> None:
        if getattr(reply, "job_id", "") != self._job_id:
            return
        match reply:
            case JobTakeEvent():
                self._add(row_of_event(reply))
            case JobStateEvent():
                self._run(is_running=reply.state == "running")
            case JobDoneEvent() | JobFailEvent():
                self._run(is_running=False)
                # The order is final now, and ratings of takes made again after an interruption are known.
                self._list()

    def _run(self, *, is_running: bool) -> None:
        if is_running != self._is_running:
            self._is_running = is_running
            self.changed.emit()

    def _add(self, row: TakeRow) -> None:
        others = [one for one in self._rows if one.index != row.index]
        self._set(tuple(sorted((*others, row), key=lambda one: one.index)))

    def _set(self, rows: tuple[TakeRow, ...]) -> None:
        if rows != self._rows:
            self._rows = rows
            self.changed.emit()


def row_of(job_id: str, take: Mapping[str, Any]) -> TakeRow:
    """Return a take as take/list tells it."""
    score = take.get("score")
    return TakeRow(
        job_id=job_id,
        index=int(take["index"]),
        path=str(take["path"]),
        seed=int(take["seed"]),
        score=float(take["clap_score"] if score is None else score),
        clap_score=float(take["clap_score"]),
        peak_db=float(take["peak_db"]),
        length_samples=int(take["length_samples"]),
        rating=int(take.get("rating") or 0),
        note=str(take.get("note", "")),
        dry=str(take.get("dry", "")),
        is_favourite=bool(take.get("favourite", False)),
        file=str(take.get("file", PRESENT)),
    )


def row_of_event(event: JobTakeEvent) -> TakeRow:
    return TakeRow(
        job_id=event.job_id,
        index=event.index,
        path=event.path,
        seed=event.seed,
        score=event.score,
        clap_score=event.clap_score,
        peak_db=event.peak_db,
        length_samples=event.length_samples,
        note=event.note,
        dry=event.dry,
    )

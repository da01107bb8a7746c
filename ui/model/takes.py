"""The takes of one job, best first, while it renders and afterwards, and those of jobs before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Follows one job, and beside it others of the same sound, the latest first."""

    changed = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(self, link: Link, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._job_id = ""
        self._rows: tuple[TakeRow, ...] = ()
        self._earlier: dict[str, tuple[TakeRow, ...]] = {}
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
    def earlier(self) -> tuple[TakeRow, ...]:
        """Return the takes of the other jobs, job after job."""
        return tuple(row for rows in self._earlier.values() for row in rows)

    @property
    def is_running(self) -> bool:
        return self._is_running

    def row(self, index: int, job_id: str = "") -> TakeRow | None:
        """Return a take of the job, or else of another one."""
        rows = self._earlier.get(job_id, ()) if job_id else self._rows
        return next((row for row in rows if row.index == index), None)

    def follow(self, job_id: str, earlier: Sequence[str] = ()) -> None:
        """Show the takes of a job before those of earlier ones; "" of none."""
        known = {**self._earlier, self._job_id: self._rows}
        if job_id != self._job_id:
            self._job_id, self._is_running, self._rows = job_id, False, known.get(job_id, ())
            self._earlier = {one: known.get(one, ()) for one in earlier}
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
            replace(row, rating=rating, is_favourite=rating > 0) if row.index == index else row
            for row in self._of(job_id)
        )
        self._set(job_id, tuple(rated))

    def _ask_again(self) -> None:
        if self._job_id and self._link.status.is_ready:
            # Its state and takes come as events; their ratings in the list.
            self._ask(JobWatch(rid="-", job_id=self._job_id), lambda _: None)
            for job_id in (self._job_id, *(one for one, rows in self._earlier.items() if not rows)):
                self._list(job_id)

    def _list(self, job_id: str) -> None:
        if self._link.status.is_ready:
            self._ask(TakeList(rid="-", job_id=job_id), partial(self._take_list, job_id))

    def _ask(self, request: Request, on_answer: Any) -> None:
        self._link.ask(request, on_answer, self.failed.emit)

    def _take_list(self, job_id: str, answer: Any) -> None:
        self._set(job_id, tuple(row_of(job_id, take) for take in answer.takes["takes"]))

    def _hear(self, reply: object) -> None:
        job_id = getattr(reply, "job_id", "")
        is_ours = job_id == self._job_id
        if not is_ours and job_id not in self._earlier:
            return
        match reply:
            case JobTakeEvent():
                self._add(row_of_event(reply))
            case JobStateEvent() if is_ours:
                self._run(is_running=reply.state == "running")
            case JobDoneEvent() | JobFailEvent():
                if is_ours:
                    self._run(is_running=False)
                # The order is final now, and ratings of takes made again after an interruption are known.
                self._list(job_id)

    def _run(self, *, is_running: bool) -> None:
        if is_running != self._is_running:
            self._is_running = is_running
            self.changed.emit()

    def _add(self, row: TakeRow) -> None:
        others = [one for one in self._of(row.job_id) if one.index != row.index]
        self._set(row.job_id, tuple(sorted((*others, row), key=lambda one: one.index)))

    def _of(self, job_id: str) -> tuple[TakeRow, ...]:
        return self._rows if job_id == self._job_id else self._earlier.get(job_id, ())

    def _set(self, job_id: str, rows: tuple[TakeRow, ...]) -> None:
        """Take over the takes of a job, unless it is followed no longer."""
        if rows == self._of(job_id):
            return
        if job_id == self._job_id:
            self._rows = rows
        elif job_id in self._earlier:
            self._earlier[job_id] = rows
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

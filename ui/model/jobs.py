"""The queue as a list for views: kept alike with the service by its events, and right again after a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    Qt,
    QTimer,
    QUrl,
    pyqtSignal,
)

from daw_bridge.jobs.state import JobState
from daw_bridge.messages.jobs import MAX_LISTED, Cancel, JobInfo, JobList, JobListDone, JobMove, JobRetry
from ui.connection.link import Link
from ui.model.job_board import MOST_ENDED, JobBoard, JobEvent, JobRow
from ui.model.job_words import sentence, shown

if TYPE_CHECKING:
    from daw_bridge.messages.base import Request
    from engine.types import ErrorInfo

ROW_ROLE = Qt.ItemDataRole.UserRole
POSITION_ROLE = Qt.ItemDataRole.UserRole + 1
MIME_JOBS = "application/x-daw-bridge-jobs"
_QUIET_MS = 30
_LATER_MS = 500
# Asked one by one up to here; beyond it the newest are listed at once.
_FEW = 3
# What is taken over at once without holding the window up.
_PAGE = 100


class JobsModel(QAbstractListModel):
    """Shows what runs, then what waits, then what ended last; data of ROW_ROLE is a JobRow.

    That of POSITION_ROLE is how many jobs wait before it, below zero where it runs.
    """

    failed = pyqtSignal(object)
    counted = pyqtSignal()
    # The job, once its end is heard; not told of those that a list tells.
    ended = pyqtSignal(object)
    # A job, and the one that does it again.
    retried = pyqtSignal(str, str)

    def __init__(self, link: Link, parent: QObject | None = None, *, most_ended: int = MOST_ENDED) -> None:
        super().__init__(parent)
        self._link = link
        self._board = JobBoard(most_ended)
        self._shown: list[str] = []
        self._rows_of: dict[str, int] = {}
        self._first_waiting = 0
        self._revision = -1
        self._dirty: set[str] = set()
        self._asked: set[str] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_QUIET_MS)
        self._timer.timeout.connect(self._sync)
        link.heard.connect(self._hear)
        link.status_changed.connect(self._meet)
        self._meet()

    def job(self, job_id: str) -> JobRow | None:
        return self._board.get(job_id)

    @property
    def running(self) -> list[JobRow]:
        return [self._board[job_id] for job_id in self._board.running]

    @property
    def waiting_count(self) -> int:
        return self._board.waiting_count

    def unfinished(self, most_waiting: int) -> list[str]:
        """Return the jobs that run, then the first of those that wait."""
        return [*self._board.running, *self._board.waiting[:most_waiting]]

    def rows(self) -> list[JobRow]:
        return [self._board[job_id] for job_id in self._shown if job_id in self._board]

    def cancel(self, job_ids: Iterable[str]) -> None:
        """Stop jobs; one that runs ends at its next step."""
        for job_id in job_ids:
            self._ask(Cancel(rid="-", target=job_id))

    def cancel_running(self) -> None:
        self._ask(Cancel(rid="-", target="*active"))

    def cancel_all(self) -> None:
        self._ask(Cancel(rid="-", target="*"))

    def move(self, job_id: str, position: int) -> None:
        """Let a job wait behind so many others."""
        self._ask(JobMove(rid="-", job_id=job_id, position=max(0, position)))

    def move_by(self, job_id: str, places: int) -> None:
        """Let a job go sooner, with places below zero, or later."""
        if (position := self._board.position(job_id)) >= 0:
            self.move(job_id, min(position + places, self.waiting_count - 1))

    def retry(self, job_id: str, *, same_seeds: bool = False) -> None:
        """Do a job again, with the next seeds or with the same ones."""
        request = JobRetry(rid="-", job_id=job_id, seed_step=0 if same_seeds else None)
        self._ask(request, lambda answer: self.retried.emit(job_id, answer.job_id))

    def forget(self, job_ids: Iterable[str]) -> None:
        """Show jobs that have ended no longer; the history keeps them."""
        for job_id in job_ids:
            row = self.job(job_id)
            if row is not None and row.state.is_terminal:
                self._board.drop(job_id)
        self._timer.start()

    def forget_ended(self) -> None:
        self.forget([row.id for row in self.rows()])

    def row_of(self, job_id: str) -> int:
        """Return the place of a job in the list, -1 where it is not shown."""
        return self._rows_of.get(job_id, -1)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._shown)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or (row := self.job(self._shown[index.row()])) is None:
            return None
        if role == ROW_ROLE:
            return row
        if role == POSITION_ROLE:
            return index.row() - self._first_waiting
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{shown(row)}. {row.prompt or row.task}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(row)
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags = super().flags(index)
        row: JobRow | None = self.data(index, ROW_ROLE)
        if row is None:
            return flags | Qt.ItemFlag.ItemIsDropEnabled
        is_dragged = row.state is JobState.QUEUED or row.path
        return flags | Qt.ItemFlag.ItemIsDragEnabled if is_dragged else flags

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def supportedDragActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction | Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        return [MIME_JOBS]

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:
        """Return jobs that wait, to be moved here, or files of those that have takes, for anybody."""
        rows: list[JobRow] = [self.data(index, ROW_ROLE) for index in indexes]
        data = QMimeData()
        if waiting := [row.id for row in rows if row.state is JobState.QUEUED]:
            data.setData(MIME_JOBS, "\n".join(waiting).encode())
        elif paths := [row.path for row in rows if row.path]:
            data.setUrls([QUrl.fromLocalFile(path) for path in paths])
        return data

    def dropMimeData(
        self, data: QMimeData | None, action: Qt.DropAction, row: int, column: int, parent: QModelIndex
    ) -> bool:
        """Move what was dropped; False, or the view would take it away where it was."""
        if data is not None and data.hasFormat(MIME_JOBS):
            place = row if row >= 0 else parent.row() if parent.isValid() else len(self._shown)
            self._move_to(data.data(MIME_JOBS).data().decode().split("\n"), place)
        return False

    def _move_to(self, job_ids: Sequence[str], row: int) -> None:
        """Move jobs to before the one that is in a row now."""
        order, taken = list(self._board.waiting), set(job_ids)
        wanted = min(max(row - self._first_waiting, 0), len(order))
        before = sum(job_id not in taken for job_id in order[:wanted])
        rest = [job_id for job_id in order if job_id not in taken]
        rest[before:before] = [job_id for job_id in order if job_id in taken]
        # Each to its last place, the first ones first: those behind do not count any more.
        for job_id in job_ids:
            self.move(job_id, rest.index(job_id))

    def _meet(self) -> None:
        if not self._link.status.is_ready:
            return
        self._board.begin_listing()
        self._asked.clear()
        self._list(self._list_waiting, state=JobState.RUNNING.value)

    def _list_waiting(self) -> None:
        self._list(self._list_latest, state=JobState.QUEUED.value)

    def _list_latest(self) -> None:
        self._ask(JobList(rid="-", limit=MOST_ENDED), self._end_listing)

    def _end_listing(self, answer: JobListDone) -> None:
        self._take_over(answer)
        for job_id in self._board.end_listing():
            self._inform(job_id)
        self._timer.start()
        if self._board.is_torn:
            QTimer.singleShot(_LATER_MS, self._meet)

    def _list(self, then: Callable[[], None], **which: Any) -> None:
        """List all jobs of a state, page after page."""
        request = JobList(rid="-", limit=_PAGE, **which)
        self._ask(request, partial(self._listed, then, which))

    def _listed(self, then: Callable[[], None], which: dict[str, Any], answer: JobListDone) -> None:
        jobs = self._take_over(answer)
        if jobs and (len(jobs) == _PAGE or answer.jobs.get("more")):
            self._list(then, **{**which, "before": jobs[-1]["seq"]})
        else:
            then()

    def _take_over(self, answer: JobListDone) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = answer.jobs["jobs"]
        self._board.listed(jobs)
        self._asked.difference_update(told["id"] for told in jobs)
        self._mark(*(told["id"] for told in jobs))
        return jobs

    def _hear(self, event: object) -> None:
        if isinstance(event, JobEvent):
            before = self.job(event.job_id)
            self._board.hear(event)
            self._mark(event.job_id)
            after = self.job(event.job_id)
            was_open = before is None or not before.state.is_terminal
            if after is not None and after.state.is_terminal and was_open:
                self.ended.emit(after)

    def _mark(self, *job_ids: str) -> None:
        self._dirty.update(job_ids)
        if not self._timer.isActive():
            self._timer.start()

    def _sync(self) -> None:
        """Show what has changed: what is gone, what is new, another order, other content."""
        self._ask_for_lacking()
        if self._board.revision != self._revision:
            self._revision = self._board.revision
            self._restructure(self._board.order())
        for job_id in self._dirty & self._rows_of.keys():
            place = self.index(self._rows_of[job_id])
            self.dataChanged.emit(place, place)
        self._dirty.clear()
        self.counted.emit()

    def _ask_for_lacking(self) -> None:
        lacking, gaps = self._board.lacking - self._asked, set(self._board.gaps)
        self._asked |= lacking
        self._board.gaps.clear()
        if len(lacking) > _FEW:
            request = JobList(rid="-", limit=min(MAX_LISTED, 2 * len(lacking)))
            self._ask(request, partial(self._find, lacking))
            lacking = set()
        for job_id in lacking | gaps:
            self._inform(job_id)

    def _find(self, job_ids: set[str], answer: JobListDone) -> None:
        found = {told["id"] for told in self._take_over(answer)}
        for job_id in job_ids - found:
            self._inform(job_id)

    def _inform(self, job_id: str) -> None:
        self._link.ask(JobInfo(rid="-", job_id=job_id), self._informed, partial(self._not_there, job_id))

    def _informed(self, answer: Any) -> None:
        self._board.inform(answer.job)
        self._asked.discard(answer.job["id"])
        self._mark(answer.job["id"])

    def _not_there(self, job_id: str, error: ErrorInfo) -> None:
        if error.code.value == "not_found":
            self._board.drop(job_id)
            self._mark(job_id)

    def _restructure(self, order: list[str]) -> None:
        if gone := self._rows_of.keys() - set(order):
            self._remove(sorted((self._rows_of[job_id] for job_id in gone), reverse=True))
        if len(order) > len(self._shown):
            self._append([job_id for job_id in order if job_id not in self._rows_of])
        self._arrange(order)
        self._first_waiting = len(self._board.running)

    def _remove(self, rows: list[int]) -> None:
        """Take rows out, the last one first."""
        for row in rows:
            self.beginRemoveRows(QModelIndex(), row, row)
            del self._shown[row]
            self.endRemoveRows()
        self._number()

    def _append(self, new: list[str]) -> None:
        if new:
            count = len(self._shown)
            self.beginInsertRows(QModelIndex(), count, count + len(new) - 1)
            self._shown += new
            self.endInsertRows()
            self._number()

    def _arrange(self, order: list[str]) -> None:
        if order == self._shown:
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        names = [self._shown[index.row()] for index in before]
        self._shown = order
        self._number()
        self.changePersistentIndexList(before, [self.index(self._rows_of[name]) for name in names])
        self.layoutChanged.emit()

    def _number(self) -> None:
        self._rows_of = {job_id: row for row, job_id in enumerate(self._shown)}

    def _ask(self, request: Request, on_answer: Callable[[Any], None] = lambda _: None) -> None:
        self._link.ask(request, on_answer, self.failed.emit)


def _tip(row: JobRow) -> str:
    if row.error is None:
        return row.prompt
    return sentence(row.error)

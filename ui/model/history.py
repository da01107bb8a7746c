"""The history of the service: searched, fetched in pages, and what can be done with its takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QModelIndex, QObject, QTimer, pyqtSignal

from daw_bridge.history.files import SIDE_SUFFIXES
from daw_bridge.messages.events import JobDoneEvent, JobFailEvent
from daw_bridge.messages.jobs import Recall
from daw_bridge.messages.service import AudioRecall
from daw_bridge.messages.takes import (
    HistoryDelete,
    HistorySearch,
    HistoryTidy,
    TakeList,
    TakeRate,
    TakeRecall,
)
from engine.errors import EngineError
from engine.spec_json import spec_from_dict
from engine.types import ErrorCode, ErrorInfo, RenderSpec
from ui.background import Background
from ui.connection.link import Link
from ui.model.draft import DraftModel
from ui.model.history_tree import HistoryTree
from ui.model.job_words import said, size
from ui.model.past import PastJob, PastTake, Wanted

if TYPE_CHECKING:
    from daw_bridge.messages.base import Request

PAGE = 50
MOST_JOBS = 1_000
_QUIET_MS = 150
_MOST_LOOKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What a job's deletion removes; files is 0 where they are on another machine."""

    job_id: str
    takes: int
    files: int
    total_bytes: int


class HistoryModel(HistoryTree):
    """Fetches what is looked at; told says in a sentence what was done."""

    failed = pyqtSignal(object)
    told = pyqtSignal(str)
    recalled = pyqtSignal(object)
    searched = pyqtSignal()

    def __init__(self, link: Link, draft: DraftModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._draft = draft
        self._wanted = Wanted()
        self._before = 0
        self._has_more = True
        self._is_asking = False
        self._search = 0
        self._ended: set[str] = set()
        self._asked: set[str] = set()
        self._background = Background(parent=self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_QUIET_MS)
        self._timer.timeout.connect(self._look_for_ended)
        self.takes_wanted.connect(self._ask_takes)
        link.heard.connect(self._hear)
        link.status_changed.connect(self._meet)
        self._meet()

    @property
    def wanted(self) -> Wanted:
        return self._wanted

    def close(self) -> None:
        self._background.close()

    def look_for(self, wanted: Wanted) -> None:
        """Show only some jobs from now on."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._begin()

    def canFetchMore(self, parent: QModelIndex) -> bool:
        return not parent.isValid() and self._has_more and not self._is_asking

    def fetchMore(self, parent: QModelIndex) -> None:
        if self.canFetchMore(parent) and self._link.status.is_ready:
            self._is_asking = True
            self._ask_page(self._before, self._take_page)

    def rate(self, take: PastTake, rating: int) -> None:
        """Rate a take: 1 is a favourite, which is kept, -1 may go first."""
        request = TakeRate(rid="-", job_id=take.job_id, index=take.index, rating=rating)
        self._ask(request, lambda _: self._refresh(take.job_id))

    def toggle_favourite(self, take: PastTake) -> None:
        self.rate(take, 0 if take.is_favourite else 1)

    def recall(self, take: PastTake) -> None:
        """Let the draft become what a take was made with."""
        request = TakeRecall(rid="-", job_id=take.job_id, index=take.index)
        self._link.ask(request, self._set_draft, partial(self._recall_otherwise, take))

    def vary(self, take: PastTake, amount: float, takes: int) -> None:
        """Render variations of a take; 0 makes it again, 1 has nothing of it."""
        request = Recall(rid="-", path=take.path, vary=amount, takes=takes if amount else 1)
        self._ask(request)

    def weigh(self, job_id: str, on_weighed: Callable[[Weight], None]) -> None:
        """Find out what the deletion of a job would remove."""
        self._ask(TakeList(rid="-", job_id=job_id), partial(self._weigh, job_id, on_weighed))

    def delete(self, job_id: str) -> None:
        """Forget a job with its takes and their files."""
        self._ask(HistoryDelete(rid="-", job_id=job_id), partial(self._was_deleted, job_id))

    def tidy(self, max_bytes: int) -> None:
        """Remove the oldest takes beyond a budget; favourites and the latest stay."""
        self._ask(HistoryTidy(rid="-", max_bytes=max_bytes), self._was_tidied)

    def _meet(self) -> None:
        if self._link.status.is_ready:
            self._begin()

    def _begin(self) -> None:
        self._search += 1
        self._before, self._has_more, self._is_asking = 0, True, False
        self._asked.clear()
        self.clear()
        self.fetchMore(QModelIndex())

    def _ask_page(self, before: int, on_page: Callable[[list[PastJob], bool], None]) -> None:
        wanted = self._wanted
        request = HistorySearch(
            rid="-",
            text=wanted.text,
            limit=PAGE,
            favourites=wanted.favourites,
            task=wanted.task,
            before=before,
        )
        self._link.ask(
            request, partial(self._page_came, self._search, on_page), partial(self._page_failed, self._search)
        )

    def _page_came(self, search: int, on_page: Callable[[list[PastJob], bool], None], answer: Any) -> None:
        # Of a search that was given up meanwhile nothing is shown.
        if search == self._search:
            jobs = [PastJob.of(told) for told in answer.jobs["jobs"]]
            on_page(jobs, bool(jobs) and (len(jobs) == PAGE or bool(answer.jobs.get("more"))))

    def _page_failed(self, search: int, error: ErrorInfo) -> None:
        if search == self._search:
            self._is_asking = False
            self.failed.emit(error)

    def _take_page(self, jobs: list[PastJob], has_more: bool) -> None:
        before = len(self)
        for job in jobs:
            self.add(job)
        self._has_more, self._is_asking = has_more, False
        if jobs:
            self._before = jobs[-1].seq
        self.searched.emit()
        # Jobs without takes are not shown, and a view asks for more only where it sees the end.
        if has_more and len(self) - before < PAGE // 2:
            self.fetchMore(QModelIndex())

    def _hear(self, event: object) -> None:
        # One that was cancelled may have takes, too.
        if isinstance(event, JobDoneEvent | JobFailEvent):
            self._ended.add(event.job_id)
            self._asked.discard(event.job_id)
            if not self._timer.isActive():
                self._timer.start()

    def _look_for_ended(self) -> None:
        self._ask_page(0, partial(self._take_ended, 1))

    def _take_ended(self, looks: int, jobs: list[PastJob], has_more: bool) -> None:
        """Show jobs that have just ended; mostly they are among the latest."""
        for job in jobs:
            if job.id in self._ended:
                self.add(job)
        self._ended -= {job.id for job in jobs}
        if self._ended and has_more and looks < _MOST_LOOKS:
            self._ask_page(jobs[-1].seq, partial(self._take_ended, looks + 1))
            return
        self._ended.clear()
        if newest := self.trim(MOST_JOBS):
            self._before, self._has_more = newest + 1, True
            self._asked = {job_id for job_id in self._asked if self.job_index(job_id).isValid()}
        self.searched.emit()

    def _ask_takes(self, job_id: str) -> None:
        if job_id not in self._asked:
            self._asked.add(job_id)
            self._refresh(job_id)

    def _refresh(self, job_id: str) -> None:
        self._ask(TakeList(rid="-", job_id=job_id), partial(self._takes_came, job_id))

    def _takes_came(self, job_id: str, answer: Any) -> None:
        self.set_takes(job_id, [PastTake.of(job_id, told) for told in answer.takes["takes"]])

    def _recall_otherwise(self, take: PastTake, error: ErrorInfo) -> None:
        """Ask the file itself where the recipe is too long for a list of the history."""
        if error.code is ErrorCode.TOO_LARGE and take.is_present:
            self._ask(AudioRecall(rid="-", path=take.path), self._set_draft)
        else:
            self.failed.emit(error)

    def _set_draft(self, answer: Any) -> None:
        try:
            spec: RenderSpec = spec_from_dict(answer.spec)
        except EngineError as error:
            self.failed.emit(error.info)
            return
        self._draft.recall(spec)
        self.recalled.emit(spec)

    def _weigh(self, job_id: str, on_weighed: Callable[[Weight], None], answer: Any) -> None:
        takes = [PastTake.of(job_id, told) for told in answer.takes["takes"]]
        there = [take for take in takes if take.is_present]
        weighed = partial(
            Weight, job_id=job_id, takes=len(takes), total_bytes=sum(take.total_bytes for take in there)
        )
        paths = [take.path for take in there]
        self._background.run(
            lambda: _files(paths),
            lambda files: on_weighed(weighed(files=files)),
            lambda _: on_weighed(weighed(files=0)),
        )

    def _was_deleted(self, job_id: str, answer: Any) -> None:
        self.remove(job_id)
        self.told.emit(said("%1 removed.", size(answer.total_bytes)))

    def _was_tidied(self, answer: Any) -> None:
        self.told.emit(said("%1 takes removed, %2.", answer.takes, size(answer.total_bytes)))
        self._begin()

    def _ask(self, request: Request, on_answer: Callable[[Any], None] = lambda _: None) -> None:
        self._link.ask(request, on_answer, self.failed.emit)


def _files(paths: Sequence[str]) -> int:
    """Count the files of takes, with what lies beside them."""
    return sum(
        file.is_file()
        for path in map(Path, paths)
        for file in (path, *(path.with_suffix(side) for side in SIDE_SUFFIXES))
    )

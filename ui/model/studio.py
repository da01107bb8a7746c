"""One sound, one draft, one job at a time: what of the panel follows from what."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from daw_bridge.messages.base import Request
from daw_bridge.messages.events import JobDoneEvent, JobFailEvent
from daw_bridge.messages.jobs import JobInfo, Recall
from daw_bridge.messages.takes import TakeApply, TakeRecall
from engine.errors import EngineError, SpecError
from engine.spec_json import spec_from_dict
from engine.types import ErrorCode, ErrorInfo, Region, Task, TimeSpan
from ui.background import Background
from ui.connection.link import Link
from ui.model.display import Shown
from ui.model.draft import DraftModel
from ui.model.hearing import Hearing
from ui.model.listening import Choice, Kind
from ui.model.mask_cells import MaskCells
from ui.model.mask_edit import MaskEdit
from ui.model.mask_pen import PenModel
from ui.model.mask_shapes import Extent
from ui.model.previews import Previews
from ui.model.region import RegionModel
from ui.model.selection import Selection
from ui.model.store import Store
from ui.model.takes import TakeRow, TakesModel
from ui.sound.model_grid import ModelGrid

# A preview costs a decoding; this many steps between two keep that a small part of a job.
PREVIEW_EVERY = 6
# Jobs whose takes stand below those of the latest one.
MOST_EARLIER = 8
_SHOWN = {Kind.ORIGINAL: Shown.ORIGINAL, Kind.TAKE: Shown.TAKE, Kind.DIFFERENCE: Shown.DIFFERENCE}
_NO_SOUND = Extent(duration_s=1.0, top_hz=24_000.0)
# The starter's, until the service has told that of the model which is chosen.
_FIRST_GRID = ModelGrid.of_mel(
    sample_rate_hz=16_000, hop_samples=160, mel_bins=64, low_hz=0.0, high_hz=8_000.0, ratio=8
)


class Studio(QObject):
    """Holds the models that know of each other, and does what concerns several of them."""

    told = pyqtSignal(str)
    failed = pyqtSignal(object)
    # A job was sent: its id.
    sent = pyqtSignal(str)
    # The takes of another job are shown.
    job_changed = pyqtSignal()

    def __init__(self, link: Link, draft: DraftModel, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link, self.draft = link, draft
        self.background = Background(2, self)
        self.region = RegionModel(self)
        self.mask = MaskEdit(_NO_SOUND, self)
        self.pen = PenModel(parent=self)
        self.cells = MaskCells(self.mask, _FIRST_GRID, self.background, self)
        self.selection = Selection(self.region, self.mask, draft, self)
        self.takes = TakesModel(link, self)
        self.hearing = Hearing(link, store, self)
        self.previews = Previews(link, self.hearing, self.background, self)
        # What the takes that are shown were made of.
        self.job_region: Region | None = None
        # Jobs that were shown, with their regions, the latest last; those that ended with nothing are none.
        self._shown: dict[str, Region | None] = {}
        self._connect()
        self.region.set_model_grid(_FIRST_GRID)

    def _connect(self) -> None:
        self.hearing.follow(self.takes)
        self.hearing.blind.changed.connect(self._see_blind)
        self.hearing.changed.connect(self._see_what_is_heard)
        self.hearing.moved.connect(self._move_playhead)
        self.region.opened.connect(self._hear_region)
        self.region.span_changed.connect(self._hear_region)
        self.region.span_changed.connect(lambda: self.cells.set_region(self.region.span))
        self.region.loop_changed.connect(self._set_loop)
        self.region.compared.connect(self._see_what_is_heard)
        self._link.heard.connect(self._hear)
        for part in (self.takes, self.hearing, self.previews):
            part.failed.connect(self.failed)
        self.mask.refused.connect(self.failed)
        self.mask.noticed.connect(self.told)
        self.previews.kept.connect(lambda path: self.told.emit(self.tr("Kept as %1").replace("%1", path)))

    def close(self) -> None:
        self.background.close()
        self.region.close()

    def see_as_model(self, grid: ModelGrid | None) -> None:
        """Show masks and cells as the chosen model sees them; None where that is not known."""
        if grid is not None and grid != self.region.model_grid:
            self.region.set_model_grid(grid)
            self.cells.set_grid(grid)

    def open(self, path: str) -> None:
        """Open a sound; takes of another one are shown no longer."""
        self.show_job("", None)
        self.selection.open(Region(path=path))

    def render(self) -> None:
        """Ask for what the draft says; its takes are shown as they come."""
        draft = self.draft.draft
        try:
            request = draft.request(preview_every=PREVIEW_EVERY)
        except (SpecError, ValueError) as error:
            self.failed.emit(error.info if isinstance(error, EngineError) else SpecError(str(error)).info)
            return
        region = draft.region if draft.task.needs_region else None
        self._link.ask(request, partial(self._was_sent, region), self._was_not_sent)

    def show_job(self, job_id: str, region: Region | None) -> None:
        """Show the takes of a job that was made of a region."""
        if job_id:
            self._shown.pop(job_id, None)
            self._shown[job_id] = region
        self.job_region = region
        self.region.compare(None)
        self.takes.follow(job_id, self._before(job_id, region))
        self.previews.follow(job_id)
        self._hear_region()
        self.job_changed.emit()

    def _before(self, job_id: str, region: Region | None) -> list[str]:
        """Return jobs that were made of the same stretch of sound, the latest first."""
        if not job_id:
            return []
        same = [one for one, other in self._shown.items() if one != job_id and _is_same(region, other)]
        return same[: -MOST_EARLIER - 1 : -1]

    def was_retried(self, job_id: str, again: str) -> None:
        """Show the job that does one again in the place of that one, if it is shown."""
        if job_id and job_id == self.takes.job_id:
            self.show_job(again, self.job_region)

    def find_job(self, job_id: str) -> None:
        """Show a job by its id, with the sound it was made of where that is another one."""
        self._ask(JobInfo(rid="-", job_id=job_id), partial(self._found, job_id))

    def open_take(self, row: TakeRow) -> None:
        """Go on with a take as the sound to be changed."""
        if row.is_present:
            self.open(row.path)

    def recall(self, row: TakeRow) -> None:
        """Let the draft be again what a take was made with."""
        self._ask(TakeRecall(rid="-", job_id=row.job_id, index=row.index), self._recalled)

    def vary(self, row: TakeRow, amount: float, takes: int = 3) -> None:
        """Render variations of a take; 0 makes it again, 1 has nothing of it."""
        request = Recall(rid="-", path=row.path, vary=amount, takes=takes, preview_every=PREVIEW_EVERY)
        self._ask(request, partial(self._show_sent, self.job_region))

    def apply(self, row: TakeRow) -> None:
        """Use a take; the DAW that its job came from is told."""
        self._ask(TakeApply(rid="-", job_id=row.job_id, index=row.index), self._applied)

    def seek(self, time_s: float) -> None:
        """Go to a time of the file that is open."""
        self.hearing.seek_file(time_s)

    def _ask(self, request: Request, on_answer: Any) -> None:
        self._link.ask(request, on_answer, self.failed.emit)

    def _was_sent(self, region: Region | None, answer: Any) -> None:
        self.draft.was_sent()
        self._show_sent(region, answer)

    def _show_sent(self, region: Region | None, answer: Any) -> None:
        self.show_job(answer.job_id, region)
        self.sent.emit(answer.job_id)

    def _was_not_sent(self, error: ErrorInfo) -> None:
        self.failed.emit(replace(error, message=self.tr("Not rendered: %1").replace("%1", error.message)))

    def _found(self, job_id: str, answer: Any) -> None:
        region = None
        if isinstance(spec := answer.job.get("spec"), dict):
            found = spec_from_dict(spec)
            region = found.region if found.task.needs_region else None
        if region is not None and region.path != self.region.path:
            self.selection.open(region)
        self.show_job(job_id, region)

    def _recalled(self, answer: Any) -> None:
        self.draft.recall(spec_from_dict(answer.spec))
        self.told.emit(self.tr("All is set as it was for this take; its seed is locked"))

    def _applied(self, answer: Any) -> None:
        self.told.emit(self.tr("In use: %1").replace("%1", answer.path))

    def _hear(self, reply: object) -> None:
        if getattr(reply, "job_id", "") != self.takes.job_id:
            if isinstance(reply, JobFailEvent):
                self._shown.pop(reply.job_id, None)
            return
        if isinstance(reply, JobFailEvent):
            self._fall_back(reply)
        elif isinstance(reply, JobDoneEvent):
            self._take_in(reply.path)

    def _fall_back(self, event: JobFailEvent) -> None:
        """Say why a job failed, and show again the takes that were there before it, if it has none."""
        if event.code is not ErrorCode.CANCELLED:
            self.failed.emit(ErrorInfo(code=event.code, message=event.message, hint=event.hint))
        if self.takes.rows:
            return
        self._shown.pop(event.job_id, None)
        job_id, region = next(reversed(self._shown.items()), ("", None))
        if job_id and (region is None or region.path == self.region.path):
            self.show_job(job_id, region)

    def _take_in(self, path: str) -> None:
        """Open the best take of a job where there is no sound yet, so that one can go on from it."""
        if path and not self.region.path and self.draft.draft.task is Task.GENERATE:
            self.region.open(path)

    def _hear_region(self) -> None:
        """Let be heard as the original what the takes were made of, or else what is selected."""
        region = self.job_region
        if region is not None and region.path == self.region.path and self.takes.job_id:
            self.hearing.set_original(region.path, region.span)
        elif self.takes.job_id and region is None:
            self.hearing.set_original("")
        else:
            facts = self.region.facts
            duration_s = facts.duration_s if facts is not None else 0.0
            self.hearing.set_original(self.region.path, self.region.span, duration_s)

    def _see_blind(self) -> None:
        """Show no take as long as nobody is to know which it is."""
        if self.hearing.blind.blind.hides:
            self.region.compare(None)
        else:
            self._see_what_is_heard()

    def _see_what_is_heard(self) -> None:
        """Show the take that is chosen in the place of its stretch, and what is heard of the two."""
        choice = self.hearing.playing
        if choice is None or choice.kind not in _SHOWN or self.hearing.blind.blind.hides:
            return
        if choice.kind is not Kind.ORIGINAL and (row := self._take_of(choice)) is not None:
            self._compare(row)
        self.region.show_as(_SHOWN[choice.kind])

    def _take_of(self, choice: Choice) -> TakeRow | None:
        return self.takes.row(choice.index, choice.job_id)

    def _compare(self, row: TakeRow) -> None:
        region = self.job_region
        is_here = region is not None and region.path == self.region.path
        if is_here and row.is_present and row.path != self.region.compared_path:
            at_s = region.span.start_s if region is not None and region.span is not None else 0.0
            self.region.compare(row.path, at_s)

    def _move_playhead(self) -> None:
        is_ours = self.hearing.playing is not None and self.hearing.programme.original is not None
        self.region.set_playhead(self.hearing.playhead_s if is_ours else None)

    def _set_loop(self) -> None:
        loop, original = self.region.loop, self.hearing.programme.original
        from_s = original.from_s if original is not None else 0.0
        if loop is None or loop.end_s <= from_s:
            self.hearing.set_stretch(None)
            return
        start_s = max(0.0, loop.start_s - from_s)
        self.hearing.set_stretch(TimeSpan(start_s=start_s, end_s=loop.end_s - from_s))
        self.hearing.set_loop(True)


def _is_same(one: Region | None, other: Region | None) -> bool:
    """Tell whether two regions are the same stretch of the same file; what went through JSON is rounded."""
    if one is None or other is None:
        return one is other
    spans = [
        (0.0, -1.0) if each.span is None else (each.span.start_s, each.span.end_s) for each in (one, other)
    ]
    return one.path == other.path and all(abs(a - b) < 1e-6 for a, b in zip(*spans, strict=True))

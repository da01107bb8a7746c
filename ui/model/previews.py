"""What a take that is being made sounds like so far: heard in its place, kept as a file, or given up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from daw_bridge.messages.events import (
    JobDoneEvent,
    JobFailEvent,
    JobPreviewEvent,
    JobProgressEvent,
    JobTakeEvent,
)
from daw_bridge.messages.jobs import Cancel, JobInfo
from engine.errors import OutputError
from engine.types import ErrorCode, ErrorInfo
from ui.background import Background
from ui.connection.link import Link
from ui.model.hearing import Hearing
from ui.model.listening import Choice, Kind
from ui.model.preview_files import keep, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a take would be if it were finished at a step; total is 0 while the steps are not known."""

    job_id: str
    take: int
    step: int
    path: str
    total: int = 0


class Previews(QObject):
    """Follows the previews of one job; kept is told the path of one that has become a file of its own."""

    changed = pyqtSignal()
    kept = pyqtSignal(str)
    failed = pyqtSignal(object)

    def __init__(
        self, link: Link, hearing: Hearing, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._link = link
        self._hearing = hearing
        self._background = background
        self._job_id = ""
        self._newest: Preview | None = None
        self._total = 0
        self._is_killing = False
        link.heard.connect(self._hear)

    @property
    def newest(self) -> Preview | None:
        """Return the newest preview; None before the first, and once there is a take to be heard instead."""
        return self._newest

    @property
    def is_heard(self) -> bool:
        return self._hearing.playing == Choice(kind=Kind.PREVIEW)

    @property
    def is_killing(self) -> bool:
        """Tell whether the job was asked to end and has not yet."""
        return self._is_killing

    def follow(self, job_id: str) -> None:
        """Follow another job; "" for none."""
        if job_id != self._job_id:
            self._job_id, self._is_killing, self._total = job_id, False, 0
            self._show(None)

    def play(self) -> None:
        """Hear the newest preview, and each that comes later in its place."""
        self._hearing.play(Choice(kind=Kind.PREVIEW))

    def keep(self) -> None:
        """Copy the preview as it sounds now beside the takes; the recipe inside it tells its step."""
        preview = self._newest
        if preview is None:
            self.failed.emit(_nothing(self.tr("There is no preview to keep.")))
            return
        self._link.ask(
            JobInfo(rid="-", job_id=preview.job_id), partial(self._keep_in, preview), self.failed.emit
        )

    def kill(self) -> None:
        """End the job at its next step; takes that are written already stay."""
        if self._job_id and not self._is_killing:
            self._is_killing = True
            self._link.ask(Cancel(rid="-", target=self._job_id), lambda _: None, self._not_killed)
            self.changed.emit()

    def _keep_in(self, preview: Preview, answer: Any) -> None:
        source, folder = Path(preview.path), Path(answer.job["folder"])
        name = name_of(answer.job, preview.take, preview.step, source.suffix)
        self._background.run(
            partial(keep, source, folder, name),
            lambda target: self.kept.emit(str(target)),
            partial(self._not_kept, folder / name),
        )

    def _not_kept(self, target: Path, error: Exception) -> None:
        message = self.tr("The preview cannot be kept as {}: {}").format(target, error)
        hint = self.tr("Make room or choose another folder for the takes.")
        self.failed.emit(OutputError(message, hint).info)

    def _not_killed(self, error: ErrorInfo) -> None:
        self._is_killing = False
        self.failed.emit(error)
        self.changed.emit()

    def _hear(self, reply: object) -> None:
        if getattr(reply, "job_id", "") != self._job_id:
            return
        match reply:
            case JobPreviewEvent(path=path) if path:
                self._show(
                    Preview(
                        job_id=reply.job_id, take=reply.take, step=reply.step, path=path, total=self._total
                    )
                )
            case JobProgressEvent(stage="sample"):
                self._total = reply.total
            case JobTakeEvent():
                self._give_way(reply)
            case JobDoneEvent() | JobFailEvent():
                self._is_killing = False
                self._show(None)

    def _give_way(self, event: JobTakeEvent) -> None:
        """Let a take be heard where its preview was, once the others know of it too."""
        if self.is_heard:
            choice = Choice(kind=Kind.TAKE, index=event.index)
            QTimer.singleShot(0, partial(self._hearing.play, choice))

    def _show(self, preview: Preview | None) -> None:
        self._newest = preview
        self._hearing.set_preview("" if preview is None else preview.path)
        self.changed.emit()


def _nothing(message: str) -> ErrorInfo:
    return ErrorInfo(code=ErrorCode.NOT_FOUND, message=message)

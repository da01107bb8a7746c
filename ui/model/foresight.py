"""The chosen model, loaded while its user still writes: the first take would wait for it."""

from __future__ import annotations

from PyQt6.QtCore import QObject, QTimer

from daw_bridge.messages.service import ModelLoad
from ui.connection.link import LONG_S, Link
from ui.model.draft import DraftModel
from ui.model.jobs import JobsModel

QUIET_MS = 400


class Foresight(QObject):
    """Lets an idle engine load the draft's model once its user has begun to write.

    A window in which nothing is written loads nothing: a model takes the memory that a DAW may need.
    """

    def __init__(self, link: Link, draft: DraftModel, jobs: JobsModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._draft = draft
        self._jobs = jobs
        self._found = draft.draft["prompt"]
        self._asked_for = ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(QUIET_MS)
        self._timer.timeout.connect(self._load)
        draft.changed.connect(self._look)
        link.status_changed.connect(self._look)

    def _look(self) -> None:
        if not self._link.status.is_ready:
            self._asked_for = ""
        elif self._draft.draft["prompt"] != self._found and self._draft.draft["model"] != self._asked_for:
            self._timer.start()

    def _load(self) -> None:
        # A job loads its own model, and would have to load it again after this one.
        if not self._link.status.is_ready or self._jobs.running:
            return
        self._asked_for = self._draft.draft["model"]
        # Whatever hinders it is told by the render.
        self._link.ask(ModelLoad(rid="-", name=self._asked_for), on_fail=lambda _: None, timeout_s=LONG_S)

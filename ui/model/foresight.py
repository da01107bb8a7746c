"""The chosen model, loaded while its user still writes: the first take would wait for it."""

from __future__ import annotations

from PyQt6.QtCore import QObject, QTimer

from daw_bridge.messages.service import ModelChanged, ModelLoad
from ui.connection.link import LONG_S, Link
from ui.model.draft import DraftModel
from ui.model.jobs import JobsModel

QUIET_MS = 400


class Foresight(QObject):
    """Lets an engine without jobs load the draft's model once the prompt is another than at the start.

    A window that is only looked at loads nothing: a model takes the memory that a DAW may need.
    """

    def __init__(self, link: Link, draft: DraftModel, jobs: JobsModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._draft = draft
        self._jobs = jobs
        self._found = draft.draft["prompt"]
        self._asked_for = ""
        self._is_loading = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(QUIET_MS)
        self._timer.timeout.connect(self._load)
        draft.changed.connect(self._look)
        link.status_changed.connect(self._look)
        link.heard.connect(self._hear)

    def _hear(self, reply: object) -> None:
        if isinstance(reply, ModelChanged):
            self._asked_for = ""

    def _look(self) -> None:
        if not self._link.status.is_ready:
            self._asked_for = ""
        elif self._draft.draft["prompt"] != self._found and self._draft.draft["model"] != self._asked_for:
            self._timer.start()

    def _load(self) -> None:
        # A job loads its own model, and the next one would have to load it again after this.
        is_busy = self._is_loading or self._jobs.running or self._jobs.waiting_count
        if is_busy or not self._link.status.is_ready:
            return
        self._is_loading = True
        self._asked_for = self._draft.draft["model"]
        request = ModelLoad(rid="-", name=self._asked_for)
        # Whatever hinders it is told by the render.
        self._link.ask(request, self._end, self._end, timeout_s=LONG_S)

    def _end(self, _: object) -> None:
        """Look whether another model was chosen meanwhile."""
        self._is_loading = False
        self._look()

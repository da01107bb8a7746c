"""How far the job is whose takes are shown, and the button that ends it."""

from __future__ import annotations

from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QToolButton, QWidget

from daw_bridge.jobs.state import JobState
from ui.connection.link import Link
from ui.look.scale import Space
from ui.model.job_board import JobRow
from ui.model.job_words import sentence, shown
from ui.model.jobs import JobsModel
from ui.model.keys import ActionInfo
from ui.model.takes import TakesModel
from ui.widgets.actions import Actions

_UNFINISHED = (JobState.QUEUED, JobState.RUNNING)


class JobBar(QFrame):
    """Is there while the job waits or runs, and once it failed, to say why."""

    def __init__(
        self,
        link: Link,
        jobs: JobsModel,
        takes: TakesModel,
        actions: Actions,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("job")
        self.setProperty("kind", "group")
        self._link, self._jobs, self._takes = link, jobs, takes
        self._text = QLabel()
        self._text.setObjectName("job state")
        self._text.setWordWrap(True)
        self._bar = QProgressBar()
        self._bar.setObjectName("job progress")
        self._bar.setAccessibleName(self.tr("Progress"))
        self._bar.setTextVisible(False)
        info = ActionInfo(
            name="job/cancel", text=self.tr("Cancel this job"), group=self.tr("Render"), keys=("Shift+Esc",)
        )
        self._cancel = actions.add(info, self._stop, self, icon_name="stop")
        button = QToolButton()
        button.setDefaultAction(self._cancel)
        button.setObjectName("cancel job")
        button.setAccessibleName(info.text)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.SMALL, Space.TIGHT, Space.SMALL, Space.TIGHT)
        row.setSpacing(Space.SMALL)
        row.addWidget(self._text, 3)
        row.addWidget(self._bar, 2)
        row.addWidget(button)
        link.status_changed.connect(self._show)
        for signal in (jobs.counted, jobs.dataChanged, jobs.rowsInserted, takes.changed):
            signal.connect(self._show)
        self._show()

    def _stop(self) -> None:
        if self._takes.job_id:
            self._jobs.cancel([self._takes.job_id])

    def _show(self) -> None:
        row = self._jobs.job(self._takes.job_id) if self._takes.job_id else None
        is_unfinished = row is not None and row.state in _UNFINISHED
        has_failed = row is not None and row.state in (JobState.FAILED, JobState.CANCELLED)
        self.setVisible(is_unfinished or has_failed)
        is_there = self._link.status.is_ready
        self._cancel.setEnabled(is_unfinished and is_there)
        self._bar.setVisible(is_unfinished and is_there)
        if row is not None:
            waits = self.tr("Goes on as soon as the engine is back")
            self._text.setText(waits if is_unfinished and not is_there else _told(row))
            self._bar.setRange(0, 0 if row.state is JobState.QUEUED else 1000)
            self._bar.setValue(round(1000 * row.fraction))


def _told(row: JobRow) -> str:
    if row.state is JobState.FAILED and row.error is not None:
        return f"{shown(row)}: {sentence(row.error)}"
    return shown(row)

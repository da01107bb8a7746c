"""Why nothing can be heard, in the edge of the window, where it moves nothing that somebody points at."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QLabel, QSizePolicy, QWidget

from ui.model.hearing import Hearing
from ui.model.job_words import sentence


class SoundChip(QLabel):
    """Cuts what it says where there is no room; its tool tip has all of it."""

    def __init__(self, hearing: Hearing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sound trouble")
        self.setAccessibleName(self.tr("Sound device"))
        self.setProperty("kind", "warn")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._hearing = hearing
        hearing.changed.connect(self._show)
        self._show()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._show()

    def _show(self) -> None:
        trouble = self._hearing.trouble
        told = "" if trouble is None else sentence(trouble)
        self.setToolTip(told)
        self.setAccessibleDescription(told)
        self.setText(self.fontMetrics().elidedText(told, Qt.TextElideMode.ElideRight, self.width()))

"""A window of another program: says on its output where it is, and what is dropped on it."""

from __future__ import annotations

import sys

from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QApplication, QWidget


class Window(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self.setGeometry(500, 100, 300, 300)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        if event is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        if event is None or (data := event.mimeData()) is None:
            return
        say(f"{event.proposedAction().name} {bytes(data.data('text/uri-list').data()).decode().strip()}")
        event.acceptProposedAction()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


application = QApplication(sys.argv)
window = Window()
window.show()
QTimer.singleShot(300, lambda: say("ready"))
sys.exit(application.exec())

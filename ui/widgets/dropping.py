"""Files dropped anywhere on a widget."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QMimeData, QObject
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QWidget

from ui.model.incoming import Incoming


class DropTarget(QObject):
    """Lets files be dropped on a widget; what is dragged within the panel is left alone."""

    def __init__(self, widget: QWidget, incoming: Incoming) -> None:
        super().__init__(widget)
        self._incoming = incoming
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        # What enters is of a class of its own below that of what is dropped.
        if isinstance(event, QDragEnterEvent):
            if not _is_foreign(event):
                return False
            event.acceptProposedAction()
            return True
        if isinstance(event, QDropEvent) and event.type() is QEvent.Type.Drop and _is_foreign(event):
            self._incoming.receive(paths_of(event.mimeData()))
            event.acceptProposedAction()
            return True
        return False


def paths_of(data: QMimeData | None) -> list[str]:
    """Return the files of this machine that somebody drags."""
    urls = data.urls() if data is not None else []
    return [url.toLocalFile() for url in urls if url.isLocalFile()]


def _is_foreign(event: QDropEvent) -> bool:
    data = event.mimeData()
    return event.source() is None and data is not None and data.hasUrls()

"""Takes dragged out of the panel, to a DAW or a folder: as files, never moved away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt6.QtCore import QEvent, QMimeData, QObject, QPoint, Qt, QUrl
from PyQt6.QtGui import QDrag, QMouseEvent
from PyQt6.QtWidgets import QApplication, QWidget

from ui.look.scale import Size
from ui.look.theme import icon


def drag_of(paths: Sequence[str]) -> QMimeData:
    """Return files as other programs take them: as URLs, and as text for those that know no files."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(Path(path).absolute())) for path in paths])
    data.setText("\n".join(paths))
    return data


def drag_out(widget: QWidget, paths: Sequence[str]) -> bool:
    """Drag files until the mouse is let go; return whether anybody took them."""
    if not paths:
        return False
    drag = QDrag(widget)
    drag.setMimeData(drag_of(paths))
    drag.setPixmap(icon("waveform").pixmap(2 * Size.ICON))
    return drag.exec(Qt.DropAction.CopyAction) is not Qt.DropAction.IgnoreAction


class DragSource(QObject):
    """Lets files be dragged out of a widget that is no list of them: a name, a waveform, a button."""

    def __init__(self, widget: QWidget, paths: Callable[[], Sequence[str]]) -> None:
        super().__init__(widget)
        self._widget = widget
        self._paths = paths
        self._pressed: QPoint | None = None
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if isinstance(event, QMouseEvent):
            self._follow(event)
        return False

    def _follow(self, event: QMouseEvent) -> None:
        if event.type() is QEvent.Type.MouseButtonPress and event.button() is Qt.MouseButton.LeftButton:
            self._pressed = event.position().toPoint()
        elif event.type() is QEvent.Type.MouseButtonRelease:
            self._pressed = None
        elif event.type() is QEvent.Type.MouseMove and self._pressed is not None:
            moved = (event.position().toPoint() - self._pressed).manhattanLength()
            if moved >= QApplication.startDragDistance():
                self._pressed = None
                drag_out(self._widget, self._paths())

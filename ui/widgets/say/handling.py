"""How values are handled alike everywhere: the wheel where the focus is, one key and one click to reset."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QLabel, QLineEdit, QSpinBox, QWidget


class Handling(QObject):
    """Leaves the wheel to what scrolls unless its widget has the focus; Delete and a double click reset.

    In a field with text Delete resets when all of the text is marked, as it is when the field is come to by
    Tab: otherwise it deletes a character.
    """

    def __init__(self, widget: QWidget, reset: Callable[[], object] | None) -> None:
        super().__init__(widget)
        self._widget = widget
        self._reset = reset
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(self)
        if isinstance(widget, QAbstractSpinBox) and (line := widget.lineEdit()) is not None:
            line.installEventFilter(self)

    def watch(self, label: QLabel) -> None:
        """Let a double click on the label reset the value, too."""
        label.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is None:
            return False
        kind = event.type()
        if kind == QEvent.Type.Wheel and not self._widget.hasFocus():
            event.ignore()
            return True
        if self._reset is None:
            return False
        if kind == QEvent.Type.MouseButtonDblClick:
            self._reset()
            return True
        if kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and self._is_reset(event):
            self._reset()
            return True
        return False

    def _is_reset(self, event: QKeyEvent) -> bool:
        return event.key() == Qt.Key.Key_Delete and not event.modifiers() and self._is_whole()

    def _is_whole(self) -> bool:
        """Tell whether no part of a text has the cursor."""
        widget = self._widget
        line = widget.lineEdit() if isinstance(widget, QAbstractSpinBox) else widget
        if not isinstance(line, QLineEdit):
            return True
        # A unit is never marked with its number.
        number = widget.cleanText() if isinstance(widget, QSpinBox | QDoubleSpinBox) else line.text()
        return not number or line.selectedText() in (number, line.text())

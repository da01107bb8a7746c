"""Keys without Ctrl, that do what they do in the view of the sound wherever nobody types."""

from __future__ import annotations

from PyQt6.QtCore import QKeyCombination, Qt
from PyQt6.QtGui import QAction, QKeyEvent, QKeySequence
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QKeySequenceEdit,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

_TYPED_INTO = (
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QKeySequenceEdit,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
)
_PLAIN = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.KeypadModifier,
)


def plain_action(event: QKeyEvent, focus: QWidget | None, view: QWidget) -> QAction | None:
    """Return what a key that the focus left alone does in a view, None where the focus takes typed letters.

    Keys that write nothing, as arrows and Escape, belong to where the focus is.
    """
    is_plain = event.modifiers() in _PLAIN and event.text().isprintable() and event.text().strip()
    if not is_plain or isinstance(focus, _TYPED_INTO) or not view.isVisible():
        return None
    wanted = _sequences(event)
    for action in view.actions():
        if action.isEnabled() and action.isVisible() and wanted & {k.toString() for k in action.shortcuts()}:
            return action
    return None


def _sequences(event: QKeyEvent) -> set[str]:
    """Return how the keys of an event may be written: plus is Shift and plus on some keyboards."""
    key, modifiers = Qt.Key(event.key()), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    ways = {QKeySequence(QKeyCombination(modifiers, key)).toString()}
    return ways if event.text().isalpha() else ways | {QKeySequence(key).toString()}

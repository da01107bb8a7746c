"""Actions of the window: shown with their keys in menus and tool tips, and done by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QWidget

from ui.look.theme import icon, look
from ui.model.keys import ActionInfo

if TYPE_CHECKING:
    from ui.model.keys import KeyMap


class Actions(QObject):
    """Makes actions and keeps keys, icons and tool tips of them up to date."""

    def __init__(self, keys: KeyMap, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._keys = keys
        self._made: dict[str, QAction] = {}
        self._icons: dict[str, str] = {}
        keys.changed.connect(self._bind)
        look().changed.connect(self._paint)

    def add(
        self, info: ActionInfo, done: Callable[[], object], owner: QWidget, *, icon_name: str = ""
    ) -> QAction:
        """Return a new action of a widget; with a context it counts while the widget has the focus."""
        self._keys.add(info)
        action = QAction(info.text, owner)
        action.setObjectName(info.name)
        is_everywhere = not info.context
        contexts = Qt.ShortcutContext
        action.setShortcutContext(
            contexts.WindowShortcut if is_everywhere else contexts.WidgetWithChildrenShortcut
        )
        # Not done itself: it would get whether the action is checked.
        action.triggered.connect(lambda _: done())
        owner.addAction(action)
        self._made[info.name] = action
        if icon_name:
            self._icons[info.name] = icon_name
            action.setIcon(icon(icon_name))
        self._bind(info.name)
        return action

    def __getitem__(self, name: str) -> QAction:
        return self._made[name]

    def _bind(self, name: str) -> None:
        action = self._made[name]
        action.setShortcuts([QKeySequence(keys) for keys in self._keys.keys(name)])
        told = ", ".join(sequence.toString(_NATIVE) for sequence in action.shortcuts())
        action.setToolTip(f"{action.text()} ({told})" if told else action.text())

    def _paint(self) -> None:
        for name, icon_name in self._icons.items():
            self._made[name].setIcon(icon(icon_name))


_NATIVE = QKeySequence.SequenceFormat.NativeText

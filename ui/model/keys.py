"""Which keys do what: each action has keys of its own, which the user may change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QKeySequence

if TYPE_CHECKING:
    from ui.model.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionInfo:
    """One thing that can be done: name is stable, text and group are read by users.

    keys are portable key sequences as "Ctrl+Z". Actions of different contexts may share keys: one counts only
    while the part of the window that it belongs to has the focus, "" is the whole window.
    """

    name: str
    text: str
    group: str
    keys: tuple[str, ...] = ()
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Keys that would do two things at once."""

    keys: str
    first: ActionInfo
    second: ActionInfo


@dataclass(slots=True)
class _Known:
    info: ActionInfo
    own: tuple[str, ...] | None = field(default=None)


class KeyMap(QObject):
    """All actions with their keys; what the user changed is kept in the store."""

    changed = pyqtSignal(str)

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._known: dict[str, _Known] = {}

    def add(self, info: ActionInfo) -> None:
        assert info.name not in self._known, f"two actions are named {info.name}"
        self._known[info.name] = _Known(info, _kept(self._store.get("keys", {}), info.name))

    @property
    def actions(self) -> list[ActionInfo]:
        return [known.info for known in self._known.values()]

    def keys(self, name: str) -> tuple[str, ...]:
        known = self._known[name]
        return known.info.keys if known.own is None else known.own

    def rebind(self, name: str, keys: tuple[str, ...] | None) -> None:
        """Give an action other keys, none at all, or with None its first ones again."""
        self._known[name].own = keys
        own = {name: list(known.own) for name, known in self._known.items() if known.own is not None}
        self._store.put("keys", own)
        self.changed.emit(name)

    def clash(self, name: str, keys: str) -> Clash | None:
        """Return which other action would be done too, if this one had these keys."""
        mine = self._known[name].info
        for other in self.actions:
            is_near = not mine.context or not other.context or mine.context == other.context
            theirs = map(_canonical, self.keys(other.name))
            if other.name != name and is_near and _canonical(keys) in theirs:
                return Clash(keys=keys, first=mine, second=other)
        return None


def _canonical(keys: str) -> str:
    """Return keys as Qt writes them: Escape is Esc, and Delete is Del."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.PortableText)


def _kept(own: Mapping[str, object], name: str) -> tuple[str, ...] | None:
    found = own.get(name)
    return tuple(map(str, found)) if isinstance(found, list) else None

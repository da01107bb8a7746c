"""What was done, in order: taken back and done again, without limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step(Generic[S]):
    name: str
    before: S
    after: S
    joins: str


class Undo(Generic[S]):
    """Holds a state that is never changed but replaced, and each state before it."""

    def __init__(self, state: S) -> None:
        self._state = state
        self._done: list[_Step[S]] = []
        self._undone: list[_Step[S]] = []

    @property
    def state(self) -> S:
        return self._state

    @property
    def undo_name(self) -> str:
        """Return what would be taken back, empty if nothing would."""
        return self._done[-1].name if self._done else ""

    @property
    def redo_name(self) -> str:
        """Return what would be done again, empty if nothing would."""
        return self._undone[-1].name if self._undone else ""

    def do(self, name: str, state: S, joins: str = "") -> bool:
        """Go to a state, and tell whether it is another; steps in a row that join the same are one."""
        if state == self._state:
            return False
        before = self._state
        if joins and self._done and self._done[-1].joins == joins and not self._undone:
            before = self._done.pop().before
        if state != before:
            self._done.append(_Step(name=name, before=before, after=state, joins=joins))
        self._undone.clear()
        self._state = state
        return True

    def part(self) -> None:
        """Let the next step be one of its own, whatever it joins."""
        if self._done:
            last = self._done[-1]
            self._done[-1] = _Step(name=last.name, before=last.before, after=last.after, joins="")

    def undo(self) -> bool:
        """Take the last step back, and tell whether there was one."""
        if not self._done:
            return False
        self._undone.append(self._done.pop())
        self._state = self._undone[-1].before
        return True

    def redo(self) -> bool:
        """Do again what was taken back last, and tell whether there was anything."""
        if not self._undone:
            return False
        self._done.append(self._undone.pop())
        self._state = self._done[-1].after
        return True

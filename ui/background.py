"""Work done in threads, its result brought to the window's thread, in which all that asks for it lives."""

from __future__ import annotations

import heapq
import itertools
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from PyQt6.QtCore import QObject

from ui.mail import Bring, bring_to

T = TypeVar("T")
_TICKETS = itertools.count()
REST_S = 2.0


class Errand:
    """A piece of work that may be called off; work that runs already looks at is_off itself, if it likes."""

    def __init__(self) -> None:
        self._off = threading.Event()

    @property
    def is_off(self) -> bool:
        return self._off.is_set()

    def call_off(self) -> None:
        self._off.set()


class Background(QObject):
    """Does work in few threads; results and errors come in the window's thread, which must make it.

    With one thread, what was asked for first is done first. One that goes needs not be closed: what it has
    begun ends by itself, and nobody is told.
    """

    def __init__(self, threads: int = 1, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._crew = _Crew(threads)
        self._asked: dict[int, _Asked] = {}
        self._is_closed = False
        self._bring = bring_to(self)
        weakref.finalize(self, self._crew.end)

    def run(
        self,
        work: Callable[[], T],
        on_done: Callable[[T], None],
        on_error: Callable[[Exception], None],
        *,
        priority: int = 0,
    ) -> Errand:
        """Do work later; of work that is called off neither is called. Higher priority goes first."""
        asked, ticket = _Asked(on_done, on_error), next(_TICKETS)
        self._asked[ticket] = asked
        self._crew.give(priority, ticket, partial(_do, ticket, asked.errand, [work], self._bring))
        return asked.errand

    def wait(self) -> None:
        """Wait until all is done that was asked for."""
        self._crew.wait()

    def close(self) -> None:
        """Begin nothing new, wait for what runs, and tell nobody any more: who asked may be gone."""
        self._is_closed = True
        self._crew.end()
        self._crew.wait()
        self._asked.clear()

    def take(self, outcome: _Outcome) -> None:
        """Tell who asked what has come of it."""
        asked = self._asked.pop(outcome.ticket, None)
        if asked is None or self._is_closed or asked.errand.is_off:
            return
        if outcome.error is not None:
            asked.on_error(outcome.error)
        else:
            asked.on_done(outcome.result)


@dataclass(frozen=True, slots=True)
class _Asked:
    on_done: Callable[[Any], None]
    on_error: Callable[[Exception], None]
    errand: Errand = field(default_factory=Errand)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    ticket: int
    result: Any = None
    error: Exception | None = None


class _Crew:
    """Threads that rest a while when there is nothing to do; by priority, then in the order of asking.

    To start one takes the window's thread milliseconds, so one that has just been of use is kept.
    """

    def __init__(self, most: int) -> None:
        self._most, self._threads, self._resting = most, 0, 0
        self._is_over = False
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._changed = threading.Condition()

    def give(self, priority: int, ticket: int, task: Callable[[], None]) -> None:
        with self._changed:
            if self._is_over:
                return
            heapq.heappush(self._waiting, (-priority, ticket, task))
            if len(self._waiting) > self._resting and self._threads < self._most:
                self._threads += 1
                self._resting += 1
                threading.Thread(target=self._work, name="background", daemon=True).start()
            self._changed.notify_all()

    def end(self) -> None:
        """Forget what has not begun, and take nothing more."""
        with self._changed:
            self._is_over = True
            self._waiting.clear()
            self._changed.notify_all()

    def wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and self._resting == self._threads)

    def _work(self) -> None:
        while self._work_once():
            with self._changed:
                self._resting += 1
                self._changed.notify_all()

    def _work_once(self) -> bool:
        task = self._next()
        if task is not None:
            task()
        return task is not None

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_over, REST_S)
            self._resting -= 1
            if self._waiting:
                return heapq.heappop(self._waiting)[2]
            self._threads -= 1
            self._changed.notify_all()
            return None


def _do(ticket: int, errand: Errand, work: list[Callable[[], Any]], bring: Bring) -> None:
    """Do the one piece of work in a list, and let go of it before its outcome is known to anybody."""
    outcome = _Outcome(ticket=ticket)
    try:
        if not errand.is_off:
            outcome = replace(outcome, result=work[0]())
    except Exception as error:  # noqa: BLE001 - whoever asked decides what it means
        outcome = replace(outcome, error=error)
    work.clear()
    bring(outcome)

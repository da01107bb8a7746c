"""Work done in threads, its result brought back to the thread that asked for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from PyQt6.QtCore import QObject, QRunnable, QThreadPool, pyqtSignal

T = TypeVar("T")


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
    """Does work in few threads; results and errors come in the thread that made it.

    With one thread, what was asked for first is done first.
    """

    _posted = pyqtSignal(object)

    def __init__(self, threads: int = 1, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(threads)
        self._is_closed = False
        self._posted.connect(self._do_posted)

    def run(
        self,
        work: Callable[[], T],
        on_done: Callable[[T], None],
        on_error: Callable[[Exception], None],
        *,
        priority: int = 0,
    ) -> Errand:
        """Do work later; of work that is called off neither is called. Higher priority goes first."""
        errand = Errand()
        job = _Work(partial(self._do, errand, work, on_done, on_error))
        self._pool.start(job, priority)
        return errand

    def wait(self) -> None:
        """Wait until all is done that was asked for."""
        self._pool.waitForDone()

    def close(self) -> None:
        """Begin nothing new, wait for what runs, and tell nobody any more: who asked may be gone."""
        self._is_closed = True
        self._pool.clear()
        self._pool.waitForDone()

    def _do_posted(self, work: Callable[[], None]) -> None:
        if not self._is_closed:
            work()

    def _do(
        self,
        errand: Errand,
        work: Callable[[], Any],
        on_done: Callable[[Any], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        if errand.is_off:
            return
        try:
            tell = partial(on_done, work())
        except Exception as error:  # noqa: BLE001 - whoever asked decides what it means
            tell = partial(on_error, error)
        # The panel may have gone meanwhile.
        with suppress(RuntimeError):
            self._posted.emit(partial(_unless_off, errand, tell))


class _Work(QRunnable):
    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self._work = work

    def run(self) -> None:
        self._work()


def _unless_off(errand: Errand, tell: Callable[[], None]) -> None:
    if not errand.is_off:
        tell()

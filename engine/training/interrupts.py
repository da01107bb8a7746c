"""Ctrl-C and SIGTERM taken as a wish to stop after the step that runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_WISHES = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def noted_interrupts() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether a stop was wished for; a second wish ends the program at once.

    Signals that are ignored stay so, and outside of the main thread none is noted.
    """
    wished = threading.Event()
    is_main = threading.current_thread() is threading.main_thread()
    before = {one: signal.getsignal(one) for one in _WISHES if is_main}
    taken = {one: handler for one, handler in before.items() if handler not in (signal.SIG_IGN, None)}

    def give_back() -> None:
        for one, handler in taken.items():
            signal.signal(one, handler)

    def note(_number: int, _frame: FrameType | None) -> None:
        wished.set()
        give_back()

    for one in taken:
        signal.signal(one, note)
    try:
        yield wished.is_set
    finally:
        give_back()

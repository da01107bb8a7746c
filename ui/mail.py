"""What threads bring to the window's thread, without holding anything of Qt's.

What a thread lets go of last, Python destroys there and then; done to what is Qt's, in a thread that is not
its own, that crashes the program.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Protocol

from PyQt6.QtCore import QObject, pyqtSignal

Bring = Callable[[Any], None]
_NUMBERS = itertools.count()


class Taker(Protocol):
    """Who gets what is brought, one after the other, in the window's thread."""

    def take(self, brought: Any) -> None: ...


def bring_to(taker: Taker) -> Bring:
    """Return what any thread calls with a thing to take; for one that is gone by then it does nothing.

    To be called in the window's thread.
    """
    number = next(_NUMBERS)
    _mail().takers[number] = taker
    return partial(_mail().brought.emit, number)


class _Mail(QObject):
    """Stays to the end of the program, so that no thread can outlive it."""

    brought = pyqtSignal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self.takers: weakref.WeakValueDictionary[int, Taker] = weakref.WeakValueDictionary()
        self.brought.connect(self._bring)

    def _bring(self, number: int, brought: object) -> None:
        taker = self.takers.get(number)
        if taker is not None:
            taker.take(brought)


@cache
def _mail() -> _Mail:
    return _Mail()

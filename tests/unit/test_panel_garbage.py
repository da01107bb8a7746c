"""What Qt made goes in the thread of the window, whatever other threads do."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from PyQt6.QtCore import QObject
from pytestqt.qtbot import QtBot

from ui.garbage import Garbage


@pytest.fixture
def garbage(qtbot: QtBot) -> Iterator[Garbage]:
    made = Garbage()
    yield made
    made.close()


class Ring(QObject):
    """Holds itself, so that only a collection ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.me = self


def make_much(count: int) -> None:
    kept: list[list[object]] = []
    for _ in range(count):
        ring: list[object] = []
        ring.append(ring)
        kept.append([ring])


def test_rings_end_in_the_thread_of_the_window_alone(qtbot: QtBot, garbage: Garbage) -> None:
    ended_in: list[int] = []
    for _ in range(50):
        weakref.finalize(Ring(), lambda: ended_in.append(threading.get_ident()))
    busy = threading.Thread(target=make_much, args=(50_000,))
    busy.start()
    busy.join()
    assert not ended_in, "another thread has collected what is Qt's"
    qtbot.waitUntil(lambda: len(ended_in) == 50, timeout=30_000)
    assert set(ended_in) == {threading.get_ident()}


def test_python_collects_by_itself_again_afterwards(qtbot: QtBot) -> None:
    made = Garbage()
    assert not gc.isenabled()
    made.close()
    assert gc.isenabled()

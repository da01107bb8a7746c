"""Work in threads: its order, its results in the thread of the window, and its end."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest
from PyQt6.QtCore import QObject
from pytestqt.qtbot import QtBot

from ui.background import Background

WAIT_MS = 30_000


def refuse(error: Exception) -> None:
    raise AssertionError(error)


def test_results_and_errors_come_in_the_thread_of_the_window(qtbot: QtBot) -> None:
    background, told, worked_in = Background(), list[tuple[object, int]](), list[int]()

    def work() -> int:
        worked_in.append(threading.get_ident())
        return 7

    def fail() -> int:
        raise OSError("full")

    background.run(work, lambda result: told.append((result, threading.get_ident())), refuse)
    background.run(fail, refuse, lambda error: told.append((str(error), threading.get_ident())))
    qtbot.waitUntil(lambda: len(told) == 2, timeout=WAIT_MS)
    assert told == [(7, threading.get_ident()), ("full", threading.get_ident())]
    assert worked_in != [threading.get_ident()]


def test_what_matters_most_is_done_first_and_else_what_was_asked_for_first(qtbot: QtBot) -> None:
    background, may_begin, done = Background(), threading.Event(), list[str]()
    background.run(may_begin.wait, lambda _: None, refuse)
    for name, priority in (("last", -1), ("a", 0), ("b", 0), ("first", 70_000)):
        background.run(lambda name=name: name, done.append, refuse, priority=priority)  # type: ignore[misc]
    may_begin.set()
    qtbot.waitUntil(lambda: len(done) == 4, timeout=WAIT_MS)
    assert done == ["first", "a", "b", "last"]


def test_no_more_threads_work_than_there_may_be(qtbot: QtBot) -> None:
    background, at_once, most, lock = Background(2), 0, list[int](), threading.Lock()

    def work() -> None:
        nonlocal at_once
        with lock:
            at_once += 1
            most.append(at_once)
        time.sleep(0.01)
        with lock:
            at_once -= 1

    for _ in range(12):
        background.run(work, lambda _: None, refuse)
    background.wait()
    assert len(most) == 12 and max(most) == 2


def test_nobody_is_told_of_what_was_called_off(qtbot: QtBot) -> None:
    background, may_begin, told = Background(), threading.Event(), list[str]()
    background.run(may_begin.wait, lambda _: told.append("begun"), refuse)
    off = background.run(lambda: told.append("worked"), lambda _: told.append("off"), refuse)
    background.run(lambda: None, lambda _: told.append("after"), refuse)
    off.call_off()
    may_begin.set()
    qtbot.waitUntil(lambda: "after" in told, timeout=WAIT_MS)
    assert told == ["begun", "after"]


def test_one_that_is_closed_ends_what_runs_and_begins_and_tells_nothing(qtbot: QtBot) -> None:
    background, begun, told = Background(), threading.Event(), list[str]()

    def work() -> None:
        begun.set()
        time.sleep(0.1)
        told.append("ended")

    background.run(work, lambda _: told.append("told"), refuse)
    background.run(lambda: told.append("next"), lambda _: None, refuse)
    assert begun.wait(WAIT_MS / 1000)
    background.close()
    qtbot.wait(50)
    assert told == ["ended"]


@pytest.mark.parametrize("ends_with_parent", [False, True])
def test_one_that_goes_while_it_works_does_not_wait_for_its_threads(
    qtbot: QtBot, ends_with_parent: bool
) -> None:
    parent = QObject()
    background = Background(parent=parent if ends_with_parent else None)
    may_end, told = threading.Event(), list[str]()
    background.run(may_end.wait, lambda _: told.append("told"), refuse)
    background.run(lambda: told.append("next"), lambda _: None, refuse)
    gone = weakref.ref(background)
    del parent, background
    gc.collect()
    assert gone() is None
    may_end.set()
    qtbot.wait(100)
    assert not told


def test_a_thread_that_was_of_use_is_used_again(qtbot: QtBot) -> None:
    background, worked_in = Background(), list[threading.Thread]()
    for _ in range(5):
        background.run(threading.current_thread, worked_in.append, refuse)
        background.wait()
    qtbot.waitUntil(lambda: len(worked_in) == 5, timeout=WAIT_MS)
    assert len(set(worked_in)) == 1


def test_one_that_is_closed_leaves_no_thread(qtbot: QtBot) -> None:
    before = set(threading.enumerate())
    background, ran_in = Background(2), list[threading.Thread]()
    background.run(lambda: ran_in.append(threading.current_thread()), lambda _: None, refuse)
    background.wait()
    background.close()
    ran_in[0].join(WAIT_MS / 1000)
    assert set(threading.enumerate()) <= before

"""Tiles: wished for, worked out in a thread, kept within a bound."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from engine.errors import AudioIOError
from engine.types import ErrorCode, ErrorInfo
from ui.background import Background
from ui.model.tiles import Tile, TileCache, TileLoader, Work


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 60))), st.integers(10, 200))
def test_the_cache_never_exceeds_its_bound_but_for_one_tile(
    puts: list[tuple[int, int]], max_bytes: int
) -> None:
    cache = TileCache(max_bytes)
    held: dict[int, int] = {}
    for key, size in puts:
        cache.put(key, np.zeros(size, np.uint8))
        held[key] = size
        held = {key: size for key, size in held.items() if key in cache}
        assert cache.nbytes == sum(held.values())
        assert cache.nbytes <= max_bytes or len(cache) == 1
        assert key in cache


def test_what_was_used_last_is_kept() -> None:
    cache = TileCache(30)
    for key in "abc":
        cache.put(key, np.zeros(10, np.uint8))
    assert cache.get("a") is not None
    cache.put("d", np.zeros(10, np.uint8))
    assert [key for key in "abcd" if key in cache] == ["a", "c", "d"]


class Gate:
    """Work that waits until it may go on, so that wishes pile up behind it."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.began = threading.Event()
        self.done: list[str] = []

    def wait(self, is_off: Callable[[], bool]) -> Tile:
        self.began.set()
        assert self.open.wait(10)
        self.done.append("off" if is_off() else "gate")
        return np.zeros(1)

    def work(self, name: str, _: Callable[[], bool]) -> Tile:
        self.done.append(name)
        return np.full(4, ord(name[0]))

    def works(self, names: str) -> dict[object, Work]:
        return {name: partial(self.work, name) for name in names}


@pytest.fixture
def loader(qapp: object) -> Iterator[TileLoader]:
    background = Background(1)
    yield TileLoader(background, 1000)
    background.close()


def held_up(loader: TileLoader) -> Gate:
    gate = Gate()
    loader.wish("gate", {"gate": gate.wait})
    assert gate.began.wait(10)
    return gate


def test_the_newest_wishes_are_fulfilled_first_and_those_given_up_not_at_all(
    loader: TileLoader, qtbot: QtBot
) -> None:
    gate = held_up(loader)
    loader.wish("view", gate.works("abc"))
    loader.wish("view", gate.works("cde"))
    loader.wish("other", gate.works("x"))
    gate.open.set()
    qtbot.waitUntil(lambda: loader.pending == 0)
    assert gate.done == ["gate", "x", "d", "e", "c"]
    assert [key for key in "abcdex" if key in loader.cache] == ["c", "d", "e", "x"]


def test_what_is_there_or_on_its_way_is_not_worked_out_twice(loader: TileLoader, qtbot: QtBot) -> None:
    gate = held_up(loader)
    loader.wish("view", gate.works("a"))
    loader.wish("view", gate.works("a"))
    gate.open.set()
    qtbot.waitUntil(lambda: loader.pending == 0)
    loader.wish("view", gate.works("a"))
    assert loader.pending == 0 and gate.done == ["gate", "a"]


def test_work_is_told_that_it_is_called_off_and_its_half_tile_is_not_kept(
    loader: TileLoader, qtbot: QtBot
) -> None:
    gate = held_up(loader)
    loader.wish("gate", {})
    gate.open.set()
    loader.wish("view", gate.works("a"))
    qtbot.waitUntil(lambda: loader.pending == 0)
    assert gate.done == ["off", "a"] and "gate" not in loader.cache


def test_a_tile_that_fails_says_so_once_and_is_tried_again_only_when_all_is_forgotten(
    loader: TileLoader, qtbot: QtBot
) -> None:
    told: list[ErrorInfo] = []
    loader.failed.connect(told.append)

    def fail(_: Callable[[], bool]) -> Tile:
        raise AudioIOError("the disk is gone", "Plug it in.")

    for _ in range(3):
        loader.wish("view", {"a": fail})
        qtbot.waitUntil(lambda: loader.pending == 0)
    assert told == [ErrorInfo(code=ErrorCode.IO_FORMAT, message="the disk is gone", hint="Plug it in.")]
    loader.forget()
    loader.wish("view", Gate().works("a"))
    qtbot.waitUntil(lambda: "a" in loader.cache)


def test_what_is_still_to_be_seen_is_neither_lost_nor_given_up_when_something_else_is_gone(
    loader: TileLoader, qtbot: QtBot
) -> None:
    loader.wish("view", Gate().works("a"))
    qtbot.waitUntil(lambda: "a" in loader.cache)
    gate = held_up(loader)
    loader.wish("view", gate.works("abc"))
    loader.forget(lambda key: key == "c")
    gate.open.set()
    qtbot.waitUntil(lambda: loader.pending == 0)
    assert [key for key in "abc" if key in loader.cache] == ["a", "b"]

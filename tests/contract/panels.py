"""Parts of the panel on a service, as tests of the panel use them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject
from pytestqt.qtbot import QtBot

from tests.contract.services import HOST, Served
from ui.connection.link import Link
from ui.connection.status import Remote
from ui.model.keys import KeyMap
from ui.model.store import Store
from ui.widgets.actions import Actions

WAIT_MS = 20_000


@contextmanager
def linked(service: Served, bot: QtBot) -> Iterator[Link]:
    """Connect a link to a service of this process."""
    link = Link(service.folders, Remote(host=HOST, port=service.info.tcp_port, token_file=None))
    link.start()
    try:
        bot.waitUntil(lambda: link.status.is_ready, timeout=WAIT_MS)
        yield link
    finally:
        link.close()


def answer_of(qtbot: QtBot, link: Link, request: Any) -> Any:
    """Return the answer, or the error that came in its place."""
    found: list[Any] = []
    link.ask(request, found.append, found.append)
    assert not found, "an answer must never come before ask returns"
    qtbot.waitUntil(lambda: bool(found), timeout=WAIT_MS)
    return found[0]


@dataclass(frozen=True, slots=True)
class Desk:
    """What widgets need beside their models; keep it as long as they live."""

    store: Store
    keys: KeyMap
    actions: Actions
    owner: QObject


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    owner = QObject()
    store = Store(folder / "panel.json", owner)
    keys = KeyMap(store, owner)
    try:
        yield Desk(store, keys, Actions(keys, owner), owner)
    finally:
        store.close()

"""What most tests of a client against a service begin with; a module that needs another kind makes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.contract.panels import Desk, desk, linked
from tests.contract.services import Client, Served, served, tcp_of
from ui.connection.link import Link


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "home") as running:
        yield running


@pytest.fixture
def client(service: Served) -> Iterator[Client]:
    with tcp_of(service) as made:
        yield made


@pytest.fixture
def link(service: Served, qtbot: QtBot) -> Iterator[Link]:
    with linked(service, qtbot) as made:
        yield made


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as made:
        yield made

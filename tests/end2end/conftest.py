"""Homes of users in which services run, and end with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end2end.homes import Home, wait_until


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Return a home for this test alone, which is this process's too."""
    made = Home(tmp_path / "home")
    for name in ("DAW_BRIDGE_HOME", "DAW_BRIDGE_MODELS", "PYTHONPATH"):
        monkeypatch.setenv(name, made.environment[name])
    yield made
    made.end()


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Return a home whose service goes on from test to test, for those that leave it as it is."""
    made = Home(tmp_path_factory.mktemp("lived_in"))
    yield made
    made.end()


@pytest.fixture(scope="session")
def rendering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Return a home with a service on free ports, for tests that leave it as it is; its path has a space."""
    made = Home(tmp_path_factory.mktemp("DAW Bridge"))
    try:
        with made.started("serve", *(f"--{kind}-port=0" for kind in ("udp", "tcp", "http")), cwd=made.folder):
            wait_until(lambda: made.service() is not None, "a service that is ready")
            yield made
    finally:
        made.end()

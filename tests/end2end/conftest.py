"""Homes of users in which services run, and end with the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end2end.homes import Home


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

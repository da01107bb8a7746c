"""A desktop that lacks what Qt needs is told which packages to install, the same that the tests install."""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path

import pytest

from ui import libraries
from ui.libraries import missing_libraries

X = {"DISPLAY": ":7"}
ROOT = Path(__file__).parents[2]


def test_where_all_is_there_nothing_is_said() -> None:
    assert missing_libraries(X) is None


def test_what_is_missing_is_named_with_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> object:
        if "cursor" in name or "EGL" in name:
            raise OSError(name)
        return object()

    monkeypatch.setattr(ctypes, "CDLL", load)
    told = missing_libraries(X)
    assert told is not None
    assert "libEGL.so.1" in told.message and "libxcb-cursor.so.0" in told.message
    assert told.hint.endswith("--no-install-recommends libegl1 libxcb-cursor0")
    headless = missing_libraries({"QT_QPA_PLATFORM": "offscreen"})
    assert headless is not None and headless.hint.endswith(" libegl1"), "X is not needed without X"


def test_other_systems_bring_all_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(libraries, "_is_there", lambda name: False)
    assert missing_libraries(X) is None


def test_the_tests_install_what_users_are_told_to() -> None:
    made = (ROOT / "Makefile").read_text()
    block = re.search(r"PANEL_PACKAGES := ((?:.*\\\n)*.*)", made)
    assert block is not None
    installed = set(block.group(1).replace("\\", " ").split())
    named = {*libraries._ALWAYS.values(), *libraries._UNDER_X.values()}
    assert named <= installed, f"the Makefile lacks {named - installed}"

"""Keys of actions: shown, changed, kept, and never two actions on one key."""

from __future__ import annotations

from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QKeySequenceEdit, QLabel, QLineEdit, QMainWindow, QPushButton, QTreeWidget
from pytestqt.qtbot import QtBot

from ui.model.keys import ActionInfo, KeyMap
from ui.model.store import Store
from ui.widgets.actions import Actions
from ui.widgets.keys_dialog import KeysDialog

RENDER = ActionInfo(name="render", text="Render", group="Do", keys=("Ctrl+Return",))
PLAY = ActionInfo(name="play", text="Play", group="Hear", keys=("Space",))
DRAW = ActionInfo(name="draw", text="Draw a rectangle", group="Mask", keys=("R",), context="view")
RENAME = ActionInfo(name="rename", text="Rename", group="History", keys=("R",), context="history")


@pytest.fixture
def window(qtbot: QtBot) -> QMainWindow:
    made = QMainWindow()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def keys(qtbot: QtBot, tmp_path: Path) -> KeyMap:
    return KeyMap(Store(tmp_path / "panel.json"))


def test_keys_do_what_they_say_also_after_they_were_changed(
    qtbot: QtBot, window: QMainWindow, keys: KeyMap
) -> None:
    done: list[str] = []
    action = Actions(keys, window).add(RENDER, lambda: done.append("render"), window)
    assert "Ctrl+Return" in action.toolTip()
    with qtbot.waitActive(window):
        window.show()
    qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert done == ["render"]
    keys.rebind("render", ("F5",))
    qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(window, Qt.Key.Key_F5)
    assert done == ["render", "render"]
    assert action.toolTip() == "Render (F5)"


def test_changed_keys_are_kept_and_given_back(qtbot: QtBot, tmp_path: Path) -> None:
    store = Store(tmp_path / "panel.json")
    keys = KeyMap(store)
    keys.add(RENDER)
    keys.add(PLAY)
    keys.rebind("render", ())
    store.close()
    again = KeyMap(Store(tmp_path / "panel.json"))
    again.add(RENDER)
    again.add(PLAY)
    assert (again.keys("render"), again.keys("play")) == ((), ("Space",))
    again.rebind("render", None)
    assert again.keys("render") == ("Ctrl+Return",)


def test_actions_of_two_places_may_share_a_key_but_not_with_the_whole_window(keys: KeyMap) -> None:
    for info in (RENDER, PLAY, DRAW, RENAME):
        keys.add(info)
    assert keys.clash("draw", "R") is None
    found = keys.clash("draw", "Space")
    assert found is not None and found.second == PLAY
    found = keys.clash("render", "R")
    assert found is not None and found.second == DRAW


def test_the_dialog_changes_keys_and_refuses_those_that_are_taken(qtbot: QtBot, keys: KeyMap) -> None:
    for info in (RENDER, PLAY, DRAW):
        keys.add(info)
    dialog = KeysDialog(keys)
    qtbot.addWidget(dialog)
    with qtbot.waitActive(dialog):
        dialog.show()
    search = dialog.findChild(QLineEdit, "search actions")
    tree = dialog.findChild(QTreeWidget, "actions")
    edit = dialog.findChild(QKeySequenceEdit, "new keys")
    assert search is not None and tree is not None and edit is not None
    qtbot.keyClicks(search, "rectangle")
    shown = [item for item in tree.findItems("*", _ALL) if not item.isHidden() and item.parent() is not None]
    assert [item.text(0) for item in shown] == ["Draw a rectangle"]
    tree.setCurrentItem(shown[0])
    assert dialog.chosen == "draw"
    edit.setFocus()
    qtbot.keyClick(edit, Qt.Key.Key_Space)
    edit.editingFinished.emit()
    told = dialog.findChild(QLabel, "keys told")
    assert told is not None and "Play" in told.text()
    assert keys.keys("draw") == ("R",)
    edit.clear()
    qtbot.keyClick(edit, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    edit.editingFinished.emit()
    assert keys.keys("draw") == ("Ctrl+G",)
    first = dialog.findChild(QPushButton, "first keys")
    assert first is not None
    qtbot.mouseClick(first, Qt.MouseButton.LeftButton)
    assert keys.keys("draw") == ("R",)


_ALL = Qt.MatchFlag.MatchWildcard | Qt.MatchFlag.MatchRecursive

"""What is dropped on the panel: sounds, takes with their recipes, presets, chains, and anything else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PyQt6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from daw_bridge.client.jobs import Client
from daw_bridge.messages.chains import ChainDelete, ChainList
from daw_bridge.resources import shipped
from tests.end2end.homes import PATIENCE_S, Home
from ui.connection.link import Link
from ui.model.draft import DraftModel
from ui.model.incoming import Incoming, Recipe
from ui.model.store import Store
from ui.widgets.dropping import DropTarget

WAIT_MS = int(PATIENCE_S * 1000)


@pytest.fixture
def draft(tmp_path: Path) -> Iterator[DraftModel]:
    store = Store(tmp_path / "draft.json")
    yield DraftModel(store)
    store.close()


@pytest.fixture
def incoming(rendering: Home, draft: DraftModel, qtbot: QtBot, tmp_path: Path) -> Iterator[Incoming]:
    link, store = Link(rendering.folders), Store(tmp_path / "panel.json")
    link.start()
    qtbot.waitUntil(lambda: link.status.is_ready, timeout=WAIT_MS)
    made = Incoming(link, draft, store, link)
    yield made
    made.close()
    link.close()
    store.close()


@pytest.fixture
def area(incoming: Incoming, qtbot: QtBot) -> QWidget:
    """Return a widget that files can be dropped on."""
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.resize(200, 200)
    DropTarget(widget, incoming)
    widget.show()
    return widget


def tone_file(path: Path) -> Path:
    soundfile.write(path, 0.2 * np.sin(np.arange(4_800) * 0.05), 48_000)
    return path


def drop(area: QWidget, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    button, keys, copy = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction
    enter = QDragEnterEvent(QPoint(9, 9), copy, data, button, keys)
    QApplication.sendEvent(area, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(area, QDropEvent(QPointF(9, 9), copy, data, button, keys))


def test_a_sound_is_opened_and_further_ones_are_kept_as_recent(
    area: QWidget, incoming: Incoming, qtbot: QtBot, tmp_path: Path
) -> None:
    sounds = [tone_file(tmp_path / f"{name}.wav") for name in ("a", "b", "c")]
    recipes: list[Recipe] = []
    incoming.recipe_found.connect(recipes.append)
    with qtbot.waitSignal(incoming.opened, timeout=WAIT_MS) as opened:
        drop(area, *sounds)
    assert opened.args == [str(sounds[0])]
    assert incoming.recent == tuple(map(str, sounds))
    with qtbot.waitSignal(incoming.opened, timeout=WAIT_MS):
        drop(area, sounds[2])
    assert incoming.recent == tuple(map(str, (sounds[2], sounds[0], sounds[1])))
    assert recipes == []


def test_a_take_brings_its_recipe_along(
    area: QWidget, incoming: Incoming, draft: DraftModel, rendering: Home, qtbot: QtBot, tmp_path: Path
) -> None:
    options = ("--model", "debug", "--seconds", "0.5", "--steps", "3", "--seed", "41", "--out", str(tmp_path))
    made = rendering.run("generate", "--prompt", "warm rain", *options, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (take,) = tmp_path.glob("*.wav")
    elsewhere = Path(shutil.copy(take, tmp_path / "renamed.wav"))
    take.with_suffix(".json").unlink()
    with qtbot.assertNotEmitted(incoming.recipe_found, wait=500), qtbot.waitSignal(incoming.opened):
        drop(area, elsewhere)
    # Of what cannot be opened nothing is offered.
    with qtbot.waitSignal(incoming.recipe_found, timeout=WAIT_MS) as told:
        incoming.see(str(elsewhere))
    (recipe,) = told.args
    assert recipe.path == str(elsewhere)
    incoming.restore(recipe)
    now = draft.draft
    assert (now["prompt"], now["seed"], now["steps"], now["model"]) == ("warm rain", 41, 3, "debug")


def test_a_chain_is_imported_beside_one_of_its_name(
    area: QWidget, incoming: Incoming, rendering: Home, qtbot: QtBot
) -> None:
    glue = shipped(Path("fx")) / "glue.toml"
    with qtbot.waitSignal(incoming.imported, timeout=WAIT_MS) as told:
        drop(area, glue)
    assert told.args == ["The chain glue 2 was imported."]
    with Client(rendering.folders) as client:
        assert {"glue", "glue 2"} <= client.ask(ChainList(rid="-")).chains["chains"].keys()
        client.ask(ChainDelete(rid="-", name="glue 2"))


def test_presets_are_told_apart(
    area: QWidget, incoming: Incoming, rendering: Home, qtbot: QtBot, tmp_path: Path
) -> None:
    live = shipped(Path("live")) / "foley.json"
    with qtbot.waitSignal(incoming.preset_found, timeout=WAIT_MS) as found:
        drop(area, live)
    assert found.args == [str(live)]
    mine = tmp_path / "mine.toml"
    mine.write_text("loudness_lufs = -14.0\n")
    with qtbot.waitSignal(incoming.imported, timeout=WAIT_MS) as told:
        drop(area, mine)
    assert told.args == ["The render preset mine was imported."]
    kept = rendering.folders.render_presets / "mine.toml"
    assert kept.read_text() == mine.read_text()
    kept.unlink()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("notes.txt", "hello", "notes.txt is nothing that can be used here"),
        ("odd.toml", "= 3", "odd.toml cannot be read"),
        ("odd.json", '{"a": 1}', "odd.json is neither a preset nor the recipe of a sound beside it"),
        ("wrong.toml", "loudness = 3", "loudness"),
    ],
)
def test_anything_else_is_one_clear_sentence(
    name: str, content: str, told: str, incoming: Incoming, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with qtbot.waitSignal(incoming.refused, timeout=WAIT_MS) as refused:
        incoming.receive([str(path)])
    assert told in refused.args[0].message


def test_folders_and_files_that_are_not_there_are_refused(
    incoming: Incoming, qtbot: QtBot, tmp_path: Path
) -> None:
    with qtbot.waitSignal(incoming.refused, timeout=WAIT_MS) as refused:
        incoming.receive([str(tmp_path)])
    assert refused.args[0].hint == "Drop the sounds in it."
    with qtbot.waitSignal(incoming.refused, timeout=WAIT_MS) as refused:
        incoming.receive([str(tmp_path / "gone.wav")])
    assert "is not there" in refused.args[0].message

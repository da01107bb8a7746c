"""The panel's history as a person uses it, on a whole service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QItemSelectionModel, QPoint, Qt
from PyQt6.QtWidgets import (
    QApplication,
    QComboBox,
    QInputDialog,
    QLineEdit,
    QMenu,
    QMessageBox,
    QPushButton,
    QTreeView,
)
from pytestqt.qtbot import QtBot

from daw_bridge.messages.jobs import Transfer
from daw_bridge.messages.takes import TakeList, TakeRate
from tests.contract.panels import WAIT_MS, desk
from tests.contract.services import Client, Served
from tests.contract.stub_worker import AUDIO
from ui.connection.link import Link
from ui.model.draft import DraftModel, SeedAfter
from ui.model.history import HistoryModel
from ui.model.history_tree import JOB_ROLE, TAKE_ROLE
from ui.model.store import Store
from ui.widgets.history_view import HistoryView

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def draft(tmp_path: Path) -> Iterator[DraftModel]:
    store = Store(tmp_path / "draft.json")
    yield DraftModel(store)
    store.close()


@pytest.fixture
def model(link: Link, draft: DraftModel) -> Iterator[HistoryModel]:
    made = HistoryModel(link, draft, link)
    yield made
    made.close()


@pytest.fixture
def view(model: HistoryModel, qtbot: QtBot, tmp_path: Path) -> Iterator[HistoryView]:
    with desk(tmp_path) as around:
        made = HistoryView(model, around.actions)
        qtbot.addWidget(made)
        made.resize(500, 400)
        made.show()
        yield made


def rendered(client: Client, prompt: str, takes: int = 1) -> str:
    job_id = client.generate(prompt, options={"takes": takes})
    client.end_of(job_id)
    return job_id


def edited(client: Client, path: str, prompt: str) -> str:
    job_id = str(client.done(Transfer(rid="-", path=path, prompt=prompt, strength=0.5)).job_id)
    client.end_of(job_id)
    return job_id


def path_of(client: Client, job_id: str, index: int = 0) -> str:
    takes = client.done(TakeList(rid="-", job_id=job_id)).takes["takes"]
    return str(takes[index]["path"])


def tree_of(view: HistoryView) -> QTreeView:
    found = view.findChild(QTreeView, "history list")
    assert isinstance(found, QTreeView)
    return found


def prompts(model: HistoryModel) -> list[str]:
    return [model.index(row).data(JOB_ROLE).prompt for row in range(model.rowCount())]


def choose(
    view: HistoryView, model: HistoryModel, job_id: str, take: int = 0, bot: QtBot | None = None
) -> None:
    """Make a job, or one of its takes, the current row."""
    index = model.job_index(job_id)
    if take:
        tree_of(view).expand(index)
        index = model.index(take - 1, 0, index)
    choice = tree_of(view).selectionModel()
    assert choice is not None
    choice.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
    tree_of(view).setFocus()
    if bot is not None:
        bot.waitUntil(lambda: view.take is not None, timeout=WAIT_MS)


def test_an_edit_of_a_take_stands_below_it(
    client: Client, model: HistoryModel, view: HistoryView, qtbot: QtBot
) -> None:
    first = rendered(client, "rain", takes=2)
    other = rendered(client, "a harp")
    qtbot.waitUntil(lambda: model.outline() == [[other, [1]], [first, [1], [2]]], timeout=WAIT_MS)
    child = edited(client, path_of(client, first, 1), "a bell")
    wanted = [[first, [1], [2, [child, [1]]]], [other, [1]]]
    qtbot.waitUntil(lambda: model.outline() == wanted, timeout=WAIT_MS)


def test_a_new_panel_shows_the_same_tree_and_pages_through_all(
    client: Client, link: Link, draft: DraftModel, qtbot: QtBot
) -> None:
    jobs = [client.generate(f"rain {number}") for number in range(120)]
    client.end_of(jobs[-1])
    model = HistoryModel(link, draft, link)
    view = QTreeView()
    qtbot.addWidget(view)
    view.setModel(model)
    view.show()
    qtbot.waitUntil(lambda: len(model) >= 50, timeout=WAIT_MS)
    assert len(model) < 120

    def scroll() -> bool:
        view.scrollToBottom()
        return len(model) == 120

    qtbot.waitUntil(scroll, timeout=WAIT_MS)
    assert prompts(model) == [f"rain {number}" for number in reversed(range(120))]
    model.close()


def test_words_task_and_stars_find_what_is_looked_for(
    client: Client, service: Served, model: HistoryModel, view: HistoryView, qtbot: QtBot
) -> None:
    loop = service.folders.state / "loop.wav"
    loop.write_bytes(AUDIO)
    starred = rendered(client, "warm rain")
    rendered(client, "cold rain")
    edited(client, str(loop), "a harp in the rain")
    client.done(TakeRate(rid="-", job_id=starred, index=0, rating=1))
    qtbot.waitUntil(lambda: len(model) == 3, timeout=WAIT_MS)
    qtbot.keyClick(view, Qt.Key.Key_F, CONTROL)
    words = view.findChild(QLineEdit, "history words")
    assert words is not None and words.hasFocus()
    qtbot.keyClicks(words, "harp")
    qtbot.waitUntil(lambda: prompts(model) == ["a harp in the rain"], timeout=WAIT_MS)
    words.clear()
    task = view.findChild(QComboBox, "history task")
    assert task is not None
    task.setCurrentIndex(task.findData("generate"))
    qtbot.waitUntil(lambda: prompts(model) == ["cold rain", "warm rain"], timeout=WAIT_MS)
    tree_of(view).setFocus()
    qtbot.keyClick(tree_of(view), Qt.Key.Key_B, CONTROL)
    qtbot.waitUntil(lambda: prompts(model) == ["warm rain"], timeout=WAIT_MS)


def test_one_key_recalls_a_take(
    client: Client, model: HistoryModel, view: HistoryView, draft: DraftModel, qtbot: QtBot
) -> None:
    job_id = client.generate("warm rain", options={"seed": 41, "takes": 2, "sampler": {"steps": 33}})
    client.end_of(job_id)
    qtbot.waitUntil(lambda: len(model) == 1, timeout=WAIT_MS)
    choose(view, model, job_id, 2, qtbot)
    draft.change(prompt="something else", steps=5)
    with qtbot.waitSignal(model.recalled, timeout=WAIT_MS):
        qtbot.keyClick(tree_of(view), Qt.Key.Key_R, CONTROL)
    now = draft.draft
    assert (now["prompt"], now["seed"], now["steps"], now["takes"]) == ("warm rain", 42, 33, 1)
    assert now.seed_after is SeedAfter.LOCK


def test_stars_are_kept_and_shown(
    client: Client, service: Served, model: HistoryModel, view: HistoryView, qtbot: QtBot
) -> None:
    job_id = rendered(client, "warm rain", takes=2)
    qtbot.waitUntil(lambda: len(model) == 1, timeout=WAIT_MS)
    choose(view, model, job_id, 2, qtbot)
    qtbot.keyClick(tree_of(view), Qt.Key.Key_D, CONTROL)
    qtbot.waitUntil(lambda: view.take is not None and view.take.is_favourite, timeout=WAIT_MS)
    assert model.job_index(job_id).data(JOB_ROLE).favourites == 1
    takes = service.call(lambda: service.service.book.history.takes(job_id))
    assert [take.is_favourite for take in takes] == [False, True]
    qtbot.keyClick(tree_of(view), Qt.Key.Key_D, CONTROL)
    qtbot.waitUntil(lambda: view.take is not None and not view.take.is_favourite, timeout=WAIT_MS)
    qtbot.keyClick(tree_of(view), Qt.Key.Key_X)
    qtbot.waitUntil(lambda: view.take is not None and view.take.rating == -1, timeout=WAIT_MS)


def test_a_deletion_says_first_what_goes(
    client: Client, service: Served, model: HistoryModel, view: HistoryView, qtbot: QtBot
) -> None:
    job_id = rendered(client, "warm rain", takes=2)
    paths = [Path(path_of(client, job_id, index)) for index in (0, 1)]
    total_mb = sum(path.stat().st_size + path.with_suffix(".json").stat().st_size for path in paths) / 1e6
    qtbot.waitUntil(lambda: len(model) == 1, timeout=WAIT_MS)
    choose(view, model, job_id)
    qtbot.keyClick(tree_of(view), Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: view.findChild(QMessageBox, "history delete") is not None, timeout=WAIT_MS)
    box = view.findChild(QMessageBox, "history delete")
    assert box is not None
    assert box.text() == 'Delete "warm rain" (New sound, 2 takes)?'
    assert box.informativeText() == f"To be removed from the disk: 2 takes in 4 files, {total_mb:.1f} MB."
    cancel = box.defaultButton()
    assert cancel is not None
    qtbot.mouseClick(cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: view.findChild(QMessageBox, "history delete") is None, timeout=WAIT_MS)
    assert all(path.exists() for path in paths)
    view.activateWindow()
    qtbot.waitUntil(view.isActiveWindow, timeout=WAIT_MS)
    qtbot.keyClick(tree_of(view), Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: view.findChild(QPushButton, "history delete yes") is not None, timeout=WAIT_MS)
    yes = view.findChild(QPushButton, "history delete yes")
    assert yes is not None
    qtbot.mouseClick(yes, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(model) == 0, timeout=WAIT_MS)
    assert not any(path.exists() for path in paths)


def test_tidying_keeps_favourites(
    client: Client, service: Served, model: HistoryModel, view: HistoryView, qtbot: QtBot
) -> None:
    jobs = [rendered(client, prompt) for prompt in ("kept", "gone", "latest")]
    client.done(TakeRate(rid="-", job_id=jobs[0], index=0, rating=1))
    paths = [Path(path_of(client, job_id)) for job_id in jobs]
    view._tidy()
    dialog = view.findChild(QInputDialog, "history tidy")
    assert dialog is not None
    dialog.setDoubleValue(0.0)
    with qtbot.waitSignal(model.told, timeout=WAIT_MS) as told:
        dialog.accept()
    assert told.args == ["1 takes removed, 0.0 MB."]
    assert [path.exists() for path in paths] == [True, False, True]


def test_a_take_whose_file_is_gone_is_not_heard_but_recalled(
    client: Client, model: HistoryModel, view: HistoryView, qtbot: QtBot, service: Served
) -> None:
    job_id = rendered(client, "warm rain")
    Path(path_of(client, job_id)).unlink()
    service.call(service.service.book.history.check_files)
    qtbot.waitUntil(lambda: len(model) == 1, timeout=WAIT_MS)
    choose(view, model, job_id, 1, qtbot)
    heard: list[object] = []
    view.hear_wanted.connect(heard.append)
    qtbot.keyClick(tree_of(view), Qt.Key.Key_Return)
    assert heard == []
    assert model.mimeData([tree_of(view).currentIndex()]).urls() == []
    with qtbot.waitSignal(model.recalled, timeout=WAIT_MS):
        qtbot.keyClick(tree_of(view), Qt.Key.Key_R, CONTROL)


# Without a window manager a menu can do neither.
@pytest.mark.qt_log_ignore("does not support (raise|grabbing)", extend=True)
def test_the_menu_has_what_keys_do_and_takes_drag_as_files(
    client: Client, model: HistoryModel, view: HistoryView, qtbot: QtBot
) -> None:
    job_id = rendered(client, "warm rain")
    qtbot.waitUntil(lambda: len(model) == 1, timeout=WAIT_MS)
    choose(view, model, job_id, 1, qtbot)
    dragged = model.mimeData([tree_of(view).currentIndex()])
    assert [url.toLocalFile() for url in dragged.urls()] == [path_of(client, job_id)]
    tree_of(view).customContextMenuRequested.emit(QPoint(5, 5))
    menu = view.findChild(QMenu, "history menu")
    assert menu is not None
    names = {action.objectName() for action in menu.actions()}
    assert {"history.recall", "history.vary", "history.folder", "history.reveal", "history.delete"} <= names
    menu.close()
    qtbot.keyClick(tree_of(view), Qt.Key.Key_C, CONTROL)
    clipboard = QApplication.clipboard()
    assert clipboard is not None and (copied := clipboard.mimeData()) is not None
    assert copied.urls() == dragged.urls()
    with qtbot.waitSignal(view.hear_wanted, timeout=WAIT_MS) as heard:
        qtbot.keyClick(tree_of(view), Qt.Key.Key_Return)
    assert heard.args == [tree_of(view).currentIndex().data(TAKE_ROLE)]

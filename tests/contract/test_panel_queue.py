"""The panel's queue as a person uses it, on a whole service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QMimeData, QModelIndex, QPoint, Qt
from PyQt6.QtTest import QAbstractItemModelTester
from PyQt6.QtWidgets import QLabel, QMenu, QTableView, QToolButton
from pytestqt.qtbot import QtBot

from daw_bridge.jobs.state import JobState
from daw_bridge.messages.jobs import Generate, JobMove
from engine.types import ErrorCode, ErrorInfo
from tests.contract.panels import WAIT_MS, desk
from tests.contract.services import Client, Served
from ui.connection.link import Link
from ui.model.job_board import JobRow
from ui.model.job_words import shown
from ui.model.jobs import MIME_JOBS, ROW_ROLE, JobsModel
from ui.widgets.queue_view import QueueView

OOM = ErrorInfo(code=ErrorCode.OOM, message="no memory is left", hint="Take less.")


@pytest.fixture
def model(link: Link) -> JobsModel:
    made = JobsModel(link, link)
    QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal, made)
    return made


@pytest.fixture
def view(model: JobsModel, qtbot: QtBot, tmp_path: Path) -> Iterator[QueueView]:
    with desk(tmp_path) as around:
        made = QueueView(model, around.actions)
        qtbot.addWidget(made)
        made.resize(500, 400)
        made.show()
        yield made


def prompts(model: JobsModel, *states: JobState) -> list[str]:
    return [row.prompt for row in model.rows() if not states or row.state in states]


def waiting(model: JobsModel) -> list[str]:
    return prompts(model, JobState.QUEUED)


def list_of(view: QueueView) -> QTableView:
    found = view.findChild(QTableView, "queue list")
    assert isinstance(found, QTableView)
    return found


def choose(view: QueueView, *words: str) -> None:
    """Select rows by their prompts, the first one as the current one."""
    rows, shown = list_of(view), list_of(view).selectionModel()
    assert shown is not None
    shown.clear()
    for row in range(shown.model().rowCount()):
        index = shown.model().index(row, 0)
        if index.data(ROW_ROLE).prompt in words:
            shown.select(index, shown.SelectionFlag.Select)
            rows.setFocus()


def held_jobs(service: Served, client: Client, *words: str) -> list[str]:
    """Submit jobs of which the first stands still; return their ids."""
    service.hold()
    jobs = [client.generate(word) for word in words]
    service.until(lambda: len(service.service.book.queue.active) == 1)
    return jobs


def text_of(view: QueueView, name: str) -> str:
    label = view.findChild(QLabel, name)
    assert isinstance(label, QLabel)
    return label.text()


def test_jobs_of_others_show_with_progress_and_end(
    service: Served, client: Client, model: JobsModel, view: QueueView, qtbot: QtBot
) -> None:
    held_jobs(service, client, "warm rain", "a harp")
    qtbot.waitUntil(lambda: prompts(model) == ["warm rain", "a harp"], timeout=WAIT_MS)
    assert text_of(view, "queue summary") == "1 rendering, 1 waiting"
    service.release()
    qtbot.waitUntil(lambda: text_of(view, "queue summary") == "Nothing waits", timeout=WAIT_MS)
    assert prompts(model) == ["a harp", "warm rain"]
    assert model.index(0).data() == "1 take. a harp"
    row: JobRow = model.index(0).data(ROW_ROLE)
    assert Path(row.path).is_file()


def test_progress_tells_step_take_and_fraction(
    service: Served, client: Client, model: JobsModel, qtbot: QtBot
) -> None:
    seen: list[JobRow] = []
    model.dataChanged.connect(lambda index: seen.append(index.data(ROW_ROLE)))
    service.manner.step_s = 0.12
    client.generate("warm rain", options={"takes": 3})
    qtbot.waitUntil(lambda: len(prompts(model, JobState.FINISHED)) == 1, timeout=WAIT_MS)
    running = [row for row in seen if row.total]
    assert {row.takes for row in running} == {3}
    assert {row.take for row in running} >= {1, 2}
    fractions = [row.fraction for row in running if row.state is JobState.RUNNING]
    assert fractions == sorted(fractions) and fractions[-1] > 0
    assert any("take 2 of 3, step" in shown(row) for row in running)
    assert model.rows()[0].made == 3


def test_what_was_there_before_the_panel_is_listed_in_its_order(
    service: Served, client: Client, link: Link, qtbot: QtBot
) -> None:
    held_jobs(service, client, "first", "second", "third")
    client.generate("urgent", priority=5)
    model = JobsModel(link, link)
    qtbot.waitUntil(lambda: prompts(model) == ["first", "urgent", "second", "third"], timeout=WAIT_MS)


def test_many_that_wait_are_listed_page_after_page(
    service: Served, client: Client, link: Link, qtbot: QtBot
) -> None:
    jobs = held_jobs(service, client, "runs", *(f"rain {number}" for number in range(230)))
    client.done(JobMove(rid="-", job_id=jobs[-1], position=7))
    model = JobsModel(link, link)
    wanted = service.call(lambda: [job.spec.prompt for job in service.service.book.queue])
    assert wanted[7] == "rain 229"
    qtbot.waitUntil(lambda: waiting(model) == wanted, timeout=WAIT_MS)


def test_keys_move_jobs_and_take_them_away(
    service: Served, client: Client, model: JobsModel, view: QueueView, qtbot: QtBot
) -> None:
    held_jobs(service, client, "runs", "a", "b", "c")
    qtbot.waitUntil(lambda: waiting(model) == ["a", "b", "c"], timeout=WAIT_MS)
    choose(view, "c")
    qtbot.keyClick(list_of(view), Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: waiting(model) == ["a", "c", "b"], timeout=WAIT_MS)
    qtbot.keyClick(list_of(view), Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: waiting(model) == ["c", "a", "b"], timeout=WAIT_MS)
    qtbot.keyClick(list_of(view), Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: waiting(model) == ["a", "c", "b"], timeout=WAIT_MS)
    assert [job.spec.prompt for job in service.call(lambda: list(service.service.book.queue))] == [
        "a",
        "c",
        "b",
    ]
    choose(view, "a", "b")
    qtbot.keyClick(list_of(view), Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: waiting(model) == ["c"], timeout=WAIT_MS)
    assert sorted(prompts(model, JobState.CANCELLED)) == ["a", "b"]
    choose(view, "a")
    qtbot.keyClick(list_of(view), Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: prompts(model, JobState.CANCELLED) == ["b"], timeout=WAIT_MS)


def test_a_drop_reorders(service: Served, client: Client, model: JobsModel, qtbot: QtBot) -> None:
    held_jobs(service, client, "runs", "a", "b", "c", "d")
    qtbot.waitUntil(lambda: waiting(model) == ["a", "b", "c", "d"], timeout=WAIT_MS)
    rows = {row.prompt: model.index(model.row_of(row.id)) for row in model.rows()}
    dragged = model.mimeData([rows["c"], rows["d"]])
    assert dragged is not None and dragged.formats() == [MIME_JOBS]
    is_taken = model.dropMimeData(dragged, Qt.DropAction.MoveAction, 1, 0, QModelIndex())
    assert not is_taken, "the view would remove the rows"
    qtbot.waitUntil(lambda: waiting(model) == ["c", "d", "a", "b"], timeout=WAIT_MS)
    (moved,) = (row.id for row in model.rows() if row.prompt == "a")
    last = model.mimeData([model.index(model.row_of(moved))])
    model.dropMimeData(last, Qt.DropAction.MoveAction, -1, -1, QModelIndex())
    qtbot.waitUntil(lambda: waiting(model) == ["c", "d", "b", "a"], timeout=WAIT_MS)
    model.dropMimeData(QMimeData(), Qt.DropAction.MoveAction, 0, 0, QModelIndex())
    assert waiting(model) == ["c", "d", "b", "a"]


def test_a_failed_job_says_why_and_is_tried_again(
    service: Served, client: Client, model: JobsModel, view: QueueView, qtbot: QtBot
) -> None:
    service.manner.fails_with = OOM
    client.generate("warm rain", options={"seed": 7})
    qtbot.waitUntil(lambda: prompts(model, JobState.FAILED) == ["warm rain"], timeout=WAIT_MS)
    choose(view, "warm rain")
    assert text_of(view, "queue trouble text") == "No memory is left. Take less."
    service.manner.fails_with = None
    button = view.findChild(QToolButton, "retry failed")
    assert button is not None and button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: prompts(model, JobState.FINISHED) == ["warm rain"], timeout=WAIT_MS)
    choose(view, "warm rain")
    qtbot.keyClick(
        list_of(view),
        Qt.Key.Key_R,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier,
    )
    qtbot.waitUntil(lambda: len(prompts(model, JobState.FINISHED)) == 3, timeout=WAIT_MS)
    seeds = service.call(
        lambda: [
            service.service.book.history.job(entry.id).spec.seed
            for entry in service.service.book.history.entries()
        ]
    )
    assert sorted(seeds) == [7, 7, 8, 8]


def test_all_is_cancelled_by_one_key(
    service: Served, client: Client, model: JobsModel, view: QueueView, qtbot: QtBot
) -> None:
    held_jobs(service, client, "runs", "a", "b")
    qtbot.waitUntil(lambda: waiting(model) == ["a", "b"], timeout=WAIT_MS)
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(view, Qt.Key.Key_Period, control)
    qtbot.waitUntil(lambda: prompts(model, JobState.CANCELLED) == ["runs"], timeout=WAIT_MS)
    stop_all = view.findChild(QToolButton, "queue.stop all button")
    assert stop_all is not None
    qtbot.mouseClick(stop_all, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(prompts(model, JobState.CANCELLED)) == 3, timeout=WAIT_MS)


# Without a window manager a menu can do neither.
@pytest.mark.qt_log_ignore("does not support (raise|grabbing)", extend=True)
def test_the_menu_has_what_keys_do(model: JobsModel, view: QueueView, qtbot: QtBot) -> None:
    list_of(view).customContextMenuRequested.emit(QPoint(5, 5))
    menu = view.findChild(QMenu, "queue menu")
    assert menu is not None
    names = [action.objectName() for action in menu.actions() if not action.isSeparator()]
    assert {"queue.first", "queue.retry", "queue.end", "queue.stop all"} <= set(names)
    menu.close()


def test_memory_stays_flat_over_many_jobs(service: Served, client: Client, link: Link, qtbot: QtBot) -> None:
    model = JobsModel(link, link, most_ended=40)
    for number in range(120):
        client.request(Generate(rid=f"g{number}", prompt=f"rain {number}", seconds=1.0))
    qtbot.waitUntil(
        lambda: service.call(lambda: len(service.service.book.history.entries(limit=1000))) == 120,
        timeout=WAIT_MS,
    )
    last = "rain 119"
    qtbot.waitUntil(lambda: last in prompts(model, JobState.FINISHED), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not model.running and not waiting(model), timeout=WAIT_MS)
    # What is shown follows what is known a moment later.
    qtbot.waitUntil(lambda: 40 <= model.rowCount() <= 50, timeout=WAIT_MS)
    assert all(row.is_known for row in model.rows())

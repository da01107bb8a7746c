"""The transport and the list of takes, used by keys and mouse, without a service that would answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PyQt6.QtCore import QMimeData, Qt
from PyQt6.QtGui import QIcon
from PyQt6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QTableView, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from daw_bridge.messages.base import Request
from daw_bridge.messages.events import JobDoneEvent, JobPreviewEvent, JobProgressEvent
from daw_bridge.messages.takes import TakeRate
from daw_bridge.service.config import Folders
from engine.types import ErrorCode, ErrorInfo
from tests.unit.test_panel_hearing import row
from ui.background import Background
from ui.connection.link import Link
from ui.look.colours import Theme
from ui.look.theme import colours, look
from ui.model.blind import BlindState
from ui.model.hearing import Hearing
from ui.model.keys import KeyMap
from ui.model.listening import Choice, Kind
from ui.model.previews import Previews
from ui.model.store import Store
from ui.model.takes import TakeRow, TakesModel
from ui.widgets.actions import Actions
from ui.widgets.preview_bar import PreviewBar
from ui.widgets.takes_list import TakesList
from ui.widgets.takes_table import Column
from ui.widgets.transport import Transport, time_text

Key = Qt.Key

CONTROL = Qt.KeyboardModifier.ControlModifier


@dataclass(slots=True, kw_only=True)
class Desk:
    """Both widgets in a window, as a person has them."""

    qtbot: QtBot
    window: QWidget
    hearing: Hearing
    takes: TakesModel
    takes_list: TakesList
    table: QTableView
    text: QLineEdit
    errors: list[ErrorInfo]

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self.qtbot.keyClick(QApplication.focusWidget() or self.window, key, modifier)

    def button(self, name: str) -> QAbstractButton:
        found = self.window.findChild(QAbstractButton, name)
        assert found is not None, name
        return found

    def told(self, name: str) -> str:
        found = self.window.findChild(QLabel, name)
        assert found is not None, name
        return found.text() if found.isVisible() else ""

    def cell(self, place: int, column: Column, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        model = self.table.model()
        assert model is not None
        return model.data(model.index(place, column), role)

    def click(self, place: int, column: Column) -> None:
        model, viewport = self.table.model(), self.table.viewport()
        assert model is not None and viewport is not None
        at = self.table.visualRect(model.index(place, column)).center()
        self.qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=at)


@pytest.fixture
def desk(qtbot: QtBot, tmp_path: Path) -> Iterator[Desk]:
    folders = Folders(**{name: tmp_path / name for name in ("state", "config", "runtime", "log", "takes")})
    link, store = Link(folders), Store(tmp_path / "panel.json")
    look().use(Theme.LIGHT)
    hearing, takes = Hearing(link, store, shuffle=lambda order: order.reverse()), TakesModel(link)
    errors: list[ErrorInfo] = []
    hearing.failed.connect(errors.append)
    actions = Actions(KeyMap(store))
    window, text = QWidget(), QLineEdit()
    qtbot.addWidget(window)
    takes_list = TakesList(takes, hearing, actions)
    column = QVBoxLayout(window)
    for part in (Transport(hearing, actions), takes_list, text):
        column.addWidget(part)
    table = window.findChild(QTableView, "takes table")
    assert table is not None
    hearing.set_original("/loop.wav")
    hearing.set_takes([row(index) for index in range(4)])
    window.resize(800, 600)
    window.show()
    table.setFocus()
    qtbot.waitUntil(table.hasFocus)
    yield Desk(
        qtbot=qtbot,
        window=window,
        hearing=hearing,
        takes=takes,
        takes_list=takes_list,
        table=table,
        text=text,
        errors=errors,
    )
    link.close()


def test_keys_choose_what_is_heard(desk: Desk) -> None:
    for key, choice in (
        (Key.Key_3, Choice(kind=Kind.TAKE, index=2)),
        (Key.Key_A, Choice(kind=Kind.ORIGINAL)),
        (Key.Key_B, Choice(kind=Kind.TAKE, index=2)),
        (Key.Key_D, Choice(kind=Kind.DIFFERENCE, index=2)),
        (Key.Key_1, Choice(kind=Kind.TAKE, index=0)),
        (Key.Key_0, Choice(kind=Kind.ORIGINAL)),
    ):
        desk.press(key)
        assert desk.hearing.current == choice
    desk.press(Key.Key_9)
    assert desk.hearing.current == Choice(kind=Kind.ORIGINAL) and not desk.errors


def of_job(job_id: str, count: int) -> list[TakeRow]:
    return [row(index, job_id=job_id, path=f"/takes/{job_id}_{index}.wav") for index in range(count)]


def test_takes_of_earlier_jobs_stand_below_and_are_heard_by_choosing(desk: Desk) -> None:
    desk.takes_list.set_prompt_of({"J1": "rain", "J0": ""}.__getitem__)
    desk.hearing.set_takes(of_job("J2", 2), [*of_job("J1", 2), *of_job("J0", 1)])
    table = desk.table.model()
    assert table is not None
    first = [str(desk.cell(place, Column.PLACE)) for place in range(table.rowCount())]
    assert first == ["1", "2", "Earlier: rain", "1", "2", "Earlier", "1"]
    assert desk.table.columnSpan(2, 0) == len(Column) and desk.table.columnSpan(3, 0) == 1
    desk.click(4, Column.SEED)
    earlier = Choice(kind=Kind.TAKE, index=1, job_id="J1")
    assert desk.hearing.current == earlier
    chosen = desk.takes_list.chosen
    assert chosen is not None and chosen.path == "/takes/J1_1.wav"
    for key, choice in (
        (Key.Key_A, Choice(kind=Kind.ORIGINAL)),
        (Key.Key_B, earlier),
        (Key.Key_D, replace(earlier, kind=Kind.DIFFERENCE)),
        (Key.Key_2, Choice(kind=Kind.TAKE, index=1)),
        (Key.Key_Down, replace(earlier, index=0)),
        (Key.Key_Up, Choice(kind=Kind.TAKE, index=1)),
        (Key.Key_3, Choice(kind=Kind.TAKE, index=1)),
    ):
        desk.press(key)
        assert desk.hearing.current == choice, key
    desk.click(2, Column.PLACE)
    assert desk.hearing.current == Choice(kind=Kind.TAKE, index=1) and not desk.errors


def test_until_the_next_job_has_a_take_keys_play_those_before_it(desk: Desk) -> None:
    desk.press(Key.Key_3)
    before = [row(index) for index in range(4)]
    desk.hearing.set_takes([], before)
    assert desk.hearing.current == Choice(kind=Kind.TAKE, index=2, job_id="J1")
    assert desk.table.currentIndex().row() == 2 and desk.cell(3, Column.PLACE) == "4"
    desk.press(Key.Key_2)
    assert desk.hearing.current == Choice(kind=Kind.TAKE, index=1, job_id="J1")
    desk.hearing.set_takes(of_job("J2", 1), before)
    assert desk.hearing.current == Choice(kind=Kind.TAKE), "nothing is heard: the new one is chosen"
    desk.hearing.set_takes(before)
    assert desk.hearing.shown == tuple(before)


def test_a_blind_test_is_about_the_takes_of_one_job(desk: Desk) -> None:
    desk.hearing.set_takes(of_job("J2", 2), of_job("J1", 2))
    table = desk.table.model()
    assert table is not None and table.rowCount() == 5
    desk.hearing.blind.start()
    assert table.rowCount() == 2
    desk.hearing.blind.stop()
    assert table.rowCount() == 5


def test_loop_and_match_are_turned_by_keys_and_kept(desk: Desk) -> None:
    loop, match = desk.button("hear/loop button"), desk.button("hear/match button")
    assert (loop.isChecked(), match.isChecked()) == (False, True)
    desk.press(Key.Key_L)
    desk.press(Key.Key_M)
    assert (loop.isChecked(), match.isChecked()) == (True, False)
    assert desk.hearing.settings.loops and not desk.hearing.settings.matches


def test_keys_of_a_text_are_for_the_text(desk: Desk) -> None:
    desk.text.setFocus()
    for key in (Key.Key_A, Key.Key_D, Key.Key_1, Key.Key_Space, Key.Key_L):
        desk.press(key)
    assert desk.text.text() == "ad1 l" and desk.hearing.current == Choice(kind=Kind.TAKE)
    assert not desk.hearing.settings.loops


def test_space_presses_a_button_that_has_the_focus(desk: Desk) -> None:
    desk.button("hear/loop button").setFocus()
    desk.press(Key.Key_Space)
    assert desk.hearing.settings.loops


def test_choosing_a_row_plays_it_and_what_plays_is_chosen(desk: Desk) -> None:
    desk.click(2, Column.SCORE)
    assert desk.hearing.current == Choice(kind=Kind.TAKE, index=2)
    desk.press(Key.Key_Down)
    assert desk.hearing.current == Choice(kind=Kind.TAKE, index=3)
    desk.hearing.play_place(1)
    assert desk.table.currentIndex().row() == 0


def test_new_takes_leave_the_choice_where_it_is(desk: Desk) -> None:
    desk.press(Key.Key_3)
    desk.hearing.set_takes([row(index) for index in range(5)])
    assert desk.table.currentIndex().row() == 2 and desk.hearing.current.index == 2


def test_what_is_known_of_takes_is_told(desk: Desk) -> None:
    desk.hearing.set_takes([row(0, is_favourite=True), row(1, dry="plugin_crash"), row(2, file="gone")])
    assert [desk.cell(0, column) for column in Column] == ["1", "", "0.500", "…", "100", ""]
    assert desk.cell(1, Column.NOTE) == "Without its effects: plugin_crash"
    assert desk.cell(2, Column.NOTE) == "The file is gone"
    told = desk.cell(0, Column.PLACE, Qt.ItemDataRole.AccessibleTextRole)
    assert told == "Take 1, score 0.50, favourite"
    desk.press(Key.Key_3)
    assert desk.errors and desk.errors[0].hint


def test_the_best_take_is_chosen_before_any_is_heard(desk: Desk) -> None:
    """Where nothing can be played, too, a take can be varied or accepted."""
    varied: list[str] = []
    desk.takes_list.vary_wanted.connect(lambda row: varied.append(row.path))
    desk.button("takes/vary button").click()
    assert varied == [row(0).path]
    desk.press(Key.Key_3)
    desk.press(Key.Key_A)
    desk.hearing.set_takes([row(index) for index in (3, 0, 2)])
    desk.button("takes/vary button").click()
    assert varied == [row(0).path, row(2).path]


def test_wishes_about_the_chosen_take_are_told(desk: Desk) -> None:
    wished: list[tuple[str, TakeRow]] = []
    for name in ("accept", "recall", "vary"):
        getattr(desk.takes_list, f"{name}_wanted").connect(
            lambda take, name=name: wished.append((name, take))
        )
    desk.press(Key.Key_2)
    desk.press(Key.Key_Return)
    desk.press(Key.Key_R, CONTROL)
    desk.press(Key.Key_V, CONTROL | Qt.KeyboardModifier.AltModifier)
    desk.button("takes/accept button").click()
    assert wished == [(name, row(1)) for name in ("accept", "recall", "vary", "accept")]


def test_the_star_and_the_keys_rate(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []
    monkeypatch.setattr(Link, "ask", lambda _, request, *rest: asked.append(request))
    desk.press(Key.Key_2)
    desk.press(Key.Key_D, CONTROL)
    desk.press(Key.Key_Delete)
    desk.click(3, Column.FAVOURITE)
    rated = [(one.index, one.rating) for one in asked if isinstance(one, TakeRate)]
    assert rated == [(1, 1), (1, -1), (3, 1)]


def test_a_blind_test_hides_everything_until_it_is_revealed(desk: Desk) -> None:
    modifiers = Qt.KeyboardModifier
    desk.press(Key.Key_B, modifiers.ControlModifier | modifiers.AltModifier)
    assert [desk.cell(0, column) for column in Column] == ["1", "", "", "", "", ""]
    roles = (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)
    assert [desk.cell(0, Column.PLACE, role) for role in roles] == [None, "Take 1"]
    assert not desk.button("takes/accept button").isEnabled()
    desk.press(Key.Key_2)
    assert desk.hearing.current == Choice(kind=Kind.TAKE, index=2) and desk.table.currentIndex().row() == 1
    desk.button("choose blindly").click()
    assert "You chose 2" in desk.told("blind test told")
    desk.button("reveal").click()
    assert desk.told("blind test told") == "You chose take 3 of 4, by score."
    assert desk.cell(1, Column.PLACE) == "3" and desk.cell(1, Column.SEED) == "102"
    desk.button("end blind test").click()
    assert desk.hearing.blind.blind.state is BlindState.OFF and desk.cell(0, Column.SEED) == "100"


def test_a_take_is_dragged_as_what_it_is_said_to_be(desk: Desk) -> None:
    model = desk.table.model()
    assert model is not None
    data = model.mimeData([model.index(1, 0)])
    assert data is not None and [url.toLocalFile() for url in data.urls()] == ["/takes/1.wav"]
    other = QMimeData()
    desk.takes_list.set_mime_of(lambda take: other if take.index == 1 else None)
    assert model.mimeData([model.index(1, 0)]) is other
    desk.hearing.blind.start()
    assert not model.flags(model.index(1, 0)) & Qt.ItemFlag.ItemIsDragEnabled


def test_without_takes_the_list_says_what_will_come(desk: Desk) -> None:
    desk.hearing.set_takes([])
    assert "as soon as they are rendered" in desk.told("no takes") and not desk.table.isVisible()
    assert not desk.button("hear/take button").isEnabled() and desk.button("hear/original button").isEnabled()


def test_a_missing_device_is_told_with_what_to_do(desk: Desk) -> None:
    device = desk.hearing.device
    trouble = ErrorInfo(code=ErrorCode.NOT_FOUND, message="there is no sound device", hint="Connect one.")
    device._set(replace(device.devices, trouble=trouble))
    assert desk.button("sound device").toolTip() == "There is no sound device. Connect one."


def test_all_that_is_used_has_a_name_a_key_and_a_place_in_the_tab_order(desk: Desk) -> None:
    buttons = desk.window.findChildren(QAbstractButton)
    # Qt has some of its own, which it shows when they are needed.
    named = [button for button in buttons if not button.objectName().startswith("qt_")]
    assert len(named) > 10
    for button in named:
        assert button.accessibleName(), button.objectName()
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus, button.objectName()
    assert "Space" in desk.button("hear/play button").toolTip()
    assert desk.table.accessibleName()


@pytest.mark.parametrize(("seconds", "told"), [(0.0, "0:00.0"), (9.96, "0:09.9"), (61.25, "1:01.2")])
def test_times_are_told_in_minutes_seconds_and_tenths(seconds: float, told: str) -> None:
    assert time_text(seconds) == told


def test_the_preview_bar_is_there_while_there_is_a_preview(desk: Desk, qtbot: QtBot) -> None:
    link = desk.hearing._link
    previews = Previews(link, desk.hearing, Background())
    actions = Actions(KeyMap(Store(Path("nowhere"))))
    bar = PreviewBar(previews, desk.hearing, actions)
    layout = desk.window.layout()
    assert layout is not None
    layout.addWidget(bar)
    previews.follow("J1")
    assert not bar.isVisible()
    link.heard.emit(JobPreviewEvent(job_id="J1", seq=0, path="/preview.wav", step=10, take=2))
    assert bar.isVisible() and desk.told("preview told") == "Take 2 at step 10"
    desk.press(Key.Key_P, Qt.KeyboardModifier.ShiftModifier)
    assert desk.hearing.current == Choice(kind=Kind.PREVIEW)
    progress = {"seq": 0, "eta_s": 1.0, "fraction": 0.2, "stage": "sample"}
    link.heard.emit(JobProgressEvent(job_id="J1", step=11, total=50, **progress))  # type: ignore[arg-type]
    decoded = {**progress, "stage": "decode"}
    link.heard.emit(JobProgressEvent(job_id="J1", step=0, total=1, **decoded))  # type: ignore[arg-type]
    link.heard.emit(JobPreviewEvent(job_id="J1", seq=0, path="/preview2.wav", step=20, take=2))
    assert desk.told("preview told") == "Take 2 at step 20 of 50"
    desk.button("preview/kill button").click()
    assert previews.is_killing and not desk.button("preview/kill button").isEnabled()
    link.heard.emit(JobDoneEvent(job_id="J1", seq=1, takes=0, path="", recipe=""))
    assert not bar.isVisible() and previews.newest is None


def test_icons_of_the_chosen_row_can_be_seen_on_it(desk: Desk) -> None:
    drawn = desk.cell(0, Column.FAVOURITE, Qt.ItemDataRole.DecorationRole)
    assert isinstance(drawn, QIcon)
    image = drawn.pixmap(32, 32, QIcon.Mode.Selected).toImage()
    points = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
    assert {point.name() for point in points if point.alpha() == 255} == {colours().on_accent}

"""The whole window without an engine: keys, names, sizes, and what is kept from one day to the next."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PyQt6.QtCore import QPoint, QRect, Qt
from PyQt6.QtGui import QKeySequence
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QTabBar,
    QToolBar,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from daw_bridge.service.config import Folders
from engine.types import ErrorCode, ErrorInfo, Task
from ui.app import Options, Panel
from ui.look.colours import DARK, LIGHT, Theme
from ui.look.theme import look
from ui.model.mask_pen import Tool

GROOVE = Path(__file__).parents[2] / "presets" / "examples" / "groove.flac"
_USED = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
)

_TYPED_INTO = (QLineEdit, QPlainTextEdit, QAbstractSpinBox, QComboBox, QAbstractItemView)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(**{name: tmp_path / name for name in ("state", "config", "runtime", "log", "takes")})


@pytest.fixture
def panel(qtbot: QtBot, folders: Folders) -> Iterator[Panel]:
    made = Panel(folders, Options())
    made.window.show()
    yield made
    made.close()
    made.window.close()


def show_masks(qtbot: QtBot, panel: Panel) -> None:
    """Open a sound, with Inpaint chosen."""
    panel.models.studio.region.open(str(GROOVE))
    panel.models.draft.set_task(Task.INPAINT)
    with qtbot.waitActive(panel.window):
        panel.window.activateWindow()
    qtbot.waitUntil(panel.window.view.isVisible, timeout=30_000)


def button_of(panel: Panel, name: str) -> QAbstractButton:
    found = panel.window.findChild(QAbstractButton, name)
    assert found is not None
    return found


def bar_of(panel: Panel) -> QTabBar:
    found = panel.window.tabs.tabBar()
    assert found is not None
    return found


def test_no_two_actions_have_the_same_keys(panel: Panel) -> None:
    keys = panel.models.keys
    clashes = {
        f"{used}: {info.name} and {clash.second.name}"
        for info in keys.actions
        for used in keys.keys(info.name)
        if (clash := keys.clash(info.name, used)) is not None
    }
    assert not clashes, "Qt would do neither of two actions on one key"


@pytest.mark.parametrize("name", ["task inpaint", "quality draft", "tabs"])
def test_plain_keys_work_after_a_click_beside_the_view(qtbot: QtBot, panel: Panel, name: str) -> None:
    show_masks(qtbot, panel)
    pen = panel.models.studio.pen
    if name == "tabs":
        part: QWidget = bar_of(panel)
        qtbot.mouseClick(part, Qt.MouseButton.LeftButton, pos=bar_of(panel).tabRect(2).center())
    else:
        part = button_of(panel, name)
        qtbot.mouseClick(part, Qt.MouseButton.LeftButton)
    part.setFocus()
    for key, tool in (("h", Tool.HARMONICS), ("p", Tool.BRUSH)):
        qtbot.keyClicks(panel.window.focusWidget(), key)
        assert pen.pen.tool is tool
    region = panel.models.studio.region
    before_s = region.view.duration_s
    qtbot.keyClick(panel.window.focusWidget(), "+", Qt.KeyboardModifier.ShiftModifier)
    assert region.view.duration_s < before_s


@pytest.mark.parametrize("is_read_only", [False, True])
def test_plain_keys_are_left_to_what_is_typed_into(qtbot: QtBot, panel: Panel, is_read_only: bool) -> None:
    show_masks(qtbot, panel)
    pen, view = panel.models.studio.pen, panel.window.view
    found = [one for one in panel.window.findChildren(QWidget) if isinstance(one, _TYPED_INTO)]
    typed_into = [one for one in found if one.isVisible() and not view.isAncestorOf(one)]
    assert len(typed_into) > 5
    tool = pen.pen.tool
    for widget in typed_into:
        if isinstance(widget, QPlainTextEdit):
            widget.setReadOnly(is_read_only)
        widget.setFocus()
        qtbot.keyClicks(widget, "rh")
        assert pen.pen.tool is tool, f"typed into {_told(widget)}"


def test_plain_keys_of_a_mask_do_nothing_where_none_is_used(qtbot: QtBot, panel: Panel) -> None:
    show_masks(qtbot, panel)
    tool = panel.models.studio.pen.pen.tool
    panel.models.draft.set_task(Task.TRANSFER)
    button = button_of(panel, "quality draft")
    button.setFocus()
    qtbot.keyClicks(button, "h")
    assert panel.models.studio.pen.pen.tool is tool


def test_a_sound_device_that_goes_is_told_and_moves_nothing(qtbot: QtBot, panel: Panel) -> None:
    panel.window.resize(800, 600)
    panel.window.view.show()
    chip = panel.window.findChild(QLabel, "sound trouble")
    assert chip is not None and chip.text() == ""
    before = places(panel)
    device = panel.models.studio.hearing.device
    error = ErrorInfo(
        code=ErrorCode.NOT_FOUND, message="there is no sound device", hint=9 * "Connect one. " + "Now."
    )
    device._set(replace(device.devices, trouble=error))
    assert chip.isVisible() and chip.text().startswith("There is no sound device. Connect one.")
    assert chip.text().endswith("…") and chip.toolTip().endswith("Now.")
    assert places(panel) == before


def places(panel: Panel) -> dict[str, QRect]:
    """Return where everything with a name is, once it has its place."""
    QApplication.processEvents()
    parts = [one for one in panel.window.findChildren(QWidget) if one.isVisible() and one.objectName()]
    return {one.objectName(): QRect(one.mapTo(panel.window, QPoint()), one.size()) for one in parts}


def test_space_presses_the_button_that_has_the_focus(qtbot: QtBot, panel: Panel) -> None:
    show_masks(qtbot, panel)
    button = button_of(panel, "task generate")
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert panel.models.draft.draft.task is Task.GENERATE


def test_no_letter_after_alt_is_given_twice_among_what_is_seen_at_once(qtbot: QtBot, panel: Panel) -> None:
    def look_at_all() -> None:
        for index, task in itertools.product(range(panel.window.tabs.count()), Task):
            panel.models.draft.set_task(task)
            panel.window.tabs.setCurrentIndex(index)
            told = _mnemonics(panel)
            twice = {keys: texts for keys, texts in told.items() if len(texts) > 1}
            assert told and not twice, "Alt and such a letter would do the other thing"

    look_at_all()
    show_masks(qtbot, panel)
    look_at_all()
    # They are there once takes are heard blindly.
    for name in ("choose blindly", "reveal", "end blind test"):
        button = button_of(panel, name)
        button.show()
        bar = button.parentWidget()
        assert bar is not None
        bar.show()
    look_at_all()


def _mnemonics(panel: Panel) -> dict[str, list[str]]:
    """Return the texts that are seen by what is pressed with Alt to get there."""
    window, bar = panel.window, panel.window.menuBar()
    assert bar is not None
    seen = [one for one in window.findChildren(QWidget) if one.isVisible() and one.window() is window]
    tabs = window.tabs
    texts = [action.text() for action in bar.actions()]
    texts += [tabs.tabText(index) for index in range(tabs.count()) if tabs.isTabVisible(index)]
    texts += [one.text() for one in seen if isinstance(one, QLabel) and one.buddy() is not None]
    texts += [one.text() for one in seen if isinstance(one, QAbstractButton)]
    found: dict[str, list[str]] = {}
    for text in texts:
        if keys := QKeySequence.mnemonic(text).toString():
            found.setdefault(keys, []).append(text)
    return found


def test_every_action_says_what_it_does_and_its_keys_exist(panel: Panel) -> None:
    for info in panel.models.keys.actions:
        assert info.text and info.group, f"{info.name} has no words"
        for keys in info.keys:
            assert not QKeySequence(keys).isEmpty(), f"{info.name}: {keys} are no keys"


def test_whatever_can_be_used_has_a_name_and_is_reached_by_tab(panel: Panel) -> None:
    nameless: set[str] = set()
    unreached: set[str] = set()
    for task in Task:
        panel.models.draft.set_task(task)
        used = [widget for widget in panel.window.findChildren(QWidget) if _is_for_users(widget)]
        nameless |= {_told(widget) for widget in used if not _name_of(widget)}
        unreached |= {_told(widget) for widget in used if widget.isEnabled() and not _is_reached(widget)}
    assert not nameless, "who cannot see the window is told nothing of these"
    assert not unreached, "without a mouse these cannot be reached"


def test_nothing_is_cut_off_in_the_smallest_window(qtbot: QtBot, panel: Panel) -> None:
    panel.models.studio.region.open(str(GROOVE))
    qtbot.waitUntil(panel.window.view.isVisible, timeout=30_000)
    for theme, task in itertools.product((Theme.LIGHT, Theme.DARK), Task):
        look().use(theme)
        panel.models.draft.set_task(task)
        panel.window.resize(800, 600)
        # A layout within another one has its sizes some events later.
        with suppress(qtbot.TimeoutError):
            qtbot.waitUntil(lambda: not cut_off(panel), timeout=2_000)
        assert (panel.window.width(), panel.window.height()) == (800, 600)
        assert not cut_off(panel)


def cut_off(panel: Panel) -> set[str]:
    return {
        f"{_told(widget)}: {widget.width()} of {widget.minimumSizeHint().width()}"
        for widget in panel.window.findChildren(QWidget)
        if _is_for_users(widget) and _is_cut(widget)
    }


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(colours: object) -> None:
    for text, ground in (
        ("text", "ground"),
        ("text", "panel"),
        ("text", "field"),
        ("faint", "ground"),
        ("faint", "panel"),
        ("on_accent", "accent"),
        ("good", "ground"),
        ("warn", "ground"),
        ("bad", "ground"),
    ):
        found = _contrast(getattr(colours, text), getattr(colours, ground))
        assert found >= 4.5, f"{text} on {ground}: {found:.1f} to 1"


def test_draft_and_layout_are_there_again(qtbot: QtBot, folders: Folders) -> None:
    first = Panel(folders, Options())
    first.window.show()
    first.window.resize(800, 700)
    QApplication.processEvents()
    first.window.whole.setSizes([470, 326])
    sizes = first.window.whole.sizes()
    first.models.draft.change(prompt="a harp", steps=33)
    first.models.draft.set_task(Task.GENERATE)
    first.window.close()
    first.close()
    second = Panel(folders, Options())
    second.window.show()
    draft = second.models.draft.draft
    assert (draft.task, draft["prompt"], draft["steps"]) == (Task.GENERATE, "a harp", 33)
    QApplication.processEvents()
    assert (second.window.width(), second.window.height()) == (800, 700)
    assert second.window.whole.sizes() == pytest.approx(sizes, abs=2)
    second.window.close()
    second.close()


def _is_for_users(widget: QWidget) -> bool:
    if not isinstance(widget, _USED) or isinstance(widget, QScrollBar) or not widget.isVisible():
        return False
    inner = isinstance(widget, QLineEdit) and isinstance(widget.parent(), QAbstractSpinBox | QComboBox)
    return not inner and not widget.objectName().startswith("qt_")


def _is_reached(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


def _is_cut(widget: QWidget) -> bool:
    """Tell whether a widget has too little room, or lies partly outside of what contains it."""
    least = widget.sizeHint() if isinstance(widget, QToolButton) else widget.minimumSizeHint()
    if widget.width() < least.width():
        return True
    parent = widget.parentWidget()
    while parent is not None:
        corner = widget.mapTo(parent, widget.rect().topRight())
        if corner.x() > parent.width() and not isinstance(parent.parentWidget(), QToolBar):
            return True
        parent = parent.parentWidget()
    return False


def _name_of(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return widget.accessibleName() or text or widget.toolTip()


def _told(widget: QWidget) -> str:
    return f"{type(widget).__name__} {widget.objectName()!r} in {widget.parent()!r:.60}"


def _contrast(first: str, second: str) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

"""The panel's right side as a person uses it, by keys and mouse, on a real service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt, QTimer
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QInputDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from daw_bridge.messages.live import ParamGet, ParamSet, PresetList
from daw_bridge.messages.parameters import PARAMETERS
from engine.types import BrushShape, Mask, MaskOp, RectShape, Region, RenderSpec, Task, TimeSpan
from tests.contract.panels import WAIT_MS, Desk
from tests.contract.services import Served, served, tcp_of
from ui.connection.link import Link
from ui.model.chains import ChainsModel
from ui.model.draft import DraftModel, SeedAfter
from ui.model.harmonics import Harmonics
from ui.model.keys import KeyMap
from ui.model.live import LiveValues
from ui.model.models import ModelsModel
from ui.model.presets import PresetsModel
from ui.model.prompts import PromptHistory
from ui.widgets.actions import Actions
from ui.widgets.say.panel import SayModels, SayPanel

REGION = Region(path="/sounds/loop.wav")
MASK = Mask(shapes=(RectShape(span=TimeSpan(start_s=0.5, end_s=1.0)),))

TASKS = (Task.TRANSFER, Task.INPAINT, Task.GENERATE, Task.SUPERRES)

W = TypeVar("W", bound=QWidget)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def panel(qtbot: QtBot, link: Link, parts: Desk) -> Iterator[SayPanel]:
    owner = parts.owner
    draft = DraftModel(parts.store, owner)
    models = SayModels(
        draft=draft,
        prompts=PromptHistory(link, parts.store, owner),
        presets=PresetsModel(link, draft, owner),
        chains=ChainsModel(link, draft, owner),
        models=ModelsModel(link, owner),
    )
    live = LiveValues(link, draft, owner)
    for fold in ("effects", "more"):
        parts.store.put(f"fold {fold}", True)
    made = SayPanel(models, parts.actions, parts.store)
    made.resize(340, 900)
    qtbot.addWidget(made)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    qtbot.waitUntil(lambda: bool(models.presets.presets and models.models.models), timeout=WAIT_MS)
    yield made
    assert live.parent() is owner


@pytest.fixture
def draft(panel: SayPanel) -> DraftModel:
    return panel.models.draft


def part(panel: QWidget, kind: type[W], name: str) -> W:
    found = panel.findChild(kind, name)
    assert found is not None, f"there is no {name}"
    return found


def seen(panel: QWidget, name: str) -> bool:
    return part(panel, QWidget, name).isVisible()


def with_dialog(use: Callable[[QWidget], None]) -> None:
    """Use the next dialog as soon as it waits for its user."""

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        if dialog is None:
            QTimer.singleShot(10, look)
        else:
            use(dialog)

    QTimer.singleShot(0, look)


def name_it(name: str) -> Callable[[QWidget], None]:
    def use(dialog: QWidget) -> None:
        assert isinstance(dialog, QInputDialog)
        dialog.setTextValue(name)
        dialog.accept()

    return use


def choose_file(path: Path) -> Callable[[QWidget], None]:
    def use(dialog: QWidget) -> None:
        assert isinstance(dialog, QFileDialog)
        part(dialog, QLineEdit, "fileNameEdit").setText(str(path))
        QTest.keyClick(part(dialog, QLineEdit, "fileNameEdit"), Qt.Key.Key_Return)

    return use


def press_action(panel: SayPanel, name: str) -> None:
    """Choose an entry of a menu by its name, as it is when the menu is open."""
    for button in panel.findChildren(QToolButton):
        menu = button.menu()
        for action in menu.actions() if menu is not None else ():
            if action.objectName() == name:
                menu.aboutToShow.emit()
                assert action.isEnabled(), f"{name} cannot be chosen"
                action.trigger()
                return
    raise AssertionError(f"no menu has {name}")


def test_a_prompt_and_ctrl_enter_ask_for_a_render(qtbot: QtBot, panel: SayPanel, draft: DraftModel) -> None:
    wanted: list[bool] = []
    panel.render_wanted.connect(lambda: wanted.append(True))
    render, lack = part(panel, QPushButton, "render"), part(panel, QLabel, "lack")
    panel.setFocus()
    focused = QApplication.focusWidget()
    assert focused is panel.prompt.edit
    qtbot.keyClicks(focused, "rain on a tin roof")
    qtbot.keyClick(focused, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert (wanted, render.isEnabled(), lack.isVisible()) == ([], False, True)
    assert lack.text() == draft.draft.lack != ""
    draft.set_region(REGION)
    assert (render.isEnabled(), lack.isVisible()) == (True, False)
    qtbot.keyClick(focused, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.mouseClick(render, Qt.MouseButton.LeftButton)
    assert len(wanted) == 2
    assert draft.draft["prompt"] == "rain on a tin roof"


def test_keys_choose_the_task_and_only_what_it_uses_is_shown(
    qtbot: QtBot, panel: SayPanel, draft: DraftModel
) -> None:
    shown = {}
    for key, task in zip((Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3, Qt.Key.Key_4), TASKS, strict=True):
        qtbot.keyClick(panel, key, Qt.KeyboardModifier.ControlModifier)
        assert draft.draft.task is task
        assert part(panel, QToolButton, f"task {task.value}").isChecked()
        names = ("strength", "sweep", "mask hint", "seconds", "cutoff", "source_prompt")
        shown[task] = {name for name in names if seen(panel, name)}
    assert shown == {
        Task.TRANSFER: {"strength", "sweep", "source_prompt"},
        Task.INPAINT: {"mask hint"},
        Task.GENERATE: {"seconds"},
        Task.SUPERRES: {"cutoff"},
    }


def test_the_mask_hint_says_what_is_marked(panel: SayPanel, draft: DraftModel) -> None:
    draft.set_task(Task.INPAINT)
    hint = part(panel, QLabel, "mask hint")
    assert "draw" in hint.text()
    draft.set_mask(MASK)
    assert hint.text().startswith("One shape is marked;")


def test_the_mask_hint_counts_what_adds_apart_from_what_takes_away(
    panel: SayPanel, draft: DraftModel
) -> None:
    draft.set_task(Task.INPAINT)
    hint = part(panel, QLabel, "mask hint")
    (shape,) = MASK.shapes
    stroke = BrushShape(points=((0.5, 200.0),), radius_s=0.1, radius_hz=30.0)
    shapes = (shape, *Harmonics(fundamental=stroke, count=3).strokes)
    for taken, told in ((0, ";"), (1, ", less one that takes away;"), (2, ", less 2 that take away;")):
        draft.set_mask(Mask(shapes=(*shapes, *[replace(shape, op=MaskOp.SUBTRACT)] * taken)))
        assert hint.text().startswith(f"2 shapes are marked{told}")


def test_quality_sets_steps_sampler_and_takes(qtbot: QtBot, panel: SayPanel, draft: DraftModel) -> None:
    qtbot.mouseClick(part(panel, QToolButton, "quality final"), Qt.MouseButton.LeftButton)
    assert (draft.draft["steps"], draft.draft["takes"]) == (60, 3)
    assert part(panel, QLabel, "quality figures").text() == "60 steps"
    assert part(panel, QSpinBox, "takes").value() == 3
    part(panel, QSpinBox, "takes").setFocus()
    qtbot.keyClick(part(panel, QSpinBox, "takes"), Qt.Key.Key_Up)
    assert draft.draft["takes"] == 4
    assert not part(panel, QToolButton, "quality final").isChecked()


def test_values_go_by_keys_and_are_reset_by_delete_and_double_click(
    qtbot: QtBot, panel: SayPanel, draft: DraftModel
) -> None:
    slider, number = part(panel, QSlider, "strength"), part(panel, QDoubleSpinBox, "strength number")
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert (draft.draft["strength"], number.value()) == (0.0, 0.0)
    assert part(panel, QLabel, "strength word").text() == "a touch"
    qtbot.keyClick(slider, Qt.Key.Key_Delete)
    assert draft.draft["strength"] == 0.7
    number.setFocus()
    number.selectAll()
    qtbot.keyClicks(number, "0.33")
    assert draft.draft["strength"] == 0.33
    line = number.lineEdit()
    assert line is not None
    qtbot.keyClick(number, Qt.Key.Key_Home)
    qtbot.keyClick(number, Qt.Key.Key_Right)
    qtbot.keyClick(number, Qt.Key.Key_Right)
    qtbot.keyClick(number, Qt.Key.Key_Delete)
    assert draft.draft["strength"] == pytest.approx(0.3)
    number.selectAll()
    qtbot.keyClick(number, Qt.Key.Key_Delete)
    assert draft.draft["strength"] == 0.7
    draft.change(strength=0.1)
    qtbot.mouseDClick(line, Qt.MouseButton.LeftButton)
    assert draft.draft["strength"] == 0.7


def test_the_wheel_turns_only_what_has_the_focus(qtbot: QtBot, panel: SayPanel, draft: DraftModel) -> None:
    takes = part(panel, QSpinBox, "takes")
    panel.setFocus()
    turn(takes)
    assert draft.draft["takes"] == 1
    takes.setFocus()
    turn(takes)
    assert draft.draft["takes"] == 2


def turn(widget: QWidget) -> None:
    """Turn the wheel one notch away from the user."""
    place = QPointF(widget.rect().center())
    event = QWheelEvent(
        place,
        QPointF(widget.mapToGlobal(place.toPoint())),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def test_every_field_is_named_has_a_tip_with_its_range_and_a_place_in_the_tab_order(panel: SayPanel) -> None:
    kinds = (QSpinBox, QDoubleSpinBox, QComboBox, QLineEdit, QSlider, QCheckBox, QToolButton, QPushButton)
    of_qt = ("qt_spinbox_lineedit", "qt_toolbar_ext_button", "")
    found = [one for kind in kinds for one in panel.findChildren(kind) if one.objectName() not in of_qt]
    assert len(found) > 35
    for widget in found:
        name = widget.objectName()
        text = widget.accessibleName() or getattr(widget, "text", lambda: "")()
        assert text, f"{name} has no name for those who do not see it"
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, f"{name} cannot be come to by Tab"
        kind = PARAMETERS.get(name)
        if kind is not None and not isinstance(widget, QComboBox | QLineEdit | QCheckBox):
            assert kind.values in widget.toolTip(), f"{name} does not tell its range"


def test_the_seed_is_typed_counted_drawn_and_taken_again(
    qtbot: QtBot, panel: SayPanel, draft: DraftModel
) -> None:
    seed = part(panel, QLineEdit, "seed")
    seed.setFocus()
    seed.selectAll()
    qtbot.keyClicks(seed, str(2**63 - 1))
    assert draft.draft["seed"] == 2**63 - 1
    qtbot.keyClicks(seed, "9")
    assert draft.draft["seed"] == 2**63 - 1
    seed.selectAll()
    qtbot.keyClick(seed, Qt.Key.Key_Delete)
    assert draft.draft["seed"] == 0
    qtbot.keyClick(seed, Qt.Key.Key_Down)
    qtbot.keyClick(seed, Qt.Key.Key_Up)
    assert (draft.draft["seed"], seed.text()) == (1, "1")
    again = part(panel, QToolButton, "seed last")
    assert not again.isEnabled()
    draft.was_sent()
    assert (draft.draft["seed"], again.isEnabled()) == (2, True)
    qtbot.mouseClick(again, Qt.MouseButton.LeftButton)
    assert (draft.draft["seed"], draft.draft.seed_after) == (1, SeedAfter.LOCK)
    after = part(panel, QToolButton, "seed after")
    qtbot.mouseClick(after, Qt.MouseButton.LeftButton)
    assert (draft.draft.seed_after, after.accessibleName()) == (
        SeedAfter.NEXT,
        "After each render the seed goes on past its takes",
    )
    qtbot.mouseClick(part(panel, QToolButton, "seed random"), Qt.MouseButton.LeftButton)
    assert seed.text() == str(draft.draft["seed"])


def test_a_sweep_is_one_take_at_each_strength(qtbot: QtBot, panel: SayPanel, draft: DraftModel) -> None:
    part(panel, QCheckBox, "sweep").click()
    assert len(draft.draft.sweep) == 4
    assert not seen(panel, "strength")
    count, low = part(panel, QSpinBox, "sweep count"), part(panel, QDoubleSpinBox, "sweep low")
    count.setValue(3)
    low.setValue(0.5)
    assert draft.draft.sweep == (0.5, 0.7, 0.9)
    part(panel, QDoubleSpinBox, "sweep high").setValue(0.0)
    assert draft.draft.sweep == (0.5, 0.51, 0.52)
    part(panel, QCheckBox, "sweep").click()
    assert draft.draft.sweep == ()


def test_a_cutoff_is_where_highs_end_until_it_is_set(panel: SayPanel, draft: DraftModel) -> None:
    draft.set_task(Task.SUPERRES)
    field = part(panel, QDoubleSpinBox, "cutoff")
    assert (draft.draft.cutoff_hz, field.isEnabled()) == (None, False)
    part(panel, QCheckBox, "cutoff own").click()
    field.setValue(5_500.0)
    assert draft.draft.cutoff_hz == 5_500.0
    field.selectAll()
    QTest.keyClick(field, Qt.Key.Key_Delete)
    assert draft.draft.cutoff_hz is None


def test_what_a_controller_turns_moves_here_and_what_is_turned_here_is_heard_there(
    qtbot: QtBot, panel: SayPanel, draft: DraftModel, service: Served
) -> None:
    guidance = part(panel, QDoubleSpinBox, "guidance")
    with tcp_of(service) as client:
        client.done(ParamSet(rid="-", name="guidance", value=7.5))
        qtbot.waitUntil(lambda: guidance.value() == 7.5, timeout=WAIT_MS)
        guidance.setValue(3.0)
        qtbot.waitUntil(lambda: client.done(ParamGet(rid="-", name="guidance")).value == 3.0, timeout=WAIT_MS)
    assert draft.draft["guidance"] == 3.0


def test_folds_stay_as_they_were_left(qtbot: QtBot, panel: SayPanel, parts: Desk) -> None:
    assert seen(panel, "guidance") and seen(panel, "chain")
    qtbot.mouseClick(part(panel, QToolButton, "more head"), Qt.MouseButton.LeftButton)
    assert not seen(panel, "guidance")
    again = SayPanel(panel.models, Actions(KeyMap(parts.store, parts.owner), parts.owner), parts.store)
    qtbot.addWidget(again)
    again.show()
    assert seen(again, "chain")
    assert again.findChild(QWidget, "guidance") is None, "what is folded is made when it is first wanted"
    qtbot.mouseClick(part(again, QToolButton, "more head"), Qt.MouseButton.LeftButton)
    assert seen(again, "guidance")


def test_a_preset_is_chosen_kept_brought_back_and_deleted(
    qtbot: QtBot, panel: SayPanel, draft: DraftModel, service: Served
) -> None:
    presets = panel.models.presets
    box = part(panel, QComboBox, "preset")
    assert "draft (built in)" in [box.itemText(row) for row in range(box.count())]
    box.setFocus()
    box.setCurrentIndex(box.findData("gentle variation"))
    box.activated.emit(box.currentIndex())
    assert draft.draft["strength"] == 0.3
    assert box.currentData() == "gentle variation"
    draft.change(strength=0.35)
    assert box.currentIndex() == -1
    with_dialog(name_it("draft"))
    press_action(panel, "preset save")
    qtbot.waitUntil(lambda: is_changed(presets, "draft"), timeout=WAIT_MS)
    kept = presets.preset("draft")
    assert kept is not None and kept.values["strength"] == 0.35 and "seed" not in kept.values
    assert box.currentData() == "draft"
    press_action(panel, "preset delete")
    qtbot.waitUntil(lambda: not is_changed(presets, "draft"), timeout=WAIT_MS)
    with tcp_of(service) as client:
        listed = client.done(PresetList(rid="-")).presets
    assert "draft" in listed["shipped"] and listed["changed"] == []


def is_changed(presets: PresetsModel, name: str) -> bool:
    found = presets.preset(name)
    return found is not None and found.is_changed


def test_a_preset_goes_to_a_file_and_comes_from_one(
    qtbot: QtBot, panel: SayPanel, draft: DraftModel, tmp_path: Path
) -> None:
    box, presets = part(panel, QComboBox, "preset"), panel.models.presets
    draft.reset(*draft.draft.values)
    draft.change(steps=33, guidance=4.25)
    with_dialog(name_it("mine"))
    press_action(panel, "preset save")
    qtbot.waitUntil(lambda: box.currentData() == "mine", timeout=WAIT_MS)
    path = tmp_path / "passed on.json"
    with_dialog(choose_file(path))
    press_action(panel, "preset export")
    qtbot.waitUntil(path.exists, timeout=WAIT_MS)
    press_action(panel, "preset delete")
    qtbot.waitUntil(lambda: presets.preset("mine") is None, timeout=WAIT_MS)
    with_dialog(choose_file(path))
    press_action(panel, "preset import")
    qtbot.waitUntil(lambda: presets.preset("mine") is not None, timeout=WAIT_MS)
    content = json.loads(path.read_text())
    content["values"]["steps"] = 34
    path.write_text(json.dumps(content))
    with_dialog(choose_file(path))
    press_action(panel, "preset import")
    qtbot.waitUntil(lambda: presets.preset("mine 2") is not None, timeout=WAIT_MS)
    path.write_text("{}")
    with_dialog(choose_file(path))
    press_action(panel, "preset import")
    trouble = part(panel, QLabel, "preset trouble")
    qtbot.waitUntil(lambda: "passed on.json" in trouble.text(), timeout=WAIT_MS)


def test_a_name_that_no_preset_can_have_is_refused_in_a_sentence(qtbot: QtBot, panel: SayPanel) -> None:
    with_dialog(name_it("a/b"))
    press_action(panel, "preset save")
    assert "without slashes" in part(panel, QLabel, "preset trouble").text()


def test_how_takes_come_back_is_a_name_with_what_it_is(
    qtbot: QtBot, panel: SayPanel, draft: DraftModel
) -> None:
    box = part(panel, QComboBox, "render preset")
    qtbot.waitUntil(lambda: box.findData("master") > 0, timeout=WAIT_MS)
    box.setFocus()
    qtbot.keyClicks(box, "mas")
    box.activated.emit(box.currentIndex())
    assert draft.draft["render_preset"] == "master"
    qtbot.keyClick(box, Qt.Key.Key_Delete)
    assert draft.draft["render_preset"] == ""
    draft.change(render_preset="of another machine")
    assert box.currentText() == "of another machine"


def test_what_a_recalled_take_has_beyond_is_a_chip_that_lets_it_go(
    qtbot: QtBot, panel: SayPanel, draft: DraftModel
) -> None:
    draft.recall(RenderSpec(task=Task.TRANSFER, prompt="x", region=REGION, variation=0.2, batch=3, row=1))
    qtbot.waitUntil(lambda: seen(panel, "rest variation") and seen(panel, "rest batch"))
    qtbot.mouseClick(part(panel, QToolButton, "rest variation drop"), Qt.MouseButton.LeftButton)
    assert draft.draft["variation"] == 0.0
    qtbot.mouseClick(part(panel, QToolButton, "rest batch drop"), Qt.MouseButton.LeftButton)
    assert draft.draft.rest == {}
    qtbot.waitUntil(lambda: not panel.findChildren(QWidget, "rest batch"))

"""Masks drawn as a person draws them: by mouse and keys on a real plot, by list and by numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pyqtgraph as pg
import pytest
from PyQt6.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Qt
from PyQt6.QtGui import QColor, QGuiApplication, QMouseEvent, QWheelEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from engine.types import BrushShape, MaskOp, PolygonShape, RectShape, Shape, TimeSpan
from ui.background import Background
from ui.model.harmonics import Harmonics
from ui.model.keys import KeyMap
from ui.model.mask_cells import MaskCells
from ui.model.mask_edit import MaskEdit
from ui.model.mask_pen import PenModel, Tool
from ui.model.mask_shapes import Extent, bounds_of
from ui.model.store import Store
from ui.sound.beats import BeatGrid
from ui.sound.model_grid import ModelGrid
from ui.sound.scales import FrequencyScale, ScaleKind
from ui.widgets.actions import Actions
from ui.widgets.mask_layer import MaskLayer
from ui.widgets.mask_list import MaskList
from ui.widgets.mask_picture import HATCH_PX
from ui.widgets.mask_tools import MaskTools

DURATION_S, TOP_HZ = 10.0, 8000.0
GRID = ModelGrid.of_mel(
    sample_rate_hz=16_000, hop_samples=160, mel_bins=64, low_hz=0.0, high_hz=8000.0, ratio=4
)
BUTTON, KEYS = Qt.MouseButton.LeftButton, Qt.KeyboardModifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A plot of 10 s with a mask on it, its tools and its list, and a hand."""

    bot: QtBot
    window: QWidget
    plot: pg.PlotWidget
    edit: MaskEdit
    pen: PenModel
    cells: MaskCells
    layer: MaskLayer
    tools: MaskTools
    shapes: MaskList
    scale: FrequencyScale

    def at(self, time_s: float, freq_hz: float) -> QPoint:
        point = QPointF(time_s, self.scale.to_axis(freq_hz))
        place: QPoint = self.plot.mapFromScene(self.plot.getViewBox().mapViewToScene(point))
        return place

    def drag(self, *points: tuple[float, float], keys: KEYS = KEYS.NoModifier) -> None:
        view = self.plot.viewport()
        self.bot.mouseMove(view, self.at(*points[0]))
        self.bot.mousePress(view, BUTTON, keys, self.at(*points[0]))
        for point in points[1:]:
            self.move(point, keys)
        self.bot.mouseRelease(view, BUTTON, keys, self.at(*points[-1]))

    def move(self, point: tuple[float, float], keys: KEYS = KEYS.NoModifier) -> None:
        """Move with the button held, and with keys, of which QTest's own moves know nothing."""
        view = self.plot.viewport()
        place = QPointF(self.at(*point))
        event = QMouseEvent(QEvent.Type.MouseMove, place, view.mapToGlobal(place), BUTTON, BUTTON, keys)
        QGuiApplication.sendEvent(view, event)

    def press(self, key: Qt.Key | str, keys: KEYS = KEYS.NoModifier) -> None:
        self.bot.keyClick(self.plot, key, keys)

    def find(self, kind: type, name: str) -> QWidget:
        found = self.window.findChild(kind, name)
        assert found is not None, name
        return found

    def settle(self) -> None:
        self.bot.waitUntil(lambda: self.layer.is_settled and self.cells.is_settled, timeout=20_000)


@pytest.fixture
def desk(qtbot: QtBot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    scale, background = FrequencyScale(ScaleKind.MEL, TOP_HZ), Background()
    store = Store(tmp_path_factory.mktemp("panel") / "panel.json")
    window, plot = QWidget(), pg.PlotWidget()
    plot.setXRange(0.0, DURATION_S, padding=0)
    plot.setYRange(0.0, 1.0, padding=0)
    edit, pen = MaskEdit(Extent(duration_s=DURATION_S, top_hz=TOP_HZ)), PenModel()
    cells = MaskCells(edit, GRID, background)
    layer = MaskLayer(plot.getViewBox(), scale, edit, pen, cells, background)
    tools = MaskTools(edit, pen, layer, cells, Actions(KeyMap(store)))
    tools.attach(plot)
    shapes = MaskList(edit)
    column = QVBoxLayout(window)
    for widget in (tools, plot, shapes):
        column.addWidget(widget)
    window.resize(800, 900)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    plot.setFocus()
    made = Desk(
        bot=qtbot, window=window, plot=plot, edit=edit, pen=pen, cells=cells, layer=layer, tools=tools,
        shapes=shapes, scale=scale,
    )  # fmt: skip
    yield made
    background.close()
    store.close()


def near(shape: Shape, start_s: float, end_s: float, low_hz: float, high_hz: float | None) -> bool:
    """Tell whether a shape lies there, as exactly as a hand of two pixels can put it."""
    bounds = bounds_of(shape)
    return (bounds.start_s, bounds.end_s) == pytest.approx((start_s, end_s), abs=0.05) and (
        (bounds.low_hz, bounds.high_hz) == pytest.approx((low_hz, high_hz), rel=0.03, abs=20)
        if high_hz is not None
        else bounds.high_hz is None and bounds.low_hz == pytest.approx(low_hz, abs=20)
    )


@pytest.mark.parametrize(
    ("key", "kind"),
    [("r", RectShape), ("t", RectShape), ("f", RectShape), ("o", PolygonShape), ("p", BrushShape)],
)
def test_each_tool_has_a_key_and_draws(desk: Desk, key: str, kind: type) -> None:
    desk.press(key)
    desk.drag((2.0, 500.0), (3.0, 700.0), (3.5, 2000.0), (4.0, 2500.0))
    [shape] = desk.edit.shapes
    assert isinstance(shape, kind) and shape.op is MaskOp.ADD
    assert desk.edit.undo_name.startswith(("Draw", "Paint", "Select"))


def test_a_rectangle_is_where_the_mouse_was(desk: Desk) -> None:
    desk.press("r")
    desk.drag((2.0, 500.0), (4.0, 2500.0))
    assert near(desk.edit.shapes[0], 2.0, 4.0, 500.0, 2500.0)
    desk.press("t")
    desk.drag((6.0, 500.0), (7.0, 2500.0))
    assert near(desk.edit.shapes[1], 6.0, 7.0, 0.0, None)


def test_harmonics_are_one_step(desk: Desk) -> None:
    desk.press("h")
    desk.drag((2.0, 1000.0), (3.0, 1000.0), (4.0, 1000.0))
    [shape] = desk.edit.shapes
    assert isinstance(shape, Harmonics) and shape.count in (7, 8)
    desk.press("z", KEYS.ControlModifier)
    assert desk.edit.shapes == () and desk.edit.redo_name == "Paint harmonics"


def test_harmonics_are_moved_by_any_of_them_and_stay_multiples(desk: Desk) -> None:
    stroke = BrushShape(points=((2.0, 500.0), (4.0, 500.0)), radius_s=0.1, radius_hz=60.0)
    desk.edit.add((Harmonics(fundamental=stroke, count=4),), "Add")
    desk.drag((3.0, 1500.0), (4.0, 1600.0), (5.0, 1800.0))
    [shape] = desk.edit.shapes
    assert isinstance(shape, Harmonics) and shape.count == 4
    (start_s, first_hz), (_, last_hz) = shape.fundamental.points
    assert (start_s, first_hz) == (pytest.approx(4.0, abs=0.05), pytest.approx(600.0, rel=0.02))
    assert first_hz == last_hz
    desk.drag((5.0, first_hz * 3), (5.0, 4000.0), (5.0, 7999.0))
    [shape] = desk.edit.shapes
    assert isinstance(shape, Harmonics)
    assert shape.fundamental.points[0][1] == pytest.approx(TOP_HZ / 4)


def test_alt_takes_away_and_e_does_until_pressed_again(desk: Desk) -> None:
    desk.press("p")
    desk.drag((2.0, 500.0), (3.0, 700.0), keys=KEYS.AltModifier)
    desk.press("e")
    desk.drag((2.0, 500.0), (3.0, 700.0))
    desk.drag((2.0, 500.0), (3.0, 700.0), keys=KEYS.AltModifier)
    desk.press("e")
    desk.drag((2.0, 500.0), (3.0, 700.0))
    ops = [shape.op for shape in desk.edit.shapes]
    assert ops == [MaskOp.SUBTRACT, MaskOp.SUBTRACT, MaskOp.ADD, MaskOp.ADD]
    assert desk.edit.undo_name == "Paint"


def test_shift_keeps_a_stroke_level(desk: Desk) -> None:
    desk.press("p")
    desk.drag((2.0, 1000.0), (3.0, 1100.0), (5.0, 1200.0), keys=KEYS.ShiftModifier)
    [shape] = desk.edit.shapes
    assert isinstance(shape, BrushShape) and len(shape.points) == 2
    assert shape.points[0][1] == shape.points[1][1]


def test_the_hand_moves_and_resizes_what_it_chose(desk: Desk) -> None:
    desk.edit.add((RectShape(span=TimeSpan(start_s=2.0, end_s=4.0), low_hz=500.0, high_hz=1500.0),), "Add")
    desk.drag((3.0, 1000.0), (4.0, 1000.0), (5.0, 1000.0))
    assert desk.edit.selected == 0 and near(desk.edit.shapes[0], 4.0, 6.0, 500.0, 1500.0)
    assert desk.edit.undo_name == "Move shape"
    desk.drag((6.0, 1000.0), (7.0, 1000.0), (8.0, 1000.0))
    assert near(desk.edit.shapes[0], 4.0, 8.0, 500.0, 1500.0)
    assert desk.edit.undo_name == "Resize shape"


@pytest.fixture
def every_move() -> Iterator[None]:
    """Let pyqtgraph see moves that come faster than a hand's."""
    before = pg.getConfigOption("mouseRateLimit")
    pg.setConfigOption("mouseRateLimit", 0)
    yield
    pg.setConfigOption("mouseRateLimit", before)


@pytest.mark.usefixtures("every_move")
def test_beside_all_shapes_the_hand_leaves_the_mouse_to_what_lies_below(desk: Desk) -> None:
    desk.edit.add((RectShape(span=TimeSpan(start_s=2.0, end_s=4.0), low_hz=500.0, high_hz=1500.0),), "Add")
    desk.edit.select(0)
    before = desk.plot.viewRange()[0]
    desk.drag((7.0, 3000.0), (6.0, 3000.0), (5.0, 3000.0))
    assert desk.edit.selected is None
    assert desk.plot.viewRange()[0] != before, "the plot itself was dragged"


def test_a_rectangle_drawn_with_keys_alone(desk: Desk) -> None:
    desk.press(Qt.Key.Key_Insert)
    start = bounds_of(desk.edit.shapes[0])
    for _ in range(3):
        desk.press(Qt.Key.Key_Right)
    desk.press(Qt.Key.Key_Up)
    moved = bounds_of(desk.edit.shapes[0])
    assert moved.start_s > start.start_s and moved.low_hz > start.low_hz
    assert moved.end_s - moved.start_s == pytest.approx(start.end_s - start.start_s)
    desk.press(Qt.Key.Key_Right, KEYS.ShiftModifier)
    desk.press(Qt.Key.Key_Down, KEYS.ShiftModifier)
    sized = bounds_of(desk.edit.shapes[0])
    assert sized.start_s == moved.start_s and sized.end_s > moved.end_s
    assert sized.low_hz == moved.low_hz and (sized.high_hz or TOP_HZ) < (moved.high_hz or TOP_HZ)
    desk.press(Qt.Key.Key_Right, KEYS.ControlModifier)
    fine = bounds_of(desk.edit.shapes[0]).start_s - sized.start_s
    assert fine == pytest.approx((moved.start_s - start.start_s) / 24, rel=0.01)
    desk.press(Qt.Key.Key_Delete)
    assert desk.edit.shapes == ()


def test_arrows_without_a_chosen_shape_are_for_others(desk: Desk) -> None:
    desk.press(Qt.Key.Key_Insert)
    desk.press(Qt.Key.Key_Escape)
    before = desk.edit.state
    desk.press(Qt.Key.Key_Right)
    assert desk.edit.selected is None and desk.edit.state == before


def test_escape_while_drawing_keeps_nothing(desk: Desk) -> None:
    desk.press("p")
    view = desk.plot.viewport()
    desk.bot.mousePress(view, BUTTON, KEYS.NoModifier, desk.at(2.0, 500.0))
    desk.move((3.0, 800.0))
    desk.press(Qt.Key.Key_Escape)
    desk.bot.mouseRelease(view, BUTTON, KEYS.NoModifier, desk.at(3.0, 800.0))
    assert desk.edit.shapes == () and desk.edit.undo_name == ""


def test_undo_and_redo_tell_what_they_do(desk: Desk) -> None:
    undo = desk.find(QToolButton, "mask_undo_button")
    assert isinstance(undo, QToolButton) and not undo.isEnabled()
    desk.press("r")
    desk.drag((2.0, 500.0), (4.0, 2500.0))
    assert undo.isEnabled() and "Draw rectangle" in undo.toolTip()
    undo.click()
    redo = desk.find(QToolButton, "mask_redo_button")
    assert isinstance(redo, QToolButton) and "Draw rectangle" in redo.toolTip()
    assert desk.edit.shapes == ()
    redo.click()
    assert len(desk.edit.shapes) == 1


def test_a_mask_goes_by_the_clipboard_to_another_region(desk: Desk) -> None:
    desk.cells.set_region(TimeSpan(start_s=1.0, end_s=4.0))
    desk.edit.add((RectShape(span=TimeSpan(start_s=2.0, end_s=3.0), low_hz=500.0, high_hz=1500.0),), "Add")
    desk.press("c", KEYS.ControlModifier)
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert json.loads(clipboard.text())["shapes"][0]["span"] == {"start_s": 1.0, "end_s": 2.0}
    desk.cells.set_region(TimeSpan(start_s=5.0, end_s=9.0))
    desk.press("v", KEYS.ControlModifier)
    assert bounds_of(desk.edit.shapes[1]).start_s == 6.0
    clipboard.setText("no mask")
    desk.press("v", KEYS.ControlModifier)
    message = desk.find(QLabel, "mask_message")
    assert isinstance(message, QLabel) and message.isVisible() and "Not valid JSON" in message.text()
    desk.press("i")
    assert not message.isVisible()


def test_the_readout_tells_place_note_and_size(desk: Desk) -> None:
    where, amount = desk.find(QLabel, "mask_where"), desk.find(QLabel, "mask_amount")
    assert isinstance(where, QLabel) and isinstance(amount, QLabel)
    desk.bot.mouseMove(desk.plot.viewport(), desk.at(5.0, 440.0))
    desk.bot.waitUntil(lambda: where.text() != "")
    seconds, rest = where.text().split(" s", 1)
    assert float(seconds) == pytest.approx(5.0, abs=0.03)
    assert "Hz" in rest and ("A4" in rest or "G#4" in rest)
    desk.tools.set_beats(BeatGrid(tempo_bpm=120.0))
    desk.bot.mouseMove(desk.plot.viewport(), desk.at(5.1, 440.0))
    desk.bot.waitUntil(lambda: where.text().startswith("3.3."))
    desk.settle()
    assert amount.text() == "Nothing masked"
    desk.edit.add((RectShape(span=TimeSpan(start_s=0.0, end_s=5.0)),), "Add")
    desk.settle()
    assert amount.text() == "50.0 % of the region, 2000 of 4000 cells"


def test_what_is_being_drawn_is_counted_and_told(desk: Desk) -> None:
    desk.press("t")
    view = desk.plot.viewport()
    desk.bot.mousePress(view, BUTTON, KEYS.NoModifier, desk.at(0.0, 500.0))
    desk.move((2.0, 800.0))
    desk.bot.waitUntil(lambda: desk.cells.counted is not None and desk.cells.counted.count > 700)
    where = desk.find(QLabel, "mask_where")
    assert isinstance(where, QLabel) and where.text().startswith("0.000 to ")
    desk.bot.mouseRelease(view, BUTTON, KEYS.NoModifier, desk.at(2.0, 800.0))


def test_the_tools_follow_the_pen_and_the_pen_the_tools(desk: Desk) -> None:
    button = desk.find(QToolButton, "mask_brush_button")
    assert isinstance(button, QToolButton)
    button.click()
    assert desk.pen.pen.tool is Tool.BRUSH and button.isChecked()
    tip = desk.find(QDoubleSpinBox, "mask_tip_s")
    assert isinstance(tip, QDoubleSpinBox) and tip.isVisible()
    tip.setValue(80)
    assert desk.pen.pen.tip_s == 0.08
    desk.press(".")
    assert desk.pen.pen.tip_s == pytest.approx(0.1) and tip.value() == 100
    desk.press("r")
    assert not tip.isVisible() and not button.isChecked()
    desk.press("n")
    desk.press("g")
    assert desk.pen.pen.snaps_to_notes and desk.pen.pen.shows_cells
    feather = desk.find(QDoubleSpinBox, "mask_feather_s")
    assert isinstance(feather, QDoubleSpinBox)
    feather.setValue(120)
    assert desk.edit.state.feather_s == 0.12
    desk.press("z", KEYS.ControlModifier)
    assert feather.value() == 10


def test_all_that_can_be_used_has_a_name_and_a_place_in_the_tab_order(desk: Desk) -> None:
    kinds = (QToolButton, QDoubleSpinBox, QLineEdit, QPushButton, QComboBox, QListView)
    used = [widget for kind in kinds for widget in desk.window.findChildren(kind)]
    used = [one for one in used if one.objectName().startswith("mask_")]
    assert len(used) > 25
    for widget in used:
        assert widget.accessibleName(), widget.objectName()
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, widget.objectName()
    assert all(widget.toolTip() for widget in used if not isinstance(widget, QPushButton))


def write(desk: Desk, **texts: str) -> None:
    for name, text in texts.items():
        field = desk.find(QLineEdit, f"mask_{name}")
        assert isinstance(field, QLineEdit)
        field.clear()
        desk.bot.keyClicks(field, text)


def test_a_mask_by_numbers_alone(desk: Desk) -> None:
    write(desk, start="1.5", end="0:02.5", low="A3", high="1.2 kHz")
    desk.bot.keyClick(desk.find(QLineEdit, "mask_high"), Qt.Key.Key_Return)
    assert desk.edit.shapes == (
        RectShape(span=TimeSpan(start_s=1.5, end_s=2.5), low_hz=220.0, high_hz=1200.0),
    )
    write(desk, end="3", high="")
    desk.bot.mouseClick(desk.find(QPushButton, "mask_change_shape"), BUTTON)
    assert desk.edit.shapes == (RectShape(span=TimeSpan(start_s=1.5, end_s=3.0), low_hz=220.0),)
    write(desk, end="never")
    desk.bot.mouseClick(desk.find(QPushButton, "mask_add_rect"), BUTTON)
    trouble = desk.find(QLabel, "mask_trouble")
    assert isinstance(trouble, QLabel) and trouble.isVisible()
    assert trouble.text().startswith('"never" is not a time. Write it as')
    assert len(desk.edit.shapes) == 1


def test_numbers_in_bars(desk: Desk) -> None:
    desk.shapes.set_beats(BeatGrid(tempo_bpm=120.0))
    write(desk, start="1", end="2.3", low="", high="")
    desk.bot.mouseClick(desk.find(QPushButton, "mask_add_rect"), BUTTON)
    assert desk.edit.shapes == (RectShape(span=TimeSpan(start_s=0.0, end_s=3.0)),)
    view = desk.find(QListView, "mask_shapes")
    assert isinstance(view, QListView)
    assert view.currentIndex().data() == "+ Rectangle  1.1.00 to 2.3.00"


def test_the_list_chooses_turns_over_and_deletes(desk: Desk) -> None:
    for start_s in (1.0, 3.0, 5.0):
        desk.edit.add((RectShape(span=TimeSpan(start_s=start_s, end_s=start_s + 1)),), "Add")
    view = desk.find(QListView, "mask_shapes")
    assert isinstance(view, QListView)
    view.setFocus()
    desk.edit.select(0)
    assert view.currentIndex().row() == 0
    desk.bot.keyClick(view, Qt.Key.Key_Down)
    assert desk.edit.selected == 1
    desk.bot.keyClick(view, Qt.Key.Key_Space)
    assert [shape.op for shape in desk.edit.shapes] == [MaskOp.ADD, MaskOp.SUBTRACT, MaskOp.ADD]
    desk.bot.keyClick(view, Qt.Key.Key_Delete)
    assert [bounds_of(shape).start_s for shape in desk.edit.shapes] == [1.0, 5.0]
    assert desk.edit.selected == 1 and view.currentIndex().row() == 1


def mean_colour(desk: Desk, place: QPoint) -> QColor:
    """Return what a place is like from afar: masks are hatched."""
    around = QRect(place - QPoint(HATCH_PX, 1), QSize(2 * HATCH_PX, 3))
    return (
        desk.plot.grab(around)
        .scaled(1, 1, transformMode=Qt.TransformationMode.SmoothTransformation)
        .toImage()
        .pixelColor(0, 0)
    )


def test_what_is_seen_is_the_mask_and_on_demand_its_cells(desk: Desk) -> None:
    desk.edit.add((RectShape(span=TimeSpan(start_s=2.0, end_s=4.0), low_hz=500.0, high_hz=2500.0),), "Add")
    desk.settle()
    place = desk.at(3.0, 1200.0)
    shown = mean_colour(desk, place)
    assert shown.red() > 80 > shown.blue(), "the mask's colour on a black plot"
    desk.press("g")
    celled = mean_colour(desk, place)
    assert celled.blue() > shown.blue() + 20, "the accent's colour over it"
    desk.layer.set_scale(FrequencyScale(ScaleKind.LINEAR, TOP_HZ))
    desk.press("g")
    desk.settle()
    assert mean_colour(desk, place).red() < 30, "on a linear axis it lies further down"


def test_a_stroke_is_seen_while_it_is_drawn(desk: Desk) -> None:
    desk.press("p")
    view = desk.plot.viewport()
    desk.bot.mousePress(view, BUTTON, KEYS.NoModifier, desk.at(2.0, 1000.0))
    for step in range(20):
        desk.move((2.0 + step / 10, 1000.0))
    assert desk.edit.shapes == ()
    shown = mean_colour(desk, desk.at(3.0, 1000.0))
    desk.bot.mouseRelease(view, BUTTON, KEYS.NoModifier, desk.at(3.9, 1000.0))
    assert shown.red() > 60
    # Until the picture has it, and after.
    for _ in range(2):
        assert mean_colour(desk, desk.at(3.0, 1000.0)).red() > 60
        desk.settle()


def test_the_view_stays_while_something_is_drawn(desk: Desk) -> None:
    def wheel() -> None:
        place = QPointF(desk.at(3.0, 1000.0))
        event = QWheelEvent(
            place, desk.plot.viewport().mapToGlobal(place), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
            KEYS.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QGuiApplication.sendEvent(desk.plot.viewport(), event)

    desk.press("p")
    desk.bot.mousePress(desk.plot.viewport(), BUTTON, KEYS.NoModifier, desk.at(2.0, 1000.0))
    before = desk.plot.viewRange()
    wheel()
    assert desk.plot.viewRange() == before
    desk.bot.mouseRelease(desk.plot.viewport(), BUTTON, KEYS.NoModifier, desk.at(2.0, 1000.0))
    wheel()
    assert desk.plot.viewRange() != before

"""The view of the sound, used as a person does. Legend: N channels, S samples, R rows, C columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyqtgraph as pg
import pytest
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPointingDevice,
    QWheelEvent,
)
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QDoubleSpinBox, QLabel, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from engine.types import TimeSpan
from tests.unit.panel_sounds import RATE_HZ, complete, noise, opened, written
from ui.look.colours import DARK, LIGHT, Theme
from ui.look.theme import look
from ui.model.display import ColourMap, Display, Shown, Snap, TimeUnit
from ui.model.keys import KeyMap
from ui.model.pictures import PlacedTile
from ui.model.region import RegionModel
from ui.model.store import Store
from ui.sound.model_grid import ModelGrid
from ui.sound.peaks import Columns
from ui.sound.scales import FrequencyScale, ScaleKind
from ui.widgets.actions import Actions
from ui.widgets.region_view import RegionView
from ui.widgets.spectrogram_item import colour_table, coloured, composed
from ui.widgets.time_axes import clock, nice_time_step
from ui.widgets.waveform_item import WaveformItem

LEFT, MIDDLE, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.NoButton
PLAIN, CTRL, SHIFT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)

Kind = TypeVar("Kind", bound=QWidget)


@pytest.fixture
def view(qtbot: QtBot, tmp_path: Path) -> Iterator[RegionView]:
    """Return a view of four seconds, of which the second has a tone of 2 kHz."""
    rate = pg.getConfigOption("mouseRateLimit")
    pg.setConfigOption("mouseRateLimit", -1)
    audio_NS = noise() * 0.01
    time_S = np.arange(RATE_HZ) / RATE_HZ
    audio_NS[:, RATE_HZ : 2 * RATE_HZ] += 0.5 * np.sin(2 * np.pi * 2000.0 * time_S)
    model = RegionModel()
    actions = Actions(KeyMap(Store(tmp_path / "panel.json")))
    view = RegionView(model, actions)
    actions.setParent(view)
    qtbot.addWidget(view)
    view.resize(900, 600)
    view.show()
    qtbot.waitExposed(view)
    opened(model, qtbot, written(tmp_path / "sound.wav", audio_NS))
    yield view
    model.close()
    pg.setConfigOption("mouseRateLimit", rate)


def place(view: RegionView, time_s: float, axis: float = 0.5) -> QPointF:
    """Return where a time and a place on the frequency axis are in the canvas."""
    scene = view.spectrogram_box.mapViewToScene(pg.Point(time_s, axis))
    return QPointF(view.canvas.mapFromScene(scene))


def send_mouse(
    target: QWidget, kind: QEvent.Type, at: QPointF, button: Qt.MouseButton, keys: Qt.KeyboardModifier
) -> None:
    held = NONE if kind is QEvent.Type.MouseButtonRelease else button
    event = QMouseEvent(kind, at, QPointF(target.mapToGlobal(at.toPoint())), button, held, keys)
    QApplication.sendEvent(target, event)


def drag(
    target: QWidget,
    start: QPointF,
    stop: QPointF,
    button: Qt.MouseButton = LEFT,
    keys: Qt.KeyboardModifier = PLAIN,
) -> None:
    send_mouse(target, QEvent.Type.MouseButtonPress, start, button, keys)
    for share in (0.3, 0.6, 1.0):
        send_mouse(target, QEvent.Type.MouseMove, start + (stop - start) * share, button, keys)
    send_mouse(target, QEvent.Type.MouseButtonRelease, stop, button, keys)


def drag_times(view: RegionView, start_s: float, stop_s: float, keys: Qt.KeyboardModifier = PLAIN) -> None:
    drag(viewport(view), place(view, start_s), place(view, stop_s), keys=keys)


def viewport(view: RegionView) -> QWidget:
    found = view.canvas.viewport()
    assert found is not None
    return found


def wheel(target: QWidget, at: QPointF, steps: QPoint, keys: Qt.KeyboardModifier = PLAIN) -> None:
    event = QWheelEvent(
        at,
        QPointF(target.mapToGlobal(at.toPoint())),
        QPoint(),
        steps * 120,
        NONE,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(target, event)


def hover(view: RegionView, at: QPointF) -> None:
    event = QMouseEvent(
        QEvent.Type.MouseMove, at, QPointF(view.canvas.mapToGlobal(at.toPoint())), NONE, NONE, PLAIN
    )
    QApplication.sendEvent(viewport(view), event)


def child(view: RegionView, kind: type[Kind], name: str) -> Kind:
    found = view.findChild(kind, name)
    assert found is not None
    return found


def press(view: RegionView, keys: str) -> None:
    """Do what a key does; that keys reach their actions is Qt's."""
    found = [action for action in view.actions() if keys in {k.toString() for k in action.shortcuts()}]
    assert len(found) == 1, f"{keys} does {[action.text() for action in found]}"
    found[0].trigger()


def test_the_wheel_zooms_at_the_mouse(view: RegionView) -> None:
    wheel(viewport(view), place(view, 1.0), QPoint(0, 3))
    seen = view.model.view
    assert seen.duration_s == pytest.approx(4.0 / 1.25**3)
    assert (1.0 - seen.start_s) / seen.duration_s == pytest.approx(0.25, abs=0.005)
    wheel(viewport(view), place(view, 1.0), QPoint(0, -9))
    assert view.model.view == TimeSpan(start_s=0.0, end_s=4.0)


def test_the_wheel_scrolls_with_shift_and_sideways_and_zooms_frequencies_with_ctrl(view: RegionView) -> None:
    model = view.model
    model.show(TimeSpan(start_s=1.0, end_s=2.0))
    wheel(viewport(view), place(view, 1.5), QPoint(0, -1), SHIFT)
    assert model.view.start_s > 1.0 and model.view.duration_s == pytest.approx(1.0)
    before_s = model.view.start_s
    wheel(viewport(view), place(view, 1.5), QPoint(1, 0))
    assert model.view.start_s < before_s
    wheel(viewport(view), place(view, 1.5, 0.75), QPoint(0, 2), CTRL)
    low, high = model.band
    assert high - low == pytest.approx(1.25**-2)
    assert (0.75 - low) / (high - low) == pytest.approx(0.75, abs=0.01)


def test_two_fingers_zoom(view: RegionView) -> None:
    at = place(view, 2.0)
    pinch = QNativeGestureEvent(
        Qt.NativeGestureType.ZoomNativeGesture,
        QPointingDevice.primaryPointingDevice(),
        2,
        at,
        at,
        at,
        0.5,
        QPointF(),
    )
    QApplication.sendEvent(viewport(view), pinch)
    assert view.model.view.duration_s == pytest.approx(4.0 / 1.5)


def test_a_drag_selects_and_its_edges_can_be_dragged(view: RegionView) -> None:
    drag_times(view, 3.0, 1.0)
    span = view.model.span
    assert span is not None and (span.start_s, span.end_s) == pytest.approx((1.0, 3.0), abs=0.01)
    drag_times(view, span.end_s, 2.5)
    span = view.model.span
    assert span is not None and (span.start_s, span.end_s) == pytest.approx((1.0, 2.5), abs=0.01)
    drag_times(view, span.start_s, 3.5)
    span = view.model.span
    assert span is not None and (span.start_s, span.end_s) == pytest.approx((2.5, 3.5), abs=0.01)


def test_a_drag_snaps_to_beats_but_not_with_ctrl(view: RegionView) -> None:
    view.model.set_beats(60.0)
    view.model.set_snap(Snap.BEATS)
    drag_times(view, 0.9, 2.6)
    assert view.model.span == TimeSpan(start_s=1.0, end_s=2.5)
    view.model.select(None)
    drag_times(view, 0.9, 2.6, CTRL)
    span = view.model.span
    assert span is not None and (span.start_s, span.end_s) == pytest.approx((0.9, 2.6), abs=0.01)


def test_a_click_seeks_and_one_beside_the_selection_ends_it(view: RegionView, qtbot: QtBot) -> None:
    view.model.select(TimeSpan(start_s=1.0, end_s=2.0))
    for time_s, is_kept in ((1.5, True), (3.0, False)):
        with qtbot.waitSignal(view.seek_wanted) as wanted:
            QTest.mouseClick(viewport(view), LEFT, PLAIN, place(view, time_s).toPoint())
        assert wanted.args is not None and wanted.args[0] == pytest.approx(time_s, abs=0.01)
        assert (view.model.span is not None) is is_kept


def test_the_middle_button_drags_what_is_seen(view: RegionView) -> None:
    view.model.show(TimeSpan(start_s=1.0, end_s=2.0))
    drag(viewport(view), place(view, 1.5), place(view, 1.2), MIDDLE)
    assert view.model.view.start_s == pytest.approx(1.3, abs=0.02)


def test_keys_zoom_scroll_and_select(view: RegionView) -> None:
    model = view.model
    press(view, "+")
    assert model.view.duration_s == pytest.approx(4.0 / 1.5)
    press(view, "Home")
    assert model.view.start_s == 0.0
    press(view, "Right")
    assert model.view.start_s == pytest.approx(0.2 * 4.0 / 1.5)
    press(view, "Left")
    press(view, "End")
    assert model.view.end_s == pytest.approx(4.0)
    press(view, "-")
    press(view, "Ctrl++")
    assert model.band[1] - model.band[0] == pytest.approx(1 / 1.5)
    press(view, "Up")
    assert model.band[1] > 0.9
    press(view, "Z")
    assert model.view == TimeSpan(start_s=0.0, end_s=4.0) and model.band == (0.0, 1.0)
    press(view, "Ctrl+A")
    assert model.span == TimeSpan(start_s=0.0, end_s=4.0)
    press(view, "Esc")
    assert model.span is None


def test_a_stretch_is_selected_by_keys_alone(view: RegionView) -> None:
    model = view.model
    model.set_beats(60.0)
    model.set_snap(Snap.BEATS)
    press(view, "Ctrl+Right")
    press(view, "Ctrl+Right")
    press(view, "[")
    step_s = model.snap_step_beats
    for _ in range(2):
        press(view, "Ctrl+Right")
    press(view, "]")
    assert model.span == TimeSpan(start_s=2 * step_s, end_s=4 * step_s)
    press(view, "Shift+Z")
    assert model.view == model.span


def test_keys_reach_the_view(view: RegionView, qtbot: QtBot) -> None:
    view.setFocus()
    view.activateWindow()
    qtbot.waitUntil(view.hasFocus)
    qtbot.keyClick(view, Qt.Key.Key_Plus)
    assert view.model.view.duration_s == pytest.approx(4.0 / 1.5)


def test_the_pointer_tells_time_frequency_note_and_level(view: RegionView) -> None:
    view.model.set_beats(60.0)
    hover(view, place(view, 1.5, view.scale.to_axis(2000.0)))
    told = child(view, QLabel, "pointed").text().split()
    assert told[0] == "0:01.500"[:5] + told[0][5:] and told[2].startswith("1.2.")
    assert float(told[3]) == pytest.approx(2000.0, rel=0.02)
    assert told[5].startswith(("B6", "A#6", "C7"))
    assert float(told[6]) == pytest.approx(20 * np.log10(0.5), abs=3.0)


def test_numbers_select_as_well(view: RegionView) -> None:
    child(view, QDoubleSpinBox, "span_from").setValue(1.25)
    child(view, QDoubleSpinBox, "span_to").setValue(2.5)
    assert view.model.span == TimeSpan(start_s=1.25, end_s=2.5)
    assert child(view, QLabel, "span_length").text() == "1.250 s"


def test_numbers_that_hold_nothing_go_back_to_what_is_selected(view: RegionView, qtbot: QtBot) -> None:
    start, end = child(view, QDoubleSpinBox, "span_from"), child(view, QDoubleSpinBox, "span_to")
    for field, typed in ((start, "3"), (end, "3\r")):
        field.setFocus()
        field.selectAll()
        qtbot.keyClicks(field, typed)
    assert view.model.span == TimeSpan(start_s=3.0, end_s=4.0)
    assert (start.value(), end.value()) == (3.0, 4.0)


def test_a_later_stretch_can_be_typed_from_its_beginning(view: RegionView, qtbot: QtBot) -> None:
    view.model.select(TimeSpan(start_s=0.5, end_s=1.0))
    start, end = child(view, QDoubleSpinBox, "span_from"), child(view, QDoubleSpinBox, "span_to")
    for field, typed in ((start, "2\t"), (end, "3\r")):
        field.setFocus()
        field.selectAll()
        qtbot.keyClicks(field, typed)
    assert view.model.span == TimeSpan(start_s=2.0, end_s=3.0)


def test_the_window_of_the_overview_is_dragged_and_sized(view: RegionView) -> None:
    model, overview = view.model, view.overview
    model.show(TimeSpan(start_s=0.0, end_s=1.0))
    middle = overview.window_px().center()
    drag(overview, middle, middle + QPointF(overview.width() / 4, 0.0))
    assert (model.view.start_s, model.view.duration_s) == pytest.approx((1.0, 1.0), abs=0.02)
    edge = QPointF(overview.window_px().right(), 20.0)
    drag(overview, edge, edge + QPointF(overview.width() / 8, 0.0))
    assert (model.view.start_s, model.view.end_s) == pytest.approx((1.0, 2.5), abs=0.02)
    QTest.mouseClick(overview, LEFT, PLAIN, QPoint(overview.width() - 2, 20))
    assert model.view.end_s == pytest.approx(4.0)


def test_the_take_and_the_difference_are_there_once_there_is_a_take(
    view: RegionView, qtbot: QtBot, tmp_path: Path
) -> None:
    button = child(view, QToolButton, "region.difference button")
    assert not button.isEnabled()
    with qtbot.waitSignal(view.model.compared):
        view.model.compare(written(tmp_path / "take.wav", noise(seed=3)))
    before = view.model.view
    button.click()
    assert view.model.shown is Shown.DIFFERENCE and button.isChecked() and view.model.view == before
    press(view, "Shift+A")
    assert view.model.shown is Shown.ORIGINAL and not button.isChecked()


def test_what_cannot_be_read_is_one_sentence_that_can_be_closed(view: RegionView, qtbot: QtBot) -> None:
    bar = child(view, QWidget, "trouble")
    assert bar.isHidden()
    with qtbot.waitSignal(view.model.failed):
        view.model.open("nowhere.wav")
    assert not bar.isHidden()
    assert (
        child(view, QLabel, "trouble_text").text() == "nowhere.wav does not exist. Choose a file that does."
    )
    assert child(view, QPushButton, "reload").isHidden(), "what is open has not changed"
    child(view, QPushButton, "dismiss").click()
    assert bar.isHidden()


def test_a_file_that_changed_can_be_reloaded(view: RegionView, qtbot: QtBot) -> None:
    written(Path(view.model.path), noise(1.0))
    with qtbot.waitSignal(view.model.failed):
        view.model.check()
    assert "was changed by another program. Reload it" in child(view, QLabel, "trouble_text").text()
    with qtbot.waitSignal(view.model.opened):
        child(view, QPushButton, "reload").click()
    assert child(view, QWidget, "trouble").isHidden() and view.model.duration_s == 1.0


def colour_at(view: RegionView, time_s: float, axis: float) -> QColor:
    at = place(view, time_s, axis)
    return view.canvas.grab().toImage().pixelColor(at.toPoint())


def test_a_tone_is_bright_where_and_when_it_sounds(view: RegionView, qtbot: QtBot) -> None:
    axis = view.scale.to_axis(2000.0)
    inside, before, above = (
        colour_at(view, time_s, place_axis).lightnessF()
        for time_s, place_axis in ((1.5, axis), (0.5, axis), (1.5, view.scale.to_axis(3000.0)))
    )
    assert inside > before + 0.3 and inside > above + 0.3
    view.model.change_display(colour_map=ColourMap.GREY, floor_db=-40.0, range_db=30.0)
    assert colour_at(view, 0.5, axis).lightnessF() == 0.0
    assert colour_at(view, 1.5, axis).lightnessF() > 0.9


@pytest.mark.parametrize("seen", [(0.9, 1.1), (1.4, 1.402)])
def test_the_waveform_is_drawn_at_any_zoom(view: RegionView, qtbot: QtBot, seen: tuple[float, float]) -> None:
    view.model.show(TimeSpan(start_s=seen[0], end_s=seen[1]))
    complete(view.model, qtbot)
    box = view.waveform_box
    corner = view.canvas.mapFromScene(box.mapViewToScene(pg.Point(seen[0], 2.0)))
    end = view.canvas.mapFromScene(box.mapViewToScene(pg.Point(seen[1], 0.0)))
    image = view.canvas.grab().toImage()
    ground = image.pixelColor(corner.x() + 3, corner.y() + 1)
    heights = []
    for x in range(corner.x() + 3, end.x() - 3, 4):
        drawn = [y for y in range(corner.y(), end.y()) if image.pixelColor(x, y) != ground]
        heights.append(max(drawn) - min(drawn) if drawn else 0)
    assert min(heights) > 0, "there is something at each time"
    if seen[0] < 1.0:
        assert np.mean(heights[-20:]) > np.mean(heights[:20]), "the tone is louder than the noise before"


@pytest.mark.parametrize(("theme", "colours"), [(Theme.LIGHT, LIGHT), (Theme.DARK, DARK)])
def test_it_is_drawn_in_the_colours_of_the_theme(view: RegionView, theme: Theme, colours: object) -> None:
    look().use(theme)
    image = view.grab().toImage()
    field = QColor(colours.field)  # type: ignore[attr-defined]
    corner = view.canvas.mapTo(view, QPoint(2, view.canvas.height() // 2))
    assert image.pixelColor(corner) == field


def test_everything_is_drawn_together(view: RegionView, qtbot: QtBot) -> None:
    model = view.model
    model.set_beats(120.0)
    model.set_snap(Snap.TRANSIENTS)
    model.change_display(time_unit=TimeUnit.BARS, scale_kind=ScaleKind.LOG, is_grid_shown=True)
    model.set_model_grid(ModelGrid(cell_s=0.08, band_edges_hz=(0.0, 500.0, 2000.0, 6000.0), top_hz=6000.0))
    model.select(TimeSpan(start_s=1.0, end_s=2.0))
    model.set_loop(TimeSpan(start_s=1.0, end_s=1.5))
    model.set_playhead(1.2)
    complete(model, qtbot)
    image = view.canvas.grab().toImage()
    assert has_colour(image, place(view, 3.0, model.scale.to_axis(6000.0)), DARK.mask), "the model's top"
    assert has_colour(image, place(view, 1.2, 0.99), DARK.playhead)
    assert has_colour(image, place(view, 2.0, 0.99), DARK.selection), "an edge of the selection"


def has_colour(image: QImage, near: QPointF, colour: str) -> bool:
    """Tell whether something of about this hue is drawn within a few pixels."""
    wanted, at = QColor(colour), near.toPoint()
    found = (image.pixelColor(at.x() + x, at.y() + y) for x in range(-6, 7) for y in range(-2, 3))
    return any(abs(one.hue() - wanted.hue()) < 12 and one.saturation() > 60 for one in found)


def test_all_that_can_be_used_has_a_name_and_is_reached_by_keys(view: RegionView) -> None:
    kinds = (QToolButton, QPushButton, QDoubleSpinBox)
    for kind in kinds:
        for widget in view.findChildren(kind):
            assert widget.objectName() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
            assert widget.accessibleName(), widget.objectName()


def test_a_picture_is_put_together_from_tiles_of_any_size() -> None:
    rng = np.random.default_rng(0)
    scale = FrequencyScale(ScaleKind.MEL, 8000.0)
    fine_RC = rng.integers(0, 255, (8, 256), dtype=np.uint8)
    coarse_RC = rng.integers(0, 255, (4, 256), dtype=np.uint8)
    fine = PlacedTile("a", ScaleKind.MEL, fine_RC, 0.0, 256.0, 0.0, 256.0)
    coarse = PlacedTile("b", ScaleKind.MEL, coarse_RC, 256.0, 512.0, 64.0, 128.0)
    picture_RC = composed([fine, coarse], (0.0, 512.0), (0.0, 1.0), (8, 512), scale)
    np.testing.assert_array_equal(picture_RC[:, :256], fine_RC)
    steps_C = np.array([picture_RC[0, 256 + 4 * step + 2] for step in range(64)], int)
    middles_C = coarse_RC[0, 64:128].astype(int)
    neighbours_C = coarse_RC[0, 65:129].astype(int)
    np.testing.assert_allclose(steps_C, middles_C + (neighbours_C - middles_C) / 8, atol=1.0)
    upper_RC = composed([fine], (0.0, 256.0), (0.5, 1.0), (4, 256), scale)
    np.testing.assert_array_equal(upper_RC, fine_RC[:4])


@pytest.mark.parametrize("kind", ScaleKind)
def test_a_tile_of_another_scale_is_bent_to_the_one_that_is_shown(kind: ScaleKind) -> None:
    rows = 400
    scale, other = FrequencyScale(ScaleKind.LOG, 8000.0), FrequencyScale(kind, 8000.0)
    levels_RC = np.zeros((rows, 256), np.uint8)
    row = rows - 1 - int(other.to_axis(3000.0) * rows)
    levels_RC[row - 3 : row + 4] = 200
    tile = PlacedTile("a", kind, levels_RC, 0.0, 256.0, 0.0, 256.0)
    picture_RC = composed([tile], (0.0, 256.0), (0.0, 1.0), (rows, 256), scale)
    bright = np.flatnonzero(picture_RC[:, 7])
    assert len(bright) > 0
    assert 1 - (bright.mean() + 0.5) / rows == pytest.approx(scale.to_axis(3000.0), abs=4 / rows)


def test_levels_are_coloured_from_the_floor_up() -> None:
    levels_RC = np.array([[0, 100, 252]], np.uint8)
    image = coloured(levels_RC, Display(colour_map=ColourMap.GREY, floor_db=-76.0, range_db=76.0))
    assert [image.pixelColor(x, 0).lightness() for x in range(3)] == [0, 0, 255]


def test_axes_have_round_numbers_and_as_many_digits_as_they_need() -> None:
    assert [nice_time_step(finest) for finest in (0.0003, 0.9, 4.0, 20.0, 100.0)] == [
        0.0005,
        1.0,
        5.0,
        30.0,
        120.0,
    ]
    assert clock(75.5, 0.1) == "1:15.5"
    assert clock(3723.0, 10.0) == "1:02:03"
    assert clock(0.1234, 0.001) == "0:00.123"


def test_a_tempo_that_is_typed_draws_times_to_its_beats(qtbot: QtBot, view: RegionView) -> None:
    tempo = view.findChild(QDoubleSpinBox, "tempo")
    first = view.findChild(QDoubleSpinBox, "first_bar")
    assert tempo is not None and first is not None
    assert view.model.beats is None and tempo.text() == "not known"
    tempo.setFocus()
    tempo.selectAll()
    qtbot.keyClicks(tempo, "120\r")
    first.selectAll()
    qtbot.keyClicks(first, "0.25\r")
    view.model.set_snap(Snap.BEATS)
    # Beats are half a second apart, from 0.25 s on; close by, there are parts of beats.
    assert view.model.snapped(0.26) == pytest.approx(0.25)
    assert view.model.snapped(0.74) == pytest.approx(0.75)


def test_what_is_not_known_yet_is_dark_and_has_no_wave(
    view: RegionView, monkeypatch: pytest.MonkeyPatch
) -> None:
    low_NC, high_NC = np.full((2, 10), np.inf, np.float32), np.full((2, 10), -np.inf, np.float32)
    unknown = Columns(low_NC=low_NC, high_NC=high_NC, rms_NC=np.zeros((2, 10), np.float32))
    monkeypatch.setattr(view.model.pictures, "columns", lambda *_: unknown)
    monkeypatch.setattr(view.model.pictures, "spectrogram", list)
    look().use(Theme.LIGHT)
    picture = view.canvas.grab().toImage()
    display = view.model.display
    darkest = colour_table(display.colour_map, display.floor_db, display.range_db)[0]
    assert picture.pixelColor(place(view, 0.5).toPoint()).rgb() == darkest
    quarter = view.canvas.mapFromScene(view.waveform_box.mapViewToScene(pg.Point(0.5, 1.25)))
    assert picture.pixelColor(quarter) == QColor(LIGHT.field)


def test_the_waveform_uses_each_pixel_of_a_fine_screen(view: RegionView, qtbot: QtBot) -> None:
    view.model.show(TimeSpan(start_s=0.0, end_s=1.0))
    view.model.change_display(wave_gain=64.0)
    complete(view.model, qtbot)
    picture = QImage(1200, 400, QImage.Format.Format_RGB32)
    picture.fill(0)
    picture.setDevicePixelRatio(2.0)
    painter = QPainter(picture)
    # As a view does it: a second is 600 pixels of the window, a channel 100, and up is up.
    painter.translate(0.0, 200.0)
    painter.scale(600.0, -100.0)
    WaveformItem(view.model).paint(painter)
    painter.end()
    columns = [[picture.pixel(x, y) for y in range(400)] for x in range(1200)]
    assert any(columns[0]) and any(columns[-1]), "it fills what is seen"
    changes = [left != right for left, right in pairwise(columns)]
    assert all(sum(changes[start::2]) > 300 for start in (0, 1)), "noise is another in each pixel"

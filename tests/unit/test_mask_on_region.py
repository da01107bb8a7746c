"""Masks on the view of a sound: which of the two the mouse and the keys are for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyqtgraph as pg
import pytest
import soundfile
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.types import RectShape, TimeSpan
from ui.background import Background
from ui.model.keys import KeyMap
from ui.model.mask_cells import MaskCells
from ui.model.mask_edit import MaskEdit
from ui.model.mask_pen import PenModel, Tool
from ui.model.mask_shapes import Extent, bounds_of
from ui.model.region import RegionModel
from ui.model.store import Store
from ui.sound.model_grid import ModelGrid
from ui.widgets.actions import Actions
from ui.widgets.mask_layer import MaskLayer
from ui.widgets.mask_tools import MaskTools
from ui.widgets.region_view import RegionView

NO_KEYS, BUTTON = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
GRID = ModelGrid.of_mel(
    sample_rate_hz=16_000, hop_samples=160, mel_bins=64, low_hz=0.0, high_hz=8000.0, ratio=4
)


class Both:
    """Two seconds of a tone with a mask over its spectrogram."""

    def __init__(self, bot: QtBot, folder: Path) -> None:
        path = folder / "tone.wav"
        soundfile.write(path, 0.1 * np.sin(np.arange(32_000) / 5), 16_000)
        self.bot, self.background = bot, Background()
        self.store = Store(folder / "panel.json")
        actions = Actions(KeyMap(self.store))
        self.model = RegionModel()
        self.view = RegionView(self.model, actions)
        with bot.waitSignal(self.model.opened, timeout=20_000):
            self.model.open(str(path))
        self.edit = MaskEdit(Extent(duration_s=2.0, top_hz=self.model.scale.top_hz))
        self.pen = PenModel()
        cells = MaskCells(self.edit, GRID, self.background)
        self.layer = MaskLayer(
            self.view.spectrogram_box, self.view.scale, self.edit, self.pen, cells, self.background,
            snapped=self.model.snapped,
        )  # fmt: skip
        self.tools = MaskTools(self.edit, self.pen, self.layer, cells, actions)
        self.tools.attach(self.view)
        self.view.resize(800, 600)
        with bot.waitExposed(self.view):
            self.view.show()

    def drag(self, *points: tuple[float, float]) -> None:
        viewport = self.view.canvas.viewport()
        for index, point in enumerate([*points, points[-1]]):
            kind = QEvent.Type.MouseMove if index else QEvent.Type.MouseButtonPress
            kind = QEvent.Type.MouseButtonRelease if index == len(points) else kind
            place = QPointF(self.at(*point))
            held = Qt.MouseButton.NoButton if index == len(points) else BUTTON
            event = QMouseEvent(kind, place, viewport.mapToGlobal(place), BUTTON, held, NO_KEYS)
            QApplication.sendEvent(viewport, event)

    def at(self, time_s: float, freq_hz: float) -> QPoint:
        point = QPointF(time_s, self.view.scale.to_axis(freq_hz))
        place: QPoint = self.view.canvas.mapFromScene(self.view.spectrogram_box.mapViewToScene(point))
        return place

    def press(self, key: Qt.Key) -> None:
        self.bot.keyClick(self.view.canvas, key)


@pytest.fixture
def both(qtbot: QtBot, tmp_path: Path) -> Iterator[Both]:
    before = pg.getConfigOption("mouseRateLimit")
    pg.setConfigOption("mouseRateLimit", 0)
    made = Both(qtbot, tmp_path)
    yield made
    pg.setConfigOption("mouseRateLimit", before)
    made.background.close()
    made.model.close()
    made.store.close()
    for widget in (made.tools, made.view):
        widget.close()


def test_tools_draw_masks_and_the_hand_selects_time(both: Both) -> None:
    both.pen.change(tool=Tool.RECT)
    both.drag((0.5, 1000.0), (0.8, 1500.0), (1.0, 2000.0))
    assert len(both.edit.shapes) == 1 and both.model.span is None
    both.pen.change(tool=Tool.HAND)
    both.drag((1.4, 4000.0), (1.5, 4000.0), (1.6, 4000.0), (1.8, 4000.0))
    assert len(both.edit.shapes) == 1
    assert both.model.span is not None and both.model.span.start_s == pytest.approx(1.4, abs=0.05)


def test_arrows_move_the_chosen_shape_and_else_the_view(both: Both) -> None:
    shape = RectShape(span=TimeSpan(start_s=0.5, end_s=1.0), low_hz=500.0, high_hz=1000.0)
    both.edit.add((shape,), "Add")
    both.model.show(TimeSpan(start_s=0.0, end_s=1.5))
    both.edit.select(0)
    both.layer.take_keys()
    both.press(Qt.Key.Key_Right)
    assert bounds_of(both.edit.shapes[0]).start_s > 0.5 and both.model.view.start_s == 0.0
    both.press(Qt.Key.Key_Escape)
    assert both.edit.selected is None
    moved = both.edit.state
    both.press(Qt.Key.Key_Right)
    assert both.edit.state == moved and both.model.view.start_s > 0.0


def test_keys_of_the_tools_count_in_the_view(both: Both) -> None:
    both.view.canvas.setFocus()
    both.press(Qt.Key.Key_R)
    assert both.pen.pen.tool is Tool.RECT
    both.press(Qt.Key.Key_Insert)
    both.press(Qt.Key.Key_Period)
    assert len(both.edit.shapes) == 1 and both.pen.pen.tip_s > 0.05

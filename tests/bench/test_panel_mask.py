"""How long the event loop is busy at a time while a mask of 200 shapes is painted over and seen anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pyqtgraph as pg
import pytest
from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.types import BrushShape, Shape
from tests.bench.report import Report, Row
from ui.background import Background
from ui.model.mask_cells import MaskCells
from ui.model.mask_edit import MaskEdit
from ui.model.mask_pen import Pen, PenModel, Tool
from ui.model.mask_shapes import Extent
from ui.sound.model_grid import ModelGrid
from ui.sound.scales import FrequencyScale, ScaleKind
from ui.widgets.mask_layer import MaskLayer

DURATION_S, TOP_HZ, POINTS, SHAPES = 30.0, 16_000.0, 2000, 200
GOAL_MS = 50.0
NO_KEYS, BUTTON = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton


class Stage:
    """A plot of 1200 by 500 pixels with a mask of many strokes on it."""

    def __init__(self, tool: Tool) -> None:
        self.background = Background()
        self.edit = MaskEdit(Extent(duration_s=DURATION_S, top_hz=TOP_HZ))
        grid = ModelGrid.of_mel(
            sample_rate_hz=16_000, hop_samples=160, mel_bins=64, low_hz=0.0, high_hz=8000.0, ratio=4
        )
        self.plot = pg.PlotWidget()
        self.plot.resize(1200, 500)
        self.plot.setXRange(0.0, DURATION_S, padding=0)
        self.plot.setYRange(0.0, 1.0, padding=0)
        pen = PenModel(Pen(tool=tool, tip_s=0.1, tip_hz=100.0))
        self.cells = MaskCells(self.edit, grid, self.background)
        scale = FrequencyScale(ScaleKind.MEL, TOP_HZ)
        self.layer = MaskLayer(self.plot.getViewBox(), scale, self.edit, pen, self.cells, self.background)
        assert self.edit.add(strokes(), "Paint")

    def is_still(self) -> bool:
        return self.layer.is_settled and self.cells.is_settled

    def send(self, kind: QEvent.Type, place: QPointF, held: Qt.MouseButton) -> None:
        view = self.plot.viewport()
        event = QMouseEvent(kind, place, view.mapToGlobal(place), BUTTON, held, NO_KEYS)
        QApplication.sendEvent(view, event)


def strokes() -> tuple[Shape, ...]:
    dice = np.random.default_rng(8)
    return tuple(
        BrushShape(
            points=tuple(
                zip(
                    np.sort(dice.uniform(start_s, start_s + 2.0, 4)).round(4).tolist(),
                    dice.uniform(100.0, 9000.0, 4).round(1).tolist(),
                    strict=True,
                )
            ),
            radius_s=0.05,
            radius_hz=120.0,
        )
        for start_s in dice.uniform(0.0, DURATION_S - 2.0, SHAPES)
    )


@pytest.fixture
def staged(qtbot: QtBot) -> Iterator[Callable[[Tool], Stage]]:
    made: list[Stage] = []

    def stage(tool: Tool) -> Stage:
        one = Stage(tool)
        made.append(one)
        qtbot.addWidget(one.plot)
        with qtbot.waitExposed(one.plot):
            one.plot.show()
        qtbot.waitUntil(one.is_still, timeout=60_000)
        return one

    yield stage
    for one in made:
        one.background.close()


def gaps_ms(steps: Iterator[Callable[[], object]], until: Callable[[], bool]) -> list[float]:
    """Do a step on each turn of the event loop, go on until all is still; return how long each turn took."""
    gaps, deadline_s = [], time.perf_counter() + 60.0
    for step in steps:
        begun_s = time.perf_counter()
        step()
        QApplication.processEvents()
        gaps.append(1000.0 * (time.perf_counter() - begun_s))
    while not until() and time.perf_counter() < deadline_s:
        begun_s = time.perf_counter()
        QApplication.processEvents()
        gap_ms = 1000.0 * (time.perf_counter() - begun_s)
        # Turns on which nothing came to be done would make the rest look rare.
        gaps += [gap_ms] if gap_ms > 1.0 else []
    assert until(), "the mask never came to rest"
    return gaps


def path(points: int) -> list[QPointF]:
    turn = np.linspace(0.0, 60.0 * points / POINTS, points)
    x, y = 620 + 500 * np.sin(turn * 0.37), 240 + 180 * np.cos(turn)
    return list(map(QPointF, x.tolist(), y.tolist()))


def painted(stage: Stage, points: int = POINTS) -> Iterator[Callable[[], object]]:
    places = path(points)
    yield lambda: stage.send(QEvent.Type.MouseButtonPress, places[0], BUTTON)
    for place in places:
        yield lambda place=place: stage.send(QEvent.Type.MouseMove, place, BUTTON)
    yield lambda: stage.send(QEvent.Type.MouseButtonRelease, places[-1], Qt.MouseButton.NoButton)


@pytest.mark.parametrize(
    ("tool", "points"),
    [(Tool.BRUSH, POINTS), (Tool.LASSO, POINTS), (Tool.RECT, 500), (Tool.HARMONICS, 250)],
)
def test_painting_a_long_stroke(
    tool: Tool, points: int, staged: Callable[[Tool], Stage], report: Report
) -> None:
    stage = staged(tool)
    gaps = gaps_ms(painted(stage, points), stage.is_still)
    drawn = len(stage.edit.shapes) - SHAPES
    note = f"{points} points over {SHAPES} shapes, median {np.median(gaps):.1f} ms, {drawn} shapes drawn"
    worst_ms = float(np.quantile(gaps, 0.999))
    report.add(
        Row(
            what=f"longest turn of the event loop, {tool.value}",
            ours=worst_ms,
            unit="ms",
            goal=GOAL_MS,
            note=note,
        )
    )


def test_zooming_and_changing_a_large_mask(staged: Callable[[Tool], Stage], report: Report) -> None:
    stage = staged(Tool.HAND)

    def steps() -> Iterator[Callable[[], object]]:
        for turn in range(200):
            start_s = 10.0 * abs(np.sin(turn / 20))
            yield lambda start_s=start_s: stage.plot.setXRange(start_s, start_s + 8.0, padding=0)
        for _ in range(10):
            yield stage.edit.invert
            yield stage.edit.undo

    gaps = gaps_ms(steps(), stage.is_still)
    worst_ms = float(np.quantile(gaps, 0.999))
    note = f"{SHAPES} shapes, median {np.median(gaps):.1f} ms"
    report.add(Row(what="longest turn, zooming a mask", ours=worst_ms, unit="ms", goal=GOAL_MS, note=note))

"""What lies over a sound: selection, loop, beats, onsets, the model's grid, playhead and cursor."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from PyQt6.QtCore import QLineF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPen, QTransform
from PyQt6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from engine.types import TimeSpan
from ui.look.colours import DARK, Colours
from ui.look.theme import colours, look
from ui.model.display import Snap, TimeUnit
from ui.model.region import RegionModel

_LINES_APART_PX = 12.0
_CELLS_APART_PX = 5.0
_ONSET_PX = 10.0
_LOOP_PX = 5.0
_SHADE, _DIM, _FAINT, _FAINTER = 52, 120, 110, 64


class Overlay(pg.GraphicsObject):
    """Something over all of a sound, drawn in pixels: over the spectrogram or the channels of the waveform.

    Over a spectrogram, which is dark in any theme, colours are those of the dark one.
    """

    def __init__(self, model: RegionModel, *, is_on_dark: bool = True) -> None:
        super().__init__()
        self.is_on_dark = is_on_dark
        self.model = model
        model.opened.connect(self._reset)
        model.view_changed.connect(self._draw_again)
        look().changed.connect(self._draw_again)

    def boundingRect(self) -> QRectF:
        return QRectF(0.0, 0.0, self.model.duration_s, self._height)

    def paint(
        self, painter: QPainter, _option: QStyleOptionGraphicsItem | None = None, _: QWidget | None = None
    ) -> None:
        if self.model.facts is None:
            return
        place = painter.transform()
        view = self.model.view
        seen = place.mapRect(QRectF(view.start_s, 0.0, view.duration_s, self._height))
        painter.save()
        painter.resetTransform()
        self.draw(painter, place, seen)
        painter.restore()

    def draw(self, painter: QPainter, place: QTransform, seen: QRectF) -> None:
        """Draw within `seen`, where `place` maps seconds and the box's y to pixels."""
        raise NotImplementedError

    @property
    def ink(self) -> Colours:
        return DARK if self.is_on_dark else colours()

    @property
    def _height(self) -> float:
        facts = self.model.facts
        return 1.0 if self.is_on_dark or facts is None else float(facts.channels)

    def _draw_again(self) -> None:
        # Not `update` itself: PyQt lets go of a method when its object is gone, but not of one of C++.
        self.update()

    def _reset(self) -> None:
        self.prepareGeometryChange()
        self.update()


class SelectionMark(Overlay):
    """The selected stretch, and the loop as a bar above it."""

    def __init__(self, model: RegionModel, *, is_on_dark: bool = True) -> None:
        super().__init__(model, is_on_dark=is_on_dark)
        model.span_changed.connect(self._draw_again)
        model.loop_changed.connect(self._draw_again)

    def draw(self, painter: QPainter, place: QTransform, seen: QRectF) -> None:
        if self.model.span is not None:
            self._draw_span(painter, _stretch(place, self.model.span, seen), seen)
        if self.model.loop is not None:
            bar = _stretch(place, self.model.loop, seen)
            bar.setHeight(_LOOP_PX)
            painter.fillRect(bar, QColor(self.ink.playhead))

    def _draw_span(self, painter: QPainter, stretch: QRectF, seen: QRectF) -> None:
        if self.is_on_dark:
            self._dim_others(painter, stretch, seen)
        else:
            shade = QColor(self.ink.selection)
            shade.setAlpha(_SHADE)
            painter.fillRect(stretch & seen, shade)
        painter.setPen(QPen(QColor(self.ink.selection), 2.0))
        for edge in (stretch.left(), stretch.right()):
            if seen.left() - 1 <= edge <= seen.right() + 1:
                painter.drawLine(QLineF(edge, seen.top(), edge, seen.bottom()))

    def _dim_others(self, painter: QPainter, stretch: QRectF, seen: QRectF) -> None:
        """Leave the colours of what is selected as they are."""
        shade = QColor(self.ink.ground)
        shade.setAlpha(_DIM)
        right = min(max(stretch.right(), seen.left()), seen.right())
        before = QRectF(seen.left(), seen.top(), stretch.left() - seen.left(), seen.height())
        painter.fillRect(before & seen, shade)
        painter.fillRect(QRectF(right, seen.top(), seen.right() - right, seen.height()), shade)


class BeatMarks(Overlay):
    """Lines at beats while there is a tempo and beats matter; ticks at onsets while times snap to them."""

    def __init__(self, model: RegionModel, *, is_on_dark: bool = True) -> None:
        super().__init__(model, is_on_dark=is_on_dark)
        model.beats_changed.connect(self._draw_again)
        model.display_changed.connect(self._draw_again)
        model.pictures.changed.connect(self._look_for_onsets)

    def draw(self, painter: QPainter, place: QTransform, seen: QRectF) -> None:
        beats, view = self.model.beats, self.model.view
        is_in_bars = self.model.display.time_unit is TimeUnit.BARS
        if beats is not None and (is_in_bars or self.model.snap is Snap.BEATS):
            finest_s = view.duration_s * _LINES_APART_PX / max(seen.width(), 1.0)
            step = max(self.model.snap_step_beats, beats.step_for(finest_s))
            lines_s = beats.lines_s(view.start_s, view.end_s, step)
            bars_s = set(beats.lines_s(view.start_s, view.end_s, max(step, float(beats.beats_per_bar))))
            self._draw_lines(painter, place, seen, [line for line in lines_s if line not in bars_s], _FAINTER)
            self._draw_lines(painter, place, seen, sorted(bars_s), _FAINT)
        if self.model.snap is Snap.TRANSIENTS:
            low = QRectF(seen.left(), seen.bottom() - _ONSET_PX, seen.width(), _ONSET_PX)
            self._draw_lines(painter, place, low, self.model.seen_onsets_s, 255)

    def _draw_lines(
        self, painter: QPainter, place: QTransform, seen: QRectF, times_s: Sequence[float], alpha: int
    ) -> None:
        ink = QColor(self.ink.faint)
        ink.setAlpha(alpha)
        painter.setPen(QPen(ink, 1.0 if alpha < 255 else 2.0))
        xs = (place.dx() + place.m11() * time_s for time_s in times_s)
        _draw(painter, [QLineF(x, seen.top(), x, seen.bottom()) for x in xs])

    def _look_for_onsets(self) -> None:
        if self.model.snap is Snap.TRANSIENTS:
            self.update()


class ModelGridMark(Overlay):
    """The cells of the chosen model, from the selection's beginning on; where none fit, only its top."""

    def __init__(self, model: RegionModel) -> None:
        super().__init__(model)
        model.display_changed.connect(self._draw_again)
        model.span_changed.connect(self._draw_again)

    def draw(self, painter: QPainter, place: QTransform, seen: QRectF) -> None:
        grid = self.model.model_grid
        if grid is None or not self.model.display.is_grid_shown:
            return
        scale, view = self.model.scale, self.model.view
        top_px = place.dy() + place.m22() * min(1.0, scale.to_axis(grid.top_hz))
        ink = QColor(self.ink.mask)
        painter.setPen(QPen(ink, 1.5, Qt.PenStyle.DashLine))
        painter.drawLine(QLineF(seen.left(), top_px, seen.right(), top_px))
        ink.setAlpha(_FAINT)
        painter.setPen(QPen(ink, 1.0))
        rows_px = [place.dy() + place.m22() * scale.to_axis(edge_hz) for edge_hz in grid.band_edges_hz]
        _draw(painter, [QLineF(seen.left(), y, seen.right(), y) for y in _apart(rows_px, _CELLS_APART_PX)])
        if grid.cell_s * place.m11() >= _CELLS_APART_PX:
            low = QRectF(seen.left(), top_px, 0, seen.bottom() - top_px)
            _draw(painter, self._cells(place, view, low))

    def _cells(self, place: QTransform, view: TimeSpan, seen: QRectF) -> list[QLineF]:
        grid = self.model.model_grid
        assert grid is not None
        span = self.model.span or TimeSpan(start_s=0.0, end_s=self.model.duration_s)
        first = max(0, int((view.start_s - span.start_s) / grid.cell_s))
        last = int((min(view.end_s, span.end_s) - span.start_s) / grid.cell_s + 1e-6)
        xs = (
            place.dx() + place.m11() * (span.start_s + cell * grid.cell_s) for cell in range(first, last + 1)
        )
        return [QLineF(x, seen.top(), x, seen.bottom()) for x in xs]


class TimeLine(pg.InfiniteLine):
    """A line at one time, which moves without anything else being drawn anew than what it crosses."""

    def __init__(self, role: str, *, is_on_dark: bool = True) -> None:
        super().__init__(angle=90, movable=False)
        self._role = role
        self._is_on_dark = is_on_dark
        self.setVisible(False)
        self._paint()
        look().changed.connect(self._paint)

    def place(self, time_s: float | None) -> None:
        self.setVisible(time_s is not None)
        if time_s is not None:
            self.setValue(time_s)

    def _paint(self) -> None:
        ink = DARK if self._is_on_dark else colours()
        self.setPen(pg.mkPen(getattr(ink, self._role), width=1.5))


def _draw(painter: QPainter, lines: Sequence[QLineF]) -> None:
    for line in lines:
        painter.drawLine(line)


def _stretch(place: QTransform, span: TimeSpan, seen: QRectF) -> QRectF:
    """Return a stretch in pixels, as high as what is seen, and hardly wider."""
    left = max(place.dx() + place.m11() * span.start_s, seen.left() - 10)
    right = min(place.dx() + place.m11() * span.end_s, seen.right() + 10)
    return QRectF(left, seen.top(), right - left, seen.height())


def _apart(places_px: Sequence[float], apart_px: float) -> list[float]:
    kept: list[float] = []
    for place_px in places_px:
        if not kept or abs(place_px - kept[-1]) >= apart_px:
            kept.append(place_px)
    return kept

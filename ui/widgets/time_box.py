"""The boxes in which sound is drawn, and what mouse and wheel do in them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pyqtgraph as pg
from PyQt6.QtCore import QPointF, Qt, pyqtSignal

from ui.model.region import RegionModel

_ZOOM_PER_STEP = 1.25
_SCROLL_PER_STEP = 0.12
_WHEEL_STEP = 120.0
_EDGE_PX = 6.0


class Edge(Enum):
    """An edge of the selection, which may be dragged."""

    START = "start"
    END = "end"


class TimeBox(pg.ViewBox):
    """Wheel zooms at the mouse, with Shift scrolls; a drag selects, on an edge of the selection moves it.

    Ctrl lets a drag snap to nothing. The middle button drags what is seen.
    """

    pressed_at = pyqtSignal(float)

    def __init__(self, model: RegionModel) -> None:
        super().__init__(enableMenu=False)
        self.setMouseEnabled(x=False, y=False)
        self.setDefaultPadding(0.0)
        self.disableAutoRange()
        self.setAcceptHoverEvents(True)
        self.model = model
        self._fixed_s = 0.0
        model.view_changed.connect(self._follow)
        model.opened.connect(self._follow)
        self._follow()

    def hertz_at(self, _point: QPointF) -> float | None:
        """Return the frequency at a point of the box, where it has any."""
        return None

    def time_at(self, scene_point: QPointF) -> float:
        return float(self.mapSceneToView(scene_point).x())

    def edge_at(self, scene_point: QPointF) -> Edge | None:
        """Return the edge of the selection that is near enough to be taken."""
        span = self.model.span
        if span is None:
            return None
        reach_s = self.model.view.duration_s / max(self.width(), 1.0) * _EDGE_PX
        time_s = self.time_at(scene_point)
        far = {Edge.START: abs(time_s - span.start_s), Edge.END: abs(time_s - span.end_s)}
        nearest = min(far, key=lambda edge: far[edge])
        return nearest if far[nearest] <= reach_s else None

    def wheelEvent(self, event: Any, axis: int | None = None) -> None:
        event.accept()
        steps = event.delta() / _WHEEL_STEP
        is_sideways = event.orientation() == Qt.Orientation.Horizontal
        if is_sideways or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.model.scroll(-steps * _SCROLL_PER_STEP * self.model.view.duration_s)
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_other(_ZOOM_PER_STEP**steps, event.scenePos())
        else:
            self.model.zoom(_ZOOM_PER_STEP**steps, self.time_at(event.scenePos()))

    def zoom_other(self, factor: float, scene_point: QPointF) -> None:
        """Zoom what is not time."""
        raise NotImplementedError

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        event.accept()
        if event.button() == Qt.MouseButton.MiddleButton:
            self.model.scroll(self.time_at(event.lastScenePos()) - self.time_at(event.scenePos()))
        elif event.button() == Qt.MouseButton.LeftButton:
            if event.isStart():
                self._fixed_s = self._fixed_at(event.buttonDownScenePos(), event.modifiers())
            moving_s = self._drawn(self.time_at(event.scenePos()), event.modifiers())
            self.model.select_between(self._fixed_s, moving_s)
            self.model.point(self.time_at(event.scenePos()), self.hertz_at(event.scenePos()))

    def mouseClickEvent(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        event.accept()
        time_s = self.time_at(event.scenePos())
        span = self.model.span
        if span is not None and not span.start_s <= time_s <= span.end_s:
            self.model.select(None)
        self.pressed_at.emit(min(max(time_s, 0.0), self.model.duration_s))

    def hoverEvent(self, event: Any) -> None:
        if event.isExit():
            self.model.point(None)
            self.unsetCursor()
            return
        self.model.point(self.time_at(event.scenePos()), self.hertz_at(event.scenePos()))
        near_edge = self.edge_at(event.scenePos()) is not None
        self.setCursor(Qt.CursorShape.SizeHorCursor if near_edge else Qt.CursorShape.IBeamCursor)

    def _fixed_at(self, scene_point: QPointF, modifiers: Qt.KeyboardModifier) -> float:
        """Return the end of the selection that a drag beginning here leaves where it is."""
        span, edge = self.model.span, self.edge_at(scene_point)
        if span is None or edge is None:
            return self._drawn(self.time_at(scene_point), modifiers)
        return span.end_s if edge is Edge.START else span.start_s

    def _drawn(self, time_s: float, modifiers: Qt.KeyboardModifier) -> float:
        is_free = bool(modifiers & Qt.KeyboardModifier.ControlModifier)
        return time_s if is_free else self.model.snapped(time_s)

    def _follow(self) -> None:
        view = self.model.view
        self.setXRange(view.start_s, view.end_s, padding=0)


class WaveformBox(TimeBox):
    """y goes from 0 to the number of channels; Ctrl and wheel make the waveform higher."""

    def zoom_other(self, factor: float, _scene_point: QPointF) -> None:
        self.model.zoom_wave(factor)

    def _follow(self) -> None:
        super()._follow()
        channels = self.model.facts.channels if self.model.facts else 1
        self.setYRange(0.0, float(channels), padding=0)


class SpectrogramBox(TimeBox):
    """y is the frequency axis from 0 to 1; Ctrl and wheel zoom it."""

    def __init__(self, model: RegionModel) -> None:
        super().__init__(model)
        self.sigResized.connect(self._tell_size)

    def hertz_at(self, point: QPointF) -> float | None:
        axis = float(self.mapSceneToView(point).y())
        return self.model.scale.to_hz(axis) if 0.0 <= axis <= 1.0 else None

    def zoom_other(self, factor: float, scene_point: QPointF) -> None:
        self.model.zoom_band(factor, float(self.mapSceneToView(scene_point).y()))

    def _follow(self) -> None:
        super()._follow()
        low, high = self.model.band
        self.setYRange(low, high, padding=0)

    def _tell_size(self) -> None:
        view = self.getViewWidget()
        per_px = view.devicePixelRatioF() if view is not None else 1.0
        self.model.set_size(self.width() * per_px, self.height() * per_px)

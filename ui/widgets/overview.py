"""The whole file as a strip, and in it, as a window to be dragged, what is seen."""

from __future__ import annotations

from enum import Enum

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent, QWheelEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from engine.types import TimeSpan
from ui.look.scale import Space
from ui.look.theme import colours, look
from ui.model.region import RegionModel
from ui.widgets.column_lines import ColumnLines

_HEIGHT_PX = 44
_EDGE_PX = 5.0
_SMALLEST_WINDOW_PX = 6.0
_WHEEL_STEP, _ZOOM_PER_STEP = 120.0, 1.25
_SHADE = 160
# Peaks of a long file come in by hundreds.
_GATHERED_MS = 200


class _Grip(Enum):
    START = "start"
    WINDOW = "window"
    END = "end"


class Overview(QWidget):
    def __init__(self, model: RegionModel) -> None:
        super().__init__()
        self.setObjectName("overview")
        self.setAccessibleName(self.tr("Overview of the whole sound"))
        self.setToolTip(self.tr("The whole sound: drag the window to scroll, its edges to zoom"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._model = model
        self._grip: _Grip | None = None
        self._held_s = 0.0
        self._picture: QPixmap | None = None
        self._columns = ColumnLines()
        self._is_blank = True
        self._waiting = QTimer(self)
        self._waiting.setSingleShot(True)
        self._waiting.setInterval(_GATHERED_MS)
        self._waiting.timeout.connect(self._redraw)
        for signal in (model.opened, model.shown_changed, look().changed):
            signal.connect(self._redraw)
        model.pictures.changed.connect(self._redraw_soon)
        for signal in (model.view_changed, model.span_changed, model.playhead_changed, model.loop_changed):
            signal.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(400, _HEIGHT_PX)

    def window_px(self) -> QRectF:
        """Return where the visible part is, wide enough to be taken."""
        view = self._model.view
        left, right = self._x_px(view.start_s), self._x_px(view.end_s)
        spare = max(0.0, _SMALLEST_WINDOW_PX - (right - left)) / 2
        return QRectF(left - spare, 0.0, right - left + 2 * spare, float(self.height()))

    def paintEvent(self, _: QPaintEvent | None) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(colours().field))
        if self._model.facts is None:
            return
        if self._picture is None:
            self._picture = self._drawn()
        painter.drawPixmap(0, 0, self._picture)
        self._draw_stretches(painter)
        self._draw_window(painter)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton or self._model.facts is None:
            return
        time_s = self._time_s(event.position())
        self._grip = self._grip_at(event.position())
        if self._grip is None:
            self._centre(time_s)
            self._grip = _Grip.WINDOW
        self._held_s = time_s - self._model.view.start_s

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        if event is None:
            return
        if self._grip is None:
            self._show_grip(self._grip_at(event.position()))
            return
        view, time_s = self._model.view, self._time_s(event.position())
        if self._grip is _Grip.WINDOW:
            start_s = max(0.0, time_s - self._held_s)
            self._model.show(TimeSpan(start_s=start_s, end_s=start_s + view.duration_s))
        elif self._grip is _Grip.START and 0.0 <= time_s < view.end_s:
            self._model.show(TimeSpan(start_s=time_s, end_s=view.end_s))
        elif self._grip is _Grip.END and time_s > view.start_s:
            self._model.show(TimeSpan(start_s=view.start_s, end_s=min(time_s, self._model.duration_s)))

    def mouseReleaseEvent(self, _: QMouseEvent | None) -> None:
        self._grip = None

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        if event is not None:
            steps = event.angleDelta().y() / _WHEEL_STEP
            self._model.zoom(
                _ZOOM_PER_STEP**steps, self._model.view.start_s + self._model.view.duration_s / 2
            )
            event.accept()

    def resizeEvent(self, _: QResizeEvent | None) -> None:
        self._redraw()

    def _draw_stretches(self, painter: QPainter) -> None:
        model = self._model
        for span, colour in ((model.span, colours().selection), (model.loop, colours().playhead)):
            if span is not None:
                left, right = self._x_px(span.start_s), self._x_px(span.end_s)
                painter.fillRect(QRectF(left, 0.0, max(2.0, right - left), 4.0), QColor(colour))
        if model.playhead_s is not None:
            x_px = self._x_px(model.playhead_s)
            painter.fillRect(QRectF(x_px, 0.0, 1.5, float(self.height())), QColor(colours().playhead))

    def _draw_window(self, painter: QPainter) -> None:
        """Shade what is not seen."""
        window, shade = self.window_px(), QColor(colours().ground)
        shade.setAlpha(_SHADE)
        painter.fillRect(QRectF(0.0, 0.0, window.left(), float(self.height())), shade)
        right = QRectF(window.right(), 0.0, self.width() - window.right(), float(self.height()))
        painter.fillRect(right, shade)
        painter.setPen(QPen(QColor(colours().accent), float(Space.HAIR)))
        painter.drawRect(window.adjusted(1.0, 1.0, -1.0, -1.0))

    def _drawn(self) -> QPixmap:
        """Return the peaks of all channels together."""
        ratio = self.devicePixelRatioF()
        picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        picture.fill(QColor(colours().field))
        self._is_blank = True
        facts = self._model.facts
        found = self._model.pictures.columns(0, facts.length_samples, picture.width()) if facts else None
        if found is not None:
            middle, tall = picture.height() / 2, picture.height() / 2 - 2
            low_C, high_C = found.low_NC.min(axis=0), found.high_NC.max(axis=0)
            known = np.isfinite(low_C) & np.isfinite(high_C)
            self._is_blank = not known.any()
            painter = QPainter(picture)
            painter.setPen(QColor(colours().wave))
            top_C, bottom_C = middle - high_C[known] * tall - 0.5, middle - low_C[known] * tall + 0.5
            self._columns.draw(painter, np.flatnonzero(known) + 0.5, top_C, bottom_C)
            painter.end()
        picture.setDevicePixelRatio(ratio)
        return picture

    def _grip_at(self, point: QPointF) -> _Grip | None:
        window = self.window_px()
        if abs(point.x() - window.left()) <= _EDGE_PX:
            return _Grip.START
        if abs(point.x() - window.right()) <= _EDGE_PX:
            return _Grip.END
        return _Grip.WINDOW if window.left() < point.x() < window.right() else None

    def _show_grip(self, grip: _Grip | None) -> None:
        shapes = Qt.CursorShape
        edges = {_Grip.START: shapes.SizeHorCursor, _Grip.END: shapes.SizeHorCursor}
        self.setCursor(edges.get(grip, shapes.OpenHandCursor) if grip else shapes.ArrowCursor)

    def _centre(self, time_s: float) -> None:
        wide_s = self._model.view.duration_s
        start_s = max(0.0, time_s - wide_s / 2)
        self._model.show(TimeSpan(start_s=start_s, end_s=start_s + wide_s))

    def _x_px(self, time_s: float) -> float:
        return time_s / self._model.duration_s * self.width()

    def _time_s(self, point: QPointF) -> float:
        return float(point.x() / max(self.width(), 1) * self._model.duration_s)

    def _redraw_soon(self) -> None:
        if self._is_blank:
            self._redraw()
        elif not self._waiting.isActive():
            self._waiting.start()

    def _redraw(self) -> None:
        self._picture = None
        self.update()

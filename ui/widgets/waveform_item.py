"""The waveform of all channels, below each other.

Legend: N channels, C columns.
"""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QColor, QPainter, QPen, QTransform
from PyQt6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from ui.look.theme import colours
from ui.model.region import RegionModel
from ui.sound.peaks import Columns
from ui.sound.sources import Audio
from ui.widgets.column_lines import ColumnLines

# Of the height that each channel has.
_FILLED = 0.94
_LINE_BELOW_SAMPLES_PER_PX = 1.0
_DOTS_FROM_PX = 7.0
_DOT_PX = 2.0


class WaveformItem(pg.GraphicsObject):
    """x is seconds; channel n of N lies from N - n - 1 to N - n."""

    def __init__(self, model: RegionModel) -> None:
        super().__init__()
        self._model = model
        self._lines = ColumnLines()
        model.opened.connect(self._reset)
        model.shown_changed.connect(self._draw_again)
        model.view_changed.connect(self._draw_again)
        model.display_changed.connect(self._draw_again)
        model.pictures.changed.connect(self._draw_again)

    def boundingRect(self) -> QRectF:
        facts = self._model.facts
        return QRectF(0.0, 0.0, self._model.duration_s, float(facts.channels if facts else 1))

    def paint(
        self, painter: QPainter, _option: QStyleOptionGraphicsItem | None = None, _: QWidget | None = None
    ) -> None:
        model = self._model
        if model.facts is None:
            return
        device = painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        # In the screen's own pixels, of which there are several to each of the window's on fine screens.
        place = painter.transform() * QTransform.fromScale(ratio, ratio)
        seen = place.mapRect(QRectF(model.view.start_s, 0.0, model.view.duration_s, 1.0))
        painter.save()
        painter.resetTransform()
        painter.scale(1.0 / ratio, 1.0 / ratio)
        start, stop = (time_s * model.facts.rate_hz for time_s in (model.view.start_s, model.view.end_s))
        width_px = max(1, round(seen.width()))
        samples = model.pictures.samples(int(start), int(stop) + 2)
        if samples is not None and (stop - start) / width_px < _LINE_BELOW_SAMPLES_PER_PX:
            self._draw_samples(painter, place, samples, int(start), ratio)
        else:
            found = model.pictures.columns(start, stop, width_px)
            if found is not None:
                self._draw_columns(painter, place, found, seen.left())
        painter.restore()

    def _draw_columns(self, painter: QPainter, place: QTransform, found: Columns, left_px: float) -> None:
        channels = len(found.low_NC)
        for channel in range(channels):
            low_C, high_C = _joined(found.low_NC[channel], found.high_NC[channel])
            rms_C = found.rms_NC[channel]
            for bottom_C, top_C, colour in (
                (low_C, high_C, colours().wave),
                (np.maximum(-rms_C, low_C), np.minimum(rms_C, high_C), colours().wave_rms),
            ):
                painter.setPen(QPen(QColor(colour), 1.0))
                self._draw_lines(
                    painter,
                    left_px,
                    self._heights(place, bottom_C, channel, channels),
                    self._heights(place, top_C, channel, channels),
                )

    def _draw_lines(self, painter: QPainter, left_px: float, bottom_C: np.ndarray, top_C: np.ndarray) -> None:
        known = np.isfinite(bottom_C) & np.isfinite(top_C)
        x_C = np.floor(left_px) + 0.5 + np.flatnonzero(known)
        self._lines.draw(painter, x_C, top_C[known] - 0.5, bottom_C[known] + 0.5)

    def _draw_samples(
        self, painter: QPainter, place: QTransform, audio_NS: Audio, first: int, ratio: float
    ) -> None:
        rate_hz = self._model.facts.rate_hz if self._model.facts else 1
        x_S = place.dx() + place.m11() * (first + np.arange(audio_NS.shape[1])) / rate_hz
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for channel, audio_S in enumerate(audio_NS):
            y_S = self._heights(place, audio_S, channel, len(audio_NS))
            painter.setPen(QPen(QColor(colours().wave), 1.5 * ratio))
            painter.drawPath(pg.arrayToQPath(x_S, y_S))
            if place.m11() / rate_hz >= _DOTS_FROM_PX * ratio:
                dot_px = _DOT_PX * ratio
                painter.setBrush(QColor(colours().wave))
                for x_px, y_px in zip(x_S, y_S, strict=True):
                    painter.drawEllipse(QRectF(x_px - dot_px, y_px - dot_px, 2 * dot_px, 2 * dot_px))
                painter.setBrush(QColor(0, 0, 0, 0))

    def _heights(self, place: QTransform, values: np.ndarray, channel: int, channels: int) -> np.ndarray:
        gain = self._model.display.wave_gain
        middle = channels - channel - 0.5
        # What is not known yet has no height.
        known = np.where(np.isfinite(values), values, np.nan)
        shown = middle + np.clip(gain * known, -1, 1) * _FILLED / 2
        heights: np.ndarray = place.dy() + place.m22() * shown
        return heights

    def _draw_again(self) -> None:
        # Not `update` itself: PyQt lets go of a method when its object is gone, but not of one of C++.
        self.update()

    def _reset(self) -> None:
        self.prepareGeometryChange()
        self.update()


def _joined(low_C: np.ndarray, high_C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Let neighbours touch, as the sound between them does."""
    joined_low_C, joined_high_C = low_C.copy(), high_C.copy()
    joined_low_C[1:] = np.minimum(low_C[1:], high_C[:-1])
    joined_high_C[1:] = np.maximum(high_C[1:], low_C[:-1])
    return joined_low_C, joined_high_C

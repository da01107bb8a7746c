"""The spectrogram, put together from tiles. Legend: R rows, C columns of a tile or of the picture."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QImage, QPainter, qRgb
from PyQt6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from ui.model.display import ColourMap, Display
from ui.model.pictures import PlacedTile
from ui.model.region import RegionModel
from ui.sound.scales import FrequencyScale
from ui.sound.spectra import decibels

_ALL_LEVELS = np.arange(256, dtype=np.uint8)
# Columns wider than this pass into each other.
_SMOOTH_FROM_PX = 1.5

Levels = NDArray[np.uint8]


class SpectrogramItem(pg.GraphicsObject):
    """x is seconds, y the frequency axis from 0 to 1.

    One picture in the pixels of the screen: many scaled ones take several times as long to draw.
    """

    def __init__(self, model: RegionModel) -> None:
        super().__init__()
        self._model = model
        self._made_of: Hashable = None
        self._picture: QImage | None = None
        model.opened.connect(self._reset)
        model.compared.connect(self._reset)
        for signal in (model.shown_changed, model.display_changed, model.view_changed):
            signal.connect(self._draw_again)
        model.pictures.changed.connect(self._draw_again)

    def boundingRect(self) -> QRectF:
        return QRectF(0.0, 0.0, self._model.duration_s, 1.0)

    def paint(
        self, painter: QPainter, _option: QStyleOptionGraphicsItem | None = None, _: QWidget | None = None
    ) -> None:
        view, (low, high) = self._model.view, self._model.band
        seen = painter.transform().mapRect(QRectF(view.start_s, low, view.duration_s, high - low))
        device = painter.device()
        ratio = device.devicePixelRatioF() if device is not None else 1.0
        picture = self._up_to_date(max(1, round(seen.height() * ratio)), max(1, round(seen.width() * ratio)))
        if picture is not None:
            picture.setDevicePixelRatio(ratio)
            painter.save()
            painter.resetTransform()
            painter.drawImage(seen.topLeft().toPoint(), picture)
            painter.restore()

    def _up_to_date(self, rows: int, columns: int) -> QImage | None:
        """Return a picture of what is seen, as fine as it is known, dark elsewhere; None of no sound."""
        model = self._model
        tiles = model.pictures.spectrogram()
        if model.facts is None:
            return None
        made_of = (rows, columns, model.view, model.band, model.display, tuple(tile.key for tile in tiles))
        if made_of != self._made_of:
            start, stop = (time_s * model.facts.rate_hz for time_s in (model.view.start_s, model.view.end_s))
            levels_RC = composed(tiles, (start, stop), model.band, (rows, columns), model.scale)
            self._picture, self._made_of = coloured(levels_RC, model.display), made_of
        return self._picture

    def _draw_again(self) -> None:
        # Not `update` itself: PyQt lets go of a method when its object is gone, but not of one of C++.
        self.update()

    def _reset(self) -> None:
        self._made_of = None
        self.prepareGeometryChange()
        self.update()


def composed(
    tiles: list[PlacedTile],
    seen: tuple[float, float],
    band: tuple[float, float],
    size: tuple[int, int],
    scale: FrequencyScale,
) -> Levels:
    """Return the levels (R, C) of samples `seen` and a band of the axis, row 0 the highest."""
    rows, columns = size
    picture_RC = np.zeros(size, np.uint8)
    middles_C = seen[0] + (np.arange(columns) + 0.5) * (seen[1] - seen[0]) / columns
    axis_R = band[1] - (np.arange(rows) + 0.5) * (band[1] - band[0]) / rows
    for tile in tiles:
        first, past = np.searchsorted(middles_C, (tile.start, tile.stop))
        if past > first:
            height = len(tile.levels_RC)
            mine = FrequencyScale(tile.kind, scale.top_hz)
            place_R = axis_R if mine == scale else mine.to_axis(scale.to_hz(axis_R))
            at_R = np.clip(((1.0 - place_R) * height).astype(np.int64), 0, height - 1)
            share_C = (middles_C[first:past] - tile.start) / (tile.stop - tile.start)
            at_C = tile.first + share_C * (tile.past - tile.first)
            picture_RC[:, first:past] = _columns(tile.levels_RC, at_C).take(at_R, axis=0)
    return picture_RC


def _columns(levels_RC: Levels, at_C: NDArray[np.float64]) -> Levels:
    """Return the columns at these places; where they are wide, mixtures of neighbours."""
    last = levels_RC.shape[1] - 1
    if len(at_C) < 2 or at_C[1] - at_C[0] > 1 / _SMOOTH_FROM_PX:
        return levels_RC.take(np.clip(at_C.astype(np.int64), 0, last), axis=1)
    left_C = np.clip(np.floor(at_C - 0.5), 0, last).astype(np.int64)
    share_C = np.clip(256 * (at_C - 0.5 - left_C), 0, 256).astype(np.uint16)
    right_C = np.minimum(left_C + 1, last)
    mixed_RC = levels_RC.take(left_C, axis=1) * (256 - share_C) + levels_RC.take(right_C, axis=1) * share_C
    return np.asarray(mixed_RC >> 8, np.uint8)


def coloured(levels_RC: Levels, display: Display) -> QImage:
    """Return levels as a picture."""
    table = colour_table(display.colour_map, display.floor_db, display.range_db)
    # What has the format of the screen is copied there; anything else is drawn point by point.
    colours_RC = table.take(levels_RC)
    rows, columns = levels_RC.shape
    memory, form = colours_RC.data, QImage.Format.Format_RGB32
    image: QImage = QImage(memory, columns, rows, 4 * columns, form)  # type: ignore[call-overload]
    image.held = colours_RC  # type: ignore[attr-defined]
    return image


@lru_cache(maxsize=8)
def colour_table(colour_map: ColourMap, floor_db: float, range_db: float) -> NDArray[np.uint32]:
    """Return the colour of each level that tiles know."""
    shares = np.clip((decibels(_ALL_LEVELS) - floor_db) / range_db, 0.0, 1.0)
    if colour_map is ColourMap.GREY:
        return np.array([qRgb(*([round(255 * share)] * 3)) for share in shares], np.uint32)
    table = pg.colormap.get(colour_map.value).map(shares, mode=pg.ColorMap.BYTE)
    return np.array([qRgb(int(red), int(green), int(blue)) for red, green, blue, *_ in table], np.uint32)

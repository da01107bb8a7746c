"""What is painted over a mask: the shape that is chosen, the tip of the tool, a model's cells.

Legend: H cells in time, W cells in frequency, C colour channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen

from engine.types import BrushShape, PolygonShape, RectShape
from ui.look.colours import DARK
from ui.model.harmonics import Drawn, Harmonics
from ui.model.mask_cells import Counted
from ui.model.mask_drawing import Lens
from ui.sound.scales import FrequencyScale
from ui.widgets.mask_picture import BLACK, WHITE, axis_outlines, axis_path, image_of, polygon_of, rect_on

HANDLE_PX = 7.0
_CELL_ALPHA = 80

# Spectrograms are dark in both themes.
INK = DARK


def paint_image(painter: QPainter, image: QImage, lens: Lens) -> None:
    """Paint pixels where their lens saw them, the first row lowest."""
    target = QRectF(lens.start_s, lens.low_axis, lens.end_s - lens.start_s, lens.high_axis - lens.low_axis)
    painter.drawImage(target, image)


def paint_chosen(painter: QPainter, shape: Drawn, lens: Lens) -> None:
    """Paint the outline of the chosen shape, of a stroke its course, and what it can be held by."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    path = _outline(shape, lens.scale)
    painter.setPen(_line(QColor(INK.field), 3.0))
    painter.drawPath(path)
    painter.setPen(_line(QColor(INK.accent), 2.0, Qt.PenStyle.DashLine))
    painter.drawPath(path)
    if isinstance(shape, RectShape):
        _paint_handles(painter, rect_on(shape, lens.scale), lens)


def paint_outlines(
    painter: QPainter, shapes: Sequence[Drawn], scale: FrequencyScale, colour: QColor, alpha: float
) -> None:
    """Paint shapes with a white line in a black one around them, as opaque inside as alpha says."""
    inside = QColor(colour)
    inside.setAlphaF(alpha)
    path = axis_path(shapes, scale)
    painter.setPen(_line(QColor(BLACK), 3.0))
    painter.setBrush(inside)
    painter.drawPath(path)
    painter.setPen(_line(QColor(WHITE)))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)


def paint_course(painter: QPainter, shape: PolygonShape, scale: FrequencyScale, colour: QColor) -> None:
    """Paint an outline while it is drawn, be it as tangled as it may: as a line alone, which costs little."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for outline_P2 in axis_outlines(shape, scale):
        course = polygon_of(outline_P2[:, 0], outline_P2[:, 1])
        for pen in (_line(QColor(BLACK), 3.0), _line(colour)):
            painter.setPen(pen)
            painter.drawPolygon(course)


def paint_cells(painter: QPainter, counted: Counted, lens: Lens) -> None:
    """Paint the cells that a model makes anew."""
    cells_HW, grid = counted.cells_HW, counted.grid
    image = _cell_image(cells_HW, QColor(INK.accent))
    duration_s = len(cells_HW) * grid.cell_s
    edges = [lens.scale.to_axis(edge_hz) for edge_hz in grid.band_edges_hz]
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, on=False)
    for band in range(cells_HW.shape[1]):
        target = QRectF(counted.span.start_s, edges[band], duration_s, edges[band + 1] - edges[band])
        painter.drawImage(target, image, QRectF(0, band, len(cells_HW), 1))


def _outline(shape: Drawn, scale: FrequencyScale) -> QPainterPath:
    path = QPainterPath()
    if isinstance(shape, Harmonics):
        # Lines along each of them would hide what they mark.
        for stroke in (shape.fundamental, shape.strokes[-1]):
            path.addPath(_outline(stroke, scale))
        return path
    if not isinstance(shape, BrushShape) or len(shape.points) == 1:
        return axis_path((shape,), scale)
    for index, (time_s, freq_hz) in enumerate(shape.points):
        point = QPointF(time_s, scale.to_axis(freq_hz))
        if index:
            path.lineTo(point)
        else:
            path.moveTo(point)
    return path


def _paint_handles(painter: QPainter, rect: QRectF, lens: Lens) -> None:
    width, height = HANDLE_PX * lens.seconds_per_px, HANDLE_PX * lens.axis_per_px
    painter.setPen(_line(QColor(INK.field)))
    painter.setBrush(QColor(INK.accent))
    middle = rect.center()
    for x in (rect.left(), middle.x(), rect.right()):
        for y in (rect.top(), middle.y(), rect.bottom()):
            if (x, y) != (middle.x(), middle.y()):
                painter.drawRect(QRectF(x - width / 2, y - height / 2, width, height))


def _cell_image(cells_HW: np.ndarray, colour: QColor) -> QImage:
    """Return one pixel for each cell, time across."""
    part = _CELL_ALPHA / 255
    channels_C = np.array([colour.blue() * part, colour.green() * part, colour.red() * part, _CELL_ALPHA])
    return image_of(cells_HW.T[:, :, None] * channels_C)


def _line(colour: QColor, width_px: float = 1.0, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """Return a pen as wide on the screen as it says, whatever is zoomed."""
    pen = QPen(colour, width_px, style)
    pen.setCosmetic(True)
    return pen

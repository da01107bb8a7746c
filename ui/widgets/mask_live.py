"""A stroke while it is drawn: each stretch is painted once, however long the stroke becomes."""

from __future__ import annotations

from dataclasses import replace

from PyQt6.QtGui import QBrush, QColor, QImage, QPainter

from engine.types import MaskOp, Shape
from ui.model.harmonics import spread
from ui.model.mask_drawing import Lens, Stroke
from ui.widgets.mask_marks import paint_image
from ui.widgets.mask_picture import hatch, image_of, stamp

ALPHA = 0.5


class LiveStroke:
    """Pixels of a lens on which a stroke grows; shown until the mask's own picture has it."""

    def __init__(self, lens: Lens, colour: QColor) -> None:
        # Opaque: what is painted twice is no other than what is painted once.
        tile_YXC = hatch(colour.name(), 1.0, 1.0)
        self._lens, self._brush = lens, QBrush(image_of(tile_YXC))
        self._count = 0
        self._image = QImage(
            max(1, int(lens.width_px)), max(1, int(lens.height_px)), QImage.Format.Format_ARGB32_Premultiplied
        )
        self._image.fill(0)

    def grow(self, stroke: Stroke) -> tuple[Shape, ...]:
        """Paint what is new of the stroke, and return it."""
        if stroke.count == self._count:
            return ()
        drawn = spread((stroke.along(stroke.since(self._count)),))
        fresh = tuple(replace(shape, op=MaskOp.ADD) for shape in drawn)
        painter = QPainter(self._image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        stamp(painter, fresh, self._lens, self._brush)
        painter.end()
        self._count = stroke.count
        return fresh

    def paint(self, painter: QPainter) -> None:
        painter.setOpacity(ALPHA)
        paint_image(painter, self._image, self._lens)
        painter.setOpacity(1.0)

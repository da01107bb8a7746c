"""A mask as a picture: smooth edges, feathered inwards as the render fades them; painted in a thread.

Legend: P points, 2 across and up; Y rows from the lowest frequency up, X columns; C colour channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QBrush, QColor, QImage, QPainter, QPainterPath, QPolygonF

from engine.types import MaskOp, RectShape
from ui.model.harmonics import Drawn, Harmonics
from ui.model.mask_drawing import Lens
from ui.model.mask_edit import MaskState
from ui.model.mask_grid import outlines
from ui.sound.scales import FrequencyScale, ScaleKind

# Spectrograms are of any lightness: what shows on one is lost on another, so lines are light beside dark.
WHITE, BLACK = "#ffffff", "#000000"
FILL, HATCH, HALO = 0.4, 0.6, 0.9
HATCH_PX = 8
_CURVE_STEPS = 64
_FEATHER_COLUMNS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be painted: a mask, as seen through a lens, in a colour."""

    state: MaskState
    lens: Lens
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What was painted: pixels of a colour, its lowest frequency in the first row."""

    wish: Wish
    image: QImage


class PicturePainter:
    """Paints masks; shapes that are only added to those of the last picture are painted onto it."""

    def __init__(self) -> None:
        self._last: tuple[Wish, QImage] | None = None

    def painted(self, wish: Wish) -> Picture:
        """Paint a picture; in one thread at a time."""
        covered = self._covered(wish)
        self._last = wish, covered
        covered_YX = _pixels(covered).astype(np.float32) / 255.0
        weight_YX = covered_YX * feather_YX(covered_YX >= 0.5, wish.state, wish.lens)
        return Picture(wish=wish, image=_coloured(weight_YX, *_edges(covered_YX), wish))

    def _covered(self, wish: Wish) -> QImage:
        image, shapes = self._begun(wish)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for shape in shapes:
            stamp(painter, (shape,), wish.lens, Qt.GlobalColor.black)
        painter.end()
        return image

    def _begun(self, wish: Wish) -> tuple[QImage, Sequence[Drawn]]:
        """Return what is painted already, and the shapes that are still to be painted onto it."""
        if self._last is not None:
            last, image = self._last
            known = last.state.shapes
            if last.lens == wish.lens and wish.state.shapes[: len(known)] == known:
                return image.copy(), wish.state.shapes[len(known) :]
        empty = QImage(int(wish.lens.width_px), int(wish.lens.height_px), QImage.Format.Format_Alpha8)
        empty.fill(0)
        return empty, wish.state.shapes


def stamp(painter: QPainter, shapes: Sequence[Drawn], lens: Lens, brush: QBrush | Qt.GlobalColor) -> None:
    """Paint shapes in pixels of a lens, the lowest frequency above; those that subtract wipe out."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(brush))
    modes = QPainter.CompositionMode
    for shape in shapes:
        is_added = shape.op is MaskOp.ADD
        painter.setCompositionMode(
            modes.CompositionMode_SourceOver if is_added else modes.CompositionMode_DestinationOut
        )
        for polygon in polygons(shape, lens):
            painter.drawPolygon(polygon, Qt.FillRule.OddEvenFill)


def polygons(shape: Drawn, lens: Lens) -> Iterator[QPolygonF]:
    """Yield outlines in pixels of a lens, counted upwards, whose union is the shape."""
    for outline_P2 in axis_outlines(shape, lens.scale):
        x_P = (outline_P2[:, 0] - lens.start_s) / lens.seconds_per_px
        y_P = (outline_P2[:, 1] - lens.low_axis) / lens.axis_per_px
        yield polygon_of(x_P, y_P)


def axis_path(shapes: Sequence[Drawn], scale: FrequencyScale) -> QPainterPath:
    """Return shapes as a path in seconds and parts of the axis."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    for shape in shapes:
        for outline_P2 in axis_outlines(shape, scale):
            path.addPolygon(polygon_of(outline_P2[:, 0], outline_P2[:, 1]))
            path.closeSubpath()
    return path


def axis_outlines(shape: Drawn, scale: FrequencyScale) -> Iterator[np.ndarray]:
    """Yield outlines in seconds and parts of the axis; what is straight in Hz is bent as the axis is."""
    if isinstance(shape, Harmonics):
        for stroke in shape.strokes:
            yield from axis_outlines(stroke, scale)
        return
    if isinstance(shape, RectShape):
        rect = rect_on(shape, scale)
        yield np.array(
            [
                (rect.left(), rect.top()),
                (rect.right(), rect.top()),
                (rect.right(), rect.bottom()),
                (rect.left(), rect.bottom()),
            ]
        )
        return
    for outline_P2 in outlines(shape):
        bent_P2 = outline_P2 if scale.kind is ScaleKind.LINEAR else _finer(outline_P2, scale)
        yield np.stack([bent_P2[:, 0], _axis(bent_P2[:, 1], scale)], axis=1)


def rect_on(shape: RectShape, scale: FrequencyScale) -> QRectF:
    """Return a rectangle in seconds and parts of the axis, up to the top where it has the whole band."""
    low = scale.to_axis(shape.low_hz)
    high = 1.0 if shape.high_hz is None else scale.to_axis(shape.high_hz)
    return QRectF(shape.span.start_s, low, shape.span.duration_s, high - low)


def feather_YX(inside_YX: np.ndarray, state: MaskState, lens: Lens) -> np.ndarray:
    """Return weights that rise from 0 at the mask's border to 1 where the feather ends inside it."""
    if state.feather_s <= 0.0 and state.feather_hz <= 0.0:
        return np.ones(inside_YX.shape, dtype=np.float32)
    columns_px = state.feather_s / lens.seconds_per_px
    stride = max(1, int(columns_px / _FEATHER_COLUMNS))
    near_YX = _near_in_frequency(inside_YX[:, ::stride], state.feather_hz, lens)
    squared_YX = _near_in_time(near_YX**2, columns_px / stride)
    weights_YX = np.sqrt(np.minimum(squared_YX, 1.0))
    return np.repeat(weights_YX, stride, axis=1)[:, : inside_YX.shape[1]]


def image_of(pixels_YXC: np.ndarray) -> QImage:
    """Return premultiplied pixels (blue, green, red, alpha; 0 to 255) as an image of its own."""
    height, width, _ = pixels_YXC.shape
    data = pixels_YXC.astype(np.uint8).tobytes()
    return QImage(QImage(data, width, height, width * 4, QImage.Format.Format_ARGB32_Premultiplied).copy())


def _near_in_frequency(inside_YX: np.ndarray, feather_hz: float, lens: Lens) -> np.ndarray:
    """Return how far the nearest row outside is, in feathers, at most 1."""
    rows = inside_YX.shape[0]
    if feather_hz <= 0.0:
        return inside_YX.astype(np.float32)
    axis_Y = lens.low_axis + (np.arange(rows, dtype=np.float64) + 0.5) * lens.axis_per_px
    hz_Y = np.concatenate([[-np.inf], lens.scale.to_hz(axis_Y), [np.inf]])
    row_Y1 = np.arange(1, rows + 1)[:, None]
    below_YX = np.maximum.accumulate(np.where(inside_YX, 0, row_Y1), axis=0)
    above_YX = np.minimum.accumulate(np.where(inside_YX, rows + 1, row_Y1)[::-1], axis=0)[::-1]
    away_YX = np.minimum(hz_Y[row_Y1] - hz_Y[below_YX], hz_Y[above_YX] - hz_Y[row_Y1])
    return np.asarray(np.minimum(away_YX / feather_hz, 1.0), dtype=np.float32)


def _near_in_time(squared_YX: np.ndarray, feather_columns: float) -> np.ndarray:
    """Return the least of a square and of those of other columns, each with its distance added."""
    least_YX = squared_YX.copy()
    for shift in range(1, min(int(np.ceil(feather_columns)), squared_YX.shape[1])):
        added = np.float32((shift / feather_columns) ** 2)
        np.minimum(least_YX[:, shift:], squared_YX[:, :-shift] + added, out=least_YX[:, shift:])
        np.minimum(least_YX[:, :-shift], squared_YX[:, shift:] + added, out=least_YX[:, :-shift])
    return np.asarray(least_YX)


def _edges(covered_YX: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how much of each pixel is on the border within the mask, and how much on that around it."""
    within_YX = covered_YX - _least_YX(_least_YX(covered_YX))
    free_YX = 1.0 - covered_YX
    return within_YX, free_YX - _least_YX(free_YX)


def _least_YX(values_YX: np.ndarray) -> np.ndarray:
    """Return the least of each pixel and the four beside it."""
    padded = np.pad(values_YX, 1, mode="edge")
    least_YX = np.minimum(values_YX, padded[:-2, 1:-1])
    for beside_YX in (padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        np.minimum(least_YX, beside_YX, out=least_YX)
    return np.asarray(least_YX)


def _coloured(weight_YX: np.ndarray, edge_YX: np.ndarray, halo_YX: np.ndarray, wish: Wish) -> QImage:
    """Return the mask's hatched fill, below the light edge within it and the dark one around it."""
    height, width = weight_YX.shape
    tile_YXC = hatch(wish.colour)
    tiles = (-(-height // HATCH_PX), -(-width // HATCH_PX), 1)
    pixels_YXC = np.tile(tile_YXC, tiles)[:height, :width] * (weight_YX * (1.0 - edge_YX))[:, :, None]
    pixels_YXC += edge_YX[:, :, None] * _channels(WHITE)
    pixels_YXC *= 1.0 - HALO * halo_YX[:, :, None]
    pixels_YXC += HALO * halo_YX[:, :, None] * _channels(BLACK)
    return image_of(pixels_YXC + 0.5)


def hatch(colour: str, fill: float = FILL, lines: float = HATCH) -> np.ndarray:
    """Return a square of premultiplied pixels: a colour with a white and a black line across, so opaque."""
    across = np.add.outer(np.arange(HATCH_PX), np.arange(HATCH_PX)) % HATCH_PX
    choices_C = [lines * _channels(WHITE), lines * _channels(BLACK), fill * _channels(colour)]
    return np.asarray(np.stack(choices_C)[np.minimum(across, 2)], dtype=np.float32)


def _channels(colour: str) -> np.ndarray:
    made = QColor(colour)
    return np.array([made.blue(), made.green(), made.red(), 255], dtype=np.float32)


def _pixels(image: QImage) -> np.ndarray:
    bits = image.constBits()
    assert bits is not None, "an image of no size"
    bits.setsize(image.sizeInBytes())
    lines = np.frombuffer(bits, dtype=np.uint8).reshape(image.height(), image.bytesPerLine())  # type: ignore[call-overload]
    return np.array(lines[:, : image.width()])


def _finer(outline_P2: np.ndarray, scale: FrequencyScale) -> np.ndarray:
    """Divide edges that go up or down, so that each piece is short on the axis."""
    ends_P2 = np.roll(outline_P2, -1, axis=0)
    climb_P = np.abs(_axis(ends_P2[:, 1], scale) - _axis(outline_P2[:, 1], scale))
    pieces_P = np.clip(np.ceil(climb_P * _CURVE_STEPS), 1, _CURVE_STEPS).astype(int)
    if pieces_P.max() == 1:
        return outline_P2
    edge = np.repeat(np.arange(len(outline_P2)), pieces_P)
    first = np.repeat(np.cumsum(pieces_P) - pieces_P, pieces_P)
    share = (np.arange(len(edge)) - first) / pieces_P[edge]
    return np.asarray(outline_P2[edge] + share[:, None] * (ends_P2 - outline_P2)[edge])


def _axis(hz_P: np.ndarray, scale: FrequencyScale) -> np.ndarray:
    """Return places on the axis, below its bottom too, where strokes reach."""
    return np.asarray(np.sign(hz_P) * scale.to_axis(np.abs(hz_P)))


def polygon_of(x_P: np.ndarray, y_P: np.ndarray) -> QPolygonF:
    return QPolygonF(map(QPointF, x_P.tolist(), y_P.tolist()))


def overscanned(lens: Lens, share: float, most_px: int) -> Lens:
    """Return a lens that sees somewhat more in time, on no more pixels than a picture may have."""
    more_s = (lens.end_s - lens.start_s) * share
    width_px, height_px = lens.width_px * (1 + 2 * share), lens.height_px
    reduced = min(1.0, (most_px / max(1.0, width_px * height_px)) ** 0.5)
    return replace(
        lens,
        start_s=lens.start_s - more_s,
        end_s=lens.end_s + more_s,
        width_px=max(1, round(width_px * reduced)),
        height_px=max(1, round(height_px * reduced)),
    )

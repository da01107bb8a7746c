"""What a model will see of a mask: the cells of its grid that are made anew.

Legend: H cells in time, W cells in frequency, T and F the finer cells that decide on them, P outline points,
L vertical lines, X crossings. The render draws masks the same way, bit by bit.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from engine.types import BrushShape, MaskOp, PolygonShape, RectShape, Shape
from ui.sound.model_grid import ModelGrid

FINE = 2
LINES_PER_CELL = 4
TIP_POINTS = 24
_ROUNDING = 1e-9
CELLS_AT_ONCE = 2048
MOST_BYTES = 64 * 2**20

# The first fine cell in time, and a block (T, F) from there on.
Part = tuple[int, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fine:
    """The finer grid of a region: fine cells of a step, from time zero on."""

    step_s: float
    count: int
    edges_hz_F: np.ndarray = field(repr=False)

    def edges_s(self, first: int, past: int) -> np.ndarray:
        return np.arange(first, past + 1) * self.step_s


class Rasteriser:
    """Draws masks on the grid of one region, and remembers the shapes that it has drawn."""

    def __init__(self, grid: ModelGrid, duration_s: float) -> None:
        self.grid = grid
        self.cells = grid.cells(duration_s)
        parts = grid.bins_per_cell * FINE
        bin_edges_hz = np.array(grid.bin_edges_hz or grid.band_edges_hz)
        positions = np.arange((len(bin_edges_hz) - 1) * FINE + 1) / FINE
        edges_hz = np.interp(positions, np.arange(len(bin_edges_hz)), bin_edges_hz)
        self._parts = parts
        self._bins = grid.width * parts
        self._fine = _Fine(step_s=grid.cell_s / parts, count=self.cells * parts, edges_hz_F=edges_hz)
        self._drawn: OrderedDict[Shape, Part] = OrderedDict()
        self._bytes = 0

    def cells_HW(self, shapes: Sequence[Shape]) -> np.ndarray:
        """Tell of each cell whether it is made anew; shapes are in seconds from the region's start."""
        drawn = [(shape.op, *self._part(shape)) for shape in shapes]
        cells_HW = np.zeros((self.cells, self.grid.width), dtype=bool)
        for begin in range(0, self.cells, CELLS_AT_ONCE):
            end = min(begin + CELLS_AT_ONCE, self.cells)
            fine_TF = self._stretch(drawn, begin * self._parts, end * self._parts)
            blocks = fine_TF[:, : self._bins].reshape(end - begin, self._parts, self.grid.width, self._parts)
            cells_HW[begin:end] = blocks.any(axis=(1, 3))
        return cells_HW

    def _stretch(self, drawn: list[tuple[MaskOp, int, np.ndarray]], begin: int, end: int) -> np.ndarray:
        """Return the fine cells from begin to end after all shapes, in their order."""
        fine_TF = np.zeros((end - begin, len(self._fine.edges_hz_F) - 1), dtype=bool)
        for op, first, part_TF in drawn:
            low, high = max(begin, first), min(end, first + len(part_TF))
            if low >= high:
                continue
            there_TF, own_TF = fine_TF[low - begin : high - begin], part_TF[low - first : high - first]
            if op is MaskOp.ADD:
                there_TF |= own_TF
            else:
                there_TF &= ~own_TF
        return fine_TF

    def _part(self, shape: Shape) -> Part:
        """Return a shape as it was drawn before, or draw it; what was needed long ago is forgotten."""
        if shape in self._drawn:
            self._drawn.move_to_end(shape)
            return self._drawn[shape]
        part = self._drawn[shape] = self._draw(shape)
        self._bytes += part[1].nbytes
        while self._bytes > MOST_BYTES and len(self._drawn) > 1:
            self._bytes -= self._drawn.popitem(last=False)[1][1].nbytes
        return part

    def _draw(self, shape: Shape) -> Part:
        """Return the fine cells that a shape touches, or whose centres it covers, from the first one on."""
        if isinstance(shape, RectShape):
            return self._rect(shape)
        parts = [self._outline(outline_P2, shape.op) for outline_P2 in outlines(shape)]
        first = min(first for first, _ in parts)
        past = max(first + len(part_TF) for first, part_TF in parts)
        fine_TF = np.zeros((past - first, len(self._fine.edges_hz_F) - 1), dtype=bool)
        for begin, part_TF in parts:
            fine_TF[begin - first : begin - first + len(part_TF)] |= part_TF
        return first, fine_TF

    def _window(self, low_s: float, high_s: float) -> tuple[int, int]:
        """Return the fine cells around a stretch, with room for rounding."""
        first = int(min(max(0.0, low_s / self._fine.step_s - 2), self._fine.count))
        past = int(min(max(0.0, high_s / self._fine.step_s + 3), self._fine.count))
        return first, max(first, past)

    def _rect(self, shape: RectShape) -> Part:
        first, past = self._window(shape.span.start_s, shape.span.end_s)
        edges_s, edges_hz = self._fine.edges_s(first, past), self._fine.edges_hz_F
        high_hz = math.inf if shape.high_hz is None else shape.high_hz
        decide = _overlaps if shape.op is MaskOp.ADD else _centres
        in_time_T = decide(edges_s, shape.span.start_s, shape.span.end_s)
        return first, np.outer(in_time_T, decide(edges_hz, shape.low_hz, high_hz))

    def _outline(self, outline_P2: np.ndarray, op: MaskOp) -> Part:
        low_s, high_s = outline_P2[:, 0].min(), outline_P2[:, 0].max()
        first, past = self._window(low_s, high_s)
        edges_s, edges_hz = self._fine.edges_s(first, past), self._fine.edges_hz_F
        part_TF = np.zeros((past - first, len(edges_hz) - 1), dtype=bool)
        if past == first:
            return first, part_TF
        if op is MaskOp.ADD:
            lines_L = _lines(outline_P2, edges_s)
            rows_L = np.searchsorted(edges_s, lines_L, side="right") - 1
            _fill(part_TF, outline_P2, lines_L, rows_L, edges_hz[1:], edges_hz[:-1])
        else:
            lines_L = (edges_s[1:] + edges_s[:-1]) / 2
            centres_hz = (edges_hz[1:] + edges_hz[:-1]) / 2
            _fill(part_TF, outline_P2, lines_L, np.arange(past - first), centres_hz, centres_hz)
        return first, part_TF


def outlines(shape: PolygonShape | BrushShape) -> Iterator[np.ndarray]:
    """Yield closed outlines in seconds and Hz whose union is the shape."""
    points_P2 = np.asarray(shape.points, dtype=np.float64)
    if isinstance(shape, PolygonShape):
        yield points_P2
        return
    radii = np.array([shape.radius_s, shape.radius_hz])
    path = [*points_P2, points_P2[-1]] if len(points_P2) == 1 else list(points_P2)
    for start, stop in pairwise(path):
        yield _capsule(start / radii, stop / radii) * radii


def _overlaps(edges: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.asarray((edges[1:] > low + _ROUNDING) & (edges[:-1] < high - _ROUNDING))


def _centres(edges: np.ndarray, low: float, high: float) -> np.ndarray:
    centres = (edges[1:] + edges[:-1]) / 2
    return np.asarray((centres >= low) & (centres < high))


def _lines(outline_P2: np.ndarray, edges_s: np.ndarray) -> np.ndarray:
    """Return the times to look at: some in each cell, and one between neighbouring corners."""
    corners = np.unique(outline_P2[:, 0])
    parts = (np.arange(LINES_PER_CELL) + 0.5) / LINES_PER_CELL
    even = (edges_s[:-1, None] + np.diff(edges_s)[:, None] * parts).ravel()
    lines_L = np.concatenate([even, (corners[1:] + corners[:-1]) / 2])
    low_s, high_s = max(corners[0], edges_s[0]), min(corners[-1], edges_s[-1])
    return np.asarray(lines_L[(lines_L >= low_s) & (lines_L < high_s)])


def _fill(
    cells_TF: np.ndarray,
    outline_P2: np.ndarray,
    lines_L: np.ndarray,
    rows_L: np.ndarray,
    first_F: np.ndarray,
    past_F: np.ndarray,
) -> None:
    """Mark between each pair of crossings the cells with first > lower crossing and past < upper one."""
    line_X, freq_X = _crossings(outline_P2, lines_L)
    # A closed outline crosses each line an even number of times.
    low_X, high_X, row_X = freq_X[0::2], freq_X[1::2], rows_L[line_X[0::2]]
    begin_X = np.searchsorted(first_F, low_X, side="right")
    end_X = np.searchsorted(past_F, high_X, side="left")
    counts_X = (high_X > low_X) & (end_X > begin_X)
    steps_TF = np.zeros((cells_TF.shape[0], cells_TF.shape[1] + 1), dtype=np.int32)
    np.add.at(steps_TF, (row_X[counts_X], begin_X[counts_X]), 1)
    np.add.at(steps_TF, (row_X[counts_X], end_X[counts_X]), -1)
    cells_TF |= steps_TF.cumsum(axis=1)[:, :-1] > 0


def _crossings(outline_P2: np.ndarray, lines_L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where lines cross the outline: which line, and at what frequency, ascending for each line."""
    start_P2, stop_P2 = outline_P2, np.roll(outline_P2, -1, axis=0)
    order_L = np.argsort(lines_L)
    times_L = lines_L[order_L]
    begin_P = np.searchsorted(times_L, np.minimum(start_P2[:, 0], stop_P2[:, 0]))
    count_P = np.searchsorted(times_L, np.maximum(start_P2[:, 0], stop_P2[:, 0])) - begin_P
    edge_X = np.repeat(np.arange(len(outline_P2)), count_P)
    line_X = np.arange(len(edge_X)) - np.repeat(np.cumsum(count_P) - count_P - begin_P, count_P)
    run_X = (stop_P2[:, 0] - start_P2[:, 0])[edge_X]
    # On an edge that takes no time, its start counts.
    is_steep_X = np.abs(run_X) < _ROUNDING**2
    passed_X = times_L[line_X] - start_P2[edge_X, 0]
    share_X = np.where(is_steep_X, 0.0, passed_X / np.where(is_steep_X, 1.0, run_X))
    freq_X = start_P2[edge_X, 1] + share_X * (stop_P2[edge_X, 1] - start_P2[edge_X, 1])
    ascending_X = np.lexsort((freq_X, line_X))
    return order_L[line_X[ascending_X]], freq_X[ascending_X]


def _capsule(start_2: np.ndarray, stop_2: np.ndarray) -> np.ndarray:
    """Return the outline of what is within 1 of a segment."""
    heading = math.atan2(stop_2[1] - start_2[1], stop_2[0] - start_2[0])
    turn = heading + np.linspace(-np.pi / 2, np.pi / 2, TIP_POINTS)
    tip_P2 = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return np.concatenate([stop_2 + tip_P2, start_2 - tip_P2])

"""Mask shapes drawn as cells on any time-frequency grid.

Legend: T cells in time, F cells in frequency, P outline points, L vertical lines, X crossings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.ndimage import distance_transform_edt

from engine.types import BrushShape, Mask, MaskOp, PolygonShape, RectShape, Shape, TimeSpan

LINES_PER_CELL = 4
TIP_POINTS = 24
_NO_FEATHER = 1e6
_ROUNDING = 1e-9


def rasterise(mask: Mask, time_edges_s: np.ndarray, freq_edges_hz: np.ndarray) -> np.ndarray:
    """Return a boolean (T, F) grid: what an added shape touches, less centres that are subtracted.

    Edges are ascending, one more than cells.
    """
    cells_TF = np.zeros((len(time_edges_s) - 1, len(freq_edges_hz) - 1), dtype=bool)
    for shape in mask.shapes:
        if shape.op is MaskOp.ADD:
            cells_TF |= _touched(shape, time_edges_s, freq_edges_hz)
        else:
            cells_TF &= ~_covered(shape, time_edges_s, freq_edges_hz)
    return cells_TF


def feathered(cells_TF: np.ndarray, time_feather_cells: float, freq_feather_cells: float) -> np.ndarray:
    """Return weights 0..1 that rise from a mask's border inwards; the grid's own ends are no border."""
    if cells_TF.all():
        return np.ones(cells_TF.shape)
    sampling = (_step(time_feather_cells), _step(freq_feather_cells))
    return np.clip(distance_transform_edt(cells_TF, sampling=sampling), 0.0, 1.0)


def shape_span(shape: Shape) -> TimeSpan | None:
    """Return the stretch of time the shape covers, from zero on, or None if it covers none."""
    if isinstance(shape, RectShape):
        return shape.span
    reach_s = shape.radius_s if isinstance(shape, BrushShape) else 0.0
    times_s = [time_s for time_s, _ in shape.points]
    start_s, end_s = max(0.0, min(times_s) - reach_s), max(times_s) + reach_s
    return TimeSpan(start_s=start_s, end_s=end_s) if start_s < end_s else None


def shape_low_hz(shape: Shape) -> float:
    """Return the lowest frequency the shape covers."""
    if isinstance(shape, RectShape):
        return shape.low_hz
    reach_hz = shape.radius_hz if isinstance(shape, BrushShape) else 0.0
    return max(0.0, min(freq_hz for _, freq_hz in shape.points) - reach_hz)


def shape_high_hz(shape: Shape) -> float:
    """Return the highest frequency the shape covers, perhaps infinity."""
    if isinstance(shape, RectShape):
        return math.inf if shape.high_hz is None else shape.high_hz
    reach_hz = shape.radius_hz if isinstance(shape, BrushShape) else 0.0
    return max(freq_hz for _, freq_hz in shape.points) + reach_hz


def _step(feather_cells: float) -> float:
    return 1.0 / feather_cells if feather_cells > 0 else _NO_FEATHER


def _touched(shape: Shape, time_edges_s: np.ndarray, freq_edges_hz: np.ndarray) -> np.ndarray:
    if isinstance(shape, RectShape):
        high_hz = math.inf if shape.high_hz is None else shape.high_hz
        in_time_T = _overlaps(time_edges_s, shape.span.start_s, shape.span.end_s)
        return np.outer(in_time_T, _overlaps(freq_edges_hz, shape.low_hz, high_hz))
    cells_TF = np.zeros((len(time_edges_s) - 1, len(freq_edges_hz) - 1), dtype=bool)
    for outline_P2 in _outlines(shape):
        lines_L = _lines(outline_P2, time_edges_s)
        rows_L = np.searchsorted(time_edges_s, lines_L, side="right") - 1
        _scan(cells_TF, outline_P2, lines_L, rows_L, first_F=freq_edges_hz[1:], past_F=freq_edges_hz[:-1])
    return cells_TF


def _covered(shape: Shape, time_edges_s: np.ndarray, freq_edges_hz: np.ndarray) -> np.ndarray:
    times_T = (time_edges_s[1:] + time_edges_s[:-1]) / 2
    freqs_F = (freq_edges_hz[1:] + freq_edges_hz[:-1]) / 2
    if isinstance(shape, RectShape):
        high_hz = math.inf if shape.high_hz is None else shape.high_hz
        in_time_T = (times_T >= shape.span.start_s) & (times_T < shape.span.end_s)
        return np.outer(in_time_T, (freqs_F >= shape.low_hz) & (freqs_F < high_hz))
    cells_TF = np.zeros((len(times_T), len(freqs_F)), dtype=bool)
    for outline_P2 in _outlines(shape):
        _scan(cells_TF, outline_P2, times_T, np.arange(len(times_T)), first_F=freqs_F, past_F=freqs_F)
    return cells_TF


def _overlaps(edges: np.ndarray, low: float, high: float) -> np.ndarray:
    # A cell that is only touched by rounding does not count.
    return (edges[1:] > low + _ROUNDING) & (edges[:-1] < high - _ROUNDING)


def _lines(outline_P2: np.ndarray, time_edges_s: np.ndarray) -> np.ndarray:
    """Return times to scan: even lines in every cell, and one between neighbouring outline points."""
    low_s, high_s = outline_P2[:, 0].min(), outline_P2[:, 0].max()
    corners = np.unique(outline_P2[:, 0])
    parts = (np.arange(LINES_PER_CELL) + 0.5) / LINES_PER_CELL
    even = (time_edges_s[:-1, None] + np.diff(time_edges_s)[:, None] * parts).ravel()
    lines = np.concatenate([even, (corners[1:] + corners[:-1]) / 2])
    inside = (lines >= max(low_s, time_edges_s[0])) & (lines < min(high_s, time_edges_s[-1]))
    return lines[inside]


def _scan(
    cells_TF: np.ndarray,
    outline_P2: np.ndarray,
    lines_L: np.ndarray,
    rows_L: np.ndarray,
    *,
    first_F: np.ndarray,
    past_F: np.ndarray,
) -> None:
    """Fill, on each line, the cells between even-odd crossings.

    A stretch low..high starts at the first cell with first_F > low and stops before the first
    cell with past_F >= high.
    """
    crossings_LX = _crossings(outline_P2, lines_L)
    change_TF = np.zeros((cells_TF.shape[0], cells_TF.shape[1] + 1), dtype=np.int32)
    for low_L, high_L in zip(crossings_LX[:, 0::2].T, crossings_LX[:, 1::2].T, strict=True):
        start_L = np.searchsorted(first_F, low_L, side="right")
        stop_L = np.searchsorted(past_F, high_L, side="left")
        filled = np.isfinite(low_L) & (high_L > low_L) & (stop_L > start_L)
        np.add.at(change_TF, (rows_L[filled], start_L[filled]), 1)
        np.add.at(change_TF, (rows_L[filled], stop_L[filled]), -1)
    cells_TF |= np.cumsum(change_TF, axis=1)[:, :-1] > 0


def _crossings(outline_P2: np.ndarray, lines_L: np.ndarray) -> np.ndarray:
    """Return where each line crosses the outline, ascending, filled up with infinity to an even count."""
    start_P2, stop_P2 = outline_P2, np.roll(outline_P2, -1, axis=0)
    times = lines_L[:, None]
    crosses_LP = (start_P2[:, 0] <= times) != (stop_P2[:, 0] <= times)
    run_P = stop_P2[:, 0] - start_P2[:, 0]
    # An edge shorter than any time can be told apart is one to be crossed at its start.
    steep_P = np.abs(run_P) < _ROUNDING**2
    share_LP = np.where(steep_P, 0.0, (times - start_P2[:, 0]) / np.where(steep_P, 1.0, run_P))
    freqs_LP = start_P2[:, 1] + share_LP * (stop_P2[:, 1] - start_P2[:, 1])
    ordered_LX = np.sort(np.where(crosses_LP, freqs_LP, np.inf), axis=1)
    width = int(crosses_LP.sum(axis=1).max(initial=0))
    padded_LX = np.pad(ordered_LX, ((0, 0), (0, 2)), constant_values=np.inf)
    return padded_LX[:, : width + width % 2]


def _outlines(shape: PolygonShape | BrushShape) -> Iterator[np.ndarray]:
    """Yield closed outlines in seconds and Hz whose union is the shape."""
    points_P2 = np.asarray(shape.points, dtype=np.float64)
    if isinstance(shape, PolygonShape):
        yield points_P2
        return
    radii = np.array([shape.radius_s, shape.radius_hz])
    if len(points_P2) == 1:
        yield _capsule(points_P2[0] / radii, points_P2[0] / radii) * radii
    for start, stop in pairwise(points_P2):
        yield _capsule(start / radii, stop / radii) * radii


def _capsule(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return the outline of all points within 1 of the segment."""
    heading = math.atan2(stop[1] - start[1], stop[0] - start[0])
    turn = heading + np.linspace(-np.pi / 2, np.pi / 2, TIP_POINTS)
    front = stop + np.stack([np.cos(turn), np.sin(turn)], axis=1)
    back = start - np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return np.concatenate([front, back])

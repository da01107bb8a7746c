from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.grid import (
    LatentGrid,
    covers_all_bands,
    latent_mask,
    require_inside,
    resampled_length,
    samples_at,
    seconds_at,
    spans,
)
from engine.audio.mel_scale import MelConfig, slaney_filterbank
from engine.audio.raster import feathered, rasterise, shape_low_hz, shape_span
from engine.errors import SpecError
from engine.types import BrushShape, Mask, MaskOp, PolygonShape, RectShape, Shape, TimeSpan

GRID = LatentGrid.of(MelConfig(), 4)
CELL_S = 0.04


def rect(
    start_s: float,
    end_s: float,
    low_hz: float = 0.0,
    high_hz: float | None = None,
    op: MaskOp = MaskOp.ADD,
) -> RectShape:
    return RectShape(span=TimeSpan(start_s=start_s, end_s=end_s), low_hz=low_hz, high_hz=high_hz, op=op)


def mask_of(*shapes: Shape, feather_s: float = 0.0, feather_hz: float = 0.0) -> Mask:
    return Mask(shapes=shapes, feather_s=feather_s, feather_hz=feather_hz)


@given(st.integers(0, 2**40), st.sampled_from([8_000, 11_025, 44_100, 48_000, 192_000]))
def test_samples_survive_a_trip_through_seconds(samples: int, rate_hz: int) -> None:
    assert samples_at(seconds_at(samples, rate_hz), rate_hz) == samples


@given(st.integers(1, 10**7), st.integers(8_000, 192_000), st.integers(8_000, 192_000))
def test_resampled_length_is_the_least_that_covers(samples: int, from_hz: int, to_hz: int) -> None:
    length = resampled_length(samples, from_hz, to_hz)
    assert length * from_hz >= samples * to_hz > (length - 1) * from_hz


@pytest.mark.parametrize(
    ("samples", "cells"), [(0, 1), (1, 1), (640, 1), (641, 2), (40_960, 64), (163_840, 256)]
)
def test_latent_cells_cover_the_samples(samples: int, cells: int) -> None:
    assert GRID.cells(samples) == cells
    assert GRID.whole_samples(samples) == cells * 640
    assert GRID.frames(samples) == cells * 4


def test_the_grid_of_the_released_models() -> None:
    assert (GRID.cell_samples, GRID.width) == (640, 16)
    assert LatentGrid.of(MelConfig.released_48k(), 8).cell_samples == 3840


def test_each_mel_filter_peaks_between_its_bins_edges() -> None:
    config = MelConfig(n_fft=16_384)
    peaks_hz = slaney_filterbank(config).argmax(axis=1) * config.sample_rate_hz / config.n_fft
    edges_hz = LatentGrid.of(config, 4).bin_edges_hz()
    assert np.all(edges_hz[:-1] < peaks_hz)
    assert np.all(peaks_hz < edges_hz[1:])


@settings(max_examples=50)
@given(st.floats(0, 2.4), st.floats(0.001, 2.0))
def test_a_time_mask_regenerates_exactly_the_cells_it_touches(start_s: float, length_s: float) -> None:
    drawn_HW = latent_mask(mask_of(rect(start_s, start_s + length_s)), GRID, cells=64)
    first, last = math.floor(start_s / CELL_S + 1e-9), math.ceil((start_s + length_s) / CELL_S - 1e-9) - 1
    touched = np.flatnonzero(drawn_HW.all(axis=1))
    assert np.array_equal(np.flatnonzero(drawn_HW.any(axis=1)), touched)
    assert touched[0] in (first, first + 1)
    assert touched[0] == first or (first + 1) * CELL_S - start_s < 1e-6
    assert abs(touched[-1] - min(last, 63)) <= 1


def test_the_canvas_offset_shifts_the_mask() -> None:
    mask = mask_of(rect(0.0, 0.2, 500.0, 2000.0))
    plain_HW = latent_mask(mask, GRID, cells=64)
    shifted_HW = latent_mask(mask, GRID, cells=64, offset_samples=10 * GRID.cell_samples)
    assert np.array_equal(shifted_HW[10:], plain_HW[:-10])
    assert not shifted_HW[:10].any()


def test_a_band_mask_regenerates_the_cells_whose_bins_it_touches() -> None:
    edges_hz = GRID.bin_edges_hz()
    drawn_HW = latent_mask(mask_of(rect(0.0, 1.0, edges_hz[4] + 1, edges_hz[8] - 1)), GRID, cells=64)
    assert np.flatnonzero(drawn_HW.any(axis=0)).tolist() == [1]
    drawn_HW = latent_mask(mask_of(rect(0.0, 1.0, edges_hz[4] - 1, edges_hz[8] + 1)), GRID, cells=64)
    assert np.flatnonzero(drawn_HW.any(axis=0)).tolist() == [0, 1, 2]


def test_a_mask_that_leaves_nothing_says_so() -> None:
    mask = mask_of(rect(0.0, 1.0, 500.0, 600.0), rect(0.0, 2.0, op=MaskOp.SUBTRACT))
    with pytest.raises(SpecError, match="leaves nothing"):
        latent_mask(mask, GRID, cells=64)


def test_shapes_apply_in_order() -> None:
    hole = rect(0.4, 0.6, op=MaskOp.SUBTRACT)
    times_s, freqs_hz = np.linspace(0, 1, 11), np.array([0.0, 100.0])
    dug = rasterise(mask_of(rect(0.0, 1.0), hole), times_s, freqs_hz)[:, 0]
    filled = rasterise(mask_of(rect(0.0, 1.0), hole, rect(0.0, 1.0)), times_s, freqs_hz)[:, 0]
    assert dug.tolist() == [True] * 4 + [False] * 2 + [True] * 4
    assert filled.all()


points = st.lists(st.tuples(st.floats(0.05, 0.95), st.floats(100, 7900)), min_size=3, max_size=7, unique=True)


@settings(max_examples=25, deadline=None)
@given(points)
def test_polygons_agree_with_rays_in_the_other_direction(outline: list[tuple[float, float]]) -> None:
    times_s, freqs_hz = np.linspace(0, 1, 41), np.linspace(0, 8000, 33)
    drawn_TF = rasterise(mask_of(PolygonShape(points=tuple(outline))), times_s, freqs_hz)
    scale = np.array([0.025, 250.0])
    middle_T, middle_F = (times_s[1:] + times_s[:-1]) / 2, (freqs_hz[1:] + freqs_hz[:-1]) / 2
    centres = np.stack(np.meshgrid(middle_T, middle_F, indexing="ij"), axis=-1) / scale
    distance = edge_distance(centres, np.array(outline) / scale)
    inside = even_odd(np.array([*outline, outline[0]]) / scale, centres)
    assert np.array_equal(drawn_TF[distance > 1], inside[distance > 1])


def even_odd(vertices: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Tell by the parity of crossings of a ray along time, the other axis than the code scans."""
    inside = np.zeros(at.shape[:-1], dtype=bool)
    for start, stop in pairwise(vertices):
        if start[1] == stop[1]:
            continue
        crosses = (start[1] > at[..., 1]) != (stop[1] > at[..., 1])
        where = start[0] + (at[..., 1] - start[1]) / (stop[1] - start[1]) * (stop[0] - start[0])
        inside ^= crosses & (at[..., 0] < where)
    return inside


def edge_distance(at: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return the distance to the nearest edge."""
    nearest = np.full(at.shape[:-1], np.inf)
    for start, stop in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = stop - start
        share = np.clip(((at - start) @ along) / max(along @ along, 1e-12), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(at - start - share[..., None] * along, axis=-1))
    return nearest


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.2, 0.8), st.floats(1500, 6500)), min_size=1, max_size=4),
    st.floats(0.03, 0.15),
    st.floats(300, 1200),
)
def test_a_brush_covers_what_lies_within_its_tip(
    stroke: list[tuple[float, float]], radius_s: float, radius_hz: float
) -> None:
    brush = BrushShape(points=tuple(stroke), radius_s=radius_s, radius_hz=radius_hz)
    times_s, freqs_hz = np.linspace(0, 1, 101), np.linspace(0, 8000, 101)
    drawn_TF = rasterise(mask_of(brush), times_s, freqs_hz)
    middle_T, middle_F = (times_s[1:] + times_s[:-1]) / 2, (freqs_hz[1:] + freqs_hz[:-1]) / 2
    radii = np.array([radius_s, radius_hz])
    centres = np.stack(np.meshgrid(middle_T, middle_F, indexing="ij"), axis=-1) / radii
    corners = np.array(stroke) / radii
    path = np.concatenate([corners, corners[::-1]])
    distance = edge_distance(centres, path)
    half_cell = 0.5 * np.hypot(0.01 / radius_s, 80.0 / radius_hz)
    assert drawn_TF[distance < 0.98].all()
    assert not drawn_TF[distance > 1.0 + half_cell].any()


def test_a_thin_polygon_is_never_missed() -> None:
    sliver = PolygonShape(points=((0.101, 1000.0), (0.1011, 1000.0), (0.10105, 1001.0)))
    assert latent_mask(mask_of(sliver), GRID, cells=64).sum() == 1


def test_a_feather_rises_inwards_and_not_at_the_ends_of_the_band() -> None:
    cells_TF = np.zeros((20, 10), dtype=bool)
    cells_TF[5:15] = True
    weights_TF = feathered(cells_TF, 4.0, 0.0)
    assert np.allclose(weights_TF[5:10, 0], [0.25, 0.5, 0.75, 1.0, 1.0])
    assert np.allclose(weights_TF, weights_TF[::-1])
    assert np.ptp(weights_TF, axis=1).max() == 0.0


def test_a_feather_in_hertz_leaves_time_sharp() -> None:
    cells_TF = np.zeros((6, 20), dtype=bool)
    cells_TF[2:4, 8:] = True
    weights_TF = feathered(cells_TF, 0.0, 4.0)
    assert np.allclose(weights_TF[2, 8:13], [0.25, 0.5, 0.75, 1.0, 1.0])
    assert weights_TF[2, -1] == 1.0


def test_spans_are_merged_and_ordered() -> None:
    brush = BrushShape(points=((2.0, 100.0), (2.5, 100.0)), radius_s=0.1, radius_hz=10.0)
    mask = mask_of(brush, rect(0.5, 1.0), rect(0.8, 1.5), rect(0.0, 3.0, op=MaskOp.SUBTRACT))
    assert [(span.start_s, span.end_s) for span in spans(mask)] == [(0.5, 1.5), (1.9, 2.6)]


def test_a_shapes_extent() -> None:
    brush = BrushShape(points=((0.05, 100.0), (2.5, 400.0)), radius_s=0.1, radius_hz=30.0)
    assert shape_span(brush) == TimeSpan(start_s=0.0, end_s=2.6)
    assert shape_low_hz(brush) == 70.0
    assert shape_span(PolygonShape(points=((1.0, 1.0), (1.0, 2.0), (1.0, 3.0)))) is None


@pytest.mark.parametrize(
    ("shape", "whole"),
    [(rect(0, 1), True), (rect(0, 1, 1.0), False), (rect(0, 1, 0.0, 9000.0), False)],
)
def test_only_full_height_rectangles_cover_all_bands(shape: RectShape, whole: bool) -> None:
    assert covers_all_bands(mask_of(shape)) is whole
    assert not covers_all_bands(mask_of(shape, rect(0, 1, op=MaskOp.SUBTRACT)))


@pytest.mark.parametrize("shape", [rect(0.5, 1.1), rect(1.0, 1.2), rect(3.0, 4.0)])
def test_a_mask_outside_the_region_is_refused(shape: RectShape) -> None:
    with pytest.raises(SpecError, match="region is 1 s long"):
        require_inside(mask_of(rect(0.0, 0.5), shape), 1.0)


def test_a_brush_may_paint_over_the_edge() -> None:
    require_inside(mask_of(BrushShape(points=((0.95, 100.0),), radius_s=0.2, radius_hz=50.0)), 1.0)
    require_inside(mask_of(rect(0.0, 1.0005)), 1.0)

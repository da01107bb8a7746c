"""From where the pointer goes to shapes: every tool, constrained and not, and shapes held by the hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.types import BrushShape, MaskOp, PolygonShape, RectShape, Shape, TimeSpan
from ui.model.harmonics import Harmonics, spread
from ui.model.mask_drawing import Drawing, Lens, Setting, Stroke, drawing_of
from ui.model.mask_handling import Edge, Grip, edges_at, nudged, sized
from ui.model.mask_pen import MOST_TIP_HZ, Pen, PenModel, Tool
from ui.model.mask_shapes import Extent, Point, bounds_of
from ui.model.thinning import TOLERANCE_PX, Thinner, needed
from ui.sound.notes import note_name
from ui.sound.scales import FrequencyScale, ScaleKind

# A hundredth of a second and ten Hz a pixel.
EXTENT = Extent(duration_s=10.0, top_hz=8000.0)
LENS = Lens(
    start_s=0.0,
    end_s=10.0,
    low_axis=0.0,
    high_axis=1.0,
    width_px=1000.0,
    height_px=800.0,
    scale=FrequencyScale(ScaleKind.LINEAR, 8000.0),
)


def setting(tool: Tool, op: MaskOp = MaskOp.ADD, **pen: object) -> Setting:
    return Setting(
        pen=replace(Pen(tool=tool), **pen), lens=LENS, extent=EXTENT, op=op, snapped=lambda time_s: time_s
    )


def drawn(how: Setting, *points: Point, is_constrained: bool = False) -> tuple[Shape, ...]:
    return followed(how, *points, is_constrained=is_constrained).shapes()


def followed(how: Setting, *points: Point, is_constrained: bool = False) -> Drawing:
    drawing = drawing_of(how, points[0])
    for point in points[1:]:
        drawing.go(point, is_constrained=is_constrained)
    return drawing


def rect(
    start_s: float, end_s: float, low_hz: float, high_hz: float | None, op: MaskOp = MaskOp.ADD
) -> RectShape:
    return RectShape(span=TimeSpan(start_s=start_s, end_s=end_s), low_hz=low_hz, high_hz=high_hz, op=op)


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (Tool.RECT, rect(1.0, 3.0, 500.0, 2000.0)),
        (Tool.TIME, rect(1.0, 3.0, 0.0, None)),
        (Tool.BAND, rect(0.0, 10.0, 500.0, 2000.0)),
    ],
)
def test_rectangles_between_corners(tool: Tool, expected: RectShape) -> None:
    assert drawn(setting(tool), (3.0, 500.0), (2.0, 700.0), (1.0, 2000.0)) == (expected,)
    erased = drawn(setting(tool, MaskOp.SUBTRACT), (3.0, 500.0), (1.0, 2000.0))
    assert erased == (replace(expected, op=MaskOp.SUBTRACT),)


def test_what_is_drawn_out_of_the_sound_ends_with_it() -> None:
    assert drawn(setting(Tool.RECT), (9.0, 4000.0), (12.0, 9000.0)) == (rect(9.0, 10.0, 4000.0, None),)
    assert drawn(setting(Tool.RECT), (1.0, 4000.0), (-2.0, -50.0)) == (rect(0.0, 1.0, 0.0, 4000.0),)


@pytest.mark.parametrize("tool", [Tool.RECT, Tool.TIME, Tool.BAND, Tool.LASSO])
def test_a_click_draws_nothing(tool: Tool) -> None:
    assert drawn(setting(tool), (3.0, 500.0), (3.005, 505.0)) == ()


def test_a_constrained_rectangle_is_as_high_as_wide() -> None:
    [shape] = drawn(setting(Tool.RECT), (1.0, 1000.0), (2.0, 1200.0), is_constrained=True)
    assert shape == rect(1.0, 2.0, 1000.0, 2000.0)


def test_edges_snap_in_time() -> None:
    snapping = replace(setting(Tool.RECT), snapped=round)
    assert drawn(snapping, (1.2, 500.0), (2.9, 900.0)) == (rect(1.0, 3.0, 500.0, 900.0),)
    assert drawn(snapping, (1.1, 500.0), (1.2, 900.0)) == (), "both edges on one beat hold nothing"


def test_edges_snap_between_notes_and_strokes_onto_them() -> None:
    [shape] = drawn(setting(Tool.RECT, snaps_to_notes=True), (1.0, 430.0), (2.0, 890.0))
    bounds = bounds_of(shape)
    assert bounds.high_hz is not None
    # From A4 to A5: both lie within.
    assert (note_name(bounds.low_hz), note_name(bounds.high_hz)) in (
        ("G#4+50c", "A5+50c"),
        ("A4-50c", "A#5-50c"),
        ("A4-50c", "A5+50c"),
        ("G#4+50c", "A#5-50c"),
    )
    [stroke] = drawn(setting(Tool.BRUSH, snaps_to_notes=True), (1.0, 430.0), (2.0, 450.0))
    assert isinstance(stroke, BrushShape)
    assert {hz for _, hz in stroke.points} == {440.0}


def test_a_lasso_runs_after_the_pointer_and_straight_while_constrained() -> None:
    lasso = followed(setting(Tool.LASSO), (1.0, 1000.0), (2.0, 1000.0))
    for point in ((2.5, 1500.0), (3.0, 1800.0), (2.0, 3000.0)):
        lasso.go(point, is_constrained=True)
    assert lasso.shapes() == (PolygonShape(points=((1.0, 1000.0), (2.0, 1000.0), (2.0, 3000.0))),)
    lasso.go((1.5, 3000.0), is_constrained=False)
    [shape] = lasso.shapes()
    assert isinstance(shape, PolygonShape)
    assert shape.points == ((1.0, 1000.0), (2.0, 1000.0), (2.0, 3000.0), (1.5, 3000.0))


def test_a_constrained_stroke_keeps_time_or_frequency() -> None:
    [across] = drawn(setting(Tool.BRUSH), (1.0, 1000.0), (3.0, 1100.0), is_constrained=True)
    [up] = drawn(setting(Tool.BRUSH), (1.0, 1000.0), (1.1, 3000.0), is_constrained=True)
    assert isinstance(across, BrushShape) and isinstance(up, BrushShape)
    assert across.points == ((1.0, 1000.0), (3.0, 1000.0))
    assert up.points == ((1.0, 1000.0), (1.0, 3000.0))


def test_one_touch_of_the_brush_is_a_stroke() -> None:
    [shape] = drawn(setting(Tool.BRUSH, tip_s=0.2, tip_hz=300.0), (1.0, 1000.0))
    assert shape == BrushShape(points=((1.0, 1000.0),), radius_s=0.2, radius_hz=300.0)


def test_harmonics_are_the_multiples_that_are_shown() -> None:
    shapes = drawn(setting(Tool.HARMONICS, harmonics=16), (1.0, 900.0), (2.0, 950.0))
    [shape] = shapes
    assert isinstance(shape, Harmonics) and shape.count == 8
    for number, stroke in enumerate(shape.strokes, 1):
        assert stroke.points == ((1.0, 900.0 * number), (2.0, 950.0 * number))
        assert stroke.radius_hz == Pen().harmonic_tip_hz
    assert len(spread(drawn(setting(Tool.HARMONICS, harmonics=3), (1.0, 100.0)))) == 3
    [alone] = drawn(setting(Tool.HARMONICS), (1.0, 7000.0))
    assert isinstance(alone, BrushShape)
    assert len(spread(drawn(setting(Tool.HARMONICS), (1.0, 0.0)))) == 16


def test_what_is_new_of_a_stroke_joins_what_was() -> None:
    stroke = drawing_of(setting(Tool.BRUSH), (1.0, 1000.0))
    assert isinstance(stroke, Stroke)
    assert stroke.since(0) == ((1.0, 1000.0),)
    stroke.go((2.0, 1000.0), is_constrained=False)
    assert stroke.since(1) == ((1.0, 1000.0), (2.0, 1000.0))
    stroke.go((3.0, 1010.0), is_constrained=True)
    assert stroke.count == 2
    assert stroke.loose_end() == ((2.0, 1000.0), (3.0, 1000.0))


pixels = st.tuples(st.floats(0, 1000), st.floats(0, 800))


def off_by(points: list[tuple[float, float]], kept: list[int]) -> float:
    """Return how far any point is from the line through those that are kept; checked one by one."""
    worst = 0.0
    for index, point in enumerate(points):
        after = next(place for place, at in enumerate(kept) if at >= index)
        start = np.array(points[kept[max(0, after - 1)]])
        along, to = np.array(points[kept[after]]) - start, np.array(point) - start
        share = 0.0 if not along.any() else float(np.clip(to @ along / (along @ along), 0, 1))
        worst = max(worst, float(np.linalg.norm(to - share * along)))
    return worst


@given(st.lists(pixels, min_size=1, max_size=200))
def test_a_thinned_stroke_is_nowhere_off_by_a_pixel(points: list[tuple[float, float]]) -> None:
    thinner = Thinner()
    for point in points:
        thinner.add(*point)
    kept = thinner.kept()
    assert kept[0] == 0 and kept[-1] == len(points) - 1 and kept == sorted(set(kept))
    assert off_by(points, kept) <= TOLERANCE_PX + 1e-6


def test_a_straight_stroke_needs_few_points_however_long() -> None:
    thinner = Thinner()
    for step in range(2000):
        thinner.add(step / 2, step / 4)
    assert len(thinner.kept()) <= 2000 / 64 + 2
    assert needed(np.zeros((0, 2)), 1.0) == []


def test_a_coarser_stroke_has_fewer_points() -> None:
    times_s = np.linspace(1, 9, 400)
    points = list(zip(times_s.tolist(), (2000 + 500 * np.sin(8 * times_s)).tolist(), strict=True))
    drawing = followed(setting(Tool.BRUSH), *points)
    counts = []
    for tolerance_px in (TOLERANCE_PX, 2.0, 8.0):
        [shape] = drawing.shapes(tolerance_px)
        assert isinstance(shape, BrushShape)
        counts.append(len(shape.points))
    assert counts[0] > counts[1] > counts[2] >= 2


def grip(shape: Shape, at: Point, edges: Edge = Edge.NONE) -> Grip:
    return Grip(index=0, shape=shape, at=at, edges=edges)


def test_a_shape_is_carried_with_the_pointer() -> None:
    held = grip(rect(1.0, 2.0, 1000.0, 2000.0), (1.5, 1500.0))
    assert held.carried((2.5, 1700.0), setting(Tool.HAND), is_constrained=False) == rect(
        2.0, 3.0, 1200.0, 2200.0
    )
    across = held.carried((2.5, 1700.0), setting(Tool.HAND), is_constrained=True)
    assert across == rect(2.0, 3.0, 1000.0, 2000.0)
    far = held.carried((20.0, 99_000.0), setting(Tool.HAND), is_constrained=False)
    assert far == rect(9.0, 10.0, 7000.0, 8000.0)


def test_a_carried_shape_begins_on_a_beat() -> None:
    snapping = replace(setting(Tool.HAND), snapped=round)
    held = grip(rect(1.0, 2.5, 1000.0, 2000.0), (1.5, 1500.0))
    assert held.carried((3.8, 1500.0), snapping, is_constrained=False) == rect(3.0, 4.5, 1000.0, 2000.0)


def test_what_has_the_whole_band_moves_in_time_only() -> None:
    held = grip(rect(1.0, 2.0, 0.0, None), (1.5, 1500.0))
    assert held.carried((2.5, 4500.0), setting(Tool.HAND), is_constrained=False) == rect(2.0, 3.0, 0.0, None)


@pytest.mark.parametrize(
    ("at", "edges", "to", "expected"),
    [
        ((1.0, 1500.0), Edge.START, (0.5, 0.0), rect(0.5, 2.0, 1000.0, 2000.0)),
        ((2.0, 1500.0), Edge.END, (3.5, 0.0), rect(1.0, 3.5, 1000.0, 2000.0)),
        ((1.5, 1000.0), Edge.LOW, (1.5, 800.0), rect(1.0, 2.0, 800.0, 2000.0)),
        ((1.5, 2000.0), Edge.HIGH, (1.5, 9000.0), rect(1.0, 2.0, 1000.0, None)),
        ((2.0, 2000.0), Edge.END | Edge.HIGH, (4.0, 4000.0), rect(1.0, 4.0, 1000.0, 4000.0)),
    ],
)
def test_a_rectangle_is_resized_by_its_edges(at: Point, edges: Edge, to: Point, expected: RectShape) -> None:
    shape, how = rect(1.0, 2.0, 1000.0, 2000.0), setting(Tool.HAND)
    assert edges_at(shape, at, how) == edges
    assert grip(shape, at, edges).carried(to, how, is_constrained=False) == expected


def test_no_edge_is_held_within_or_far_away() -> None:
    shape, how = rect(1.0, 2.0, 1000.0, 2000.0), setting(Tool.HAND)
    assert not edges_at(shape, (1.5, 1500.0), how)
    assert not edges_at(shape, (1.0, 5000.0), how)


@given(st.sampled_from(list(ScaleKind)), pixels, st.sampled_from([Edge.START, Edge.END, Edge.LOW, Edge.HIGH]))
def test_an_edge_never_passes_the_opposite_one(kind: ScaleKind, px: tuple[float, float], edge: Edge) -> None:
    lens = replace(LENS, scale=FrequencyScale(kind, 8000.0))
    how = replace(setting(Tool.HAND), lens=lens)
    resized = grip(rect(4.0, 5.0, 1000.0, 2000.0), (4.0, 1000.0), edge).carried(
        lens.to_point(*px), how, is_constrained=False
    )
    bounds = bounds_of(resized)
    assert 0 <= bounds.start_s < bounds.end_s <= EXTENT.duration_s
    assert bounds.low_hz < (bounds.high_hz or EXTENT.top_hz)


def test_keys_move_and_size_by_pixels() -> None:
    shape, how = rect(1.0, 2.0, 1000.0, 2000.0), setting(Tool.HAND)
    assert nudged(shape, 10.0, -20.0, how) == rect(1.1, 2.1, 800.0, 1800.0)
    assert sized(shape, 10.0, 20.0, how) == rect(1.0, 2.1, 1000.0, 2200.0)
    assert bounds_of(sized(shape, -500.0, -500.0, how)).end_s > 1.0
    outline = PolygonShape(points=((1.0, 100.0), (2.0, 100.0), (1.5, 900.0)))
    assert sized(outline, 10.0, 10.0, how) == outline


@given(st.sampled_from(list(ScaleKind)), pixels)
def test_a_lens_finds_its_way_back(kind: ScaleKind, px: tuple[float, float]) -> None:
    lens = replace(LENS, start_s=2.0, low_axis=0.2, scale=FrequencyScale(kind, 8000.0))
    assert lens.to_px(lens.to_point(*px)) == pytest.approx(px, abs=1e-6)


def test_a_pen_tells_of_changes_and_keeps_its_limits() -> None:
    model, told = PenModel(), []
    model.changed.connect(lambda: told.append(model.pen))
    model.change(tool=Tool.BRUSH)
    model.change(tool=Tool.BRUSH)
    model.resize(2.0)
    assert [pen.tip_s for pen in told] == [0.05, 0.1]
    model.resize(1e9)
    assert model.pen.tip_hz == MOST_TIP_HZ
    for field in ({"tip_s": 0.0}, {"tip_hz": 1e6}, {"harmonics": 0}):
        with pytest.raises(ValueError, match=r"must be from"):
            model.change(**field)

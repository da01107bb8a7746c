"""Shapes for tests of masks, drawn by hypothesis within a sound."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from engine.types import BrushShape, MaskOp, PolygonShape, RectShape, Shape, TimeSpan

DURATION_S = 1.0
TOP_HZ = 8000.0

times_s = st.floats(0.0, DURATION_S) | st.integers(0, 25).map(lambda cell: cell * 0.04)
freqs_hz = st.floats(0.0, TOP_HZ) | st.sampled_from([0.0, 200.0, 1000.0, 4000.0, 7999.0, TOP_HZ])
ops = st.sampled_from(MaskOp)
_points = st.tuples(times_s, freqs_hz)


@st.composite
def rects(draw: st.DrawFn) -> RectShape:
    start_s, end_s = sorted(draw(st.lists(times_s, min_size=2, max_size=2, unique=True)))
    low_hz, high_hz = sorted(draw(st.lists(freqs_hz, min_size=2, max_size=2, unique=True)))
    is_whole = draw(st.booleans())
    span = TimeSpan(start_s=start_s, end_s=end_s)
    return RectShape(
        span=span, low_hz=0.0 if is_whole else low_hz, high_hz=None if is_whole else high_hz, op=draw(ops)
    )


polygons = st.builds(PolygonShape, points=st.lists(_points, min_size=3, max_size=8).map(tuple), op=ops)
brushes = st.builds(
    BrushShape,
    points=st.lists(_points, min_size=1, max_size=6).map(tuple),
    radius_s=st.floats(0.001, 0.3),
    radius_hz=st.floats(1.0, 2000.0),
    op=ops,
)
shapes: SearchStrategy[Shape] = rects() | polygons | brushes
many_shapes = st.lists(shapes, max_size=6).map(tuple)

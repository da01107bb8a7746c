"""Harmonics drawn in one stroke: one shape to whoever draws, its strokes to whoever renders."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.spec_json import mask_from_json, mask_to_dict
from engine.types import BrushShape, Mask, MaskOp, RectShape, Shape, TimeSpan
from tests.unit.mask_shapes import DURATION_S, TOP_HZ, many_shapes, ops, times_s
from ui.model.harmonics import Drawn, Harmonics, gathered, spread
from ui.model.mask_edit import MaskEdit
from ui.model.mask_shapes import Extent, bounds_of, edges_of, rounded
from ui.model.shape_list import ShapeList

EXTENT = Extent(duration_s=DURATION_S, top_hz=TOP_HZ)
FIRST = TimeSpan(start_s=0.25, end_s=0.75)

fundamentals_hz = st.floats(1.0, 2000.0)
harmonics = st.builds(
    lambda points, op, count: rounded(
        Harmonics(
            fundamental=BrushShape(points=tuple(points), radius_s=0.05, radius_hz=30.0, op=op), count=count
        )
    ),
    points=st.lists(st.tuples(times_s, fundamentals_hz), min_size=1, max_size=5),
    op=ops,
    count=st.integers(2, 32),
)


def of_220_hz(op: MaskOp = MaskOp.ADD, count: int = 16) -> Harmonics:
    stroke = BrushShape(points=((0.2, 220.0), (0.6, 220.0)), radius_s=0.05, radius_hz=30.0, op=op)
    return Harmonics(fundamental=stroke, count=count)


def new_edit(*shapes: Drawn) -> MaskEdit:
    edit = MaskEdit(EXTENT)
    assert edit.add(shapes, "Add")
    return edit


def rows(edit: MaskEdit) -> list[str]:
    shown = ShapeList(edit)
    return [str(shown.index(row).data()) for row in range(shown.rowCount())]


@given(st.lists(harmonics, max_size=3), many_shapes)
def test_what_was_drawn_is_found_again_in_what_a_request_carries(
    drawn: list[Harmonics], others: tuple[Shape, ...]
) -> None:
    parted = [shape for one in drawn for shape in (one, RectShape(span=FIRST))]
    assert gathered(spread(parted)) == tuple(parted)
    assert spread(gathered((*others, *spread(drawn)))) == (*others, *spread(drawn))


@given(harmonics, st.floats(0.0, 0.9))
def test_it_is_one_shape_after_a_recall_wherever_the_region_began(shape: Harmonics, start_s: float) -> None:
    edit = new_edit(RectShape(span=TimeSpan(start_s=0.0, end_s=DURATION_S)), shape)
    span = TimeSpan(start_s=start_s, end_s=DURATION_S)
    mask = edit.mask(span)
    assert mask is not None
    sent = mask_from_json(json.dumps(mask_to_dict(mask)))
    assert all(isinstance(one, RectShape | BrushShape) for one in sent.shapes)
    other = MaskEdit(EXTENT)
    other.load(sent, start_s)
    assert len(other.shapes) == (1 if bounds_of(shape).end_s <= start_s else 2)
    again = other.mask(span)
    assert again is not None and len(again.shapes) == len(sent.shapes)


def test_a_request_has_each_multiple() -> None:
    mask = new_edit(of_220_hz(count=3)).mask()
    assert mask is not None
    assert [shape.points for shape in mask.shapes if isinstance(shape, BrushShape)] == [
        ((0.2, 220.0 * number), (0.6, 220.0 * number)) for number in (1, 2, 3)
    ]


def test_it_is_one_row_that_says_which_harmonics() -> None:
    glide = BrushShape(points=((0.2, 220.0), (0.6, 247.5)), radius_s=0.05, radius_hz=30.0)
    edit = new_edit(of_220_hz(), of_220_hz(MaskOp.SUBTRACT, count=8), Harmonics(fundamental=glide, count=4))
    assert rows(edit) == [
        "+ Harmonics of 220 Hz (A3), 1 to 16  0.150 to 0.650 s",
        "- Harmonics of 220 Hz (A3), 1 to 8  0.150 to 0.650 s",
        "+ Harmonics of 220 to 247.5 Hz, 1 to 4  0.150 to 0.650 s",
    ]


def test_it_is_chosen_turned_over_deleted_and_taken_back_as_one() -> None:
    edit = new_edit(of_220_hz())
    edit.select(edit.index_at(0.4, 7 * 220.0))
    assert edit.chosen == of_220_hz()
    assert edit.index_at(0.4, 7.5 * 220.0) is None
    assert edit.turn_over(0) and edit.shapes == (of_220_hz(MaskOp.SUBTRACT),)
    assert edit.remove(0) and edit.shapes == ()
    assert edit.undo() and edit.undo() and edit.shapes == (of_220_hz(),)
    assert edit.undo() and edit.shapes == ()


def test_its_multiples_follow_when_the_fundamental_is_changed_by_numbers() -> None:
    edit = new_edit(of_220_hz(count=4))
    edges = edges_of(edit.shapes[0])
    assert (edges.low_hz, edges.high_hz) == (190.0, 250.0)
    edit.fit(0, replace(edges, low_hz=300.0, high_hz=360.0))
    bounds = bounds_of(edit.shapes[0])
    assert (bounds.low_hz, bounds.high_hz) == (300.0, 4 * 330.0 + 30.0)


def test_strokes_that_are_no_multiples_stay_what_they_are() -> None:
    strokes = [
        BrushShape(points=((0.2, freq_hz),), radius_s=0.05, radius_hz=30.0) for freq_hz in (220.0, 441.0)
    ]
    assert gathered(strokes) == tuple(strokes)
    wider = replace(strokes[0], points=((0.2, 440.0),), radius_hz=31.0)
    assert gathered((strokes[0], wider)) == (strokes[0], wider)
    edit = MaskEdit(EXTENT)
    edit.load(Mask(shapes=tuple(strokes)))
    assert len(edit.shapes) == 2


def test_one_harmonic_is_a_stroke() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        of_220_hz(count=1)

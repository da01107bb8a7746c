"""Masks edited: whatever is done can be taken back, inverted, copied and handed to a render."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.audio.grid import require_inside
from engine.audio.raster import rasterise
from engine.spec_json import mask_from_json, mask_to_dict
from engine.types import BrushShape, ErrorCode, Mask, MaskOp, PolygonShape, RectShape, Shape, TimeSpan
from tests.unit.mask_shapes import DURATION_S, TOP_HZ, many_shapes, shapes
from ui.model.mask_edit import MAX_CHARACTERS, MAX_FEATHER_HZ, MAX_FEATHER_S, MaskEdit, MaskState
from ui.model.mask_shapes import (
    Bounds,
    Extent,
    bounds_of,
    fitted,
    is_inside,
    moved,
    rounded,
    seen_from,
)
from ui.model.undo import Undo

EXTENT = Extent(duration_s=DURATION_S, top_hz=TOP_HZ)
EDGES_S, EDGES_HZ = np.linspace(0.0, DURATION_S, 61), np.linspace(0.0, TOP_HZ, 81)


def span(start_s: float, end_s: float) -> TimeSpan:
    return TimeSpan(start_s=start_s, end_s=end_s)


def rect(start_s: float, end_s: float, *, op: MaskOp = MaskOp.ADD) -> RectShape:
    return RectShape(span=span(start_s, end_s), low_hz=300.0, high_hz=3000.0, op=op)


def new_edit(*added: Shape) -> MaskEdit:
    edit = MaskEdit(EXTENT)
    for shape in added:
        assert edit.add((shape,), "Add")
    return edit


def drawn(edit: MaskEdit) -> np.ndarray:
    """Return what the render makes of the mask."""
    mask = edit.mask()
    if mask is None:
        return np.zeros((len(EDGES_S) - 1, len(EDGES_HZ) - 1), dtype=bool)
    return rasterise(mask, EDGES_S, EDGES_HZ)


def is_masked(edit: MaskEdit, time_s: float, freq_hz: float) -> bool:
    masked = False
    for shape in edit.shapes:
        if is_inside(shape, (time_s, freq_hz)):
            masked = shape.op is MaskOp.ADD
    return masked


# What can be done to a mask, with the numbers that it needs.
numbers = st.floats(-0.5, 0.5)
deeds: st.SearchStrategy[Callable[[MaskEdit], object]] = st.one_of(
    shapes.map(lambda shape: lambda edit: edit.add((shape,), "Add")),
    st.just(lambda edit: edit.invert()),
    st.just(lambda edit: edit.clear()),
    st.just(lambda edit: edit.part()),
    st.just(lambda edit: edit.undo()),
    st.just(lambda edit: edit.redo()),
    st.integers(0, 5).map(lambda index: lambda edit: edit.select(index)),
    numbers.map(lambda by_s: lambda edit: edit.nudge(by_s, lambda hz: hz)),
    st.floats(0.0, 3.0).map(lambda feather_s: lambda edit: edit.set_feather(feather_s=feather_s)),
    st.integers(0, 5).map(lambda index: lambda edit: index < len(edit.shapes) and edit.remove(index)),
    st.integers(0, 5).map(lambda index: lambda edit: index < len(edit.shapes) and edit.turn_over(index)),
    shapes.map(lambda shape: lambda edit: edit.shapes and edit.replace(0, shape, "Replace", "x")),
)


@settings(max_examples=40)
@given(st.lists(deeds, max_size=12))
def test_all_can_be_taken_back_and_done_again(done: list[Callable[[MaskEdit], object]]) -> None:
    edit = MaskEdit(EXTENT)
    start = edit.state
    for deed in done:
        deed(edit)
    while edit.redo():
        pass
    end, steps = edit.state, 0
    while edit.undo():
        steps += 1
    assert edit.state == start and edit.undo_name == ""
    for _ in range(steps):
        assert edit.redo()
    assert edit.state == end and edit.redo_name == ""


@settings(max_examples=40)
@given(st.lists(deeds, max_size=12))
def test_each_step_back_changes_something_and_has_a_name(
    done: list[Callable[[MaskEdit], object]],
) -> None:
    edit = MaskEdit(EXTENT)
    for deed in done:
        deed(edit)
    states, names = [edit.state], []
    while edit.undo_name:
        names.append(edit.undo_name)
        edit.undo()
        states.append(edit.state)
    assert all(before != after for before, after in pairwise(states))
    assert all(names)


def test_steps_of_one_kind_in_a_row_are_taken_back_as_one() -> None:
    undo = Undo(0)
    undo.do("Nudge", 1, "nudge")
    undo.do("Nudge", 2, "nudge")
    undo.part()
    undo.do("Nudge", 3, "nudge")
    assert undo.undo() and undo.state == 2
    assert undo.undo() and undo.state == 0
    assert not undo.undo()


def test_steps_that_cancel_each_other_leave_none() -> None:
    undo = Undo(0)
    undo.do("Nudge", 1, "nudge")
    undo.do("Nudge", 0, "nudge")
    assert (undo.state, undo.undo_name) == (0, "")


@settings(max_examples=40)
@given(many_shapes)
def test_inverted_twice_is_the_same_to_the_last_cell(drawn_first: tuple[Shape, ...]) -> None:
    edit = new_edit()
    edit.add(drawn_first, "Add")
    before, shapes_before = drawn(edit), edit.shapes
    edit.invert()
    edit.invert()
    np.testing.assert_array_equal(drawn(edit), before)
    assert edit.shapes == shapes_before


@settings(max_examples=40)
@given(many_shapes, st.floats(0.0, DURATION_S, exclude_max=True), st.floats(0.0, 20_000.0))
def test_inverting_masks_what_was_not_masked_and_nothing_else(
    drawn_first: tuple[Shape, ...], time_s: float, freq_hz: float
) -> None:
    edit = new_edit()
    edit.add(drawn_first, "Add")
    before = is_masked(edit, time_s, freq_hz)
    edit.invert()
    assert is_masked(edit, time_s, freq_hz) is not before


def test_no_mask_without_anything_added() -> None:
    assert new_edit().mask() is None
    assert new_edit(rect(0.2, 0.4, op=MaskOp.SUBTRACT)).mask() is None
    assert new_edit(rect(0.2, 0.4)).mask(span(0.5, 0.9)) is None


@settings(max_examples=40)
@given(many_shapes, st.integers(0, 59), st.integers(1, 60))
def test_a_region_sees_its_part_of_the_mask(drawn_first: tuple[Shape, ...], first: int, cells: int) -> None:
    edit = new_edit()
    edit.add(drawn_first, "Add")
    region = span(float(EDGES_S[first]), float(EDGES_S[min(60, first + cells)]))
    mask = edit.mask(region)
    if mask is None:
        return
    require_inside(mask, region.duration_s)
    # Half a step off the edges, lest rounding decides.
    steps_s = np.arange(0.0025, region.duration_s, 0.01)
    if len(steps_s) < 2:
        return
    whole = Mask(shapes=edit.shapes)
    seen, expected = (
        rasterise(one, steps_s + offset_s, EDGES_HZ + 0.37)
        for one, offset_s in ((mask, 0.0), (whole, region.start_s))
    )
    # What a point is rounded to moves an outline by less than a cell in a few of them.
    assert np.mean(seen != expected) < 0.01


@settings(max_examples=40)
@given(many_shapes)
@example((rect(0.0, 1 / 16384),))
def test_a_mask_survives_the_clipboard(drawn_first: tuple[Shape, ...]) -> None:
    edit, other = new_edit(), new_edit()
    edit.add(drawn_first, "Add")
    edit.set_feather(feather_s=0.05, feather_hz=30.0)
    text = edit.copied()
    if text is None:
        assert edit.mask() is None
        return
    assert mask_from_json(text) == edit.mask()
    assert other.paste(text)
    assert other.mask() == edit.mask()
    assert other.undo_name == "Paste mask"


def test_a_mask_is_pasted_where_the_other_region_begins() -> None:
    edit = new_edit(rect(0.1, 0.3))
    text = edit.copied(span(0.1, 0.5))
    assert text is not None and edit.paste(text, at_s=0.6)
    assert [bounds_of(shape).start_s for shape in edit.shapes] == [0.1, 0.6]
    assert edit.mask(span(0.6, 0.9)) == new_edit(rect(0.0, 0.2)).mask()


def test_what_is_pasted_is_cut_to_the_sound() -> None:
    text = new_edit(rect(0.1, 0.9)).copied()
    edit = new_edit()
    assert text is not None and edit.paste(text, at_s=0.5)
    assert bounds_of(edit.shapes[0]).end_s == DURATION_S


@pytest.mark.parametrize(
    ("text", "at_s", "code", "words"),
    [
        ("", 0.0, ErrorCode.BAD_JSON, "not valid JSON"),
        ("{}", 0.0, ErrorCode.BAD_JSON, "shapes is missing"),
        ('{"shapes": [{"shape": "star"}]}', 0.0, ErrorCode.BAD_JSON, "star"),
        ('{"shapes": []}', 0.0, ErrorCode.BAD_ARGS, "at least one shape"),
        (
            '{"shapes": [{"shape": "rect", "span": {"start_s": 0.5, "end_s": 0.8}}]}',
            0.7,
            ErrorCode.BAD_ARGS,
            "Nothing of the copied mask",
        ),
    ],
)
def test_what_is_no_mask_is_refused_and_changes_nothing(
    text: str, at_s: float, code: ErrorCode, words: str
) -> None:
    edit, errors = new_edit(rect(0.1, 0.2)), []
    before = edit.state
    edit.refused.connect(errors.append)
    assert not edit.paste(text, at_s)
    assert edit.state == before
    [error] = errors
    assert error.code is code and words in error.message


def scribble(points: int) -> BrushShape:
    turns = np.linspace(0, 300, points)
    path = tuple(
        zip((0.5 + 0.4 * np.sin(turns)).tolist(), (4000 + 3000 * np.cos(turns)).tolist(), strict=True)
    )
    return BrushShape(points=path, radius_s=0.01, radius_hz=50.0)


def test_a_mask_never_outgrows_a_request() -> None:
    edit, errors, notices = new_edit(), [], []
    edit.refused.connect(errors.append)
    edit.noticed.connect(notices.append)
    assert edit.add((scribble(1000),), "Paint")
    assert edit.add((scribble(3000),), "Paint", coarser=lambda px: (scribble(int(1500 / px)),))
    assert len(notices) == 1 and not errors
    before = edit.state
    assert not edit.add((scribble(3000),), "Paint", coarser=lambda _: (scribble(2900),))
    assert edit.state == before
    assert errors[0].code is ErrorCode.TOO_LARGE and "more complex" in errors[0].message
    text = edit.copied()
    assert text is not None and len(text) <= MAX_CHARACTERS + 200
    assert edit.remove(0), "what makes it simpler is always possible"


@settings(max_examples=40)
@given(shapes)
def test_the_length_of_a_mask_is_not_underrated(shape: Shape) -> None:
    edit = new_edit(shape)
    both = Mask(shapes=(*edit.shapes, rect(0.0, 1.0)))
    alone = len(json.dumps(mask_to_dict(both))) - len(
        json.dumps(mask_to_dict(Mask(shapes=(rect(0.0, 1.0),))))
    )
    assert alone <= edit.characters


@given(shapes, numbers, st.floats(0.5, 2.0))
def test_a_moved_shape_keeps_its_size_and_stays_in_the_sound(
    shape: Shape, by_s: float, factor: float
) -> None:
    there = moved(shape, by_s, lambda hz: hz * factor, EXTENT)
    before, after = bounds_of(shape), bounds_of(there)
    assert after.end_s - after.start_s == pytest.approx(before.end_s - before.start_s, abs=1e-5)
    assert after.start_s >= min(0.0, before.start_s) - 1e-5
    assert after.end_s <= max(DURATION_S, before.end_s) + 1e-5
    assert there.op is shape.op


@settings(max_examples=40)
@given(shapes, st.floats(0.0, 0.4), st.floats(0.5, 1.0), st.floats(0.0, 900.0), st.floats(1000.0, 8000.0))
def test_a_shape_can_be_given_other_bounds(
    shape: Shape, start_s: float, end_s: float, low_hz: float, high_hz: float
) -> None:
    old = bounds_of(shape)
    wanted = Bounds(start_s=start_s, end_s=end_s, low_hz=low_hz, high_hz=high_hz)
    high_hz_before = 1e9 if old.high_hz is None else old.high_hz
    is_flat = old.end_s - old.start_s < 0.01 or high_hz_before - old.low_hz < 10.0
    is_cut_off = isinstance(shape, BrushShape) and min(hz for _, hz in shape.points) < shape.radius_hz
    if is_flat or is_cut_off:
        return
    found = bounds_of(fitted(shape, wanted))
    assert (found.start_s, found.end_s) == pytest.approx((start_s, end_s), abs=1e-4)
    assert found.low_hz == pytest.approx(low_hz, abs=0.1)
    assert found.high_hz == pytest.approx(high_hz, abs=0.1)


def test_bounds_that_hold_nothing_are_refused() -> None:
    edit, errors = new_edit(PolygonShape(points=((0.1, 100.0), (0.3, 100.0), (0.2, 900.0)))), []
    edit.refused.connect(errors.append)
    assert not edit.fit(0, Bounds(start_s=0.3, end_s=0.2, low_hz=0.0, high_hz=100.0))
    assert not edit.fit(0, Bounds(start_s=0.1, end_s=0.2, low_hz=0.0, high_hz=None))
    assert [error.code for error in errors] == [ErrorCode.BAD_ARGS] * 2


@given(shapes)
def test_rounding_is_no_change_that_matters(shape: Shape) -> None:
    before, after = bounds_of(shape), bounds_of(rounded(shape))
    assert after.start_s == pytest.approx(before.start_s, abs=1e-5)
    assert after.low_hz == pytest.approx(before.low_hz, abs=1e-2)


def test_a_rectangle_is_cut_to_the_region_and_outlines_are_not() -> None:
    outline = PolygonShape(points=((0.1, 100.0), (0.9, 100.0), (0.5, 900.0)))
    assert seen_from(rect(0.1, 0.9), span(0.2, 0.4)) == rect(0.0, 0.2)
    assert seen_from(outline, span(0.2, 0.4)) == PolygonShape(
        points=((-0.1, 100.0), (0.7, 100.0), (0.3, 900.0))
    )
    assert seen_from(rect(0.1, 0.2), span(0.2, 0.4)) is None


def test_feathers_stay_within_their_limits() -> None:
    edit = new_edit()
    edit.set_feather(feather_s=-1.0, feather_hz=1e9)
    assert (edit.state.feather_s, edit.state.feather_hz) == (0.0, MAX_FEATHER_HZ)
    edit.set_feather(feather_s=1e9)
    assert (edit.state.feather_s, edit.state.feather_hz) == (MAX_FEATHER_S, MAX_FEATHER_HZ)


def test_another_sound_begins_without_a_mask_or_a_past() -> None:
    edit = new_edit(rect(0.1, 0.2))
    edit.select(0)
    edit.open(Extent(duration_s=3.0, top_hz=20_000.0))
    assert edit.state == MaskState() and edit.selected is None and edit.undo_name == ""


def test_a_recalled_mask_replaces_what_is_drawn_and_can_be_taken_back() -> None:
    edit = new_edit(rect(0.1, 0.2))
    mask = Mask(shapes=(rect(0.0, 0.3),), feather_s=0.1)
    assert edit.load(mask, at_s=0.5)
    assert edit.mask(span(0.5, 1.0)) == mask
    edit.undo()
    assert edit.shapes == (rect(0.1, 0.2),)
    assert edit.load(None) and edit.shapes == ()


def test_the_topmost_shape_is_found_under_the_pointer() -> None:
    edit = new_edit(rect(0.1, 0.5), rect(0.3, 0.7))
    assert [edit.index_at(time_s, 1000.0) for time_s in (0.2, 0.4, 0.6, 0.8)] == [0, 1, 1, None]
    assert edit.index_at(0.2, 5000.0) is None


def test_the_choice_goes_with_what_it_chose() -> None:
    edit, told = new_edit(rect(0.1, 0.5), rect(0.3, 0.7)), []
    edit.selection_changed.connect(lambda: told.append(edit.selected))
    edit.select(1)
    edit.select(7)
    edit.select(0)
    edit.remove(0)
    assert told == [1, None, 0, None]

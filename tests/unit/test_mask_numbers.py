"""A mask without a mouse: its edges as people write them, and its shapes as a list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtCore import Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from engine.errors import SpecError
from engine.types import BrushShape, MaskOp, RectShape, TimeSpan
from ui.model.mask_edit import MaskEdit
from ui.model.mask_numbers import bounds_from, edges_text, hz_of, hz_text, time_of, time_text
from ui.model.mask_shapes import Bounds, Extent
from ui.model.shape_list import ShapeList
from ui.sound.beats import BeatGrid

# Half a second a beat, two a bar; the first bar begins at 1 s.
BEATS = BeatGrid(tempo_bpm=120.0, from_s=1.0)


@pytest.mark.parametrize(
    ("text", "time_s"),
    [("1.25", 1.25), ("1,25 s", 1.25), (" .5 ", 0.5), ("1:02.5", 62.5), ("250 ms", 0.25), ("250MS", 0.25)],
)
def test_times_in_seconds(text: str, time_s: float) -> None:
    assert time_of(text) == pytest.approx(time_s)


@pytest.mark.parametrize(
    ("text", "time_s"),
    [
        ("1", 1.0),
        ("3", 5.0),
        ("3.2", 5.5),
        ("3.2.50", 5.75),
        ("3|2|5", 5.75),
        ("1.5 s", 1.5),
        ("0.3.00", 0.0),
    ],
)
def test_times_in_bars(text: str, time_s: float) -> None:
    assert time_of(text, BEATS) == pytest.approx(time_s)


@pytest.mark.parametrize("text", ["", "soon", "1.2.3", "-1", "1:2:3", "nan", "1e5"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="is not a time"):
        time_of(text)


@given(st.floats(0.0, 3600.0))
def test_times_are_read_as_they_are_told(time_s: float) -> None:
    assert time_of(time_text(time_s)) == pytest.approx(time_s, abs=0.00051)
    assert time_of(time_text(time_s, BEATS), BEATS) == pytest.approx(time_s, abs=0.0026)


@pytest.mark.parametrize(
    ("text", "freq_hz"),
    [
        ("440", 440.0),
        ("440 Hz", 440.0),
        ("1.2k", 1200.0),
        ("1,2 kHz", 1200.0),
        ("A4", 440.0),
        ("", None),
        ("A3+20c", 220.0 * 2 ** (20 / 1200)),
        ("top", None),
        ("Bb3", 440.0 * 2 ** (-11 / 12)),
    ],
)
def test_frequencies(text: str, freq_hz: float | None) -> None:
    assert hz_of(text) == (None if freq_hz is None else pytest.approx(freq_hz))


@pytest.mark.parametrize("text", ["high", "H4", "-5", "1e400", "440 s"])
def test_what_is_no_frequency_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="is not a frequency"):
        hz_of(text)


def test_a_frequency_is_told_with_its_note() -> None:
    assert [hz_text(hz) for hz in (440.0, 222.56, None, 0.0)] == [
        "440.0 Hz A4",
        "222.6 Hz A3+20c",
        "top",
        "0.0 Hz",
    ]


@given(st.floats(0.0, 4.0), st.floats(0.001, 4.0), st.floats(0.0, 9000.0), st.floats(0.1, 9000.0) | st.none())
def test_bounds_are_read_as_they_are_told(
    start_s: float, more_s: float, low_hz: float, higher_hz: float | None
) -> None:
    high_hz = None if higher_hz is None else low_hz + higher_hz
    bounds = Bounds(start_s=start_s, end_s=start_s + more_s, low_hz=low_hz, high_hz=high_hz)
    found = bounds_from(*edges_text(bounds), None, 10.0)
    assert (found.start_s, found.end_s) == pytest.approx((start_s, start_s + more_s), abs=1e-4)
    assert found.low_hz == pytest.approx(low_hz, abs=0.01)
    assert found.high_hz == (None if high_hz is None else pytest.approx(high_hz, abs=0.01))


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        (("2", "1", "", ""), "from 2 to 1 s"),
        (("12", "13", "", ""), "from 12 to 10 s"),
        (("1", "2", "500", "400"), "from 500 to 400 Hz"),
        (("1", "2", "x", ""), '"x" is not a frequency'),
    ],
)
def test_bounds_that_hold_nothing_are_refused(edges: tuple[str, str, str, str], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        bounds_from(*edges, None, 10.0)


def test_a_rectangle_may_be_said_to_end_after_the_sound() -> None:
    assert bounds_from("9", "11", "", "", None, 10.0).end_s == 10.0


def test_shapes_are_listed_in_words() -> None:
    edit = MaskEdit(Extent(duration_s=10.0, top_hz=8000.0))
    shapes = ShapeList(edit)
    edit.add((RectShape(span=TimeSpan(start_s=1.0, end_s=2.0), low_hz=220.0, high_hz=440.0),), "Add")
    edit.add((BrushShape(points=((5.0, 880.0),), radius_s=0.5, radius_hz=1.0, op=MaskOp.SUBTRACT),), "Add")
    edit.add((RectShape(span=TimeSpan(start_s=3.0, end_s=4.0)),), "Add")
    lines = [shapes.data(shapes.index(row)) for row in range(3)]
    assert lines == [
        "+ Rectangle  1.000 to 2.000 s",
        "- Stroke  4.500 to 5.500 s",
        "+ Rectangle  3.000 to 4.000 s",
    ]
    words = [shapes.data(shapes.index(row), Qt.ItemDataRole.AccessibleTextRole) for row in range(3)]
    assert words == [
        "Rectangle adds: 1.000 to 2.000 s (1.000 s), 220.0 Hz A3 to 440.0 Hz A4",
        "Stroke takes away: 4.500 to 5.500 s (1.000 s), 879.0 Hz A5-2c to 881.0 Hz A5+2c",
        "Rectangle adds: 3.000 to 4.000 s (1.000 s), all frequencies",
    ]
    shapes.set_beats(BEATS)
    assert shapes.data(shapes.index(0)) == "+ Rectangle  1.1.00 to 1.3.00"


def test_the_list_keeps_qts_rules(qtmodeltester: ModelTester, qtbot: QtBot) -> None:
    edit = MaskEdit(Extent(duration_s=10.0, top_hz=8000.0))
    shapes = ShapeList(edit)
    with qtbot.waitSignal(shapes.modelReset):
        edit.add((RectShape(span=TimeSpan(start_s=3.0, end_s=4.0)),), "Add")
    qtmodeltester.check(shapes)

"""Knobs that turn from 0 to 1, whatever the parameter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.live.knobs import position_of, value_at
from daw_bridge.live.parameters import DEFAULTS
from daw_bridge.messages.arguments import Number, Text
from daw_bridge.messages.parameters import KNOBS, PARAMETERS
from engine.types import Editor

NAMES = st.sampled_from(list(KNOBS))
POSITIONS = st.floats(0.0, 1.0)


@given(name=NAMES, position=POSITIONS)
def test_wherever_a_knob_stands_the_parameter_takes_its_value(name: str, position: float) -> None:
    value = value_at(name, position)
    assert PARAMETERS[name].read(value) == value


@given(name=NAMES, position=POSITIONS)
def test_a_knob_that_is_put_where_its_value_is_gives_the_value_again(name: str, position: float) -> None:
    value = value_at(name, position)
    again = value_at(name, position_of(name, value))
    assert again == (pytest.approx(value) if isinstance(PARAMETERS[name], Number) else value)


@given(name=NAMES, a=POSITIONS, b=POSITIONS)
def test_further_up_is_never_less(name: str, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert place(name, low) <= place(name, high)


def place(name: str, position: float) -> float:
    value, kind = value_at(name, position), PARAMETERS[name]
    return kind.choices.index(str(value)) if isinstance(kind, Text) else float(value)


def test_choices_are_equal_parts_of_the_way() -> None:
    choices = [value_at("editor", step / 300) for step in range(301)]
    counts = [choices.count(editor.value) for editor in Editor]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("name", KNOBS)
def test_the_ends_of_a_knob_are_what_it_says(name: str) -> None:
    low, high = KNOBS[name]
    assert (place(name, 0.0), place(name, 1.0)) == (low, high)


def test_all_that_is_no_free_text_has_a_knob() -> None:
    without = {name for name in PARAMETERS if name not in KNOBS}
    assert all(isinstance(DEFAULTS[name], str) for name in without)
    assert all(not (isinstance(kind, Text) and kind.choices) for kind in map(PARAMETERS.get, without))

"""The parameters, what lies between two presets, and the glide there; all times are made up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.live.board import GLIDE_STEP_S, ParameterBoard
from daw_bridge.live.morph import Preset, Prompts, between
from daw_bridge.live.parameters import DEFAULTS, SAMPLER_KEYS, SPEC_KEYS
from daw_bridge.messages.arguments import Number, ParameterValue
from daw_bridge.messages.parameters import PARAMETERS
from engine.types import SamplerSpec
from tests.unit.osc_values import values

prompts = st.sampled_from(["rain", "thunder", "a choir", ""])
all_values = st.fixed_dictionaries(
    {name: values(kind) for name, kind in PARAMETERS.items() if name != "prompt"} | {"prompt": prompts}
)
whole_presets = st.builds(Preset, values=all_values, prompt_b=st.none() | prompts)
some_names = st.sets(st.sampled_from(list(PARAMETERS)))
presets = st.builds(lambda preset, names: preset.only(names), whole_presets, some_names)
positions = st.floats(0.0, 1.0)

SOFT = Preset(values={"steps": 10, "guidance": 2.0, "sampler": "ddim", "seed": 1, "match_level": True})
HARD = Preset(values={"steps": 20, "guidance": 4.0, "sampler": "unipc", "seed": 9, "match_level": False})
RAIN, HALL = Preset(values={"prompt": "rain"}), Preset(values={"prompt": "a large hall"})


def changes(board: ParameterBoard) -> list[tuple[str, ParameterValue]]:
    """Return a list that grows with what the board tells."""
    told: list[tuple[str, ParameterValue]] = []
    board.watch(lambda name, value: told.append((name, value)))
    return told


def test_every_parameter_begins_as_a_spec_that_says_nothing() -> None:
    board = ParameterBoard()
    assert list(board.values()) == list(PARAMETERS)
    assert board.get("steps") == SamplerSpec().steps and board.get("sampler") == SamplerSpec().name.value
    assert all(PARAMETERS[name].read(value) == value for name, value in DEFAULTS.items())


def test_every_parameter_has_a_place_in_a_spec() -> None:
    named = {"chain", "render_preset"}
    assert {*SPEC_KEYS, *SAMPLER_KEYS, "morph"} | named == set(PARAMETERS)


def test_values_are_a_copy() -> None:
    board = ParameterBoard()
    board.values()["steps"] = 3
    assert board.get("steps") == SamplerSpec().steps


def test_only_changes_are_told_and_only_to_those_who_watch() -> None:
    board = ParameterBoard()
    told = changes(board)
    other: list[str] = []
    unwatch = board.watch(lambda name, _: other.append(name))
    board.set("steps", 5)
    board.set("steps", 5)
    unwatch()
    unwatch()
    board.set("eta", 0.5)
    assert told == [("steps", 5), ("eta", 0.5)] and other == ["steps"]


def test_what_changes_together_is_told_when_all_of_it_has_changed() -> None:
    board = ParameterBoard()
    seen: list[bool] = []
    board.watch(lambda _name, _value: seen.append(board.values() | dict(HARD.values) == board.values()))
    board.load(HARD)
    assert seen and all(seen)


@given(presets, presets, presets)
def test_at_its_ends_a_morph_is_the_presets(before: Preset, a: Preset, b: Preset) -> None:
    for position, preset in ((0.0, a), (1.0, b)):
        morphed, loaded = ParameterBoard(), ParameterBoard()
        for board in (morphed, loaded):
            board.load(before)
        assert morphed.morph(a, b, position, now_s=0.0) is None
        loaded.load(preset.over(b if preset is a else a))
        assert morphed.snapshot() == loaded.snapshot()
        assert morphed.values() | dict(preset.values) == morphed.values()


@given(whole_presets, whole_presets, positions)
def test_between_its_ends_a_morph_has_values_that_a_message_may_have(
    a: Preset, b: Preset, position: float
) -> None:
    for name, value in between(a, b, position).values.items():
        assert PARAMETERS[name].read(value) == value
        if isinstance(PARAMETERS[name], Number) and name != "morph":
            low, high = sorted((float(a.values[name]), float(b.values[name])))
            assert low <= float(value) <= high


@given(presets, positions)
def test_between_a_preset_and_itself_is_itself(preset: Preset, position: float) -> None:
    assert between(preset, preset, position) == preset


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (0.25, {"steps": 12, "guidance": 2.5, "sampler": "ddim", "seed": 1, "match_level": True}),
        (0.5, {"steps": 15, "guidance": 3.0, "sampler": "unipc", "seed": 9, "match_level": False}),
    ],
)
def test_amounts_move_and_the_rest_switches_in_the_middle(position: float, expected: dict[str, Any]) -> None:
    assert between(SOFT, HARD, position).values == expected


def test_what_one_preset_leaves_open_is_as_in_the_other() -> None:
    a, b = Preset(values={"steps": 10, "eta": 0.5}), Preset(values={"steps": 20, "takes": 4})
    assert between(a, b, 0.5).values == {"steps": 15, "eta": 0.5, "takes": 4}


def test_prompts_become_the_ends_of_a_prompt_morph() -> None:
    board = ParameterBoard()
    board.morph(RAIN, HALL, 0.25, now_s=0.0)
    assert board.prompts == Prompts(first="rain", second="a large hall", position=0.25)
    board.set("morph", 0.75)
    assert board.prompts.position == 0.75 and board.get("prompt") == "rain"


def test_a_prompt_ends_the_prompt_morph() -> None:
    board = ParameterBoard()
    board.morph_prompts("rain", "a large hall", 0.5)
    board.set("prompt", "rain")
    assert board.prompts.weighted() == (("rain", 1.0),)


def test_a_snapshot_brings_the_prompt_morph_back() -> None:
    board, other = ParameterBoard(), ParameterBoard()
    board.morph_prompts("rain", "a large hall", 0.5)
    other.load(board.snapshot())
    assert other.prompts == board.prompts


def test_a_second_prompt_needs_a_first() -> None:
    with pytest.raises(ValueError, match="needs a prompt"):
        Preset(values={"prompt": "rain"}, prompt_b="a large hall")


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        (Prompts(first="a"), (("a", 1.0),)),
        (Prompts(first="a", second="b", position=0.0), (("a", 1.0),)),
        (Prompts(first="a", second="b", position=0.2), (("a", 1.0), ("b", 0.25))),
        (Prompts(first="a", second="b", position=0.5), (("a", 1.0), ("b", 1.0))),
        (Prompts(first="a", second="b", position=0.8), (("b", 1.0), ("a", pytest.approx(0.25)))),
        (Prompts(first="a", second="b", position=1.0), (("b", 1.0),)),
        (Prompts(first="a", second="a", position=0.3), (("a", 1.0),)),
        (Prompts(first=" ", second="b", position=0.0), (("b", 1.0),)),
        (Prompts(first="a", second=" ", position=1.0), (("a", 1.0),)),
        (Prompts(first="", second="", position=0.5), (("", 1.0),)),
    ],
)
def test_the_nearer_prompt_comes_first(prompts: Prompts, expected: tuple[tuple[str, float], ...]) -> None:
    assert prompts.weighted() == expected


@given(st.builds(Prompts, first=prompts, second=st.none() | prompts, position=positions))
def test_weights_are_above_zero_and_at_most_one(prompts: Prompts) -> None:
    assert all(0.0 < weight <= 1.0 for _, weight in prompts.weighted())


def test_a_glide_moves_evenly_and_says_when_to_come_again() -> None:
    board = ParameterBoard()
    board.load(SOFT)
    assert board.morph(SOFT, HARD, 1.0, now_s=100.0, glide_s=2.0) == 100.0 + GLIDE_STEP_S
    assert board.get("guidance") == 2.0
    assert board.advance(101.0) == 101.0 + GLIDE_STEP_S
    assert board.get("guidance") == 3.0 and board.get("steps") == 15 and board.get("sampler") == "unipc"
    assert board.advance(101.99) == 102.0
    assert board.advance(102.0) is None
    assert board.values() | dict(HARD.values) == board.values()
    assert board.advance(103.0) is None


@given(
    whole_presets,
    presets,
    presets,
    positions,
    st.floats(0.01, 60.0),
    st.lists(st.floats(0.0, 90.0)).map(sorted),
)
def test_a_glide_ends_where_a_jump_does(
    before: Preset, a: Preset, b: Preset, position: float, glide_s: float, times_s: list[float]
) -> None:
    gliding, jumping = ParameterBoard(), ParameterBoard()
    for board, way_s in ((gliding, glide_s), (jumping, 0.0)):
        board.load(before)
        board.morph(a, b, position, now_s=0.0, glide_s=way_s)
    for now_s in [*times_s, 100.0]:
        due_s = gliding.advance(now_s)
        assert due_s is None if now_s >= glide_s else due_s is not None and now_s < due_s <= glide_s
    assert gliding.snapshot() == jumping.snapshot()


def test_a_glide_tells_changes_only() -> None:
    board = ParameterBoard()
    board.load(SOFT)
    told = changes(board)
    board.morph(Preset(values={"steps": 10}), Preset(values={"steps": 12}), 1.0, now_s=0.0, glide_s=1.0)
    for tick in range(21):
        board.advance(tick * GLIDE_STEP_S)
    assert told == [("steps", 11), ("steps", 12)]


def test_what_is_set_by_hand_leaves_the_glide() -> None:
    board = ParameterBoard()
    board.load(SOFT)
    board.morph(SOFT, HARD, 1.0, now_s=0.0, glide_s=1.0)
    board.set("guidance", 30.0)
    board.advance(2.0)
    assert board.get("guidance") == 30.0 and board.get("steps") == 20


def test_a_glide_of_which_nothing_is_left_ends() -> None:
    board = ParameterBoard()
    board.morph(RAIN, HALL, 1.0, now_s=0.0, glide_s=1.0)
    board.set("prompt", "birds")
    assert board.advance(0.5) is None and board.get("prompt") == "birds"


def test_a_new_morph_takes_the_place_of_the_old_one() -> None:
    board = ParameterBoard()
    board.load(SOFT)
    board.morph(SOFT, HARD, 1.0, now_s=0.0, glide_s=1.0)
    board.advance(0.5)
    board.morph(SOFT, HARD, 0.0, now_s=0.5, glide_s=1.0)
    assert board.get("guidance") == 3.0
    board.advance(1.0)
    assert board.get("guidance") == 2.5
    board.advance(9.0)
    assert board.get("guidance") == 2.0


def glide(board: ParameterBoard, position: float) -> None:
    """Begin to glide between the prompts, for a second from time zero."""
    board.morph(RAIN, HALL, position, now_s=0.0, glide_s=1.0)


@pytest.mark.parametrize(
    ("before", "position", "halfway"),
    [
        (RAIN, 1.0, Prompts(first="rain", second="a large hall", position=0.5)),
        (RAIN, 0.5, Prompts(first="rain", second="a large hall", position=0.25)),
        (HALL, 0.5, Prompts(first="rain", second="a large hall", position=0.75)),
        (HALL, 0.0, Prompts(first="a large hall", second="rain", position=0.5)),
        (Preset(values={"prompt": "birds"}), 0.5, Prompts(first="rain", second="a large hall", position=0.5)),
    ],
)
def test_prompts_glide_over_what_lies_between_them(before: Preset, position: float, halfway: Prompts) -> None:
    board = ParameterBoard()
    board.load(before)
    glide(board, position)
    board.advance(0.5)
    assert board.prompts == halfway


def test_a_glide_within_a_prompt_morph_begins_where_that_is() -> None:
    board = ParameterBoard()
    board.morph_prompts("rain", "a large hall", 0.9)
    glide(board, 0.5)
    board.advance(0.5)
    assert board.prompts.position == pytest.approx(0.7)
    glide(board, 0.0)
    board.advance(1.0)
    assert board.prompts.weighted() == (("rain", 1.0),)


def test_the_morph_knob_stops_the_prompts_where_it_is() -> None:
    board = ParameterBoard()
    board.load(RAIN)
    glide(board, 1.0)
    board.advance(0.5)
    board.set("morph", 0.1)
    board.advance(2.0)
    assert board.prompts == Prompts(first="rain", second="a large hall", position=0.1)

"""Changes of chains as values, and chains as the command line reads and shows them."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.chain_words import effect_from, index_of, lines_of, table_of_effects, value_from
from daw_bridge.live.chain_edits import (
    added,
    chain_of,
    effect_of,
    moved,
    readable_number,
    with_value,
    without,
)
from engine.chain_json import chain_to_dict
from engine.chains import MAX_EFFECTS, Chain, Effect, Tail
from engine.effects import EFFECTS
from engine.errors import BadJson, EngineError, NotFound, SpecError

GAIN, CHORUS = Effect(effect="gain"), Effect(effect="chorus")
LIMITER, PLUGIN = Effect(effect="brickwall_limiter"), Effect(plugin="/vst3/Tape.vst3")
FOUR = Chain(name="four", effects=(GAIN, CHORUS, LIMITER, PLUGIN))
places = st.integers(0, len(FOUR.effects) - 1)


def kinds(chain: Chain) -> list[str]:
    return [effect.effect or effect.plugin for effect in chain.effects]


@pytest.mark.parametrize(
    ("index", "parameter", "value", "expected"),
    [
        (0, "gain_db", -3, Effect(effect="gain", parameters={"gain_db": -3.0})),
        (0, "mix", 0.25, Effect(effect="gain", mix=0.25)),
        (0, "bypass", 1, Effect(effect="gain", bypass=True)),
        (1, "mix", 0.5, Effect(effect="chorus", mix=0.5)),
        (1, "parameters.mix", 0.5, Effect(effect="chorus", parameters={"mix": 0.5})),
        (2, "true_peak", 1, Effect(effect="brickwall_limiter", parameters={"true_peak": True})),
        (3, "drive_db", 1, replace(PLUGIN, parameters={"drive_db": 1.0})),
        (3, "mode", "Old", replace(PLUGIN, parameters={"mode": "Old"})),
        (3, "parameters.bypass", True, replace(PLUGIN, parameters={"bypass": True})),
    ],
)
def test_a_value_is_set_as_the_step_has_it(index: int, parameter: str, value: Any, expected: Effect) -> None:
    changed = with_value(FOUR, index, parameter, value)
    assert changed.effects[index] == expected
    assert [one for place, one in enumerate(changed.effects) if place != index] == [
        one for place, one in enumerate(FOUR.effects) if place != index
    ]


@pytest.mark.parametrize(
    ("index", "parameter", "value", "error", "told"),
    [
        (4, "mix", 0.5, NotFound, "has 4 effects, none with index 4"),
        (0, "gian_db", 1, SpecError, "has no parameter 'gian_db'"),
        (0, "gain_db", 1000, SpecError, "outside -96 to 48 dB"),
        (0, "gain_db", "loud", SpecError, "must be a number"),
        (0, "gain_db", math.nan, SpecError, "outside"),
        (0, "mix", 2, SpecError, "mix must be a number from 0 to 1"),
        (0, "mix", None, SpecError, "mix must be a number"),
        (0, "bypass", 0.5, SpecError, "bypass must be 0 or 1"),
        (0, "colour", None, SpecError, "no parameter 'colour' to reset"),
    ],
)
def test_what_cannot_be_set_is_told(
    index: int, parameter: str, value: Any, error: type[EngineError], told: str
) -> None:
    with pytest.raises(error) as caught:
        with_value(FOUR, index, parameter, value)
    assert told in caught.value.message


def test_no_value_brings_the_effects_own_back() -> None:
    changed = with_value(FOUR, 0, "gain_db", -3)
    assert with_value(changed, 0, "gain_db", None) == FOUR
    assert with_value(FOUR, 0, "gain_db", None) == FOUR


@given(places, places)
def test_moving_there_and_back_changes_nothing(index: int, place: int) -> None:
    there = moved(FOUR, index, place)
    assert kinds(there)[place] == kinds(FOUR)[index]
    assert moved(there, place, index) == FOUR


@given(places)
def test_taking_out_what_was_put_in_changes_nothing(index: int) -> None:
    assert without(added(FOUR, Effect(effect="invert"), index), index) == FOUR
    assert kinds(without(FOUR, index)) == [one for place, one in enumerate(kinds(FOUR)) if place != index]


def test_what_is_added_without_a_place_is_the_last() -> None:
    for place in (-1, 4, 15):
        assert kinds(added(FOUR, Effect(effect="invert"), place))[-1] == "invert"
    full = Chain(effects=(GAIN,) * MAX_EFFECTS)
    with pytest.raises(SpecError, match="at most 16 effects"):
        added(full, GAIN, -1)
    with pytest.raises(SpecError, match="needs impulse_response_filename"):
        added(FOUR, Effect(effect="convolution"), -1)


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("reverb", Effect(effect="reverb")),
        ("/vst3/Tape.vst3", Effect(plugin="/vst3/Tape.vst3")),
        ("C:\\VST3\\Tape.vst3", Effect(plugin="C:\\VST3\\Tape.vst3")),
        ('{"effect": "gain", "mix": 0.5}', Effect(effect="gain", mix=0.5)),
    ],
)
def test_an_effect_is_a_name_a_path_or_json(text: str, effect: Effect) -> None:
    assert effect_of(text) == effect


def test_json_that_is_no_effect_is_refused() -> None:
    with pytest.raises(BadJson, match="colour"):
        effect_of('{"effect": "gain", "colour": "red"}')
    with pytest.raises(BadJson, match="not valid JSON"):
        effect_of("{")
    with pytest.raises(BadJson, match="left_out"):
        chain_of("x", {**chain_to_dict(FOUR), "left_out": ["raw_state"]})
    assert chain_of("other", chain_to_dict(FOUR)) == replace(FOUR, name="other")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_from_the_wire_is_as_short_as_it_can_be(value: float) -> None:
    shown = readable_number(value)
    if abs(value) > 3e38:
        assert shown == value
        return
    sent = struct.unpack("<f", struct.pack("<f", value))[0]
    assert struct.unpack("<f", struct.pack("<f", readable_number(sent)))[0] == sent
    assert value in {shown, sent}


def test_a_fader_at_a_third_is_no_long_number() -> None:
    assert readable_number(struct.unpack("<f", struct.pack("<f", 0.3))[0]) == 0.3
    assert readable_number(0.1 + 0.2) == 0.1 + 0.2


@pytest.mark.parametrize(
    ("effect", "name", "text", "value"),
    [
        ("gain", "gain_db", "-18", -18.0),
        ("gain", "gain_db", "-18 dB", -18.0),
        ("delay", "delay_seconds", "250ms", 0.25),
        ("compressor", "attack_ms", "0.2s", 200.0),
        ("high_shelf_filter", "cutoff_frequency_hz", "8kHz", 8000.0),
        ("chorus", "parameters.mix", "30%", 0.3),
        ("gain", "mix", "40 %", 0.4),
        ("gain", "bypass", "on", True),
        ("brickwall_limiter", "true_peak", "off", False),
        ("ladder_filter", "mode", "LPF24", "LPF24"),
    ],
)
def test_values_are_read_with_their_units(effect: str, name: str, text: str, value: object) -> None:
    assert value_from(Effect(effect=effect), name, text) == pytest.approx(value)


@pytest.mark.parametrize(("name", "text"), [("gain_db", "3 Hz"), ("gain_db", "3 kHz"), ("mix", "3 dB")])
def test_another_unit_is_refused(name: str, text: str) -> None:
    with pytest.raises(SpecError, match="another unit"):
        value_from(GAIN, name, text)


def test_an_effect_is_meant_by_number_or_name() -> None:
    twice = replace(FOUR, effects=(*FOUR.effects, GAIN))
    assert [index_of(twice, word) for word in ("1", "5", "Chorus", "tape")] == [0, 4, 1, 3]
    with pytest.raises(SpecError, match="several effects 'gain'"):
        index_of(twice, "gain")
    for word in ("0", "6", "reverb"):
        with pytest.raises(NotFound):
            index_of(twice, word)


def test_an_effect_is_made_with_settings(tmp_path: Path) -> None:
    made = effect_from("chorus", ("mix=50%", "parameters.mix=0.3", "rate_hz=2"))
    assert made == Effect(effect="chorus", mix=0.5, parameters={"mix": 0.3, "rate_hz": 2.0})
    assert effect_from(str(tmp_path / "A.vst3"), ()).plugin == str(tmp_path / "A.vst3")
    for settings in (("rate_hz",), ("nothing=1",), ("mix=2",), ("rate_hz=fast",)):
        with pytest.raises(SpecError):
            effect_from("chorus", settings)


def test_a_chain_is_shown_with_all_that_is_set() -> None:
    chain = with_value(with_value(FOUR, 0, "gain_db", -3), 1, "mix", 0.25)
    chain = replace(with_value(chain, 2, "bypass", 1), description="much", tail=Tail.RING)
    text = "\n".join(lines_of(chain))
    for told in ("four: much", "gain_db -3 dB", "25 % of it", "bypassed", "Tape", "rings out"):
        assert told in text


def test_all_effects_and_their_parameters_are_told() -> None:
    assert [row[0] for row in table_of_effects("")[1:]] == list(EFFECTS)
    for name, built_in in EFFECTS.items():
        assert [row[0] for row in table_of_effects(name)[1:]] == list(built_in.parameters)
    with pytest.raises(NotFound, match="no effect 'tape'"):
        table_of_effects("tape")

"""The table of built-in effects says what pedalboard does, and refuses the rest in one clear sentence."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np
import pedalboard
import pytest
import soundfile

from engine.chains import Chain, Effect
from engine.effects import EFFECTS, BuiltIn, Parameter, checked
from engine.errors import SpecError

CONTAINERS = {"Chain", "Mix", "Pedalboard", "PluginContainer"}
PLUGINS = {"AudioUnitPlugin", "ExternalPlugin", "VST3Plugin"}
ABSTRACT = {"IIRFilter", "Plugin"}
NUMBERS = [
    (built_in, parameter)
    for built_in in EFFECTS.values()
    for parameter in built_in.parameters.values()
    if isinstance(parameter.default, float)
]


@pytest.fixture(scope="session")
def impulse_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recorded impulse: half at once, a quarter 100 samples later; at 48 kHz."""
    path = tmp_path_factory.mktemp("impulse") / "impulse.wav"
    impulse_S = np.zeros(2_000, np.float32)
    impulse_S[0], impulse_S[100] = 0.5, 0.25
    soundfile.write(path, impulse_S, 48_000, subtype="FLOAT")
    return path


def made(built_in: BuiltIn, impulse_path: Path) -> Any:
    needed = {one.name: str(impulse_path) for one in built_in.parameters.values() if one.is_file}
    return getattr(pedalboard, built_in.class_name)(**needed)


def one_effect(**values: Any) -> Chain:
    return Chain(effects=(Effect(**values),))


def test_the_table_has_all_effects_of_pedalboard() -> None:
    classes = {
        name
        for name, kind in inspect.getmembers(pedalboard, inspect.isclass)
        if issubclass(kind, pedalboard.Plugin) and not name.startswith("_")
    }
    assert {one.class_name for one in EFFECTS.values()} == classes - CONTAINERS - PLUGINS - ABSTRACT


@pytest.mark.parametrize("built_in", EFFECTS.values(), ids=list(EFFECTS))
def test_parameters_and_defaults_are_those_of_pedalboard(built_in: BuiltIn, impulse_path: Path) -> None:
    plugin = made(built_in, impulse_path)
    properties = {
        name
        for name, _ in inspect.getmembers(type(plugin), lambda one: isinstance(one, property))
        if name not in {"impulse_response", "is_effect", "is_instrument"}
    }
    assert properties == set(built_in.parameters)
    for parameter in built_in.parameters.values():
        if parameter.default is None:
            continue
        there = getattr(plugin, parameter.name)
        if parameter.choices:
            assert there.name == parameter.default
            assert set(parameter.choices) == set(type(there).__members__)
        else:
            assert there == pytest.approx(parameter.default, rel=1e-6)


@pytest.mark.parametrize(
    ("built_in", "parameter"), NUMBERS, ids=[f"{one.name}-{two.name}" for one, two in NUMBERS]
)
def test_pedalboard_takes_the_ends_of_each_range(
    built_in: BuiltIn, parameter: Parameter, impulse_path: Path
) -> None:
    plugin = made(built_in, impulse_path)
    for value in (parameter.low, parameter.high):
        assert parameter.refusal(value) == ""
        setattr(plugin, parameter.name, value)
        assert getattr(plugin, parameter.name) == pytest.approx(value, rel=1e-6)
    for value in (parameter.low - 1e-3, parameter.high + 1e-3):
        assert "outside" in parameter.refusal(value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"effect": "reverbb"}, "there is no effect 'reverbb'"),
        ({"effect": "gain", "parameters": {"gain": 3.0}}, "the effect gain has no parameter 'gain'"),
        (
            {"effect": "gain", "parameters": {"gain_db": 99.0}},
            "the effect gain: gain_db is 99, outside -96 to 48 dB",
        ),
        ({"effect": "gain", "parameters": {"gain_db": "3"}}, "the effect gain: gain_db must be a number"),
        ({"effect": "gain", "parameters": {"gain_db": True}}, "the effect gain: gain_db must be a number"),
        ({"effect": "gain", "parameters": {"gain_db": math.nan}}, "gain_db is nan, outside"),
        (
            {"effect": "ladder_filter", "parameters": {"mode": "LPF13"}},
            "the effect ladder_filter: mode is 'LPF13', not one of LPF12, HPF12,",
        ),
        (
            {"effect": "brickwall_limiter", "parameters": {"true_peak": 1.0}},
            "the effect brickwall_limiter: true_peak must be true or false",
        ),
        ({"effect": "convolution"}, "the effect convolution needs impulse_response_filename"),
        (
            {"effect": "convolution", "parameters": {"impulse_response_filename": ""}},
            "impulse_response_filename must be the path of a file",
        ),
    ],
)
def test_what_there_is_not_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        checked(one_effect(**values))
    assert message in caught.value.message


def test_a_refusal_offers_the_nearest_name() -> None:
    with pytest.raises(SpecError) as caught:
        checked(one_effect(effect="revreb"))
    assert caught.value.hint.startswith("Did you mean reverb? There are bitcrush, ")
    with pytest.raises(SpecError) as caught:
        checked(one_effect(effect="invert", parameters={"amount": 1.0}))
    assert caught.value.hint == "It has no parameters."


def test_the_page_for_musicians_has_each_effect_with_its_parameters() -> None:
    page = (Path(__file__).parents[2] / "docs" / "effects.md").read_text(encoding="utf-8")
    lines = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert set(lines) == set(EFFECTS)
    for name, built_in in EFFECTS.items():
        assert all(f"`{parameter}`" in lines[name] for parameter in built_in.parameters)


def test_plugins_are_left_to_themselves() -> None:
    chain = one_effect(plugin="Any.vst3", parameters={"anything": "goes"})
    assert checked(chain) is chain

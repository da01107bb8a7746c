"""Changes of a chain as values, one for each message that edits one; steps are counted from 0."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.chain_json import chain_from_dict
from engine.chains import Chain, Effect, ParameterValue
from engine.effects import EFFECTS, checked
from engine.errors import NotFound, SpecError
from engine.spec_json import parse_json

# An effect may have parameters that are called like the step's own values.
OWN_PREFIX = "parameters."
_STEP = ("mix", "bypass")
_BUNDLES = (".vst3", ".component")
_MOST_DIGITS_OF_FLOAT32 = 9


def effect_at(chain: Chain, index: int) -> Effect:
    """Return a step; raises NotFound where the chain is shorter."""
    if not 0 <= index < len(chain.effects):
        count = f"{len(chain.effects)} effect{'s' * (len(chain.effects) != 1)}"
        raise NotFound(f"the chain {chain.name!r} has {count}, none with index {index}")
    return chain.effects[index]


def with_value(chain: Chain, index: int, parameter: str, value: ParameterValue | None) -> Chain:
    """Return the chain with another value of a step: mix, bypass, or a parameter of its effect.

    No value takes a parameter out, so that the effect's own counts. `parameters.mix` is an effect's own mix.

    Raises:
        NotFound: no such step.
        SpecError: a parameter that the effect does not have, or a value that it does not take.
    """
    effect = effect_at(chain, index)
    if parameter in _STEP:
        return with_effect(chain, index, _with_step_value(effect, parameter, value))
    name, parameters = parameter.removeprefix(OWN_PREFIX), dict(effect.parameters)
    if value is None:
        _require_known(effect, name)
        parameters.pop(name, None)
    else:
        parameters[name] = _fitting(effect, name, value)
    return with_effect(chain, index, replace(effect, parameters=parameters))


def with_effect(chain: Chain, index: int, effect: Effect) -> Chain:
    """Return the chain with another effect in the place of one; raises SpecError as `checked`."""
    before, after = chain.effects[:index], chain.effects[index + 1 :]
    return checked(replace(chain, effects=(*before, effect, *after)))


def added(chain: Chain, effect: Effect, index: int) -> Chain:
    """Return the chain with one more effect before that index, at its end where it is shorter or -1.

    Raises:
        SpecError: as `checked`, and a chain that is full.
    """
    place = len(chain.effects) if index < 0 else index
    effects = (*chain.effects[:place], effect, *chain.effects[place:])
    try:
        return checked(replace(chain, effects=effects))
    except ValueError as error:
        raise SpecError(str(error)) from error


def without(chain: Chain, index: int) -> Chain:
    """Return the chain without a step; raises NotFound."""
    effect_at(chain, index)
    return replace(chain, effects=(*chain.effects[:index], *chain.effects[index + 1 :]))


def moved(chain: Chain, index: int, position: int) -> Chain:
    """Return the chain with a step at another place, at the end where there is none; raises NotFound."""
    return added(without(chain, index), effect_at(chain, index), position)


def effect_of(text: str) -> Effect:
    """Read an effect: the name of a built-in one, the whole path of a plug-in, or JSON.

    Raises:
        BadJson: JSON that is no effect.
        SpecError: no such built-in effect.
    """
    if text.lstrip().startswith("{"):
        return chain_from_dict({"effects": [parse_json(text)]}).effects[0]
    if is_path(text) or Path(text).suffix.lower() in _BUNDLES:
        return Effect(plugin=text)
    # Whether there is such a one, and what it needs, is checked with the chain.
    return Effect(effect=text)


def is_path(text: str) -> bool:
    """Tell whether a text names a file rather than a chain or an effect, whose names have no slashes."""
    return "/" in text or "\\" in text


def chain_of(name: str, content: Mapping[str, Any]) -> Chain:
    """Read a chain from JSON and check it; it gets the name.

    Raises:
        BadJson: a missing, unknown or mistyped key.
        SpecError: a value out of its range, or an effect that there is not.
    """
    return checked(replace(chain_from_dict(content), name=name))


def readable_number(value: float) -> float:
    """Return the shortest number that is the same as a 32-bit float, as which OSC sends 0.3."""
    if _as_float32(value) != value:
        return value
    texts = (f"{value:.{digits}g}" for digits in range(1, _MOST_DIGITS_OF_FLOAT32 + 1))
    return next((float(text) for text in texts if _as_float32(float(text)) == value), value)


def _with_step_value(effect: Effect, name: str, value: ParameterValue | None) -> Effect:
    if name == "bypass":
        if not isinstance(value, bool | int | float) or value not in {0, 1}:
            raise SpecError("bypass must be 0 or 1")
        return replace(effect, bypass=bool(value))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise SpecError(f"mix must be a number from 0 to 1, got {value!r:.60}")
    return replace(effect, mix=readable_number(float(value)))


def _fitting(effect: Effect, name: str, value: ParameterValue) -> ParameterValue:
    """Return a value as the parameter has it: OSC has no true and false that every client can send."""
    built_in = EFFECTS.get(effect.effect)
    parameter = None if built_in is None else built_in.parameters.get(name)
    if parameter is not None and isinstance(parameter.default, bool) and value in (0, 1):
        return bool(value)
    if isinstance(value, bool | str):
        return value
    return readable_number(float(value))


def _require_known(effect: Effect, name: str) -> None:
    """Raise SpecError for a parameter that a built-in effect does not have."""
    built_in = EFFECTS.get(effect.effect)
    if name not in (effect.parameters if built_in is None else built_in.parameters):
        raise SpecError(f"{effect.effect or Path(effect.plugin).stem} has no parameter {name!r:.60} to reset")


def _as_float32(value: float) -> float | None:
    try:
        found: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return None
    return found

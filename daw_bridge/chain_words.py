"""Effect chains as the command line reads and shows them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from daw_bridge.live.chain_edits import OWN_PREFIX, effect_of, is_path
from daw_bridge.spec_options import whole_path
from engine.chains import Chain, Effect, ParameterValue, Tail
from engine.effects import EFFECTS, BuiltIn, Parameter, check_effect
from engine.errors import NotFound, SpecError

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z%]*)")
_SWITCHES = {"on": True, "true": True, "off": False, "false": False}
# What a value in another unit is multiplied by, by the unit asked for and the one given.
_FACTORS = {("Hz", "khz"): 1e3, ("s", "ms"): 1e-3, ("ms", "s"): 1e3, ("", "%"): 1e-2}


def index_of(chain: Chain, word: str) -> int:
    """Return which effect of a chain a word means: its number from 1, or its name.

    Raises:
        NotFound: no such effect.
        SpecError: a name of several.
    """
    titles = [_title(effect) for effect in chain.effects]
    known = f"It has {', '.join(f'{place} {title}' for place, title in enumerate(titles, 1)) or 'none'}."
    if word.isascii() and word.isdigit():
        if 1 <= int(word) <= len(titles):
            return int(word) - 1
        raise NotFound(f"the chain has no effect number {word}", known)
    places = [place for place, title in enumerate(titles) if title.lower() == word.lower()]
    if not places:
        raise NotFound(f"the chain has no effect {word!r:.60}", known)
    if len(places) > 1:
        raise SpecError(f"the chain has several effects {word!r:.60}", f"Give its number. {known}")
    return places[0]


def effect_from(text: str, settings: Sequence[str]) -> Effect:
    """Return an effect by its name, or a plug-in by its path, with PARAMETER=VALUE settings.

    Raises:
        SpecError: no such effect, parameter or value.
    """
    effect = effect_of(whole_path(text) if is_path(text) else text)
    for setting in settings:
        name, is_there, value = setting.partition("=")
        if not is_there:
            raise SpecError(f"{setting!r:.60} is not PARAMETER=VALUE")
        if name == "mix":
            effect = replace(effect, mix=_share(value))
        else:
            own = name.removeprefix(OWN_PREFIX)
            effect = replace(effect, parameters={**effect.parameters, own: value_from(effect, own, value)})
    if effect.effect:
        check_effect(effect)
    return effect


def value_from(effect: Effect, name: str, text: str) -> ParameterValue:
    """Read a value as a user writes it: -18, "8 kHz", on, or a text; raises SpecError for another unit."""
    parameter = _parameter(effect, name)
    if parameter is not None and parameter.is_file:
        return whole_path(text)
    if parameter is not None and parameter.choices:
        return text
    if text.lower() in _SWITCHES:
        return _SWITCHES[text.lower()]
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return text
    return float(found[1]) * _factor(parameter, found[2], text)


def lines_of(chain: Chain) -> Iterator[str]:
    """Yield what a chain is, a line for each effect."""
    yield f"{chain.name}: {chain.description}" if chain.description else chain.name
    if chain.tail is Tail.RING:
        yield f"  rings out for {chain.tail_s:g} s at most"
    for number, effect in enumerate(chain.effects, 1):
        share = "" if effect.mix == 1.0 else f", {100 * effect.mix:g} % of it"
        yield f"  {number}. {_title(effect)}{share}{', bypassed' if effect.bypass else ''}"
        for name, value in effect.parameters.items():
            yield f"       {name} {_shown(value)}{_unit(_parameter(effect, name))}"
        if effect.raw_state:
            yield "       with a state of its own"


def table_of_effects(name: str) -> list[tuple[str, ...]]:
    """Return rows of all built-in effects, or of the parameters of one; raises NotFound."""
    if not name:
        return [("EFFECT", "WHAT IT DOES"), *((one.name, one.summary) for one in EFFECTS.values())]
    if name not in EFFECTS:
        raise NotFound(f"there is no effect {name!r:.60}", f"There are {', '.join(EFFECTS)}.")
    return [("PARAMETER", "USUAL", "UNIT", "VALUES"), *_rows(EFFECTS[name])]


def _rows(built_in: BuiltIn) -> Iterator[tuple[str, ...]]:
    for one in built_in.parameters.values():
        usual = "to be given" if one.default is None else _shown(one.default)
        yield one.name, usual, one.unit, _values(one)


def _values(parameter: Parameter) -> str:
    if parameter.choices:
        return ", ".join(parameter.choices)
    if parameter.is_file:
        return "a sound file"
    if isinstance(parameter.default, bool):
        return "on, off"
    span = (bound for bound in (parameter.low, parameter.high) if math.isfinite(bound))
    return " to ".join(f"{bound:g}" for bound in span)


def _title(effect: Effect) -> str:
    return effect.effect or effect.name or Path(effect.plugin).stem


def _parameter(effect: Effect, name: str) -> Parameter | None:
    built_in = EFFECTS.get(effect.effect)
    return None if built_in is None else built_in.parameters.get(name.removeprefix(OWN_PREFIX))


def _share(text: str) -> float:
    found = _NUMBER.fullmatch(text.strip())
    share = math.nan if found is None else float(found[1]) * _factor(None, found[2], text)
    if not 0.0 <= share <= 1.0:
        raise SpecError(f"mix must be from 0 to 1, got {text!r:.60}")
    return share


def _factor(parameter: Parameter | None, given: str, text: str) -> float:
    unit = "" if parameter is None else parameter.unit
    if not given or given.lower() == unit.lower():
        return 1.0
    factor = _FACTORS.get((unit, given.lower()))
    if factor is None:
        told = f"{parameter.name} is in {unit}" if parameter is not None and unit else "there is no unit"
        raise SpecError(f"{text!r:.60} has another unit: {told}")
    return factor


def _shown(value: ParameterValue) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else f"{value:.6g}"


def _unit(parameter: Parameter | None) -> str:
    return f" {parameter.unit}" if parameter is not None and parameter.unit else ""

"""A chain that somebody made as the space of a search: which of its parameters may move, and how far."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.chains import MAX_EFFECTS, Chain, Effect
from engine.errors import SpecError
from engine.fx.text_to_effect.space import ParameterRange, SearchedEffect, Template
from engine.fx.text_to_effect.templates import SEARCHED
from engine.fx.values import PluginParameter, PluginReport

# What plug-ins show beside what they sound like.
_INTERNAL = re.compile("buffer_size.*|sample_rate.*|latency.*|current_program.*|midi_.*|bypass.*")
# What is heard by its ratios, where it spans some.
_BY_RATIOS = ("hz", "ms", "s")
_WIDE = 10.0


def is_active(effect: Effect) -> bool:
    """Tell whether an effect of a chain is heard."""
    return not effect.bypass and effect.mix > 0.0


def template_from(chain: Chain, reports: Mapping[int, PluginReport]) -> Template:
    """Return a chain as a template that begins at its own settings; reports are of its plug-ins by place.

    Searched are built-in effects that words can set, and of plug-ins all automatable numbers. All else stays
    as it is.

    Raises:
        SpecError: nothing in the chain can be searched, or there is no room for the gain at its end.
    """
    if len(chain.effects) >= MAX_EFFECTS:
        raise SpecError(
            f"the chain {chain.name!r} is full; a search puts a gain at its end",
            f"Take effects out until it has {MAX_EFFECTS - 1}.",
        )
    effects = tuple(_searched(effect, reports.get(index)) for index, effect in enumerate(chain.effects))
    if not any(effect.ranges for effect in effects):
        raise SpecError(
            f"the chain {chain.name!r} has nothing that words can set",
            f"Plug-ins with parameters can be set, and {', '.join(SEARCHED)}.",
        )
    return Template(effects=effects, given=chain)


def _searched(effect: Effect, report: PluginReport | None) -> SearchedEffect:
    if not is_active(effect):
        return SearchedEffect(base=effect)
    if report is not None:
        return SearchedEffect(base=effect, ranges=_ranges_of(report.parameters))
    known = SEARCHED.get(effect.effect)
    if known is None:
        return SearchedEffect(base=effect)
    base = replace(effect, parameters={**known.base.parameters, **effect.parameters})
    return SearchedEffect(base=base, ranges=_around(known.ranges, effect))


def _around(ranges: Mapping[str, ParameterRange], effect: Effect) -> dict[str, ParameterRange]:
    """Return ranges that begin at what the chain says, however far that is."""
    return {name: _beginning_at(one, effect.parameters.get(name)) for name, one in ranges.items()}


def _beginning_at(found: ParameterRange, value: object) -> ParameterRange:
    if not isinstance(value, int | float) or (found.is_log and value <= 0.0):
        return found
    return replace(found, low=min(found.low, value), high=max(found.high, value), neutral=float(value))


def _ranges_of(parameters: Sequence[PluginParameter]) -> dict[str, ParameterRange]:
    return {one.name: _range_of(one) for one in parameters if _is_searched(one)}


def _is_searched(parameter: PluginParameter) -> bool:
    """Tell whether a parameter is a number that is meant to be moved; a switch is the user's choice."""
    is_number = parameter.low < parameter.high and parameter.positions not in (1, 2)
    return is_number and parameter.is_automatable and not _INTERNAL.fullmatch(parameter.name)


def _range_of(parameter: PluginParameter) -> ParameterRange:
    low, high = parameter.low, parameter.high
    value = parameter.value if isinstance(parameter.value, float) else low + parameter.raw * (high - low)
    unit = (parameter.unit or parameter.name.rpartition("_")[2]).lower()
    return ParameterRange(
        low=low,
        high=high,
        neutral=min(max(value, low), high),
        is_log=unit in _BY_RATIOS and low > 0.0 and high >= _WIDE * low,
        is_amount=True,
    )

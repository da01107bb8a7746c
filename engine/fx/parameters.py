"""Parameters of plug-ins by name: set, and found again, or said that they are not."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from engine.chains import ParameterValue
from engine.errors import SpecError
from engine.fx.values import PluginParameter

# Of the whole range. What plug-ins snap to is coarser; what the host's texts lose is finer.
_TOLERANCE = 1e-3


def set_parameters(plugin: Any, values: Mapping[str, ParameterValue], title: str) -> dict[str, float]:
    """Set parameters; returns where each was set to, from 0 to 1.

    Raises:
        SpecError: a parameter or value that there is not; says what there is.
    """
    known = plugin.parameters
    targets = {name: _target(known, name, value, title) for name, value in values.items()}
    set_again(plugin, targets)
    return targets


def set_again(plugin: Any, targets: Mapping[str, float]) -> None:
    known = plugin.parameters
    # Twice: what one parameter may be can depend on another one.
    for _ in range(2):
        for name, raw in targets.items():
            known[name].raw_value = raw


def refresh(plugin: Any) -> None:
    """Let the parameters be read from where the sound is made.

    The host keeps the values that it set, whatever the plug-in makes of them; only with a saved state does it
    ask again. It must have processed something since they were set: the state is that of its processor.
    """
    plugin.raw_state = plugin.raw_state


def read_back(plugin: Any, targets: Mapping[str, float]) -> list[str]:
    """Return a sentence for each parameter that is not where it was set to."""
    known, changed = plugin.parameters if targets else {}, []
    for name, raw in targets.items():
        if name not in known:
            changed.append(f"{name} was set, but the plug-in no longer has it")
        elif abs(known[name].raw_value - raw) > _TOLERANCE:
            asked = known[name].get_text_for_raw_value(raw).strip()
            changed.append(f"{name} was set to {asked}, but the plug-in made it {_value(known[name])}")
    return changed


def describe(plugin: Any) -> tuple[PluginParameter, ...]:
    """Return what parameters a plug-in has, in its order."""
    return tuple(_described(name, parameter) for name, parameter in plugin.parameters.items())


def _described(name: str, parameter: Any) -> PluginParameter:
    is_number = parameter.type is float
    return PluginParameter(
        name=name,
        title=parameter.name,
        unit=(parameter.label or "").strip(),
        value=_value(parameter),
        raw=float(parameter.raw_value),
        low=float(parameter.min_value) if is_number else 0.0,
        high=float(parameter.max_value) if is_number else 0.0,
        choices=() if parameter.type is not str else tuple(str(one) for one in parameter.valid_values),
        is_automatable=bool(parameter.is_automatable),
        positions=max(0, int(parameter.num_steps)),
    )


def _value(parameter: Any) -> ParameterValue:
    if parameter.type is bool:
        return bool(parameter.raw_value >= 0.5)
    text = str(parameter.string_value).strip()
    if parameter.type is float:
        try:
            return float(pedal_number(text))
        except ValueError:
            return text
    return text


def pedal_number(text: str) -> str:
    """Return a displayed value without its unit."""
    end = len(text)
    while end and not (text[end - 1].isdigit() or text[end - 1] == "."):
        end -= 1
    return text[:end]


def _target(known: Mapping[str, Any], name: str, value: ParameterValue, title: str) -> float:
    parameter = known.get(name)
    if parameter is None:
        near = difflib.get_close_matches(name, known, n=3) or sorted(known)[:20]
        message = f"{title} has no parameter {name!r:.60}"
        raise SpecError(
            message, f"It has {', '.join(near)}{'' if len(near) == len(known) else ' and others'}."
        )
    try:
        return float(parameter.get_raw_value_for(value))
    except ValueError as error:
        raise SpecError(f"{title}: {name} is {value!r:.60}, {_allowed(parameter)}") from error


def _allowed(parameter: Any) -> str:
    if parameter.type is float:
        unit = f" {parameter.label.strip()}" if (parameter.label or "").strip() else ""
        return f"not a number from {parameter.min_value:g} to {parameter.max_value:g}{unit}"
    if parameter.type is bool:
        return "not true or false"
    return f"not one of {', '.join(str(one) for one in parameter.valid_values[:20])}"

"""What a knob means that turns from 0 to 1 and knows nothing of its parameter."""

from __future__ import annotations

from daw_bridge.live.parameters import checked
from daw_bridge.messages.arguments import Flag, ParameterValue, Text, Whole
from daw_bridge.messages.parameters import KNOBS, PARAMETERS


def value_at(name: str, position: float) -> ParameterValue:
    """Return the value of a parameter of KNOBS at a place between its ends, 0 being the lower."""
    low, high = KNOBS[name]
    value = low + (high - low) * position
    match PARAMETERS[name]:
        case Text(choices=choices):
            # Equal parts of the way, not the nearest of the ends.
            return checked(name, choices[min(int(position * len(choices)), len(choices) - 1)])
        case Flag():
            return checked(name, position >= 0.5)
        case Whole():
            return checked(name, round(value))
    return checked(name, value)


def position_of(name: str, value: ParameterValue) -> float:
    """Return where a knob stands for a value; beyond its ends it stands at the end."""
    low, high = KNOBS[name]
    kind = PARAMETERS[name]
    number = kind.choices.index(str(value)) if isinstance(kind, Text) else float(value)
    return min(1.0, max(0.0, (number - low) / (high - low)))

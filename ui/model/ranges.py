"""What a parameter takes, as the protocol says: the one place that bounds and choices are from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daw_bridge.live.parameters import DEFAULTS
from daw_bridge.messages.arguments import Number, Text, Whole
from daw_bridge.messages.parameters import PARAMETERS

if TYPE_CHECKING:
    from daw_bridge.messages.arguments import ParameterValue


def bounds(name: str) -> tuple[float, float]:
    """Return the lowest and the highest value of a number."""
    kind = PARAMETERS[name]
    assert isinstance(kind, Number | Whole), f"{name} is no number"
    return kind.low, kind.high


def choices(name: str) -> tuple[str, ...]:
    kind = PARAMETERS[name]
    assert isinstance(kind, Text), f"{name} is no text"
    return kind.choices


def span(name: str) -> str:
    """Return in a few words what is accepted, as "0 to 30"."""
    return "" if isinstance(PARAMETERS[name], Text) else PARAMETERS[name].values


def default(name: str) -> ParameterValue:
    return DEFAULTS[name]

"""Values of an effect chain, which a take goes through on its way back; stdlib only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

MAX_EFFECTS = 16
MAX_TAIL_S = 30.0
# How often a search for a chain may listen.
LEAST_EVALUATIONS, MOST_EVALUATIONS = 40, 10_000
ParameterValue = float | bool | str


class Tail(Enum):
    """What becomes of the sound that effects add after a take's end.

    CUT keeps the take's length and fades its end, RING makes a longer take.
    """

    CUT = "cut"
    RING = "ring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One step of a chain: either a built-in effect by its name, or a plug-in by its file.

    name chooses one of several plug-ins in a file. parameters have pedalboard's names, which end in their
    unit; those that are left out keep the effect's default, or what raw_state (base64) says. mix is the share
    of the effect's output, 0 to 1, the rest is its input.
    """

    effect: str = ""
    plugin: str = ""
    name: str = ""
    parameters: dict[str, ParameterValue] = field(default_factory=dict)
    raw_state: str = ""
    mix: float = 1.0
    bypass: bool = False

    def __post_init__(self) -> None:
        if bool(self.effect) == bool(self.plugin):
            raise ValueError("a step of a chain is either an effect or a plugin")
        if self.effect and (self.name or self.raw_state):
            raise ValueError(f"name and raw_state are for plug-ins, not for the effect {self.effect}")
        if not 0.0 <= self.mix <= 1.0:
            raise ValueError(f"mix must be from 0 to 1, got {self.mix}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Effects in their order; a ringing tail ends when it is silent, at the latest after tail_s."""

    effects: tuple[Effect, ...]
    name: str = ""
    description: str = ""
    tail: Tail = Tail.CUT
    tail_s: float = 5.0

    def __post_init__(self) -> None:
        if len(self.effects) > MAX_EFFECTS:
            raise ValueError(f"a chain has at most {MAX_EFFECTS} effects, got {len(self.effects)}")
        if not 0.0 <= self.tail_s <= MAX_TAIL_S:
            raise ValueError(f"tail_s must be from 0 to {MAX_TAIL_S:g}, got {self.tail_s}")

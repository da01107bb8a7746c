"""What is known of plug-ins and of a chain's work, as values that cross processes; without numerics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from engine.chains import Chain, Effect, ParameterValue, Tail

# As much as is looked at to see whether there is still sound after the end.
CUT_PROBE_S = 0.05
NO_DIFFERENCE_DB = -200.0


class NoteKind(Enum):
    LAYOUT = "layout"
    RATE = "rate"
    LATENCY = "latency"
    PARAMETER = "parameter"
    STATE = "state"
    BLOCKS = "blocks"
    TAIL = "tail"


class Step(Enum):
    """What is done with an effect; each has its own time limit."""

    LOAD = "load"
    PROCESS = "process"
    EDIT = "edit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainNote:
    """Something about an effect that a user should know: it was adapted, or did not do what was asked.

    effect is the step's place in its chain, from 0; -1 is the whole chain.
    """

    effect: int
    name: str
    kind: NoteKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFacts:
    """What a plug-in says of itself."""

    path: str
    name: str
    version: str
    manufacturer: str
    category: str
    is_instrument: bool
    latency_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginClass:
    """One of the plug-ins in a file."""

    name: str
    manufacturer: str = ""
    version: str = ""
    category: str = ""
    is_instrument: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginParameter:
    """A parameter of a plug-in, under pedalboard's name for it.

    choices are its texts where it has no numbers; low and high are then 0. raw is its place from 0 to 1, and
    positions how many of those it tells to have, 0 where it tells none.
    """

    name: str
    title: str
    unit: str
    value: ParameterValue
    raw: float
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()
    is_automatable: bool = True
    positions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How a plug-in keeps time, found with an impulse and noise.

    extra_samples is how much later (below zero: earlier) its sound comes than the latency that it tells,
    which pedalboard takes away; None where it gave none. block_difference_db is the largest difference
    between blocks of 64 to 8192 samples, beside the loudest sample; at least NO_DIFFERENCE_DB.
    """

    extra_samples: int | None
    block_difference_db: float
    is_repeatable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginReport:
    """A plug-in as it was found; raw_state is base64, layouts are the channel counts that it takes."""

    facts: PluginFacts
    parameters: tuple[PluginParameter, ...]
    raw_state: str
    layouts: tuple[int, ...]
    timing: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedPlugin:
    """A plug-in as its window left it; raw_state is base64."""

    raw_state: str
    parameters: tuple[PluginParameter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainResult:
    """What a chain did, beside its sound: samples is the new length, latency_samples what was compensated."""

    samples: int
    latency_samples: int
    notes: tuple[ChainNote, ...]
    plugins: tuple[PluginFacts, ...]


def title_of(effect: Effect) -> str:
    """Return what to call a step in a sentence."""
    if effect.effect:
        return f"the effect {effect.effect}"
    return f"the plug-in {effect.name or Path(effect.plugin).stem}"


def extra_samples(chain: Chain, rate_hz: int) -> int:
    """Return how much room a chain needs after a sound's end."""
    tail_s = chain.tail_s if chain.tail is Tail.RING else 0.0
    return round(tail_s * rate_hz) + round(CUT_PROBE_S * rate_hz)

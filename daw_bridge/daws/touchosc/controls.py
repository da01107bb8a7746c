"""What is on the surface: one table, from which the layout and the address sheet are made.

A control sends OSC messages when it is used, and shows what the service tells at one address.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from daw_bridge.messages.base import ANEW, REQUESTS, ROOT
from daw_bridge.messages.parameters import KNOBS, PARAMETERS

# Importing it fills the registry.
from daw_bridge.messages.reading import GROUPS

assert GROUPS

# Where surfaces listen, by the layout's own button.
SURFACE_PORT = 9001


class Kind(Enum):
    BUTTON = "button"
    SWITCH = "switch"
    FADER = "fader"
    LABEL = "label"
    METER = "meter"


class Value(Enum):
    """Stands among the arguments of a message for where the control is."""

    POSITION = "0 to 1"


Part = str | int | Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message: its address, and the arguments in their order."""

    address: str
    arguments: tuple[Part, ...] = ()

    @property
    def told(self) -> str:
        """Write it as the address sheet does."""
        written = [part.value if isinstance(part, Value) else _quoted(part) for part in self.arguments]
        return " ".join([self.address, *written])


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control; does says what comes of using it, shows is an address that the service sends to."""

    label: str
    kind: Kind
    does: str
    sends: tuple[Sent, ...] = ()
    shows: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Controls side by side."""

    title: str
    controls: tuple[Control, ...]


def rows() -> tuple[Row, ...]:
    """Return the whole surface from top to bottom."""
    return (
        Row(title="What is going on", controls=_displays()),
        Row(title="Jobs", controls=_presses("generate", "transfer", "again", "cancel")),
        Row(title="Takes", controls=_presses("previous", "next", "play", "stop", "keep", "drop", "recall")),
        Row(title="Comparing", controls=_presses("source", "take", "difference")),
        Row(title="Presets", controls=tuple(map(_preset, _PRESETS))),
        Row(title="Chains", controls=tuple(map(_chain, ("", *_CHAINS)))),
        Row(title="Switches", controls=tuple(map(_switch, _SWITCHES))),
        Row(title="Faders", controls=(*map(_fader, _FADERS), _morph())),
    )


def controls() -> Iterator[Control]:
    for row in rows():
        yield from row.controls


_PRESETS = ("draft", "fine", "gentle variation", "bold change", "foley", "live pad")
_CHAINS = ("glue", "tape warmth", "dub echo", "small room", "wide hall", "old radio")
_SWITCHES = ("keep_pitch", "keep_rhythm", "keep_level", "match_level")
_FADERS = ("strength", "guidance", "steps", "seconds", "takes", "variation", "seed", "morph", "editor")
_MORPHED = ("gentle variation", "bold change")


def _displays() -> tuple[Control, ...]:
    follow = Sent(address=f"{ROOT}follow", arguments=(SURFACE_PORT,))
    return (
        Control(label="connect", kind=Kind.BUTTON, does=_meaning("follow"), sends=(follow,)),
        Control(
            label="no service yet", kind=Kind.LABEL, does="Shows what is going on.", shows=f"{ROOT}now/text"
        ),
        Control(
            label="progress", kind=Kind.METER, does="Shows how far the job is.", shows=f"{ROOT}now/progress"
        ),
    )


def _presses(*actions: str) -> tuple[Control, ...]:
    return tuple(
        Control(
            label=action,
            kind=Kind.BUTTON,
            does=_meaning(f"press/{action}"),
            sends=(Sent(address=f"{ROOT}press/{action}", arguments=(Value.POSITION,)),),
        )
        for action in actions
    )


def _preset(name: str) -> Control:
    sent = Sent(address=f"{ROOT}preset/load", arguments=(ANEW, name))
    return Control(label=name, kind=Kind.BUTTON, does=_meaning("preset/load"), sends=(sent,))


def _chain(name: str) -> Control:
    sent = Sent(address=f"{ROOT}param/chain", arguments=(name,))
    does = f"Send takes through {name} on their way back." if name else "Bring takes back without effects."
    return Control(label=name or "no effects", kind=Kind.BUTTON, does=does, sends=(sent,))


def _switch(name: str) -> Control:
    sent = Sent(address=f"{ROOT}knob/{name}", arguments=(Value.POSITION,))
    label, does = name.replace("_", " "), _parameter(name)
    return Control(label=label, kind=Kind.SWITCH, does=does, sends=(sent,), shows=sent.address)


def _fader(name: str) -> Control:
    low, high = KNOBS[name]
    sent = Sent(address=f"{ROOT}knob/{name}", arguments=(Value.POSITION,))
    does = _parameter(name) + ("" if PARAMETERS[name].tag == "s" else f" From {low:g} to {high:g}.")
    return Control(label=name, kind=Kind.FADER, does=does, sends=(sent,), shows=sent.address)


def _morph() -> Control:
    sent = Sent(address=f"{ROOT}preset/morph", arguments=(ANEW, *_MORPHED, Value.POSITION))
    does = f"Set the parameters between the presets {_MORPHED[0]} and {_MORPHED[1]}."
    return Control(label="gentle to bold", kind=Kind.FADER, does=does, sends=(sent,))


def _meaning(pattern: str) -> str:
    return " ".join((REQUESTS[pattern].__doc__ or "").split())


def _parameter(name: str) -> str:
    kind = PARAMETERS[name]
    choices = f": {kind.values}" if kind.tag == "s" else ""
    return f"Set {name}: {kind.description}{choices}."


def _quoted(part: str | int) -> str:
    return str(part) if isinstance(part, int) else f"'{part}'"

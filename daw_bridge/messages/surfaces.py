"""Surfaces: pads, buttons and faders that can send a number or nothing, and no text.

What a surface presses is about the current take: the best one of the job that was done last, until next and
previous choose another. A press has no rid and needs no argument; the number that buttons send is welcome,
and 0, which they send when they are let go, does nothing. Each press is carried out, however often it comes;
its answer is now/text, or fail with an empty rid. Controllers that can send text use any other request, with
`-` as rid: that one is never taken for a repeated one.
"""

from __future__ import annotations

from dataclasses import dataclass

from daw_bridge.messages.arguments import Number, Text, Whole, arg
from daw_bridge.messages.base import NO_RID, Reply, Request, reply, request
from daw_bridge.messages.parameters import KNOBS

MAX_TOLD = 200
KNOB = Text("name of the parameter", "guidance", choices=tuple(KNOBS))
POSITION = Number("place between the ends of the knob: 0 the lower, 1 the upper", 0.25, 0.0, 1.0)
_PRESSED = Number(
    "0: the button was let go, which does nothing; anything else, or nothing: pressed", 1.0, -1e9, 1e9
)
_PORT = Whole(
    "UDP port of the surface; 0 and 1, which buttons send: the port that it sends from", 9001, 0, 65535
)


@reply("now/text")
class NowText(Reply):
    """Tell in a few words what is going on, for a label."""

    text: str = arg(Text("what is going on", "take 1 of 3: rain on a tin roof", most=MAX_TOLD))


@reply("now/progress")
class NowProgress(Reply):
    """Tell how far the job is that runs, for a meter; at most ten times a second."""

    fraction: float = arg(Number("part of the whole job that is done", 0.4, 0.0, 1.0))


@reply("knob/<name>")
class KnobPosition(Reply):
    """Tell where the knob of a parameter stands, to those who follow and whoever turned it."""

    name: str = arg(KNOB)
    position: float = arg(POSITION)


@request("follow", answer=NowText, has_rid=False)
class Follow(Request):
    """Tell this surface all parameters, now and whenever they change, and what is going on."""

    rid: str = arg(NO_RID, default="")
    reply_port: int = arg(_PORT, default=0)


@request("knob/<name>", answer=KnobPosition, has_rid=False)
class Knob(Request):
    """Turn a parameter to a place between the ends of its knob, by a fader that knows but 0 to 1."""

    rid: str = arg(NO_RID, default="")
    name: str = arg(KNOB)
    position: float = arg(POSITION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Press(Request):
    """A button without an argument of its own."""

    rid: str = arg(NO_RID, default="")
    value: float = arg(_PRESSED, default=1.0)


@request("press/generate", answer=NowText, has_rid=False)
class PressGenerate(Press):
    """Make a new sound from the parameters as they are."""


@request("press/transfer", answer=NowText, has_rid=False)
class PressTransfer(Press):
    """Make the current take sound like the prompt, as far as the parameter strength says."""


@request("press/again", answer=NowText, has_rid=False)
class PressAgain(Press):
    """Do the job of the current take again, with other seeds."""


@request("press/cancel", answer=NowText, has_rid=False)
class PressCancel(Press):
    """Stop all jobs, those that run and those that wait."""


@request("press/play", answer=NowText, has_rid=False)
class PressPlay(Press):
    """Play the current take from its start."""


@request("press/stop", answer=NowText, has_rid=False)
class PressStop(Press):
    """Stop what plays, a comparison too."""


@request("press/next", answer=NowText, has_rid=False)
class PressNext(Press):
    """Make the next take of the job the current one; after the last comes the first."""


@request("press/previous", answer=NowText, has_rid=False)
class PressPrevious(Press):
    """Make the take before it the current one."""


@request("press/keep", answer=NowText, has_rid=False)
class PressKeep(Press):
    """Make the current take a favourite, which the disk budget leaves alone."""


@request("press/drop", answer=NowText, has_rid=False)
class PressDrop(Press):
    """Rate the current take as one that may go first when room is needed."""


@request("press/recall", answer=NowText, has_rid=False)
class PressRecall(Press):
    """Set the parameters to those of the current take."""


@request("press/source", answer=NowText, has_rid=False)
class PressSource(Press):
    """Play what the current take was made from, from where the take was, equally loud."""


@request("press/take", answer=NowText, has_rid=False)
class PressTake(Press):
    """Play the current take from where its source was, equally loud."""


@request("press/difference", answer=NowText, has_rid=False)
class PressDifference(Press):
    """Play the difference of the current take and its source."""

"""Hearing: the original, its takes and their difference, heard in the place of each other without a gap.

What can be heard is a set of up to 17 files, or parts of files of 10 minutes at most, of which the first, 0,
is the original; `ab/set` chooses two of them. All share one position. Those who are told of all jobs are told
by events what plays, at most twenty times a second: of a position only when it is not where it would be by
now after the last one.
"""

from __future__ import annotations

from typing import Any

from daw_bridge.messages.answers import HINT, SENTENCE, Done
from daw_bridge.messages.arguments import INT32_MAX, Flag, Json, Number, Text, Whole, arg, file_path
from daw_bridge.messages.base import Answer, Reply, Request, reply, request
from daw_bridge.messages.parameters import MAX_SEED

MOST_SOURCES = 17
LONGEST_S = 86_400.0
# Of one file; they are held in memory.
MOST_AT_ONCE_S = 600.0
SIDES = (*(str(number) for number in range(MOST_SOURCES)), "diff")

_POSITION = Number("time from the beginning of what all share", 2.5, 0.0, LONGEST_S, "s")
_FROM = Number("where the loop begins", 0.0, 0.0, LONGEST_S, "s")
_TO = Number("where the loop ends; 0 is the end of what is heard", 4.0, 0.0, LONGEST_S, "s")
_DEVICE = Text("name of a sound device; empty is the system's default", "Speakers", most=300)
_LEVEL = Number("level relative to full scale, -200 for silence", -12.0, -200.0, 200.0, "dB")
_SET = Whole("which set it is; another client may choose another", 3, 0, INT32_MAX)
_MATCH = Flag("all are equally loud", True)


@reply("done", about="hear/set")
class HearSetDone(Answer):
    """Tell what is known of each source: gain_db, loudness_lufs, true_peak_db and length_s, or its error."""

    number: int = arg(_SET)
    sources: dict[str, Any] = arg(Json('what is known of each, under "sources"', {"sources": []}))


@request("hear/set", answer=HearSetDone)
class HearSet(Request):
    """Choose what can be heard; what plays goes on, where it is if it is one of the new sources."""

    content: dict[str, Any] = arg(
        Json(
            "sources, the original first: a list of objects with path, and from_s and to_s for a part of it; "
            "loop, if it is to change: an object with on, from_s and to_s",
            {"sources": [{"path": "loop.wav"}], "loop": {"on": True}},
        )
    )


@request("hear/select", answer=Done)
class HearSelect(Request):
    """Play a source, or the difference of the first one and the take that was chosen last; off stops."""

    side: str = arg(Text("what to play: its number, diff or off", "1", choices=(*SIDES, "off")))


@request("hear/seek", answer=Done)
class HearSeek(Request):
    """Go to a place; while nothing plays, what is selected next begins there."""

    position_s: float = arg(_POSITION)


@request("hear/loop", answer=Done)
class HearLoop(Request):
    """Hear a stretch again and again, or no longer."""

    on: bool = arg(Flag("loop", True))
    from_s: float = arg(_FROM, default=0.0)
    to_s: float = arg(_TO, default=0.0)


@request("hear/match", answer=Done)
class HearMatch(Request):
    """Play all equally loud, or each as it is."""

    on: bool = arg(_MATCH)


@request("hear/device", answer=Done)
class HearDevice(Request):
    """Play on another device from now on, what plays now too."""

    name: str = arg(_DEVICE, default="")


@reply("done", about="hear/devices")
class HearDevicesDone(Answer):
    """Tell what can play: where nothing can, the list is empty and message says why."""

    content: dict[str, Any] = arg(
        Json(
            "devices with name, rate_hz and channels; default and chosen, message and hint",
            {"devices": [], "default": "", "chosen": "", "message": "", "hint": ""},
        )
    )


@request("hear/devices", answer=HearDevicesDone)
class HearDevices(Request):
    """Ask for the sound devices; one that was connected while something plays is there once that ends."""


@reply("hear/state")
class HearState(Reply):
    """Tell what plays and where, or where the next would begin."""

    is_playing: bool = arg(Flag("something plays", True))
    set_number: int = arg(_SET)
    side: str = arg(Text("its number, or diff; empty of a file outside the set", "1", choices=("", *SIDES)))
    take: int = arg(Whole("the take that diff is about", 1, 0, MOST_SOURCES - 1))
    position_s: float = arg(_POSITION)
    length_s: float = arg(Number("how long what plays is", 10.0, 0.0, LONGEST_S, "s"))
    is_looped: bool = arg(Flag("it is a loop", False))
    loop_from_s: float = arg(_FROM)
    loop_to_s: float = arg(Number("where the loop ends", 4.0, 0.0, LONGEST_S, "s"))
    is_matched: bool = arg(_MATCH)
    device: str = arg(Text("what it plays on, or would; empty where there is none", "Speakers", most=300))
    path: str = arg(file_path("what sounds; empty of a difference, or for want of room", "a.wav", fewest=0))
    message: str = arg(SENTENCE)
    hint: str = arg(HINT)
    # Last: Pure Data and SuperCollider read no 64-bit numbers, and nothing that comes after one.
    at_ms: int = arg(
        Whole("when it is there: milliseconds of the Unix clock", 1_770_000_000_000, 0, MAX_SEED)
    )


@reply("hear/level")
class HearLevel(Reply):
    """Tell how loud it was since the last one."""

    peak_left_db: float = arg(_LEVEL)
    peak_right_db: float = arg(_LEVEL)
    rms_left_db: float = arg(_LEVEL)
    rms_right_db: float = arg(_LEVEL)

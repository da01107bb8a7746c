"""Effect chains: kept by name, changed while they are used, and sounds sent through them.

A chain is a list of effects, counted from 0: built-in ones and plug-ins, each with its parameters, the share
of its output (mix) and a switch (bypass). A change counts at once, as for the next chain/apply, and is in the
chain's file within half a second: a fader may send as many as it likes. A chain that came with the program
becomes the user's own by a change, and chain/delete brings the original back. Where an effect itself has a
parameter named mix or bypass, that is `parameters.mix` or `parameters.bypass`.

A scan tries each plug-in in a process of its own. One that crashes or hangs is not tried again until its file
changes, or somebody asks for it. A window opens on the screen of the machine that the service runs on; its
request is answered once it is closed and the plug-in's state is kept. Whatever takes long can be stopped by
chain/cancel.

chain/find searches the parameters of the program's usual effects, or with the option chain those of a chain:
its name, the whole path of its file, or the chain itself. Of plug-ins all numbers are searched that may be
automated. One that crashes or hangs at a setting counts as silent there.
"""

from __future__ import annotations

from typing import Any

from daw_bridge.messages.answers import COUNT, Done
from daw_bridge.messages.arguments import (
    INT32_MAX,
    MAX_JSON_ARGUMENT,
    MAX_PATH,
    Flag,
    Json,
    JsonOrPath,
    ParameterValue,
    Scalar,
    Text,
    Whole,
    arg,
    file_path,
    label,
)
from daw_bridge.messages.base import Answer, Reply, Request, reply, request
from daw_bridge.messages.jobs import LIMIT, OFFSET, STEM
from daw_bridge.messages.parameters import MAX_SEED, PROMPT
from engine.chains import MAX_EFFECTS

CHAIN = label("name of the chain", "tape warmth")
EFFECT = Whole("which effect of the chain, from 0", 0, 0, MAX_EFFECTS - 1)
PLACE = Whole("place in the chain, from 0; -1 is its end", 1, -1, MAX_EFFECTS - 1)
# A plug-in's state may be long, but what holds one is sent as JSON with a limit of its own.
NEW_EFFECT = Text(
    "name of a built-in effect, whole path of a plug-in, or JSON", "reverb", fewest=1, most=MAX_JSON_ARGUMENT
)
ANY_CHAIN = Text(
    "name of a chain, whole path of a chain's file, or JSON", "glue", fewest=1, most=MAX_JSON_ARGUMENT
)
PARAMETER = Text("mix, bypass, or a parameter of the effect", "gain_db", fewest=1, most=100)
PLUGIN = file_path("plug-in", "Compressor.vst3")
OWN_NAME = Text("which plug-in of a file that holds several", "", most=200)


@reply("chain/changed")
class ChainChanged(Reply):
    """Tell those who are told of all jobs that a chain was saved, deleted or changed by somebody."""

    name: str = arg(CHAIN)


@reply("done", about="chain/list")
class ChainListDone(Answer):
    """Tell the effect chains."""

    count: int = arg(COUNT)
    chains: dict[str, Any] = arg(
        Json("description, effects and origin of each by its name", {"glue": {"effects": ["compressor"]}})
    )


@request("chain/list", answer=ChainListDone)
class ChainList(Request):
    """Ask for the effect chains."""


@reply("done", about="chain/load")
class ChainLoadDone(Answer):
    """Bring a chain; a plug-in's state is left out where there is no room for it, which left_out tells."""

    chain: dict[str, Any] = arg(
        Json("the chain", {"effects": [{"effect": "gain", "parameters": {"gain_db": -3}}]})
    )
    path: str = arg(file_path("its file", "glue.toml", fewest=0), default="")


@request("chain/load", answer=ChainLoadDone)
class ChainLoad(Request):
    """Ask for a chain with all its effects and values."""

    name: str = arg(CHAIN)


@request("chain/save", answer=Done)
class ChainSave(Request):
    """Keep a chain under a name, in the place of the one that had it."""

    name: str = arg(CHAIN)
    chain: str = arg(JsonOrPath("the chain, or the path of a chain's file", '{"effects": []}'))


@request("chain/delete", answer=Done)
class ChainDelete(Request):
    """Forget a chain of the user's."""

    name: str = arg(CHAIN)


@request("chain/set", answer=Done)
class ChainSet(Request):
    """Set a value of an effect; without a value the effect's own counts again."""

    name: str = arg(CHAIN)
    effect: int = arg(EFFECT)
    parameter: str = arg(PARAMETER)
    value: ParameterValue | None = arg(Scalar("its value", -3.0), default=None)


@reply("done", about="chain/add")
class ChainAddDone(Answer):
    """Tell where the effect is."""

    effect: int = arg(EFFECT)


@request("chain/add", answer=ChainAddDone)
class ChainAdd(Request):
    """Put one more effect into a chain."""

    name: str = arg(CHAIN)
    effect: str = arg(NEW_EFFECT)
    place: int = arg(PLACE, default=-1)


@request("chain/remove", answer=Done)
class ChainRemove(Request):
    """Take an effect out of a chain."""

    name: str = arg(CHAIN)
    effect: int = arg(EFFECT)


@request("chain/move", answer=Done)
class ChainMove(Request):
    """Put an effect of a chain to another place."""

    name: str = arg(CHAIN)
    effect: int = arg(EFFECT)
    place: int = arg(PLACE)


@reply("done", about="chain/effects")
class ChainEffectsDone(Answer):
    """Tell the built-in effects."""

    count: int = arg(COUNT)
    effects: dict[str, Any] = arg(
        Json("summary and parameters of each by its name", {"gain": {"summary": "louder or softer"}})
    )


@request("chain/effects", answer=ChainEffectsDone)
class ChainEffects(Request):
    """Ask for the built-in effects with their parameters, units and ranges, or for one of them."""

    name: str = arg(Text("name of the effect; empty for all", "reverb", most=64), default="")


@reply("done", about="chain/scan")
class ChainScanDone(Answer):
    """Tell the plug-ins that were found."""

    count: int = arg(COUNT)
    plugins: dict[str, Any] = arg(
        Json("what is known of each by its path; error tells why one cannot be used", {"Tape.vst3": {}})
    )


@request("chain/scan", answer=ChainScanDone)
class ChainScan(Request):
    """Look for plug-ins; known ones that have not changed are not tried again."""

    again: bool = arg(Flag("try those again that crashed or hung", False), default=False)
    limit: int = arg(LIMIT, default=50)
    offset: int = arg(OFFSET, default=0)


@reply("done", about="chain/inspect")
class ChainInspectDone(Answer):
    """Tell what a plug-in is and has."""

    count: int = arg(COUNT)
    plugin: dict[str, Any] = arg(
        Json("facts, layouts, timing and parameters", {"facts": {"name": "Compressor"}, "parameters": []})
    )


@request("chain/inspect", answer=ChainInspectDone)
class ChainInspect(Request):
    """Load a plug-in and ask for its parameters, units and ranges."""

    path: str = arg(PLUGIN)
    name: str = arg(OWN_NAME, default="")
    limit: int = arg(LIMIT, default=50)
    offset: int = arg(OFFSET, default=0)


@request("chain/window", answer=Done)
class ChainWindow(Request):
    """Open a plug-in's own window, or close it."""

    name: str = arg(CHAIN)
    effect: int = arg(EFFECT)
    on: bool = arg(Flag("open it", True), default=True)


@reply("done", about="chain/apply")
class ChainApplyDone(Answer):
    """Tell the new file. It has the format, rate and bit depth of the source, and tells what that told."""

    path: str = arg(file_path("the new file", "loop-glue.wav"))
    recipe: str = arg(file_path("its JSON: chain, source, plug-ins and notes", "loop-glue.json"))
    latency_samples: int = arg(Whole("latency of the effects, which was taken away", 64, 0, INT32_MAX))
    notes: str = arg(Text("what was adapted or is to be known, a line each", "", most=MAX_PATH), default="")
    # Last: Pure Data and SuperCollider read no 64-bit numbers, and nothing that comes after one.
    length_samples: int = arg(Whole("exact length in sample frames", 192_000, 0, MAX_SEED), default=0)


@request("chain/apply", answer=ChainApplyDone)
class ChainApply(Request):
    """Send an audio file through a chain; the result is a new file."""

    path: str = arg(file_path("audio file", "loop.wav"))
    chain: str = arg(ANY_CHAIN)
    folder: str = arg(
        file_path("folder for the result; empty for the service's own", "takes", fewest=0), default=""
    )
    stem: str = arg(STEM, default="")


@reply("done", about="chain/find")
class ChainFindDone(Answer):
    """Tell the chain that was found, and what it does to the sound."""

    found: dict[str, Any] = arg(
        Json(
            "chain, similarity_before, similarity_as_set of a chain that was given, similarity_after, "
            "loudness_change_lu, true_peak_dbtp, evaluations",
            {"chain": {"effects": []}, "similarity_before": 0.1, "similarity_after": 0.3},
        )
    )


@request("chain/find", answer=ChainFindDone)
class ChainFind(Request):
    """Find the chain whose result is heard as the words say; nothing is generated."""

    path: str = arg(file_path("audio file", "loop.wav"))
    prompt: str = arg(Text("how it should sound", "warm and distant", fewest=1, most=PROMPT.most))
    name: str = arg(
        Text("keep the chain under this name, if anything helps; empty for not", "distant", most=64),
        default="",
    )
    options: dict[str, Any] = arg(
        Json(
            "chain to search in, replace a chain of this name, model, evaluations (40 or more), seed, "
            "method, aim, from_prompt, heard_s, gentleness",
            {"evaluations": 60},
        ),
        default={},
    )


@reply("done", about="chain/cancel")
class ChainCancelDone(Answer):
    """Tell how many requests are stopped."""

    count: int = arg(COUNT)


@request("chain/cancel", answer=ChainCancelDone)
class ChainCancel(Request):
    """Stop requests of this client that take long: chain/apply, chain/scan, chain/inspect, chain/find."""

    target: str = arg(Text("rid of the request, or * for all of them", "*", fewest=1, most=36))

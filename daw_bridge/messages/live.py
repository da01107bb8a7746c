"""Live control: parameters, presets, and the way between two of them or between two prompts.

A parameter has two doors. Controllers and OSCQuery turn knobs: its own address with the value alone, since a
knob cannot send a rid. Programs use param/get and param/set, which have one like the rest.
"""

from __future__ import annotations

from typing import Any

from daw_bridge.messages.answers import COUNT, Done
from daw_bridge.messages.arguments import (
    Argument,
    Flag,
    Json,
    Number,
    ParameterValue,
    Scalar,
    Text,
    arg,
    identifier,
    label,
)
from daw_bridge.messages.base import NO_RID, Answer, Message, Reply, Request, reply, request
from daw_bridge.messages.parameters import MORPH, PARAMETERS, PROMPT
from engine.errors import NotFound

NAME = identifier("name of the parameter", "guidance")
VALUE = Scalar("its value", 3.5)
PRESET = label("name of the preset", "warm pads")


@reply("param/<name>")
class ParamValue(Reply):
    """Tell the value of a parameter, when asked or to those who listen to it."""

    name: str = arg(NAME)
    value: ParameterValue | None = arg(VALUE)

    def __post_init__(self) -> None:
        _check(self)


@request("param/<name>", answer=ParamValue, has_rid=False)
class Param(Request):
    """Set a parameter, or ask for it by giving no value; without rid."""

    rid: str = arg(NO_RID, default="")
    name: str = arg(NAME)
    value: ParameterValue | None = arg(VALUE, default=None)

    def __post_init__(self) -> None:
        _check(self, may_lack_value=True)


@reply("done", about="param/get")
class ParamGetDone(Answer):
    """Tell the value of a parameter."""

    name: str = arg(NAME)
    value: ParameterValue | None = arg(VALUE)

    def __post_init__(self) -> None:
        _check(self)


@request("param/get", answer=ParamGetDone)
class ParamGet(Request):
    """Ask for the value of a parameter."""

    name: str = arg(NAME)

    def __post_init__(self) -> None:
        Message.__post_init__(self)
        _kind(self)


@request("param/set", answer=Done)
class ParamSet(Request):
    """Set a parameter; the next job that is queued is made with it."""

    name: str = arg(NAME)
    value: ParameterValue | None = arg(VALUE)

    def __post_init__(self) -> None:
        _check(self)


@reply("done", about="param/listen")
class ParamListenDone(Answer):
    """Tell how many parameters the pattern names."""

    count: int = arg(COUNT)


@request("param/listen", answer=ParamListenDone)
class ParamListen(Request):
    """Begin or stop to be told when parameters change."""

    glob: str = arg(Text("names, with * and ? as wildcards", "guid*", fewest=1, most=64))
    on: bool = arg(Flag("be told", True), default=True)


@reply("done", about="preset/list")
class PresetListDone(Answer):
    """Tell the presets."""

    count: int = arg(COUNT)
    presets: dict[str, Any] = arg(
        Json(
            'values of each by its name, under "presets"; "shipped" are the program\'s, "changed" are '
            "the user's in the place of one of these",
            {"presets": {"warm pads": {"steps": 20}}},
        )
    )


@request("preset/list", answer=PresetListDone)
class PresetList(Request):
    """Ask for the presets."""


@request("preset/load", answer=Done)
class PresetLoad(Request):
    """Set all parameters that a preset holds."""

    name: str = arg(PRESET)


@request("preset/save", answer=Done)
class PresetSave(Request):
    """Keep parameters under a name, in the place of what it held: all as they are now, or those given."""

    name: str = arg(PRESET)
    values: dict[str, Any] = arg(
        Json("values by the names of parameters, and perhaps prompt_b; none keeps all", {"steps": 20}),
        default={},
    )


@request("preset/delete", answer=Done)
class PresetDelete(Request):
    """Forget a preset."""

    name: str = arg(PRESET)


@request("preset/morph", answer=Done)
class PresetMorph(Request):
    """Set the parameters between two presets, at once or gliding there."""

    name_a: str = arg(PRESET)
    name_b: str = arg(label("name of the other", "harsh noise"))
    position: float = arg(MORPH)
    glide_s: float = arg(Number("time to get there", 2.0, 0.0, 3600.0, "s"), default=0.0)


@request("prompt/morph", answer=Done)
class PromptMorph(Request):
    """Let the next job that is queued sound between two prompts; param/morph then moves between them."""

    prompt_a: str = arg(PROMPT)
    prompt_b: str = arg(Text("the other", "a large hall", most=PROMPT.most))
    position: float = arg(MORPH)


def _check(message: Param | ParamSet | ParamValue | ParamGetDone, *, may_lack_value: bool = False) -> None:
    """Check the fields as of any message, and then the value by the kind of the parameter.

    Raises:
        NotFound: no such parameter.
        SpecError: a value that it does not take.
    """
    Message.__post_init__(message)
    kind = _kind(message)
    if message.value is None and may_lack_value:
        return
    try:
        object.__setattr__(message, "value", kind.read(message.value))
    except ValueError as error:
        raise message.refusal(f"{message.name} {error}") from error


def _kind(message: Param | ParamSet | ParamGet | ParamValue | ParamGetDone) -> Argument[Any]:
    kind = PARAMETERS.get(message.name)
    if kind is None:
        known = ", ".join(PARAMETERS)
        raise NotFound(f"{message.address}: name: no parameter {message.name!r}", f"There are {known}.")
    return kind

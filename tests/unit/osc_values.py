"""Any message of any class, drawn from what its arguments say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

from daw_bridge.messages.answers import Done
from daw_bridge.messages.arguments import (
    MAX_BLOB_BYTES,
    Argument,
    Blob,
    Choice,
    Flag,
    Json,
    JsonOrPath,
    Number,
    Scalar,
    Text,
    Whole,
)
from daw_bridge.messages.base import REPLIES, REQUESTS, Message
from daw_bridge.messages.live import Param, ParamGet, ParamGetDone, ParamSet, ParamValue
from daw_bridge.messages.parameters import PARAMETERS
from daw_bridge.messages.service import BlobPut

REQUEST_CLASSES = tuple(REQUESTS.values())
REPLY_CLASSES = tuple(REPLIES.values())
ABOUTS = {about for _, about in REPLIES}

characters = st.characters(codec="utf-8", exclude_characters="\0")
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(st.text(max_size=5), json_values, max_size=3)


def values(kind: Argument[Any]) -> st.SearchStrategy[Any]:
    """Draw what an argument of this kind accepts, numbers such as a 32-bit float can hold."""
    return _STRATEGIES[type(kind)](kind)


def texts(kind: Text) -> st.SearchStrategy[str]:
    if kind.choices:
        return st.sampled_from(kind.choices)
    if kind.pattern:
        return st.from_regex(kind.pattern, fullmatch=True).filter(partial(accepts, kind))
    return st.text(characters, min_size=kind.fewest, max_size=min(kind.most, 20))


def numbers(kind: Number) -> st.SearchStrategy[float]:
    return st.floats(kind.low, kind.high, width=32) if exact(kind) else st.floats(kind.low, kind.high)


def exact(kind: Number) -> bool:
    """Tell whether a 32-bit float can hold both bounds, as hypothesis wants it."""
    return all(float(bound).is_integer() for bound in (kind.low, kind.high)) and kind.high < 2**24


def accepts(kind: Argument[Any], value: object) -> bool:
    try:
        kind.read(value)
    except ValueError:
        return False
    return True


_STRATEGIES: dict[type[Argument[Any]], Callable[[Any], st.SearchStrategy[Any]]] = {
    Text: texts,
    Whole: lambda kind: st.integers(kind.low, kind.high),
    Number: numbers,
    Flag: lambda _: st.booleans(),
    Blob: lambda _: st.binary(min_size=1, max_size=40) | st.just(bytes(MAX_BLOB_BYTES)),
    Json: lambda _: json_objects,
    JsonOrPath: lambda _: st.sampled_from(['{"task": "generate"}', " {}", "spec.json", "C:\\mask.json"]),
    Scalar: lambda _: (
        st.none()
        | st.text(characters, max_size=10)
        | st.integers(-(2**31), 2**31 - 1)
        | st.floats(-1, 1, width=32)
    ),
    Choice: lambda kind: st.sampled_from(type(kind.example)),
}


@st.composite
def messages(draw: st.DrawFn, cls: type[Message]) -> Message:
    """Draw a message, with and without its optional arguments."""
    drawn = {slot.name: draw(values(slot.kind)) for slot in (*cls.parts, *cls.slots)}
    if issubclass(cls, Param | ParamGet | ParamGetDone | ParamSet | ParamValue):
        drawn["name"] = draw(st.sampled_from(list(PARAMETERS)))
        drawn["value"] = draw(values(PARAMETERS[drawn["name"]]))
        if cls is ParamGet:
            del drawn["value"]
    if cls is BlobPut:
        drawn["index"] %= drawn["count"]
    if cls is Done and drawn["request"] in ABOUTS:
        drawn["request"] = "preset/save"
    optional = [slot.name for slot in cls.slots if not slot.is_required]
    for name in optional[draw(st.integers(0, len(optional))) :]:
        del drawn[name]
    return cls(**drawn)

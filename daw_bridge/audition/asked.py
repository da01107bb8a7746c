"""What the service asks the audition process for, read from JSON and checked.

What is wrong raises SpecError, or BadJson where it is no JSON object.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TypeVar

from daw_bridge.audition.loader import Cut
from daw_bridge.audition.shelf import Source
from daw_bridge.audition.tracks import Loop
from engine.errors import BadJson, SpecError

MAX_GAIN_DB = 24.0
MAX_SOURCES = 17

Request = Mapping[str, object]
Value = TypeVar("Value", bool, float, int, str)


def parsed(line: bytes) -> Request:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadJson("a request is one line of JSON") from error
    if not isinstance(request, dict):
        raise BadJson("a request is a JSON object")
    return request


def value_of(request: Request, key: str, kind: type[Value]) -> Value:
    value = request.get(key)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return kind(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SpecError(f'"{key}" of a request must be a {kind.__name__}')
    if isinstance(value, float) and not math.isfinite(value):
        raise SpecError(f'"{key}" of a request must be finite')
    return value


def wanted_of(request: Request) -> str | int | None:
    device = request.get("device")
    if device is not None and (isinstance(device, bool) or not isinstance(device, str | int)):
        raise SpecError("a device is chosen by its name or its number")
    return device


def cut_of(request: Request) -> Cut:
    to_s = None if request.get("to_s") is None else value_of(request, "to_s", float)
    return Cut(from_s=value_of(request, "from_s", float), to_s=to_s)


def gain_of(request: Request) -> float:
    gain_db = value_of(request, "gain_db", float)
    if not gain_db <= MAX_GAIN_DB:
        raise SpecError(f"the gain is in dB, and {MAX_GAIN_DB:g} at most")
    return gain_db


def source_of(request: Request) -> Source:
    return Source(path=value_of(request, "path", str), cut=cut_of(request))


def sources_of(request: Request) -> tuple[Source, ...]:
    listed = request.get("sources")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_SOURCES:
        raise SpecError(f"1 to {MAX_SOURCES} sources can be compared")
    if not all(isinstance(one, dict) for one in listed):
        raise SpecError("a source is a JSON object with a path")
    return tuple(source_of(one) for one in listed)


def wish_of(request: Request) -> Loop | None:
    """Return the loop that a request has or not."""
    loop = request.get("loop")
    if loop is not None and not isinstance(loop, dict):
        raise SpecError('"loop" of a request must be a JSON object')
    return None if loop is None else loop_of(loop)


def loop_of(request: Request) -> Loop:
    """Return a loop; a stretch without an end goes as far as there is something."""
    from_s = seconds_of(request, "from_s") if "from_s" in request else 0.0
    to_s = None if request.get("to_s") is None else seconds_of(request, "to_s")
    if to_s is not None and to_s <= from_s:
        raise SpecError(f"a loop must end after it begins, not at {to_s:g} s")
    return Loop(on=value_of(request, "on", bool), from_s=from_s, to_s=to_s)


def seconds_of(request: Request, key: str) -> float:
    seconds = value_of(request, key, float)
    if seconds < 0.0:
        raise SpecError(f'"{key}" of a request must not be below 0')
    return seconds

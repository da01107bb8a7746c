"""What a host and its child say to each other, one JSON object a line; stdlib only.

The host asks {"op": "process" | "inspect" | "list" | "edit" | "cancel", ...}. The child says {"ready": 1}
once, {"at": {"step", "title"}} before each risky step, and ends each answer with {"done": ...} or {"fail":
ErrorInfo}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from engine.errors import (
    AudioMissing,
    Cancelled,
    EngineError,
    NotFound,
    OutOfMemory,
    PluginCrash,
    SpecError,
)
from engine.strict_json import Variants, decode, encode
from engine.types import ErrorCode, ErrorInfo

Message = Mapping[str, Any]
Value = TypeVar("Value")

_NO_VARIANTS = Variants(key="", kinds={})
_CLASSES: Mapping[ErrorCode, type[EngineError]] = {
    kind.code: kind for kind in (AudioMissing, Cancelled, NotFound, OutOfMemory, PluginCrash, SpecError)
}


def to_line(message: Message) -> bytes:
    return json.dumps(message, allow_nan=False).encode("ascii") + b"\n"


def from_line(line: bytes) -> dict[str, Any]:
    """Read a message; raises ValueError for what is none, as a plug-in that found the pipe might write."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message is an object")
    return message


def plain(value: object) -> Any:
    """Return a frozen dataclass as JSON values."""
    return encode(value, _NO_VARIANTS)


def value_of(kind: type[Value], content: object) -> Value:
    """Read a frozen dataclass; raises SpecError."""
    value = decode(kind, content, kind.__name__, _NO_VARIANTS)
    assert isinstance(value, kind)
    return value


def error_of(content: object) -> EngineError:
    """Return the error that a child told."""
    info = value_of(ErrorInfo, content)
    return _CLASSES.get(info.code, EngineError)(info.message, info.hint)

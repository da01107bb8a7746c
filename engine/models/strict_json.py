"""Values of frozen dataclasses to plain JSON and back, refusing what the annotations do not say.

A union of dataclasses is told apart by an `architecture` key, whose names the caller gives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

ARCHITECTURE = "architecture"


def encode(value: object, architectures: Mapping[str, type]) -> Any:
    """Return the value as dicts, lists, strings and numbers."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [encode(item, architectures) for item in value]
    if not is_dataclass(value):
        return value
    members = {item.name: encode(getattr(value, item.name), architectures) for item in fields(value)}
    names = [name for name, kind in architectures.items() if kind is type(value)]
    return {ARCHITECTURE: names[0], **members} if names else members


def decode(hint: Any, value: Any, key: str, architectures: Mapping[str, type]) -> Any:
    """Read a value of the annotated type; raises ValueError that names the key."""
    if isinstance(hint, UnionType):
        return _decode_union(get_args(hint), value, key, architectures)
    if get_origin(hint) is tuple:
        _require(isinstance(value, list), key, "a list", value)
        item_hint = get_args(hint)[0]
        return tuple(
            decode(item_hint, item, f"{key}[{index}]", architectures) for index, item in enumerate(value)
        )
    if get_origin(hint) is dict:
        return _decode_dict(get_args(hint)[1], value, key, architectures)
    if is_dataclass(hint):
        return _decode_dataclass(hint, value, key, architectures)
    return _decode_plain(hint, value, key)


def _decode_union(hints: tuple[Any, ...], value: Any, key: str, architectures: Mapping[str, type]) -> Any:
    if NoneType in hints:
        plain = next(hint for hint in hints if hint is not NoneType)
        return None if value is None else decode(plain, value, key, architectures)
    _require(isinstance(value, dict), key, "an object", value)
    members = dict(value)
    name = members.pop(ARCHITECTURE, None)
    if not isinstance(name, str) or name not in architectures:
        raise ValueError(f"{key}.{ARCHITECTURE} must be one of {', '.join(architectures)}, got {name!r}")
    return _decode_dataclass(architectures[name], members, key, architectures)


def _decode_dict(hint: Any, value: Any, key: str, architectures: Mapping[str, type]) -> dict[str, Any]:
    _require(isinstance(value, dict), key, "an object", value)
    return {name: decode(hint, item, f"{key}.{name}", architectures) for name, item in value.items()}


def _decode_dataclass(kind: Any, value: Any, key: str, architectures: Mapping[str, type]) -> Any:
    _require(isinstance(value, dict), key, "an object", value)
    prefix = f"{key}." if key else ""
    hints, members = get_type_hints(kind), {item.name: item for item in fields(kind)}
    for name in value:
        if name not in members:
            raise ValueError(f"{prefix}{name} is not a known key")
    for name, member in members.items():
        if name not in value and member.default is MISSING and member.default_factory is MISSING:
            raise ValueError(f"{prefix}{name} is missing")
    given = {
        name: decode(hints[name], item, f"{prefix}{name}", architectures) for name, item in value.items()
    }
    try:
        return kind(**given)
    except ValueError as error:
        raise ValueError(f"{key}: {error}" if key else str(error)) from error


def _decode_plain(hint: Any, value: Any, key: str) -> Any:
    if hint is object:
        return value
    if issubclass(hint, Enum):
        choices = [member.value for member in hint]
        _require(value in choices, key, f"one of {', '.join(choices)}", value)
        return hint(value)
    if hint is float and type(value) is int:
        return float(value)
    _require(type(value) is hint, key, _NAMES[hint], value)
    if isinstance(value, float):
        _require(math.isfinite(value), key, "a finite number", value)
    return value


def _require(holds: bool, key: str, wanted: str, value: object) -> None:
    if not holds:
        raise ValueError(f"{key or 'the file'} must be {wanted}, got {value!r:.60}")


_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}

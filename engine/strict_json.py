"""Frozen dataclasses as plain JSON, both ways, refusing what the annotations do not say; stdlib only."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from engine.errors import BadJson, SpecError

MAX_JSON_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """The classes that may stand for each other, told apart in the JSON by a key."""

    key: str
    kinds: Mapping[str, type]

    def name_of(self, value: object) -> str | None:
        return next((name for name, kind in self.kinds.items() if kind is type(value)), None)


def parse_json(text: str, most_characters: int = MAX_JSON_CHARACTERS) -> object:
    """Parse JSON that repeats no key and holds finite numbers only.

    Raises:
        BadJson: anything else.
    """
    if len(text) > most_characters:
        raise BadJson(f"the JSON has more than {most_characters} characters")
    try:
        return json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadJson(f"not valid JSON ({error.msg} at {where})") from error
    except BadJson:
        raise
    except (ValueError, RecursionError) as error:
        raise BadJson("not usable JSON: a number is too long or the nesting too deep") from error


def encode(value: object, variants: Variants) -> Any:
    """Return the value as dicts, lists, strings and numbers."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [encode(item, variants) for item in value]
    if isinstance(value, dict):
        return {name: encode(item, variants) for name, item in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    members = {item.name: encode(getattr(value, item.name), variants) for item in fields(value)}
    name = variants.name_of(value)
    return members if name is None else {variants.key: name, **members}


def decode(hint: Any, value: object, path: str, variants: Variants) -> Any:
    """Read a value of the annotated type; path is its place in messages, "" the whole.

    Raises:
        BadJson: a missing, unknown or mistyped key.
        SpecError: a value that the class itself refuses.
    """
    return _Decoder(variants).read(hint, value, path)


class _Decoder:
    def __init__(self, variants: Variants) -> None:
        self._variants = variants

    def read(self, hint: Any, value: object, path: str) -> Any:
        if get_origin(hint) in (Union, UnionType):
            return self._union(get_args(hint), value, path)
        if get_origin(hint) is tuple:
            return self._tuple(get_args(hint), value, path)
        if get_origin(hint) is dict:
            item_hint = get_args(hint)[1]
            return {name: self.read(item_hint, item, _at(path, name)) for name, item in _members(value, path)}
        if isinstance(hint, type) and issubclass(hint, Enum):
            return _enum(hint, value, path)
        if isinstance(hint, type) and is_dataclass(hint):
            return self._dataclass(hint, value, path)
        return value if hint is object else _scalar(hint, value, path)

    def _union(self, options: tuple[Any, ...], value: object, path: str) -> Any:
        rest = tuple(option for option in options if option is not type(None))
        if value is None and len(rest) < len(options):
            return None
        if len(rest) > 1 and all(option in _SCALARS for option in rest):
            return _any_scalar(rest, value, path)
        return self.read(rest[0], value, path) if len(rest) == 1 else self._variant(value, path)

    def _variant(self, value: object, path: str) -> Any:
        content, key, names = dict(_members(value, path)), self._variants.key, ", ".join(self._variants.kinds)
        if key not in content:
            raise BadJson(f"{_at(path, key)} is missing; it is one of {names}")
        name = content.pop(key)
        if not isinstance(name, str) or name not in self._variants.kinds:
            raise BadJson(f"{_at(path, key)} is {name!r:.60}, not one of {names}")
        return self._dataclass(self._variants.kinds[name], content, path)

    def _tuple(self, items: tuple[Any, ...], value: object, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _mistyped(path, "a list", value)
        if items[-1] is not Ellipsis and len(value) != len(items):
            raise BadJson(f"{path} must have {len(items)} entries, got {len(value)}")
        hints = [items[0]] * len(value) if items[-1] is Ellipsis else items
        pairs = zip(hints, value, strict=True)
        return tuple(self.read(hint, item, f"{path}[{index}]") for index, (hint, item) in enumerate(pairs))

    def _dataclass(self, kind: Any, value: object, path: str) -> Any:
        content, hints = dict(_members(value, path)), _hints(kind)
        for key in content:
            if key not in hints:
                raise BadJson(f"{_at(path, key)} is not a known key")
        for item in fields(kind):
            required = item.default is MISSING and item.default_factory is MISSING
            if required and item.name not in content:
                raise BadJson(f"{_at(path, item.name)} is missing")
        values = {key: self.read(hints[key], item, _at(path, key)) for key, item in content.items()}
        try:
            return kind(**values)
        except ValueError as error:
            raise SpecError(f"{path}: {error}" if path else str(error)) from error


def _members(value: object, path: str) -> list[tuple[str, object]]:
    if not isinstance(value, dict):
        raise _mistyped(path, "an object", value)
    return list(value.items())


def _enum(kind: type[Enum], value: object, path: str) -> Enum:
    choices = [member.value for member in kind]
    if not isinstance(value, str) or value not in choices:
        raise BadJson(f"{path} is {value!r:.60}, not one of {', '.join(choices)}")
    return kind(value)


def _scalar(kind: Any, value: object, path: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return _finite(value, path)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _mistyped(path, _SCALARS[kind], value)
    return _finite(value, path) if isinstance(value, float) else value


def _any_scalar(kinds: tuple[Any, ...], value: object, path: str) -> Any:
    """Read a value of the first kind that takes it; a whole number may stand for a fractional one."""
    for kind in kinds:
        with suppress(BadJson):
            return _scalar(kind, value, path)
    raise _mistyped(path, " or ".join(_SCALARS[kind] for kind in kinds), value)


def _finite(value: float, path: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadJson(f"{path} is too large a number")
    return number


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _mistyped(path: str, wanted: str, value: object) -> BadJson:
    got = "null" if value is None else _KINDS.get(type(value), "an object")
    return BadJson(f"{path or 'the file'} must be {wanted}, got {got}")


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content: dict[str, object] = {}
    for key, value in pairs:
        if key in content:
            raise BadJson(f"the key {key!r:.60} appears twice in one object")
        content[key] = value
    return content


def _refuse_constant(name: str) -> object:
    raise BadJson(f"{name} is not a number JSON may hold")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


_SCALARS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
_KINDS: dict[type, str] = {
    bool: "true/false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
}

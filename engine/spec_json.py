"""RenderSpec as JSON, both ways and strictly; stdlib only."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from engine.errors import BadJson, SpecError
from engine.types import (
    SCHEMA_VERSION,
    BrushShape,
    Mask,
    PolygonShape,
    RectShape,
    RenderSpec,
)

MAX_JSON_CHARACTERS = 1_000_000
_SHAPES: dict[str, type] = {"rect": RectShape, "polygon": PolygonShape, "brush": BrushShape}
_SHAPE_NAMES = {kind: name for name, kind in _SHAPES.items()}
_HINT = "Compare it with the JSON file beside any take."


def spec_to_dict(spec: RenderSpec) -> dict[str, object]:
    """Return the spec as plain JSON values, every key present."""
    # Read back once: a whole number given for a fractional field is then written as one.
    encoded = _encode(_decode(RenderSpec, _encode(spec), "spec"))
    assert isinstance(encoded, dict)
    return encoded


def spec_to_json(spec: RenderSpec) -> str:
    """Return the canonical JSON: sorted keys, no spaces, ASCII."""
    return json.dumps(
        spec_to_dict(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def digest(spec: RenderSpec) -> str:
    """Return the SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(spec_to_json(spec).encode("ascii")).hexdigest()


def spec_from_json(text: str) -> RenderSpec:
    """Read a spec.

    Raises:
        BadJson: not JSON, or a missing, unknown or mistyped key, or another schema version.
        SpecError: a value out of its range.
    """
    return spec_from_dict(parse_json(text))


def spec_from_dict(value: object) -> RenderSpec:
    """Read a spec from parsed JSON; raises as spec_from_json does."""
    if isinstance(value, Mapping):
        _require_version(value)
    spec = _decode(RenderSpec, value, "spec")
    assert isinstance(spec, RenderSpec)
    return spec


def mask_to_dict(mask: Mask) -> dict[str, object]:
    """Return the mask as plain JSON values."""
    encoded = _encode(mask)
    assert isinstance(encoded, dict)
    return encoded


def mask_from_json(text: str) -> Mask:
    """Read a mask; raises as spec_from_json does."""
    mask = _decode(Mask, parse_json(text), "mask")
    assert isinstance(mask, Mask)
    return mask


def parse_json(text: str) -> object:
    """Parse JSON that repeats no key and holds finite numbers only.

    Raises:
        BadJson: anything else.
    """
    if len(text) > MAX_JSON_CHARACTERS:
        raise BadJson(f"the JSON has more than {MAX_JSON_CHARACTERS} characters", _HINT)
    try:
        return json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadJson(f"not valid JSON ({error.msg} at {where})", _HINT) from error
    except BadJson:
        raise
    except (ValueError, RecursionError) as error:
        raise BadJson("not usable JSON: a number is too long or the nesting too deep", _HINT) from error


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise BadJson(f"the key {key!r} appears twice in one object", _HINT)
    return dict(pairs)


def _refuse_constant(name: str) -> object:
    raise BadJson(f"{name} is not a number JSON may hold", _HINT)


def _require_version(value: Mapping[str, object]) -> None:
    version = value.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise BadJson(
            f"spec.schema_version is {version!r}, this version reads {SCHEMA_VERSION}",
            "Update the program that wrote or reads the spec.",
        )


def _encode(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        encoded = {item.name: _encode(getattr(value, item.name)) for item in fields(value)}
        return _tagged(value, encoded)
    return value


def _tagged(value: object, encoded: dict[str, object]) -> dict[str, object]:
    name = _SHAPE_NAMES.get(type(value))
    return encoded if name is None else {"shape": name, **encoded}


def _decode(hint: Any, value: object, path: str) -> object:
    """Read value as the annotated type; path names the place in messages."""
    if get_origin(hint) in (Union, UnionType):
        return _decode_union(get_args(hint), value, path)
    if get_origin(hint) is tuple:
        return _decode_tuple(get_args(hint), value, path)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _decode_enum(hint, value, path)
    if isinstance(hint, type) and is_dataclass(hint):
        return _decode_dataclass(hint, value, path)
    return _decode_scalar(hint, value, path)


def _decode_union(options: tuple[Any, ...], value: object, path: str) -> object:
    if type(None) in options:
        if value is None:
            return None
        rest = tuple(option for option in options if option is not type(None))
        return _decode(rest[0], value, path) if len(rest) == 1 else _decode_union(rest, value, path)
    return _decode_shape(value, path)


def _decode_shape(value: object, path: str) -> object:
    content = _object(value, path)
    if "shape" not in content:
        raise BadJson(f"{path}.shape is missing; it is one of {', '.join(_SHAPES)}", _HINT)
    name = content["shape"]
    if not isinstance(name, str) or name not in _SHAPES:
        raise BadJson(f"{path}.shape is {name!r}, not one of {', '.join(_SHAPES)}", _HINT)
    rest = {key: item for key, item in content.items() if key != "shape"}
    return _decode_dataclass(_SHAPES[name], rest, path)


def _decode_tuple(items: tuple[Any, ...], value: object, path: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise BadJson(f"{path} must be a list, got {_kind(value)}", _HINT)
    if items[-1] is Ellipsis:
        return tuple(_decode(items[0], item, f"{path}[{index}]") for index, item in enumerate(value))
    if len(value) != len(items):
        raise BadJson(f"{path} must have {len(items)} entries, got {len(value)}", _HINT)
    pairs = zip(items, value, strict=True)
    return tuple(_decode(hint, item, f"{path}[{index}]") for index, (hint, item) in enumerate(pairs))


def _decode_enum(kind: type[Enum], value: object, path: str) -> Enum:
    choices = [member.value for member in kind]
    if not isinstance(value, str) or value not in choices:
        raise BadJson(f"{path} is {value!r}, not one of {', '.join(choices)}", _HINT)
    return kind(value)


def _decode_dataclass(kind: type, value: object, path: str) -> object:
    content, hints = _object(value, path), _hints(kind)
    for key in content:
        if key not in hints:
            raise BadJson(f"{path}.{key} is not a known key", _HINT)
    for item in fields(kind):
        required = item.default is MISSING and item.default_factory is MISSING
        if required and item.name not in content:
            raise BadJson(f"{path}.{item.name} is missing", _HINT)
    values = {key: _decode(hints[key], item, f"{path}.{key}") for key, item in content.items()}
    try:
        return kind(**values)
    except ValueError as error:
        raise SpecError(f"{path}: {error}") from error


def _decode_scalar(kind: Any, value: object, path: str) -> object:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return _finite(value, path)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise BadJson(f"{path} must be {_names(kind)}, got {_kind(value)}", _HINT)
    return _finite(value, path) if isinstance(value, float) else value


def _finite(value: float, path: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadJson(f"{path} is too large a number", _HINT)
    return number


def _object(value: object, path: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise BadJson(f"{path} must be an object, got {_kind(value)}", _HINT)
    return value


def _names(kind: type) -> str:
    return {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[kind]


def _kind(value: object) -> str:
    kinds = {bool: "true/false", int: "a whole number", float: "a number", str: "a text", list: "a list"}
    return "null" if value is None else kinds.get(type(value), "an object")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)

"""RenderSpec as JSON, both ways and strictly; stdlib only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from engine.effects import checked
from engine.errors import BadJson, UnsupportedVersion
from engine.strict_json import Variants, decode, encode
from engine.strict_json import parse_json as parse_strictly
from engine.types import (
    SCHEMA_VERSION,
    BrushShape,
    Mask,
    PolygonShape,
    RectShape,
    RenderSpec,
    Take,
)

_SHAPES = Variants(key="shape", kinds={"rect": RectShape, "polygon": PolygonShape, "brush": BrushShape})
_HINT = "Compare it with the JSON file beside any take."


def spec_to_dict(spec: RenderSpec) -> dict[str, object]:
    """Return the spec as plain JSON values, every key present."""
    # Read back once: a whole number given for a fractional field is then written as one.
    read = decode(RenderSpec, encode(spec, _SHAPES), "spec", _SHAPES)
    encoded = encode(read, _SHAPES)
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
        BadJson: not JSON, or a missing, unknown or mistyped key.
        UnsupportedVersion: a spec of another schema.
        SpecError: a value out of its range.
    """
    return spec_from_dict(parse_json(text))


def spec_from_dict(value: object) -> RenderSpec:
    """Read a spec from parsed JSON; raises as spec_from_json does."""
    if isinstance(value, Mapping):
        _require_version(value)
    with _hinted():
        spec = decode(RenderSpec, value, "spec", _SHAPES)
    assert isinstance(spec, RenderSpec)
    if spec.delivery is not None and spec.delivery.chain is not None:
        checked(spec.delivery.chain)
    return spec


def spec_of_take(spec: RenderSpec, take: Take) -> RenderSpec:
    """Return the spec that gives one take of a job alone; that of older versions is told by its seed."""
    each = (spec.alone(index) for index in range(spec.takes))
    found = next((own for own in each if digest(own) == take.spec_digest), None)
    return found or replace(spec, sweep=(), seed=take.seed, takes=1)


def take_from_dict(value: object) -> Take:
    """Read a take as recipes and render processes tell it.

    Raises:
        BadJson: a missing, unknown or mistyped key.
        SpecError: a length that no file has.
    """
    take: Take = decode(Take, value, "take", _SHAPES)
    return take


def mask_to_dict(mask: Mask) -> dict[str, object]:
    """Return the mask as plain JSON values."""
    encoded = encode(mask, _SHAPES)
    assert isinstance(encoded, dict)
    return encoded


def mask_from_json(text: str) -> Mask:
    """Read a mask; raises as spec_from_json does."""
    value = parse_json(text)
    with _hinted():
        mask = decode(Mask, value, "mask", _SHAPES)
    assert isinstance(mask, Mask)
    return mask


def parse_json(text: str) -> object:
    """Parse JSON that repeats no key and holds finite numbers only; raises BadJson otherwise."""
    with _hinted():
        return parse_strictly(text)


def _require_version(value: Mapping[str, object]) -> None:
    version = value.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise UnsupportedVersion(
            f"spec.schema_version is {version!r:.60}, this version reads {SCHEMA_VERSION}",
            "Update the program that wrote or reads the spec.",
        )


@contextmanager
def _hinted() -> Iterator[None]:
    try:
        yield
    except BadJson as error:
        raise BadJson(error.message, _HINT) from error

"""Reading the fields of a worker's request."""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import BadJson

Request = Mapping[str, object]


def text_of(values: Request, key: str, where: str = "request") -> str:
    """Return a text that is not empty; raises BadJson otherwise."""
    value = values.get(key)
    if not isinstance(value, str) or not value:
        raise BadJson(f"{where}.{key} must be a text")
    return value


def object_of(values: Request, key: str, where: str = "request") -> Request:
    """Return an object; raises BadJson otherwise."""
    value = values.get(key)
    if not isinstance(value, dict):
        raise BadJson(f"{where}.{key} must be an object")
    return value


def whole_of(values: Request, key: str, most: int, where: str = "request") -> int:
    """Return a whole number from 0 to most, 0 where there is none; raises BadJson otherwise."""
    value = values.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise BadJson(f"{where}.{key} must be a whole number from 0 to {most}")
    return value

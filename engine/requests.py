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

"""How much JSON an answer has room for, and what is left out of one that would be longer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from daw_bridge.messages.arguments import MAX_JSON_ARGUMENT

# For the braces and keys around what is counted.
_AROUND = 200


def listing(key: str, items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the first items under a key, those there is room for; "more" tells that there were others."""
    every = list(items)
    kept = [item for item, _ in zip(every, _fitting(every), strict=False)]
    return {key: kept} if len(kept) == len(every) else {key: kept, "more": True}


def table(key: str, items: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first named items under a key, as many as there is room for; "more" as in listing."""
    pairs = list(items.items())
    kept = dict(pair for pair, _ in zip(pairs, _fitting(pairs), strict=False))
    return {key: kept} if len(kept) == len(pairs) else {key: kept, "more": True}


def without(content: dict[str, Any], *droppable: str) -> dict[str, Any]:
    """Return the content without as many of its droppable keys, the first ones first, as are too much."""
    left_out: list[str] = []
    for key in droppable:
        if fits(content):
            break
        left_out.append(key)
        content = {name: value for name, value in content.items() if name != key} | {"left_out": left_out}
    return content


def fits(content: object) -> bool:
    return _length(content) + _AROUND <= MAX_JSON_ARGUMENT


def _fitting(items: Iterable[object]) -> Iterator[None]:
    """Yield for each item that there is room for it."""
    length = _AROUND
    for item in items:
        length += _length(item) + 1
        if length > MAX_JSON_ARGUMENT:
            return
        yield


def _length(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":")))

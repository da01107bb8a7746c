"""What a draft has from a recalled take beyond what the panel has a place for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ui.model.draft import Draft

_TOGETHER = {"row": "batch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RestPart:
    """One such thing: the keys of the draft's rest, or the parameters, that make it, and how many or much."""

    name: str
    keys: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    count: int = 0


def parts_of(draft: Draft) -> tuple[RestPart, ...]:
    """Return the parts, each of which can be let go by itself."""
    parts: dict[str, RestPart] = {}
    for key, value in draft.rest.items():
        name = _TOGETHER.get(key, key)
        keys = (*(parts[name].keys if name in parts else ()), key)
        parts[name] = RestPart(name=name, keys=keys, count=_count(draft.rest.get(name, value)))
    if float(draft["variation"]) > 0.0:
        percent = round(100 * float(draft["variation"]))
        parts["variation"] = RestPart(
            name="variation", parameters=("variation", "variation_seed"), count=percent
        )
    return tuple(parts.values())


def _count(value: object) -> int:
    if isinstance(value, list | dict | str):
        return len(value)
    return int(value) if isinstance(value, int | float) else 0

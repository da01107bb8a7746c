"""Whether the open project is the one that takes belong into: Audacity tells no client which it is."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from daw_bridge.daws.audacity.asked import AudacityErrand
from daw_bridge.errors import AudacityRefused

_UNSAVED = ".aup3unsaved"
_HINT = "Open the project that it came from, or put the takes here: daw-bridge audacity place."
# Audacity tells times with six digits.
_DIGITS = 2e-5


def require_project(
    errand: AudacityErrand, tracks: Iterable[Mapping[str, Any]], open_now: Collection[str]
) -> None:
    """Require that an errand was asked for in the project that is open; open_now are all that are.

    That project may have got another name since. Then, or where others are open too, the track that the
    sound came from must be as long as it was, and where it was.

    Raises:
        AudacityRefused: takes of it belong somewhere else, or may do.
    """
    place = errand.place
    name = str(place.get("track", ""))
    named = [track for track in tracks if track.get("name") == name]
    if name and not named:
        raise AudacityRefused(f"no track of this project is named {name}", _HINT)
    asked_in = _candidates(str(place.get("project", "")), place.get("open_projects", []))
    if not asked_in or not open_now:
        return
    is_there = not asked_in.isdisjoint(open_now)
    is_alone = len(open_now) == 1 or not name
    if (is_there and is_alone) or any(_is_as_it_was(track, place) for track in named):
        return
    if is_there:
        raise AudacityRefused(f"several projects are open, and the track {name} is not as it was", _HINT)
    raise AudacityRefused("another project is open", _HINT)


def _candidates(name: str, projects: Collection[str]) -> frozenset[str]:
    """Return those of the projects that may be the one with a name."""
    named = [path for path in projects if re.split(r"[/\\]", path)[-1].rpartition(".")[0] == name]
    unsaved = [path for path in projects if path.endswith(_UNSAVED)]
    return frozenset(named or unsaved or projects)


def _is_as_it_was(track: Mapping[str, Any], place: Mapping[str, Any]) -> bool:
    pairs = ((track.get(end), place.get(f"track_{end}_s")) for end in ("start", "end"))
    return all(
        isinstance(now, (int, float))
        and isinstance(then, (int, float))
        and math.isclose(now, then, rel_tol=_DIGITS, abs_tol=_DIGITS)
        for now, then in pairs
    )

"""Takes made again: from their files back to specs, and variations of these."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from daw_bridge.messages.jobs import MAX_THREADS
from engine.errors import SpecError
from engine.types import RenderSpec


def varied(spec: RenderSpec, amount: float, takes: int) -> RenderSpec:
    """Return a spec for new variations of a take, which its own spec gives alone.

    Raises:
        SpecError: the take is a variation itself, and so has no noise of its own to start from.
    """
    if spec.variation:
        raise SpecError(
            "this take is a variation itself",
            f"Vary the one it was made from, by less: it has seed {spec.seed}.",
        )
    drawn = secrets.randbelow(2**31)
    return replace(spec.unbatched(), variation=amount, variation_seed=drawn, takes=takes)


def threads_of(details: Mapping[str, Any]) -> int:
    """Return with how many threads a take was calculated, by its recall's details; 0 if nobody knows."""
    threads = details.get("threads")
    return threads if isinstance(threads, int) and 0 <= threads <= MAX_THREADS else 0

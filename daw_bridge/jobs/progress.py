"""How far a job is, from what its worker tells."""

from __future__ import annotations

from collections.abc import Mapping

# What share of a take is done when a stage begins, and how much the stage adds.
_SHARES = {"sample": (0.0, 0.85), "decode": (0.85, 0.1), "rank": (0.95, 0.05)}


def fraction(payload: Mapping[str, object]) -> float:
    """Return the share of the whole job that a progress event stands for, 0 to 1."""
    stage = str(payload.get("stage", ""))
    step, total = number(payload, "step"), max(1.0, number(payload, "total"))
    take, takes = max(1.0, number(payload, "take")), max(1.0, number(payload, "takes"))
    if stage == "download":
        return min(1.0, step / total)
    before, adds = _SHARES.get(stage, (0.0, 0.0))
    return min(1.0, (take - 1.0 + before + adds * step / total) / takes)


def number(payload: Mapping[str, object], key: str) -> float:
    """Return a number of an event; 0 where it is missing or none."""
    value = payload.get(key, 0)
    return float(value) if isinstance(value, int | float) else 0.0

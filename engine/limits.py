"""Checks of numbers that a person wrote, told by the name of the key."""

from __future__ import annotations

import math


def require_at_least(least: float, **values: float) -> None:
    """Raise ValueError for a value below the least, or that is no finite number."""
    for name, value in values.items():
        if not math.isfinite(value) or value < least:
            raise ValueError(f"{name} is {value}, and has to be {least:g} or more")


def require_above(floor: float, **values: float) -> None:
    """Raise ValueError for a value not above the floor, or that is no finite number."""
    for name, value in values.items():
        if not math.isfinite(value) or value <= floor:
            raise ValueError(f"{name} is {value}, and has to be above {floor:g}")

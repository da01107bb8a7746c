"""Sentences on whether a figure goes where that of the paper goes."""

from __future__ import annotations

from enum import Enum

from engine.evaluation.estimates import Estimate
from engine.evaluation.tables.scores import Scores, change


class Direction(Enum):
    FALLS = "falls"
    RISES = "rises"


def verdict(name: str, between: str, ends: tuple[Scores, Scores], paper: Direction | None) -> str:
    """Say how a figure changes between two lines, and whether the paper's does the same, if it has it."""
    before, after = ends
    moved = change(before, after, name)
    found = direction_of(moved)
    what = "does not change beyond chance" if found is None else found.value
    told = f"{moved.value:+.3f} [{moved.low:.3f}, {moved.high:.3f}]"
    values = f"{before.figures[name].value:.3f} to {after.figures[name].value:.3f}"
    return f"{name} {between} {what}: {values}, {told}. {_beside(found, moved.value, paper)}"


def _beside(found: Direction | None, moved: float, paper: Direction | None) -> str:
    if paper is None:
        return "The paper has no figure for it."
    if found is None:
        is_same = (moved > 0.0) is (paper is Direction.RISES)
        return (
            "Within chance that is the paper's direction." if is_same else f"In the paper it {paper.value}."
        )
    if found is paper:
        return "That is the paper's direction."
    return f"Not the paper's direction: there it {paper.value}."


def direction_of(moved: Estimate) -> Direction | None:
    """Return where a change goes; None where its interval holds 0."""
    if moved.low > 0.0:
        return Direction.RISES
    return Direction.FALLS if moved.high < 0.0 else None

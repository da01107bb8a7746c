"""How much of a region changes, in words, and several of it at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from engine.types import MAX_TAKES

MIN_SWEEP = 2
_LEAST_STEP = 0.01


class StrengthWord(Enum):
    """What a strength does to a sound, from the least to the most."""

    TOUCH = "touch"
    COLOUR = "colour"
    RESHAPE = "reshape"
    REMAKE = "remake"
    REPLACE = "replace"


# Each word from this strength on.
FROM = {
    StrengthWord.TOUCH: 0.0,
    StrengthWord.COLOUR: 0.2,
    StrengthWord.RESHAPE: 0.4,
    StrengthWord.REMAKE: 0.6,
    StrengthWord.REPLACE: 0.85,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Strengths from one to another, in equal steps; low is below high."""

    low: float
    high: float
    count: int

    def __post_init__(self) -> None:
        assert 0.0 <= self.low < self.high <= 1.0, f"a sweep goes up from {self.low} to {self.high}"
        assert MIN_SWEEP <= self.count <= MAX_TAKES, f"a sweep has no {self.count} takes"

    @property
    def strengths(self) -> tuple[float, ...]:
        step = (self.high - self.low) / (self.count - 1)
        return tuple(round(self.low + step * index, 4) for index in range(self.count))


FIRST_SWEEP = Sweep(low=0.3, high=0.9, count=4)


def word_of(strength: float) -> StrengthWord:
    """Return what a strength does, in a word."""
    return max((word for word, low in FROM.items() if strength >= low), key=lambda word: FROM[word])


def sweep_of(strengths: tuple[float, ...]) -> Sweep | None:
    """Return the sweep that strengths are from; None for fewer than two. Others' steps need not be equal."""
    if len(strengths) < MIN_SWEEP:
        return None
    return Sweep(low=strengths[0], high=strengths[-1], count=len(strengths))


def fitting(low: float, high: float, count: int) -> Sweep:
    """Return the sweep nearest to what was asked for: its ends are as far apart as its takes need."""
    count = min(max(count, MIN_SWEEP), MAX_TAKES)
    gap = _LEAST_STEP * (count - 1)
    low = min(max(low, 0.0), 1.0 - gap)
    return Sweep(low=low, high=min(max(high, low + gap), 1.0), count=count)

"""What a thing that can be heard and named is: a concept, and one sound of it.

S samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray


class Attribute(Enum):
    """A quality of one rendered sound; the value is its plain adjective."""

    LOW = "low"
    HIGH = "high"
    FAST = "fast"
    SLOW = "slow"
    BRIGHT = "bright"
    DARK = "dark"
    SOFT = "soft"
    HARD = "hard"
    SHORT = "short"
    LONG = "long"
    DRY = "dry"
    SMALL_ROOM = "in a small room"
    HUGE_HALL = "in a huge hall"
    DISTANT = "distant"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderContext:
    """What a render may depend on: nothing else may change its sound."""

    rng: np.random.Generator
    sample_rate_hz: int
    duration_s: float

    @property
    def length_samples(self) -> int:
        """Return the number of samples to render."""
        return round(self.duration_s * self.sample_rate_hz)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One mono sound at any level, and the attributes that truly hold for it."""

    audio_S: NDArray[np.float32]
    attributes: frozenset[Attribute] = frozenset()


Render = Callable[[RenderContext], Sound]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """A sound with a name; render draws one of its many variants, dry (rooms are added later).

    Countable names take an article ("a snare drum"), the others do not ("rain", "footsteps").
    """

    name: str
    group: str
    render: Render = field(repr=False, compare=False)
    synonyms: tuple[str, ...] = ()
    countable: bool = True

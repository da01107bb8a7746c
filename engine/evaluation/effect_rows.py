"""What is tried when words become effects, and what is measured of each try."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from engine.fx.text_to_effect.finding import EffectSearch, Method
from engine.fx.text_to_effect.wish import Aim

GROUPS = {
    "taught": (
        "bright", "crisp", "dark", "deep", "soft", "hard", "dry", "distant", "in a small room",
        "in a huge hall", "in a cathedral",
    ),
    "taught, with a sound's name": (
        "a bright rock drum loop", "a dark, soft piano", "a distant dog bark", "a dry snare drum",
    ),
    "not taught": (
        "warm", "underwater", "through a telephone", "like an old radio", "warm, distant, like an old radio",
    ),
}  # fmt: skip
# What measurements without CLAP can tell of, for which the other aims are tried too.
DESCRIBED = ("bright", "crisp", "dark", "deep", "distant", "in a huge hall", "in a cathedral")
SIMILARITY, DIRECTION, BOTH = "gradient", "gradient, direction", "gradient, both"
EVOLUTION, RANDOM, RANDOM_TIME = "evolution", "random, equal hearings", "random, equal time"
SEARCHES = {
    SIMILARITY: EffectSearch(method=Method.GRADIENT, aim=Aim.SIMILARITY),
    EVOLUTION: EffectSearch(method=Method.EVOLUTION, aim=Aim.SIMILARITY),
    RANDOM: EffectSearch(method=Method.RANDOM, aim=Aim.SIMILARITY),
    DIRECTION: EffectSearch(method=Method.GRADIENT, aim=Aim.DIRECTION),
    BOTH: EffectSearch(method=Method.GRADIENT, aim=Aim.BOTH),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One search and its result.

    disturbed_* are of the sound 6 dB softer and 0.13 s later, likeness is the cosine to the clip before.
    """

    clip: str
    prompt: str
    way: str
    before: float
    after: float
    disturbed_before: float
    disturbed_after: float
    likeness: float
    loudness_change_lu: float
    octaves: float
    late_db: float
    effects: int
    evaluations: int
    seconds: float


def rows_of(path: Path) -> list[Row]:
    """Return the rows of a file, none where there is no file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [Row(**json.loads(line)) for line in lines]

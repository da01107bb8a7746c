"""Which held-out sounds are transferred to what, and further renders of the targets to compare with.

N clips, S samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from engine.training.store import INT16_PEAK, StoreConfig, render_one

# The starter's own held-out store has so many clips of each sound; those after them are of no store.
STORE_NUMBERS = 15
# What edits are compared with, and other true sounds to compare with it: as many as there are edits.
REFERENCE_NUMBERS = range(15, 47)
OTHER_NUMBERS = range(47, 55)


class Kind(Enum):
    """What of a source can be judged: its notes, its rhythm, or only what it sounds like."""

    PITCHED = "pitched"
    RHYTHMIC = "rhythmic"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A held-out clip of one concept, by its number among them, and the concept that it is to become."""

    source: str
    number: int
    target: str
    kind: Kind

    @property
    def name(self) -> str:
        return f"{self.source} {self.number} to {self.target}"


_TUNED = {
    "violin": (
        "piano", "trumpet", "harp", "church organ", "kalimba", "synth lead", "saxophone", "acoustic guitar",
    ),
    "flute": (
        "violin", "piano", "music box", "trumpet", "steel drums", "choir", "pizzicato strings", "bass guitar",
    ),
    "piano": (
        "flute", "harp", "accordion", "saxophone", "xylophone", "synth lead", "violin", "string ensemble",
    ),
}  # fmt: skip
_BEATEN = {
    "house drum loop": (
        "rock drum loop", "trap beat", "drum and bass breakbeat", "footsteps", "heartbeat", "ticking clock",
        "cowbell", "acoustic guitar",
    ),
    "taiko drum": (
        "rock drum loop", "house drum loop", "trap beat", "hand clap", "tom drum", "drum and bass breakbeat",
        "footsteps", "record scratching",
    ),
}  # fmt: skip
_FREE = {
    "birds chirping": (
        "dog bark", "cat meow", "crickets", "referee whistle", "telephone ring", "woman speaking", "rain",
        "synth pad",
    ),
}  # fmt: skip
PLANS = {Kind.PITCHED: _TUNED, Kind.RHYTHMIC: _BEATEN, Kind.OTHER: _FREE}


def transfer_pairs(seed: int = 0) -> tuple[Pair, ...]:
    """Return all 48 pairs; the first six, and each six after them, have one of every target."""
    rng = np.random.default_rng(seed)
    by_target = [
        [
            Pair(source=source, number=int(rng.integers(STORE_NUMBERS)), target=target, kind=kind)
            for source in sources
        ]
        for kind, plan in PLANS.items()
        for target, sources in plan.items()
    ]
    return tuple(pair for row in zip(*by_target, strict=True) for pair in row)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Clips that no training saw, rendered when asked for; those of small numbers are a store's."""

    config: StoreConfig

    @classmethod
    def of(cls, store: StoreConfig) -> HeldOut:
        """Take the concepts, length and seed of a training store."""
        clips = len(store.catalogue) * OTHER_NUMBERS.stop
        return cls(config=replace(store, singles=clips, mixtures=0, held_out=True))

    def clip(self, concept: str, number: int) -> np.ndarray:
        """Return one clip of a concept as float32 (S,)."""
        names = [one.name for one in self.config.catalogue]
        audio_S, _ = render_one(self.config, names.index(concept) + number * len(names))
        return audio_S.astype(np.float32) / INT16_PEAK

    def clips(self, concept: str, numbers: Iterable[int]) -> np.ndarray:
        """Return several clips of a concept, shape (N, S)."""
        return np.stack([self.clip(concept, number) for number in numbers])

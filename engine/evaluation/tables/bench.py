"""What all tables are measured with: one model, true sounds that it never heard, and its CLAP as the judge.

N clips, S samples, D features, K names of sounds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click
import numpy as np
import torch

from engine.errors import ModelMissing
from engine.evaluation.sampling import BATCH
from engine.evaluation.tables.cache import Arrays, TrialCache
from engine.models.bundle import Bundle
from engine.models.card import VOCODERS
from engine.strict_json import encode

# How sure CLAP's opinions are: a cosine is multiplied by this before the softmax, about as in its training.
OPINION_SCALE = 20.0
_CACHE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sounds:
    """True clips (N, S), what is said of each, and which of the known names each has."""

    audio_NS: np.ndarray
    texts: tuple[str, ...]
    concepts: tuple[str, ...]
    rate_hz: int

    def __len__(self) -> int:
        return len(self.audio_NS)

    @property
    def digest(self) -> str:
        told = "\n".join((*self.texts, *self.concepts, str(self.rate_hz)))
        return hashlib.sha256(np.ascontiguousarray(self.audio_NS).tobytes() + told.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """The model, as many true sounds to compare with as there are clips, and further true sounds.

    Raises ModelMissing for a model without ears.
    """

    bundle: Bundle
    sounds: Sounds
    others: Sounds
    folder: Path
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.bundle.card.clap_hears:
            raise ModelMissing(
                f"the model {self.bundle.card.name} has no ears (CLAP's audio tower)",
                "Name another: --model starter",
            )

    @cached_property
    def cache(self) -> TrialCache:
        card = self.bundle.card
        model = {"model": card.name, "files": dict(card.files), "configs": encode(card.configs, VOCODERS)}
        about = {"version": _CACHE_VERSION, **model, "seed": self.seed, "sounds": self.sounds.digest}
        return TrialCache(self.folder, about)

    @cached_property
    def true_ND(self) -> np.ndarray:
        """Return the features of the sounds that are compared with."""
        return self.hear(self.sounds.audio_NS)

    @cached_property
    def other_ND(self) -> np.ndarray:
        return self.hear(self.others.audio_NS)

    @cached_property
    def text_ND(self) -> np.ndarray:
        return self.read(self.sounds.texts)

    @cached_property
    def names_KD(self) -> np.ndarray:
        return self.read(sorted(set(self.sounds.concepts)))

    def trial(self, key: Mapping[str, object], make: Callable[[], Arrays]) -> Arrays:
        """Return the arrays of a trial, made only where the cache has none; tells that it is made."""

        def made() -> Arrays:
            click.echo(", ".join(f"{name} {value}" for name, value in key.items()), err=True)
            return make()

        return self.cache.get(key, made)

    @torch.no_grad()
    def hear(self, audio_NS: np.ndarray) -> np.ndarray:
        """Return CLAP's embeddings of clips, shape (N, D)."""
        parts = torch.from_numpy(audio_NS).float().split(BATCH)
        heard = [self.bundle.clap.embed_audio(part_BS, self.sounds.rate_hz) for part_BS in parts]
        return torch.cat(heard).double().numpy()

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> np.ndarray:
        """Return CLAP's embeddings of texts, shape (N, D)."""
        return self.bundle.clap.embed_text(list(texts)).double().numpy()

    def opinions(self, features_ND: np.ndarray) -> np.ndarray:
        """Return logits (N, K): how well each name of a sound fits each clip, by CLAP alone."""
        return OPINION_SCALE * features_ND @ self.names_KD.T

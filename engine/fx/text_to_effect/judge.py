"""How good points of a template's space are, judged by what is really rendered at them.

Legend: N channels, S samples, P parameters, E embedding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from engine.audio.level import mono
from engine.chains import Chain
from engine.errors import Cancelled
from engine.fx.text_to_effect.rendering import MOST_LOUDNESS_CHANGE_LU, Renderer
from engine.fx.text_to_effect.space import Template
from engine.fx.text_to_effect.wish import Wish
from engine.models.clap import ClapProvider

# A chain that cannot keep its loudness below the ceiling loses this for each dB.
_EXCESS_COSTS = 0.02
IsCancelled = Callable[[], bool]
OnProgress = Callable[[int, int, float], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """A point judged; total is what a search raises, and -inf where nothing sounds."""

    shares_P: np.ndarray
    kept: tuple[bool, ...]
    similarity: float
    total: float
    excess_db: float


@dataclass(kw_only=True)
class Judge:
    """Renders points, listens, counts the cost, and remembers the best similarity after each evaluation.

    on_progress gets evaluations spent, their number in all, and the best similarity so far.
    """

    template: Template
    renderer: Renderer
    clap: ClapProvider
    wish: Wish
    gentleness: float
    evaluations: int
    on_progress: OnProgress
    cancelled: IsCancelled
    history: list[float] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Return how many evaluations may still be spent."""
        return self.evaluations - len(self.history)

    def distance(self, shares_P: np.ndarray, kept: Sequence[bool]) -> float:
        """Return how far a point is from doing nothing: the root mean square of all amounts."""
        away_P = np.where(self._counting(kept), shares_P - self.template.neutral_P, 0.0)
        return float(np.sqrt((away_P**2).sum() / self.template.amounts_P.sum()))

    def soft_distance(self, shares_P: Tensor) -> Tensor:
        """Return `distance` with gradients."""
        counting_P = torch.from_numpy(self.template.amounts_P)
        away_P = (shares_P - torch.from_numpy(self.template.neutral_P).float())[counting_P]
        return (away_P.square().mean() + 1e-8).sqrt()

    def judged(self, shares_P: np.ndarray, kept: Sequence[bool] | None = None) -> Verdict:
        """Render and hear a point; raises Cancelled."""
        kept = tuple(kept or [True] * len(self.template.effects))
        finished = self.renderer.finished(self.template.chain_at(shares_P, kept))
        if finished is None:
            self.spend(-1.0)
            return Verdict(shares_P=shares_P, kept=kept, similarity=-1.0, total=-math.inf, excess_db=0.0)
        heard_E = heard(finished.audio_NS, self.renderer.rate_hz, self.clap)
        similarity = float(self.wish.similarity(heard_E))
        total = (
            float(self.wish.score(heard_E))
            - self.gentleness * self.distance(shares_P, kept)
            - _EXCESS_COSTS * max(0.0, finished.excess_db - MOST_LOUDNESS_CHANGE_LU / 2)
        )
        self.spend(similarity)
        return Verdict(
            shares_P=shares_P, kept=kept, similarity=similarity, total=total, excess_db=finished.excess_db
        )

    def spend(self, similarity: float) -> None:
        """Count one evaluation, and stop here if the search was cancelled."""
        if self.cancelled():
            raise Cancelled("the search was cancelled")
        self.history.append(max(similarity, self.history[-1]) if self.history else similarity)
        self.on_progress(len(self.history), self.evaluations, self.history[-1])

    def chain(self, verdict: Verdict) -> Chain:
        return self.template.chain_at(verdict.shares_P, verdict.kept)

    def _counting(self, kept: Sequence[bool]) -> np.ndarray:
        owners_P = np.repeat(kept, [len(effect.ranges) for effect in self.template.effects])
        return self.template.amounts_P & owners_P


def heard(audio_NS: np.ndarray, rate_hz: int, clap: ClapProvider) -> Tensor:
    """Return the embedding (E,) of a sound's mono mix."""
    return clap.embed_audio(torch.from_numpy(mono(audio_NS))[None], rate_hz)[0]

"""How far edits as a set are from true sounds of their target: Fréchet audio distances.

B batch, N clips, S samples, D features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.evaluation.classifier import ConceptClassifier
from engine.evaluation.frechet import Gaussian, PrincipalAxes, frechet_distance
from engine.evaluation.sampling import BATCH
from engine.evaluation.starter import level
from engine.models.clap import ClapProvider

AXES = 12
RESAMPLES = 200

Features = Callable[[Tensor], Tensor]
# Clips (N, S) by their target.
Clips = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDistance:
    """The mean over targets of a squared Fréchet distance, and the half of its 95 % interval (bootstrap)."""

    value: float
    half: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.half:.2f}"


class SetJudge:
    """Compare clips with true sounds of what they should be, in the features of one network."""

    def __init__(self, features: Features, true: Clips) -> None:
        self._features = features
        known = {target: self._of(audio_NS) for target, audio_NS in true.items()}
        self._axes = PrincipalAxes.of(np.concatenate(list(known.values())), AXES)
        self._true = {target: Gaussian.of(self._axes.project(one)) for target, one in known.items()}

    @property
    def share(self) -> float:
        """Return how much of the variance of true sounds the compared axes hold."""
        return self._axes.share

    def distance(self, clips: Clips) -> SetDistance:
        """Return how far clips are from their targets, two of each target at least."""
        projected = {target: self._axes.project(self._of(audio_NS)) for target, audio_NS in clips.items()}
        value = float(np.mean([self._one(target, one) for target, one in projected.items()]))
        rng = np.random.default_rng(0)
        drawn = [
            np.mean([self._one(target, rng.choice(one, len(one))) for target, one in projected.items()])
            for _ in range(RESAMPLES)
        ]
        # A resample holds fewer different clips, and so is farther away: only its spread is of use.
        return SetDistance(value=value, half=1.96 * float(np.std(drawn)))

    def _one(self, target: str, projected_NP: np.ndarray) -> float:
        return frechet_distance(self._true[target], Gaussian.of(projected_NP))

    @torch.no_grad()
    def _of(self, audio_NS: np.ndarray) -> np.ndarray:
        rows = [self._features(audio_BS) for audio_BS in torch.from_numpy(audio_NS).split(BATCH)]
        return torch.cat(rows).double().numpy()


def features_of(
    clap: ClapProvider, judge: ConceptClassifier | None, rate_hz: int
) -> Iterator[tuple[str, Features]]:
    """Yield the networks whose features are compared, by name: CLAP, and the judge where there is one."""
    yield "CLAP", lambda audio_BS: clap.embed_audio(audio_BS, rate_hz)
    if judge is not None:
        yield "judge", lambda audio_BS: judge.features(judge.mel(level(audio_BS)))

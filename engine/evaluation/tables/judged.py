"""Figures of the trained tables: those of the others, and what a classifier of its own thinks.

N clips, R resamples, D features, K names of sounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from engine.evaluation.classifier import ConceptClassifier
from engine.evaluation.objective.distances import inception_score
from engine.evaluation.sampling import SamplingConfig, generate
from engine.evaluation.starter import judged
from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.cache import Arrays
from engine.evaluation.tables.rebuilt import PSNR, SSIM, Way, pairs, rebuilt
from engine.evaluation.tables.scores import Scores, drawn_clips, of_whole_set, scored
from engine.evaluation.tables.workshop import Trained

IS, NAMED, EVENLY = "IS", "named", "named, all sounds alike"


@dataclass(frozen=True, kw_only=True, eq=False)
class Jury:
    """A bench whose sounds a classifier names, too; run is its training, names are its outputs in order."""

    bench: Bench
    judge: ConceptClassifier
    run: str
    names: tuple[str, ...]

    def generated(self, trained: Trained, config: SamplingConfig) -> Scores:
        """Score what a trained variant makes of the texts of the true sounds."""
        sounds = self.bench.sounds

        def make() -> Arrays:
            frames = sounds.audio_NS.shape[1] // trained.bundle.mel.config.hop_samples
            return self._heard(generate(trained.bundle, sounds.texts, frames, config).numpy())

        told = {**asdict(config), "sampler": config.sampler.value}
        return self._scored(self._trial({"trial": "trained", "run": trained.run, **told}, make))

    def rebuilt(self, trained: Trained) -> Scores:
        """Score the true sounds as a variant's VAE and the vocoder give them back."""

        def make() -> Arrays:
            made_NS = rebuilt(trained.bundle, self.bench.sounds.audio_NS, Way.VAE_VOCODER)
            return self._heard(made_NS) | pairs(self.bench, made_NS)

        arrays = self._trial({"trial": "trained, rebuilt", "run": trained.run}, make)
        return self._scored(arrays, {name: arrays[name] for name in (PSNR, SSIM)}, text=False)

    def others(self) -> Scores:
        """Score other true sounds of the same kinds: what no model can do better by much."""
        return self._scored(self._heard(self.bench.others.audio_NS))

    def _trial(self, key: dict[str, object], make: Callable[[], Arrays]) -> Arrays:
        return self.bench.trial({**key, "judge": self.run}, make)

    def _heard(self, audio_NS: np.ndarray) -> Arrays:
        logits_NK = judged(self.judge, torch.from_numpy(audio_NS).float())
        return {"features": self.bench.hear(audio_NS), "logits": logits_NK.numpy()}

    def _scored(
        self, arrays: Arrays, by_clip: dict[str, np.ndarray] | None = None, *, text: bool = True
    ) -> Scores:
        logits_NK, concepts = arrays["logits"], self.bench.sounds.concepts
        own = {**by_clip_of(logits_NK, self.names, concepts), **(by_clip or {})}
        one = scored(self.bench, arrays["features"], own, text=text)
        drawn_R = np.array([inception_score(logits_NK[draw_N]).mean for draw_N in drawn_clips(len(concepts))])
        score = of_whole_set(inception_score(logits_NK).mean, drawn_R)
        return replace(one, figures={**one.figures, IS: score}, drawn={**one.drawn, IS: drawn_R})


def by_clip_of(
    logits_NK: np.ndarray, names: tuple[str, ...], concepts: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Return whether each clip is named rightly (N,), and that with all concepts weighed alike."""
    right_N = np.array([names[best] for best in logits_NK.argmax(axis=1)]) == np.array(concepts)
    counts = Counter(concepts)
    weights_N = np.array([len(concepts) / (len(counts) * counts[name]) for name in concepts])
    return {NAMED: right_N.astype(np.float64), EVENLY: right_N * weights_N}

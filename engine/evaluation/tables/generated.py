"""Clips generated from the texts of true sounds, heard and scored."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from engine.evaluation.sampling import BATCH, SamplingConfig, generate
from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.cache import Arrays


def generated_features(bench: Bench, config: SamplingConfig) -> np.ndarray:
    """Return CLAP's features (N, D) of a clip for each text; each batch of clips is a trial of its own."""
    starts = range(0, len(bench.sounds), BATCH)
    return np.concatenate([_batch(bench, config, start)["features"] for start in starts])


def _batch(bench: Bench, config: SamplingConfig, start: int) -> Arrays:
    texts = bench.sounds.texts[start : start + BATCH]
    frames = bench.sounds.audio_NS.shape[1] // bench.bundle.mel.config.hop_samples

    def make() -> Arrays:
        moved = SamplingConfig(
            sampler=config.sampler, steps=config.steps, guidance=config.guidance, seed=config.seed + start
        )
        return {"features": bench.hear(generate(bench.bundle, texts, frames, moved).numpy())}

    told = {**asdict(config), "sampler": config.sampler.value}
    return bench.trial({"trial": "generated", **told, "first": start, "clips": len(texts)}, make)

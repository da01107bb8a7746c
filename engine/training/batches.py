"""Deterministic choices of a training step: which clips, which noise."""

from __future__ import annotations

import numpy as np
import torch


class BatchSampler:
    """Choose clip indices by shuffled epochs; the choice depends on (seed, step) only."""

    def __init__(self, clips: int, batch: int, seed: int) -> None:
        self._clips, self._batch, self._seed = clips, min(batch, clips), seed
        self._epoch = -1
        self._order = np.empty(0, np.int64)

    def indices(self, step: int) -> np.ndarray:
        per_epoch = self._clips // self._batch
        epoch, position = divmod(step, per_epoch)
        if epoch != self._epoch:
            self._order = np.random.default_rng((self._seed, epoch)).permutation(self._clips)
            self._epoch = epoch
        return self._order[position * self._batch : (position + 1) * self._batch]


def step_generator(seed: int, step: int) -> torch.Generator:
    """Return the random source of one step, independent of all others."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence((seed, step)).generate_state(1)[0]))

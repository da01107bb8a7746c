"""Deterministic choices of a training step: which clips, which noise.

B batch, S samples.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.training.draws import Draws

FLOOR_CHANCE = 0.6
FLOOR_DB = (-75.0, -45.0)


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


def with_floor_noise(audio_BS: Tensor, draws: Draws) -> Tensor:
    """Lay the faint noise of a recording under most clips, far below their own RMS."""
    lowest_db, highest_db = FLOOR_DB
    level_db_B1 = lowest_db + (highest_db - lowest_db) * draws.uniform(1)
    noisy_B1 = draws.uniform(1) < FLOOR_CHANCE
    gain_B1 = noisy_B1 * 10 ** (level_db_B1 / 20) * audio_BS.pow(2).mean(dim=1, keepdim=True).sqrt()
    return audio_BS + gain_B1 * draws.normal(audio_BS.shape[1])

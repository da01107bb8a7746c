"""Deterministic choices of a training step: which clips, which noise.

B batch, S samples.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

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


def with_floor_noise(audio_BS: Tensor, generator: torch.Generator) -> Tensor:
    """Lay the faint noise of a recording under most clips, far below their own RMS."""
    level_db_B1 = torch.empty(len(audio_BS), 1).uniform_(*FLOOR_DB, generator=generator)
    noisy_B1 = torch.rand(len(audio_BS), 1, generator=generator) < FLOOR_CHANCE
    gain_B1 = noisy_B1 * 10 ** (level_db_B1 / 20) * audio_BS.pow(2).mean(dim=1, keepdim=True).sqrt()
    return audio_BS + gain_B1 * torch.randn(audio_BS.shape, generator=generator)

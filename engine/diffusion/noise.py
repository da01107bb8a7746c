"""Where the randomness of a render comes from.

Shapes: B batch, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

# Closer together than this, a great circle is a straight line.
_FLAT = 1e-9


class NoiseSource(Protocol):
    """Standard normal noise for one batch: the start once, then one draw for each noisy step."""

    def initial(self) -> Tensor: ...

    def step(self) -> Tensor: ...


class SeededNoise:
    """Give item i of a batch the noise of seed + i, whatever the batch size and the device.

    Every item has its own CPU generator, which draws x_N first (kept, so `initial` may be asked often)
    and then the steps in order. With shared=True all items get the noise of item 0: channels of one
    sound, or one take at several strengths.

    Latents of different length have different noise from the first cell on. With block_cells, those
    longer than that share what they have in common: each block of so many cells has generators of its
    own, the first block those of a latent of just its length.
    """

    def __init__(
        self,
        seed: int,
        shape_BCHW: tuple[int, int, int, int],
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        shared: bool = False,
        block_cells: int | None = None,
    ) -> None:
        self._batch, self._channels, self._cells, self._width = shape_BCHW
        self._device, self._dtype = device, dtype
        self._block_cells = self._cells if block_cells is None else min(block_cells, self._cells)
        items, blocks = 1 if shared else self._batch, -(-self._cells // self._block_cells)
        self._generators = [
            [_generator(seed + item, block) for block in range(blocks)] for item in range(items)
        ]
        self._initial_BCHW = self._draw()

    def initial(self) -> Tensor:
        return self._initial_BCHW

    def step(self) -> Tensor:
        return self._draw()

    def _draw(self) -> Tensor:
        items = [self._item_CHW(blocks) for blocks in self._generators]
        drawn_BCHW = torch.stack(items).expand(self._batch, *items[0].shape)
        return drawn_BCHW.to(device=self._device, dtype=self._dtype)

    def _item_CHW(self, blocks: list[torch.Generator]) -> Tensor:
        shape = (self._channels, self._block_cells, self._width)
        return torch.cat([torch.randn(shape, generator=each) for each in blocks], dim=1)[:, : self._cells]


class StackedNoise:
    """Give a batch the rows of several sources, one after the other."""

    def __init__(self, sources: Sequence[NoiseSource]) -> None:
        self._sources = sources

    def initial(self) -> Tensor:
        return torch.cat([source.initial() for source in self._sources])

    def step(self) -> Tensor:
        return torch.cat([source.step() for source in self._sources])


class VariedNoise:
    """Lead one noise towards another, the start and every step: by 0 not at all, by 1 all the way.

    Each latent cell goes along its own great circle, so that latents of different length still share what
    they have in common; its norm goes straight from the one to the other. So the noise stays normal.
    """

    def __init__(
        self, first: NoiseSource, second: NoiseSource, amount: float, *, device: torch.device | str = "cpu"
    ) -> None:
        self._first, self._second = first, second
        self._amount, self._device = amount, device
        self._initial_BCHW = self._between(first.initial(), second.initial())

    def initial(self) -> Tensor:
        return self._initial_BCHW

    def step(self) -> Tensor:
        return self._between(self._first.step(), self._second.step())

    def _between(self, first_BCHW: Tensor, second_BCHW: Tensor) -> Tensor:
        return between(first_BCHW, second_BCHW, self._amount).to(self._device)


def between(first_BCHW: Tensor, second_BCHW: Tensor, amount: float) -> Tensor:
    """Interpolate on the sphere, each latent cell by itself (Shoemake 1985); bit for bit at both ends."""
    one_BCHW, other_BCHW = first_BCHW.double(), second_BCHW.double()
    one_B1H1, other_B1H1 = (_norms(each_BCHW) for each_BCHW in (one_BCHW, other_BCHW))
    one_BCHW, other_BCHW = one_BCHW / one_B1H1, other_BCHW / other_B1H1
    angle_B1H1 = (one_BCHW * other_BCHW).sum((1, 3), keepdim=True).clamp(-1.0, 1.0).acos()
    sine_B1H1 = angle_B1H1.sin()
    is_flat_B1H1 = sine_B1H1 < _FLAT
    one_part, other_part = (
        torch.where(is_flat_B1H1, part, (part * angle_B1H1).sin() / sine_B1H1)
        for part in (1.0 - amount, amount)
    )
    norm_B1H1 = (1.0 - amount) * one_B1H1 + amount * other_B1H1
    return ((one_part * one_BCHW + other_part * other_BCHW) * norm_B1H1).to(first_BCHW.dtype)


def _norms(noise_BCHW: Tensor) -> Tensor:
    return torch.linalg.vector_norm(noise_BCHW, dim=(1, 3), keepdim=True).clamp(min=_FLAT)


def _generator(seed: int, block: int) -> torch.Generator:
    if block == 0:
        return torch.Generator().manual_seed(seed)
    # Not a sum: the next seed is the next take's.
    mixed = np.random.SeedSequence([seed, block]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed))

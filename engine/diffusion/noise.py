"""Where the randomness of a render comes from.

Shapes: B batch, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class NoiseSource(Protocol):
    """Standard normal noise for one batch: the start once, then one draw for each noisy step."""

    def initial(self) -> Tensor: ...

    def step(self) -> Tensor: ...


class SeededNoise:
    """Give item i of a batch the noise of seed + i, whatever the batch size and the device.

    Every item has its own CPU generator, which draws x_N first (kept, so `initial` may be asked often)
    and then the steps in order. With shared=True all items get the noise of item 0: channels of one
    sound, or one take at several strengths.
    """

    def __init__(
        self,
        seed: int,
        shape_BCHW: tuple[int, int, int, int],
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        shared: bool = False,
    ) -> None:
        self._batch, *item_shape = shape_BCHW
        self._item_shape = tuple(item_shape)
        self._device, self._dtype = device, dtype
        generators = 1 if shared else self._batch
        self._generators = [torch.Generator().manual_seed(seed + index) for index in range(generators)]
        self._initial_BCHW = self._draw()

    def initial(self) -> Tensor:
        return self._initial_BCHW

    def step(self) -> Tensor:
        return self._draw()

    def _draw(self) -> Tensor:
        items = [torch.randn(self._item_shape, generator=each) for each in self._generators]
        drawn_BCHW = torch.stack(items).expand(self._batch, *self._item_shape)
        return drawn_BCHW.to(device=self._device, dtype=self._dtype)

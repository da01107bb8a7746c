"""What is random about each sample of a batch: by seed, step and place in the batch alone.

So a sample is the same whichever process computes it, and in whatever pieces a batch is computed.
B batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from engine.training.parallel import Rows

CPU = torch.device("cpu")


class Draws:
    """Draw for some rows of a batch, each from a source of its own.

    Draws of another stream are independent. All are drawn on the CPU, so that each device gets the same ones.
    """

    def __init__(self, seed: int, step: int, rows: Rows, device: torch.device = CPU, stream: int = 0) -> None:
        keys = [(seed, step, row, stream) for row in range(rows.start, rows.stop)]
        self._sources = [torch.Generator().manual_seed(_number_of(key)) for key in keys]
        self._device = device

    def __len__(self) -> int:
        return len(self._sources)

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal values, of this shape for each row."""
        return self._stacked([torch.randn(shape, generator=source) for source in self._sources])

    def uniform(self, *shape: int) -> Tensor:
        """Return values from 0 to 1, of this shape for each row."""
        return self._stacked([torch.rand(shape, generator=source) for source in self._sources])

    def integers(self, below: int) -> Tensor:
        """Return one integer from 0 to below - 1 for each row."""
        return self._stacked([torch.randint(below, (), generator=source) for source in self._sources])

    def _stacked(self, rows: list[Tensor]) -> Tensor:
        return torch.stack(rows).to(self._device)


class RowwiseDropout(TorchFunctionMode):
    """Let each dropout inside a with block draw its mask for each row from that row's own source.

    Rows are the first axis of what is dropped, or runs of equal length on it, as the windows of a sound are.
    """

    def __init__(self, draws: Draws) -> None:
        super().__init__()
        self._draws = draws

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.dropout:
            return self._drop(*args, **kwargs)
        if func is F.scaled_dot_product_attention and kwargs.get("dropout_p"):
            return self._attend(*args, **kwargs)
        return func(*args, **kwargs)

    def _drop(self, values: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        del inplace
        if not training or p == 0.0:
            return values
        kept = self._draws.uniform(values.numel() // len(self._draws)) >= p
        return values * kept.view(values.shape) / (1.0 - p)

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        scale: float | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        assert not is_causal, "no network here reads in one direction"
        logits = query @ key.transpose(-2, -1) * (scale or query.shape[-1] ** -0.5)
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            logits = logits.masked_fill(~attn_mask, -torch.inf)
        elif attn_mask is not None:
            logits = logits + attn_mask
        return self._drop(logits.softmax(dim=-1), dropout_p) @ value


def _number_of(key: tuple[int, ...]) -> int:
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)

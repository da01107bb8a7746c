"""Figures of a step, added up over the pieces of a batch and the processes that share it."""

from __future__ import annotations

import torch

from engine.training.parallel import sum_in_place

Figure = float | torch.Tensor


class Tally:
    """Add up figures that are means over samples, each weighed by its share of the batch."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._sums: dict[str, torch.Tensor] = {}

    def add(self, share: float, **figures: Figure) -> None:
        for name, value in figures.items():
            part = share * torch.as_tensor(value, dtype=torch.float32).detach().to(self._device)
            self._sums[name] = self._sums[name] + part if name in self._sums else part

    def total(self) -> dict[str, float]:
        """Return the figures of the whole batch; all processes must have the same ones."""
        sums = torch.stack(list(self._sums.values()))
        sum_in_place([sums])
        return dict(zip(self._sums, sums.tolist(), strict=True))

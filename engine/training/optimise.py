"""Optimisers, learning-rate curves and mixed precision shared by the recipes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserConfig:
    """AdamW with linear warm-up and a half-cosine decay to final_ratio over `steps`."""

    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    warmup_steps: int = 100
    steps: int = 10_000
    final_ratio: float = 0.05
    clip_norm: float | None = 1.0

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        warm = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        progress = min(1.0, step / max(self.steps, 1))
        decay = self.final_ratio + (1 - self.final_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
        return self.learning_rate * warm * decay


class Optimiser:
    """Step the parameters of some networks by an `OptimiserConfig`."""

    def __init__(self, networks: Iterable[nn.Module], config: OptimiserConfig) -> None:
        self._config = config
        self.parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
        self._adam = torch.optim.AdamW(
            self.parameters,
            config.learning_rate,
            config.betas,
            weight_decay=config.weight_decay,
            foreach=True,
        )

    def step(self, loss: Tensor, step: int) -> float:
        """Take one step down the loss; return the gradient's norm before clipping."""
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        return self._descend(step)

    def step_by(self, shards: Sequence[Sequence[Tensor]], step: int) -> float:
        """Take one step down the sum of several gradients, each in the order of `parameters`."""
        for parameter, parts in zip(self.parameters, zip(*shards, strict=True), strict=True):
            parameter.grad = torch.stack(parts).sum(dim=0) if len(parts) > 1 else parts[0]
        return self._descend(step)

    def _descend(self, step: int) -> float:
        limit = self._config.clip_norm if self._config.clip_norm is not None else math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, limit, foreach=True)
        for group in self._adam.param_groups:
            group["lr"] = self._config.rate(step)
        self._adam.step()
        return float(norm)

    def state_dict(self) -> dict[str, object]:
        return self._adam.state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        self._adam.load_state_dict(state)


def mixed_precision(enabled: bool) -> AbstractContextManager[object]:
    """Compute in bfloat16 where autocast deems it safe; weights stay float32."""
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled)

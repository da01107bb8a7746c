"""Optimisers, learning-rate curves and mixed precision shared by the recipes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.training.parallel import sum_in_place


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserConfig:
    """AdamW with linear warm-up and a half-cosine decay to final_ratio over `steps`.

    A gradient far below `epsilon` moves its weight by less than the learning rate.
    """

    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    epsilon: float = 1e-8
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
    """Step the parameters of some networks by an `OptimiserConfig`.

    Gradients are summed over all processes that train: each one's losses are its share of the whole.
    """

    def __init__(self, networks: Iterable[nn.Module], config: OptimiserConfig) -> None:
        self._config = config
        self.parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
        self._adam = torch.optim.AdamW(
            self.parameters,
            config.learning_rate,
            config.betas,
            config.epsilon,
            weight_decay=config.weight_decay,
            foreach=True,
        )

    def step(self, loss: Tensor, step: int) -> float:
        """Take one step down the loss; return the gradient's norm before clipping."""
        return self.step_down([loss], step)

    def step_down(self, losses: Iterable[Tensor], step: int) -> float:
        """Take one step down the sum of some losses, each of which is let go before the next is asked for."""
        self._adam.zero_grad(set_to_none=True)
        for loss in losses:
            loss.backward()
        return self._descend(step)

    def step_by(self, gradients: Iterable[Iterable[Tensor]], step: int) -> float:
        """Take one step down the sum of several gradients, each in the order of `parameters`."""
        self._adam.zero_grad(set_to_none=True)
        for parts in gradients:
            for parameter, part in zip(self.parameters, parts, strict=True):
                parameter.grad = part if parameter.grad is None else parameter.grad + part
        return self._descend(step)

    def _descend(self, step: int) -> float:
        sum_in_place([p.grad for p in self.parameters if p.grad is not None])
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


def mixed_precision(enabled: bool, device: torch.device) -> AbstractContextManager[object]:
    """Compute in bfloat16 where autocast deems it safe; weights stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)

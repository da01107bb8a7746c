"""Optimisers and learning-rate curves shared by the recipes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.limits import require_above, require_at_least
from engine.training.parallel import sum_in_place
from engine.training.precision import Descent, LossScale, Precision

_LOSS_SCALE = "loss_scale"


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

    def __post_init__(self) -> None:
        require_above(0.0, learning_rate=self.learning_rate, epsilon=self.epsilon)
        require_at_least(0.0, weight_decay=self.weight_decay, warmup_steps=self.warmup_steps)
        require_at_least(1, steps=self.steps)
        # An endless norm clips nothing.
        if self.clip_norm not in (None, math.inf):
            require_above(0.0, clip_norm=self.clip_norm)
        if not all(0.0 <= beta < 1.0 for beta in self.betas):
            raise ValueError(f"betas are {self.betas}, and each has to be 0 or more and below 1")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        warm = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        progress = min(1.0, step / max(self.steps, 1))
        decay = self.final_ratio + (1 - self.final_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
        return self.learning_rate * warm * decay


class Optimiser:
    """Step the parameters of some networks by an `OptimiserConfig`.

    Gradients are summed over all processes that train: each one's losses are its share of the whole. In
    float16 a step whose gradients overflow is skipped.
    """

    def __init__(
        self,
        networks: Iterable[nn.Module],
        config: OptimiserConfig,
        precision: Precision = Precision.FLOAT32,
    ) -> None:
        self._config = config
        self._loss_scale = LossScale() if precision is Precision.FLOAT16 else None
        self.parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
        self._adam = torch.optim.AdamW(
            self.parameters,
            config.learning_rate,
            config.betas,
            config.epsilon,
            weight_decay=config.weight_decay,
            foreach=True,
        )

    @property
    def scale(self) -> float:
        """Return by how much losses are multiplied before their gradients are computed."""
        return 1.0 if self._loss_scale is None else self._loss_scale.value

    def step(self, loss: Tensor, step: int) -> Descent:
        """Take one step down the loss."""
        return self.step_down([loss], step)

    def step_down(self, losses: Iterable[Tensor], step: int) -> Descent:
        """Take one step down the sum of some losses, each of which is let go before the next is asked for."""
        self._adam.zero_grad(set_to_none=True)
        for loss in losses:
            (self.scale * loss).backward()
        return self._descend(step)

    def step_by(self, gradients: Iterable[Iterable[Tensor]], step: int) -> Descent:
        """Take one step down the sum of several gradients, each in the order of `parameters`.

        They are those of losses times `scale`.
        """
        self._adam.zero_grad(set_to_none=True)
        for parts in gradients:
            for parameter, part in zip(self.parameters, parts, strict=True):
                parameter.grad = part if parameter.grad is None else parameter.grad + part
        return self._descend(step)

    def _descend(self, step: int) -> Descent:
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        sum_in_place(gradients)
        if self._loss_scale is not None:
            torch._foreach_mul_(gradients, 1.0 / self.scale)
        limit = self._config.clip_norm if self._config.clip_norm is not None else math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, limit, foreach=True))
        if self._loss_scale is None:
            self._follow(step)
            return Descent(norm=norm)
        descent = Descent(norm=norm, loss_scale=self.scale)
        self._loss_scale.update(descent.skipped)
        if not descent.skipped:
            self._follow(step)
        return descent

    def _follow(self, step: int) -> None:
        for group in self._adam.param_groups:
            group["lr"] = self._config.rate(step)
        self._adam.step()

    def state_dict(self) -> dict[str, object]:
        scale = {} if self._loss_scale is None else {_LOSS_SCALE: self._loss_scale.state_dict()}
        return self._adam.state_dict() | scale

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state back; one of another precision says nothing of the loss scale."""
        if self._loss_scale is not None and _LOSS_SCALE in state:
            self._loss_scale.load_state_dict(state[_LOSS_SCALE])
        self._adam.load_state_dict({name: value for name, value in state.items() if name != _LOSS_SCALE})

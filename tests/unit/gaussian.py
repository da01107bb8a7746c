"""Gaussian data, for which the best denoiser and the probability flow are known in closed form.

Shapes: B batch, C latent channels, H latent time, W latent frequency, D dimensions of an item.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.diffusion.denoiser import Prediction
from engine.diffusion.samplers import StepInfo
from engine.diffusion.schedule import Level, NoiseSchedule, Trajectory


@dataclass(frozen=True, kw_only=True)
class GaussianData:
    """Every cell is drawn from N(mean, std^2)."""

    mean: float = 1.3
    std: float = 0.6

    def spread(self, level: Level) -> float:
        return math.sqrt(level.alpha_bar * self.std**2 + level.noise**2)

    def denoise(self, x_BCHW: Tensor, level: Level) -> Prediction:
        """Return E[x0 | x], by the rule for jointly normal variables."""
        gain = level.signal * self.std**2 / self.spread(level) ** 2
        x0_BCHW = self.mean + gain * (x_BCHW - level.signal * self.mean)
        return Prediction.from_x0(x0_BCHW, x_BCHW, level)

    def flow(self, x_BCHW: Tensor, start: Level, end: Level) -> Tensor:
        """Solve the probability-flow ODE: it keeps the standardised position."""
        position_BCHW = (x_BCHW - start.signal * self.mean) / self.spread(start)
        return end.signal * self.mean + self.spread(end) * position_BCHW


@dataclass(frozen=True, kw_only=True)
class CorrelatedGaussian:
    """Items of D cells drawn from N(0, covariance)."""

    covariance_DD: Tensor

    def denoise(self, x_BCHW: Tensor, level: Level) -> Prediction:
        noisy_DD = level.alpha_bar * self.covariance_DD + level.noise**2 * torch.eye(len(self.covariance_DD))
        gain_DD = level.signal * torch.linalg.solve(noisy_DD, self.covariance_DD)
        x0_BCHW = (x_BCHW.flatten(1) @ gain_DD).view_as(x_BCHW)
        return Prediction.from_x0(x0_BCHW, x_BCHW, level)


class DrawnNoise:
    """Fresh float64 noise from one generator, whose draws are kept."""

    def __init__(self, shape_BCHW: tuple[int, ...], seed: int = 0) -> None:
        self._shape_BCHW = shape_BCHW
        self._generator = torch.Generator().manual_seed(seed)
        self.draws: list[Tensor] = []
        self._initial_BCHW = self._draw()

    def initial(self) -> Tensor:
        return self._initial_BCHW

    def step(self) -> Tensor:
        self.draws.append(self._draw())
        return self.draws[-1]

    def _draw(self) -> Tensor:
        return torch.randn(self._shape_BCHW, generator=self._generator, dtype=torch.float64)


class ImpulseNoise:
    """Item j of the batch gets 1 in draw j and 0 in all others, so that outputs are a linear response.

    Item 0 has 1 at the start; the last item has no noise at all.
    """

    def __init__(self, draws: int) -> None:
        self._draws, self._next = draws, 0

    def initial(self) -> Tensor:
        return self._impulse()

    def step(self) -> Tensor:
        return self._impulse()

    def _impulse(self) -> Tensor:
        assert self._next < self._draws, "the sampler drew more noise than expected"
        impulse_BCHW = torch.zeros(self._draws + 1, 1, 1, 1, dtype=torch.float64)
        impulse_BCHW[self._next] = 1.0
        self._next += 1
        return impulse_BCHW


def even_in_lambda(schedule: NoiseSchedule, steps: int) -> Trajectory:
    """Lay levels evenly in lambda from n = N to n = 1, without a last step to clean."""
    low = schedule.level(schedule.steps).half_log_snr
    high = schedule.level(1.0).half_log_snr
    values = [low + (high - low) * k / steps for k in range(steps + 1)]
    return Trajectory(levels=tuple(schedule.level_at_half_log_snr(value) for value in values))


def ignore_step(info: StepInfo) -> None:
    pass

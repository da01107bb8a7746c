"""Samplers: functions that walk a latent down a trajectory of noise levels.

Each takes `(denoise, x_BCHW, trajectory, *, noise, on_step)` and returns the latent at the
trajectory's end. A trajectory of no steps returns x_BCHW itself. lambda is half the log-SNR.

Shapes: B batch, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoise, Prediction
from engine.diffusion.noise import NoiseSource
from engine.diffusion.schedule import Level, Spacing, Trajectory
from engine.types import SamplerName


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInfo:
    """A finished step: index counts from 0, level is where x_BCHW is now, x0_BCHW a preview."""

    index: int
    steps: int
    level: Level
    x_BCHW: Tensor
    x0_BCHW: Tensor


OnStep = Callable[[StepInfo], None]


class Sampler(Protocol):
    """A function that samples; on_step may raise `engine.errors.Cancelled` to stop it."""

    def __call__(
        self,
        denoise: Denoise,
        x_BCHW: Tensor,
        trajectory: Trajectory,
        *,
        noise: NoiseSource,
        on_step: OnStep,
    ) -> Tensor: ...


def sampler_named(name: SamplerName, eta: float = 0.0) -> Sampler:
    """Return the sampler of a spec; eta counts for DDIM only."""
    samplers: dict[SamplerName, Sampler] = {
        SamplerName.DDPM: ddpm,
        SamplerName.DDIM: partial(ddim, eta=eta),
        SamplerName.DPMPP_2M: dpmpp_2m,
        SamplerName.UNIPC: unipc,
    }
    return samplers[name]


def spacing_for(name: SamplerName) -> Spacing:
    """Return the spacing that suits a sampler.

    LEADING is what the released models' own samplers use. The solvers of higher order need steps that
    are even in lambda: on Gaussian mixtures 20 such steps err 3 to 10 times less than 20 even in n.
    """
    released = name in (SamplerName.DDPM, SamplerName.DDIM)
    return Spacing.LEADING if released else Spacing.LOG_SNR


def starting_latent(trajectory: Trajectory, noise: NoiseSource, source_BCHW: Tensor | None = None) -> Tensor:
    """Return where a trajectory starts: noise, or the source noised to its first level (eq. 2 and 10)."""
    if trajectory.from_noise:
        return noise.initial()
    assert source_BCHW is not None, "a trajectory that starts below pure noise needs a source"
    if trajectory.start.is_clean:
        return source_BCHW
    return trajectory.start.signal * source_BCHW + trajectory.start.noise * noise.initial()


def ddpm(
    denoise: Denoise, x_BCHW: Tensor, trajectory: Trajectory, *, noise: NoiseSource, on_step: OnStep
) -> Tensor:
    """Sample ancestrally (eq. 5 to 7; Ho et al. 2020, algorithm 2), on any subset of the levels.

    alpha_n is then the ratio of neighbouring alpha_bar. No noise is added on the way to clean.
    """
    for index, (level, target) in enumerate(pairwise(trajectory.levels)):
        prediction = denoise(x_BCHW, level)
        mean_BCHW, std = ddpm_transition(x_BCHW, prediction, level, target)
        x_BCHW = mean_BCHW if std == 0.0 else mean_BCHW + std * noise.step()
        on_step(_step_info(index, trajectory, x_BCHW, prediction))
    return x_BCHW


def ddim(
    denoise: Denoise,
    x_BCHW: Tensor,
    trajectory: Trajectory,
    *,
    noise: NoiseSource,
    on_step: OnStep,
    eta: float = 0.0,
) -> Tensor:
    """Sample implicitly (Song et al. 2021, eq. 12); eta 0 is deterministic, 1 is as noisy as DDPM."""
    for index, (level, target) in enumerate(pairwise(trajectory.levels)):
        prediction = denoise(x_BCHW, level)
        mean_BCHW, std = ddim_transition(prediction, level, target, eta)
        x_BCHW = mean_BCHW if std == 0.0 else mean_BCHW + std * noise.step()
        on_step(_step_info(index, trajectory, x_BCHW, prediction))
    return x_BCHW


def dpmpp_2m(
    denoise: Denoise, x_BCHW: Tensor, trajectory: Trajectory, *, noise: NoiseSource, on_step: OnStep
) -> Tensor:
    """Sample by DPM-Solver++(2M) (Lu et al. 2022, algorithm 2); deterministic.

    The first step, and one to a clean end, where lambda is infinite, are of first order.
    """
    before: _Past | None = None
    for index, (level, target) in enumerate(pairwise(trajectory.levels)):
        prediction = denoise(x_BCHW, level)
        now = _Past.of(prediction, level)
        slope_BCHW = None if before is None or target.is_clean else _slope(before, now)
        h = target.half_log_snr - now.half_log_snr
        x0_BCHW = now.x0_BCHW if slope_BCHW is None else now.x0_BCHW + 0.5 * h * slope_BCHW
        x_BCHW = _hold_x0(x_BCHW, x0_BCHW, level, target)
        before = now
        on_step(_step_info(index, trajectory, x_BCHW, prediction))
    return x_BCHW


def unipc(
    denoise: Denoise, x_BCHW: Tensor, trajectory: Trajectory, *, noise: NoiseSource, on_step: OnStep
) -> Tensor:
    """Sample by UniPC-2 (Zhao et al. 2023, algorithms 1 and 2), x0 prediction, B(h) = e^h - 1.

    The prediction at a level first corrects the step that led there and then serves the next step, so
    the corrector costs no call; the last step, which no call follows, stays uncorrected.
    """
    start_BCHW, before, now = x_BCHW, None, None
    for index, (level, target) in enumerate(pairwise(trajectory.levels)):
        prediction = denoise(x_BCHW, level)
        arrived = _Past.of(prediction, level)
        if now is not None:
            left = trajectory.levels[index - 1]
            corrected_BCHW = _unipc_correct(start_BCHW, before, now, arrived, left, level)
            x_BCHW = _unless_restarted(corrected_BCHW, x_BCHW, arrived)
        start_BCHW, before, now = x_BCHW, now, arrived
        x_BCHW = _unipc_predict(start_BCHW, before, now, level, target)
        on_step(_step_info(index, trajectory, x_BCHW, prediction))
    return x_BCHW


def ddpm_transition(
    x_BCHW: Tensor, prediction: Prediction, level: Level, target: Level
) -> tuple[Tensor, float]:
    """Return mean and deviation of the ancestral step (eq. 6 and 7)."""
    alpha = level.alpha_bar / target.alpha_bar
    mean_BCHW = (x_BCHW - (1.0 - alpha) / level.noise * prediction.eps_BCHW) / math.sqrt(alpha)
    return mean_BCHW, math.sqrt(1.0 - alpha) * target.noise / level.noise


def ddim_transition(prediction: Prediction, level: Level, target: Level, eta: float) -> tuple[Tensor, float]:
    """Return mean and deviation of the implicit step (Song et al. 2021, eq. 12 and 16)."""
    std = eta * target.noise / level.noise * math.sqrt(1.0 - level.alpha_bar / target.alpha_bar)
    direction = math.sqrt(max(0.0, 1.0 - target.alpha_bar - std**2))
    return target.signal * prediction.x0_BCHW + direction * prediction.eps_BCHW, std


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    half_log_snr: float
    x0_BCHW: Tensor
    restarted_BCHW: Tensor | None

    @classmethod
    def of(cls, prediction: Prediction, level: Level) -> _Past:
        return cls(
            half_log_snr=level.half_log_snr,
            x0_BCHW=prediction.x0_BCHW,
            restarted_BCHW=prediction.restarted_BCHW,
        )


def _slope(past: _Past, now: _Past) -> Tensor:
    slope_BCHW = (now.x0_BCHW - past.x0_BCHW) / (now.half_log_snr - past.half_log_snr)
    return _unless_restarted(slope_BCHW, torch.zeros_like(slope_BCHW), now)


def _unless_restarted(value_BCHW: Tensor, otherwise_BCHW: Tensor, now: _Past) -> Tensor:
    if now.restarted_BCHW is None:
        return value_BCHW
    return torch.where(now.restarted_BCHW, otherwise_BCHW, value_BCHW)


def _hold_x0(x_BCHW: Tensor, x0_BCHW: Tensor, level: Level, target: Level) -> Tensor:
    """Solve the probability-flow ODE exactly for an x0 that does not change on the way."""
    kept = target.noise / level.noise
    return kept * x_BCHW + (target.signal - kept * level.signal) * x0_BCHW


def _unipc_predict(x_BCHW: Tensor, before: _Past | None, now: _Past, level: Level, target: Level) -> Tensor:
    held_BCHW = _hold_x0(x_BCHW, now.x0_BCHW, level, target)
    if before is None or target.is_clean:
        return held_BCHW
    h = target.half_log_snr - level.half_log_snr
    return held_BCHW - target.signal * math.expm1(-h) * 0.5 * h * _slope(before, now)


def _unipc_correct(
    x_BCHW: Tensor, before: _Past | None, now: _Past, arrived: _Past, left: Level, level: Level
) -> Tensor:
    """Repeat the step from `left` to `level`, knowing the prediction where it arrived."""
    h = level.half_log_snr - left.half_log_snr
    held_BCHW = _hold_x0(x_BCHW, now.x0_BCHW, left, level)
    change_BCHW = arrived.x0_BCHW - now.x0_BCHW
    if before is None:
        return held_BCHW - level.signal * math.expm1(-h) * 0.5 * change_BCHW
    past_weight, change_weight = _unipc_weights(h, (before.half_log_snr - now.half_log_snr) / h)
    bent_BCHW = past_weight * h * _slope(before, now) + change_weight * change_BCHW
    return held_BCHW - level.signal * math.expm1(-h) * bent_BCHW


def _unipc_weights(h: float, r: float) -> tuple[float, float]:
    """Solve the conditions of order 3 for the differences at r (< 0) and 1, in units of h (eq. 5 to 8).

    With phi_1 = expm1(-h), they demand that both moments of the integrand's expansion are met.
    """
    phi_1 = math.expm1(-h)
    phi_2 = -phi_1 / h - 1.0
    phi_3 = -phi_2 / h - 0.5
    first, second = phi_2 / phi_1, 2.0 * phi_3 / phi_1
    past_weight = (first - second) / (1.0 - r)
    return past_weight, first - past_weight


def _step_info(index: int, trajectory: Trajectory, x_BCHW: Tensor, prediction: Prediction) -> StepInfo:
    return StepInfo(
        index=index,
        steps=trajectory.steps,
        level=trajectory.levels[index + 1],
        x_BCHW=x_BCHW,
        x0_BCHW=prediction.x0_BCHW,
    )

"""Inpainting: keep what was observed while the rest is regenerated (eq. 11).

keep is the paper's m: 1 is observed, 0 is regenerated; any shape that broadcasts to BCHW.
Shapes: B batch, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoise, Prediction
from engine.diffusion.noise import NoiseSource
from engine.diffusion.samplers import OnStep, Sampler
from engine.diffusion.schedule import Level, Trajectory

# What renders and evaluations repeat: see `inpainting`.
MASK_PASSES = (0.35, 0.25, 0.15)


class Observation:
    """A latent with the part of it that must survive.

    A soft keep is read as a strength for each cell (Levin and Fried 2023): with keep m the cell stays
    observed down to the fraction 1 - m of the starting level and is free below. Blending m into the
    state at every level instead, as eq. 11 would, compounds: after a few steps any m > 0 keeps all.
    """

    def __init__(self, latent_BCHW: Tensor, keep_BCHW: Tensor) -> None:
        self.latent_BCHW = latent_BCHW
        # float64 on the CPU: the comparison in `held_at` must be exact where keep is 0 or 1.
        self._change_BCHW = 1.0 - keep_BCHW.detach().double().cpu()

    def held_at(self, level: Level, start: Level) -> Tensor:
        """Tell which cells are still observed at a level of a trajectory from `start`."""
        return (level.strength > self._change_BCHW * start.strength).to(self.latent_BCHW.device)

    def freed_between(self, before: Level, level: Level, start: Level) -> Tensor | None:
        """Tell which cells were held before and no longer are; None where there is none."""
        freed_BCHW = self.held_at(before, start) & ~self.held_at(level, start)
        return freed_BCHW if bool(freed_BCHW.any()) else None

    def paste(self, x_BCHW: Tensor, observed_BCHW: Tensor, level: Level, start: Level) -> Tensor:
        return torch.where(self.held_at(level, start), observed_BCHW, x_BCHW)


def holding(denoise: Denoise, observation: Observation, trajectory: Trajectory) -> Denoise:
    """Replace the predicted x0 by the observed one wherever a cell is held.

    Eq. 11 pastes a freshly noised z_ob into the state after each step. A multistep sampler keeps
    predictions of earlier levels and a corrector repeats a step, so a paste behind their back would
    leave them with a state that their history does not lead to. A sampler that is told x0 = z_ob
    moves the cell itself to signal * z_ob + noise * eps at every level: with its own eps, unchanged,
    where it is deterministic, and with the posterior q(z_{n-1} | z_n, z_ob) where it is ancestral.
    Both have exactly the distribution that eq. 11 asks for, and the network sees it the same way.
    Where a soft cell is let go, its past is declared void.
    """
    start = trajectory.start
    before = dict(zip(trajectory.levels[1:], trajectory.levels, strict=False))

    def denoise_held(x_BCHW: Tensor, level: Level) -> Prediction:
        prediction = denoise(x_BCHW, level)
        x0_BCHW = observation.paste(prediction.x0_BCHW, observation.latent_BCHW, level, start)
        freed_BCHW = observation.freed_between(before.get(level, start), level, start)
        restarted_BCHW = _either(prediction.restarted_BCHW, freed_BCHW)
        return replace(Prediction.from_x0(x0_BCHW, x_BCHW, level), restarted_BCHW=restarted_BCHW)

    return denoise_held


def inpainting(
    sampler: Sampler, latent_BCHW: Tensor, keep_BCHW: Tensor, *, passes: Sequence[float] = ()
) -> Sampler:
    """Turn any sampler into one that keeps the observed part of a latent.

    The observed latent is pasted once more after the last step, which the released code omits: cells
    with keep 1 come back exactly as they were. A trajectory that does not start from noise must start
    from this latent.

    The network sees the kept part only as noisy as the rest, so eq. 11 alone conditions too weakly: for
    a Gaussian correlated by 0.9 the regenerated half moves, at 20 steps, by 49 % (deterministic) or
    63 % (ancestral) of what it should. Each entry of passes noises the result again to that strength
    and repeats the trajectory from there (in the spirit of Lugmayr et al. 2022, but for any sampler);
    (0.35, 0.25, 0.15) makes that 79 % and 82 %, for about twice the calls.
    """
    observation = Observation(latent_BCHW, keep_BCHW)

    def sample(
        denoise: Denoise, x_BCHW: Tensor, trajectory: Trajectory, *, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        walks = [walk for walk in (trajectory, *map(trajectory.below, passes)) if walk.steps > 0]
        held = holding(denoise, observation, trajectory)
        done, total = 0, sum(walk.steps for walk in walks)
        for walk in walks:
            x_BCHW = _enter(x_BCHW, observation, walk, trajectory.start, noise if done else None)
            x_BCHW = sampler(held, x_BCHW, walk, noise=noise, on_step=_counting_from(done, total, on_step))
            x_BCHW = observation.paste(x_BCHW, latent_BCHW, walk.levels[-2], trajectory.start)
            done += walk.steps
        return x_BCHW

    return sample


def _enter(
    x_BCHW: Tensor, observation: Observation, walk: Trajectory, start: Level, noise: NoiseSource | None
) -> Tensor:
    """Bring the state to the start of a walk: the first one brings its own noise, later ones need some."""
    level, latent_BCHW = walk.start, observation.latent_BCHW
    if noise is not None:
        clean_BCHW = observation.paste(x_BCHW, latent_BCHW, level, start)
        return level.signal * clean_BCHW + level.noise * noise.step()
    if not walk.from_noise:
        return x_BCHW
    return observation.paste(x_BCHW, level.signal * latent_BCHW + level.noise * x_BCHW, level, start)


def _either(one_BCHW: Tensor | None, other_BCHW: Tensor | None) -> Tensor | None:
    if one_BCHW is None or other_BCHW is None:
        return other_BCHW if one_BCHW is None else one_BCHW
    return one_BCHW | other_BCHW


def _counting_from(done: int, total: int, on_step: OnStep) -> OnStep:
    return lambda info: on_step(replace(info, index=info.index + done, steps=total))

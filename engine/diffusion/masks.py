"""Inpainting: keep what was observed while the rest is regenerated (eq. 11).

keep is the paper's m: 1 is observed, 0 is regenerated; any shape that broadcasts to BCHW.
Shapes: B batch, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoise, Prediction
from engine.diffusion.noise import NoiseSource
from engine.diffusion.samplers import OnStep, Sampler
from engine.diffusion.schedule import Level, Trajectory


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

    def paste(self, x_BCHW: Tensor, observed_BCHW: Tensor, level: Level, start: Level) -> Tensor:
        return torch.where(self.held_at(level, start), observed_BCHW, x_BCHW)


def holding(denoise: Denoise, observation: Observation, start: Level) -> Denoise:
    """Replace the predicted x0 by the observed one wherever a cell is held.

    Eq. 11 pastes a freshly noised z_ob into the state after each step. A multistep sampler keeps
    predictions of earlier levels and a corrector repeats a step, so a paste behind their back would
    leave them with a state that their history does not lead to. A sampler that is told x0 = z_ob
    moves the cell itself to signal * z_ob + noise * eps at every level: with its own eps, unchanged,
    where it is deterministic, and with the posterior q(z_{n-1} | z_n, z_ob) where it is ancestral.
    Both have exactly the distribution that eq. 11 asks for, and the network sees it the same way.
    """

    def denoise_held(x_BCHW: Tensor, level: Level) -> Prediction:
        prediction = denoise(x_BCHW, level)
        x0_BCHW = observation.paste(prediction.x0_BCHW, observation.latent_BCHW, level, start)
        return Prediction.from_x0(x0_BCHW, x_BCHW, level)

    return denoise_held


def inpainting(sampler: Sampler, latent_BCHW: Tensor, keep_BCHW: Tensor) -> Sampler:
    """Turn any sampler into one that keeps the observed part of a latent.

    The state starts on the observed cells' own path, `holding` keeps it there, and the observed latent
    is pasted once more after the last step, which the released code omits: cells with keep 1 come
    back exactly as they were.
    """
    observation = Observation(latent_BCHW, keep_BCHW)

    def sample(
        denoise: Denoise, x_BCHW: Tensor, trajectory: Trajectory, *, noise: NoiseSource, on_step: OnStep
    ) -> Tensor:
        if trajectory.steps == 0:
            return x_BCHW
        start = trajectory.start
        if trajectory.from_noise:
            observed_BCHW = start.signal * latent_BCHW + start.noise * x_BCHW
            x_BCHW = observation.paste(x_BCHW, observed_BCHW, start, start)
        held = holding(denoise, observation, start)
        x_BCHW = sampler(held, x_BCHW, trajectory, noise=noise, on_step=on_step)
        return observation.paste(x_BCHW, latent_BCHW, trajectory.levels[-2], start)

    return sample

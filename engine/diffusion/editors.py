"""Editors: how a source latent is changed towards a target condition.

Each takes what a sampler takes, and the source. `renoise` drowns the source in noise and hears the target
in what is left. `invert` and `direct` walk along the difference of two latents under the same noise, the
edit and its source: with w = x_edit - x_source, where each x is signal * x0 + noise * eps, the difference
of the predictions is a prediction of w. So samplers walk it as they walk any latent, and what both have in
common, their noise, never enters. Without guidance, and with the target for a source, w stays 0 and nothing
changes.

Shapes: B batch, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoise, Prediction
from engine.diffusion.masks import MASK_PASSES, inpainting
from engine.diffusion.noise import NoiseSource
from engine.diffusion.samplers import OnStep, Sampler, StepInfo, ddpm, starting_latent
from engine.diffusion.schedule import Level, Trajectory
from engine.types import Editor

# How much of each noise of a take is its first one, as an amplitude; the rest is new.
_LASTING = 0.7
# Where each editor starts at the strength of the knee; a straight line on both sides.
_KNEE = 0.8
_STARTS_AT_KNEE = {Editor.INVERT: 0.76, Editor.DIRECT: 0.88}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A latent to edit, its denoiser, and where it stays: keep 1, any shape that broadcasts, None nowhere.

    denoise knows the source's own condition and no guidance; renoising does without it.
    """

    latent_BCHW: Tensor
    denoise: Denoise | None = None
    keep_BCHW: Tensor | None = None


class EditorFunction(Protocol):
    """A function that edits; the sampler is the one that the user chose."""

    def __call__(
        self,
        target: Denoise,
        source: Source,
        trajectory: Trajectory,
        *,
        sampler: Sampler,
        noise: NoiseSource,
        on_step: OnStep,
    ) -> Tensor: ...


def renoise(
    target: Denoise,
    source: Source,
    trajectory: Trajectory,
    *,
    sampler: Sampler,
    noise: NoiseSource,
    on_step: OnStep,
) -> Tensor:
    """Sample on from the source, noised to where the trajectory starts (AudioLDM, eq. 10 and 11)."""
    if source.keep_BCHW is not None:
        sampler = inpainting(sampler, source.latent_BCHW, source.keep_BCHW, passes=MASK_PASSES)
    start_BCHW = starting_latent(trajectory, noise, source.latent_BCHW)
    return sampler(target, start_BCHW, trajectory, noise=noise, on_step=on_step)


def invert(
    target: Denoise,
    source: Source,
    trajectory: Trajectory,
    *,
    sampler: Sampler,
    noise: NoiseSource,
    on_step: OnStep,
) -> Tensor:
    """Edit by edit-friendly DDPM inversion (Manor and Michaeli 2024).

    Each level has a source x_n = signal * x0 + noise * eps_n with a noise of its own. With mu(x_n) the mean
    of the ancestral step under the source's condition, z_n = x_{n-1} - mu(x_n) is what leads to the next one,
    and the edit takes the same z_n: x_{n-1} = mu'(x_n) + z_n under the target's. Of the difference that is
    mu'(x_n) - mu(x_n), the ancestral mean of w: no z need be stored. Of the sampler, only its levels count.
    """
    return _along_the_difference(target, source, trajectory, ddpm, noise, on_step)


def direct(
    target: Denoise,
    source: Source,
    trajectory: Trajectory,
    *,
    sampler: Sampler,
    noise: NoiseSource,
    on_step: OnStep,
) -> Tensor:
    """Edit without inversion, by the sampler's own steps on the difference.

    At each step one new noise on the source is shared with the edit, and the difference of what the model
    predicts for both moves the edit (DirectAudioEdit, arXiv 2606.07356; AudEdit, 2606.15149, for flows). As
    the noise is another each time, solvers of higher order may not extrapolate: all are of first order here.
    The noises of a take have half their variance in common: of the starter's held-out clips a classifier then
    names 0.71 as the target, with independent ones 0.58, while the level's correlation falls from 0.39 to
    0.37 only.
    """
    lasting = _LastingNoise(noise)
    return _along_the_difference(target, source, trajectory, sampler, lasting, on_step)


def difference(target: Denoise, source: Source, noise: NoiseSource) -> Denoise:
    """Predict by what an edit differs from its source, both noised alike; each call draws new noise."""
    as_source = source.denoise
    assert as_source is not None, "a difference needs to know the source as well"

    def denoise(w_BCHW: Tensor, level: Level) -> Prediction:
        noised_BCHW = level.signal * source.latent_BCHW + level.noise * noise.step()
        edited, kept = target(noised_BCHW + w_BCHW, level), as_source(noised_BCHW, level)
        return Prediction(
            eps_BCHW=edited.eps_BCHW - kept.eps_BCHW,
            x0_BCHW=edited.x0_BCHW - kept.x0_BCHW,
            restarted_BCHW=torch.ones_like(w_BCHW, dtype=torch.bool),
        )

    return denoise


def _along_the_difference(
    target: Denoise,
    source: Source,
    trajectory: Trajectory,
    sampler: Sampler,
    noise: NoiseSource,
    on_step: OnStep,
) -> Tensor:
    nothing_BCHW = torch.zeros_like(source.latent_BCHW)
    if source.keep_BCHW is not None:
        sampler = inpainting(sampler, nothing_BCHW, source.keep_BCHW)
    w_BCHW = sampler(
        difference(target, source, noise),
        nothing_BCHW,
        trajectory,
        noise=_NoNoise(nothing_BCHW),
        on_step=_told_as_edit(on_step, source.latent_BCHW),
    )
    return source.latent_BCHW + w_BCHW


@dataclass(frozen=True, slots=True, eq=False)
class _NoNoise:
    """What a sampler adds to a difference: both of its sides get the same noise."""

    nothing_BCHW: Tensor

    def initial(self) -> Tensor:
        return self.nothing_BCHW

    def step(self) -> Tensor:
        return self.nothing_BCHW


@dataclass(frozen=True, slots=True, eq=False)
class _LastingNoise:
    """Standard normal noise of which a part stays the same from step to step."""

    noise: NoiseSource

    def initial(self) -> Tensor:
        return self.noise.initial()

    def step(self) -> Tensor:
        return _LASTING * self.noise.initial() + math.sqrt(1.0 - _LASTING**2) * self.noise.step()


def _told_as_edit(on_step: OnStep, source_BCHW: Tensor) -> OnStep:
    def told(info: StepInfo) -> None:
        on_step(replace(info, x_BCHW=source_BCHW + info.x_BCHW, x0_BCHW=source_BCHW + info.x0_BCHW))

    return told


def starting_strength(editor: Editor, strength: float) -> float:
    """Return where on the way to noise an editor starts, so that it changes as much as renoising would.

    Measured on the starter's held-out clips: docs/results/transfer.md. Above 0.8 no start of the others goes
    as far as renoising, which at 1 has forgotten its source.
    """
    if editor is Editor.RENOISE:
        return strength
    knee = _STARTS_AT_KNEE[editor]
    if strength <= _KNEE:
        return knee * strength / _KNEE
    return knee + (1.0 - knee) * (strength - _KNEE) / (1.0 - _KNEE)


EDITORS: dict[Editor, EditorFunction] = {
    Editor.RENOISE: renoise,
    Editor.INVERT: invert,
    Editor.DIRECT: direct,
}

"""Many prompts sampled in batches, outside the render pipeline's one spec at a time.

B batch, S samples, T mel frames, M mel bins, C latent channels, H latent time, W latent frequency,
E embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoise, conditional_denoiser
from engine.diffusion.guidance import Guidance, guided
from engine.diffusion.masks import MASK_PASSES, inpainting
from engine.diffusion.noise import SeededNoise
from engine.diffusion.samplers import sampler_named, spacing_for, starting_latent
from engine.models.bundle import Bundle
from engine.models.packed import packed
from engine.types import SamplerName

BATCH = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """How the evaluation samples; the same for every clip it makes."""

    sampler: SamplerName = SamplerName.DPMPP_2M
    steps: int = 20
    guidance: float = 2.5
    seed: int = 0


@torch.no_grad()
def generate(bundle: Bundle, prompts: Sequence[str], frames: int, config: SamplingConfig) -> Tensor:
    """Return one clip of `frames` mel frames for each prompt, shape (B, S)."""
    parts = []
    for start in range(0, len(prompts), BATCH):
        chunk = prompts[start : start + BATCH]
        noise = SeededNoise(config.seed + start, latent_shape(bundle, len(chunk), frames))
        parts.append(render_chunk(bundle, bundle.clap.embed_text(chunk), noise, config))
    return torch.cat(parts)


@torch.no_grad()
def render_chunk(
    bundle: Bundle,
    condition_BE: Tensor,
    noise: SeededNoise,
    config: SamplingConfig,
    source_BCHW: Tensor | None = None,
    strength: float = 1.0,
    keep_BCHW: Tensor | None = None,
) -> Tensor:
    """Return the audio (B, S) of one batch: generated, transferred from a source, or kept where keep is 1."""
    sampler = sampler_named(config.sampler)
    if keep_BCHW is not None:
        assert source_BCHW is not None, "there is nothing to keep without a source"
        sampler = inpainting(sampler, source_BCHW, keep_BCHW, passes=MASK_PASSES)
    trajectory = bundle.schedule.trajectory(config.steps, strength, spacing_for(config.sampler))
    denoise = prompt_denoiser(bundle, condition_BE, config.guidance)
    x_BCHW = starting_latent(trajectory, noise, source_BCHW)
    z_BCHW = sampler(denoise, x_BCHW, trajectory, noise=noise, on_step=lambda step: None)
    return decode(bundle, z_BCHW)


@torch.no_grad()
def encode(bundle: Bundle, audio_BS: Tensor) -> Tensor:
    """Return the scaled latents of clips at the model's rate."""
    return bundle.scale_factor * bundle.vae.encode(bundle.mel(audio_BS)).mode()


@torch.no_grad()
def decode(bundle: Bundle, z_BCHW: Tensor) -> Tensor:
    """Return the audio of scaled latents, shape (B, S)."""
    return bundle.vocoder(bundle.vae.decode(z_BCHW / bundle.scale_factor))


def prompt_denoiser(bundle: Bundle, condition_BE: Tensor, guidance: float) -> Denoise:
    """Guide the U-Net from the empty prompt towards a condition."""
    empty_BE = bundle.clap.embed_text([""])
    return guided(conditional_denoiser(packed(bundle.unet)), condition_BE, empty_BE, Guidance(scale=guidance))


def latent_shape(bundle: Bundle, batch: int, frames: int) -> tuple[int, int, int, int]:
    """Return the shape of the latents of a mel of so many frames."""
    ratio = bundle.vae.config.ratio
    bins = bundle.mel.config.mel_bins
    return (batch, bundle.vae.config.latent_channels, -(-frames // ratio), bins // ratio)

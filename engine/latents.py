"""One canvas in latent space: encoded, masked, sampled, decoded.

Legend: B batch (one row for each voice), V voices, S samples, T mel frames, M mel bins, C latent channels,
H latent time, W latent frequency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.audio.grid import LatentGrid, latent_mask
from engine.conditioning import Conditioning
from engine.diffusion.denoiser import Denoise, conditional_denoiser
from engine.diffusion.guidance import Guidance, guided
from engine.diffusion.masks import MASK_PASSES, inpainting
from engine.diffusion.noise import SeededNoise
from engine.diffusion.samplers import OnStep, sampler_named, spacing_for, starting_latent
from engine.edit.canvas import Canvas
from engine.models.bundle import Bundle
from engine.models.packed import packed
from engine.types import Mask, RenderSpec, SamplerSpec, Task


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatentPart:
    """A latent to sample: from a source, None for a generation; where regenerate is 0 the source stays."""

    shape_BCHW: tuple[int, int, int, int]
    source_BCHW: Tensor | None = None
    regenerate_HW: Tensor | None = None


def empty_part(bundle: Bundle, cells: int) -> LatentPart:
    """Return a latent of so many cells to be made from nothing."""
    width = bundle.mel.config.mel_bins // bundle.vae.config.ratio
    return LatentPart(shape_BCHW=(1, bundle.vae.config.latent_channels, cells, width))


def encoded_part(bundle: Bundle, canvas: Canvas, mask: Mask | None, grid: LatentGrid) -> LatentPart:
    """Encode a canvas as the posterior's mode, scaled, and draw the mask on its cells."""
    audio_BS = torch.from_numpy(canvas.audio_VS.astype(np.float32)).to(_device(bundle))
    source_BCHW = bundle.vae.encode(bundle.mel(audio_BS)).mode() * bundle.scale_factor
    regenerate_HW = None
    if mask is not None:
        drawn_HW = latent_mask(mask, grid, cells=canvas.patch.cells, offset_samples=-canvas.first_sample)
        regenerate_HW = torch.from_numpy(drawn_HW)
    batch, channels, cells, width = source_BCHW.shape
    return LatentPart(
        shape_BCHW=(batch, channels, cells, width), source_BCHW=source_BCHW, regenerate_HW=regenerate_HW
    )


def sampled(
    spec: RenderSpec, bundle: Bundle, part: LatentPart, wanted: Conditioning, seed: int, on_step: OnStep
) -> Tensor:
    """Sample a part's scaled latent (B, C, H, W); its rows share their noise."""
    sampling = spec.sampler
    # Inpainting and super-resolution start their part from pure noise, as a generation does.
    strength = sampling.strength if spec.task is Task.TRANSFER else 1.0
    trajectory = bundle.schedule.trajectory(sampling.steps, strength, spacing_for(sampling.name))
    noise = SeededNoise(seed, part.shape_BCHW, device=_device(bundle), shared=True)
    sampler = sampler_named(sampling.name, sampling.eta)
    if part.regenerate_HW is not None:
        assert part.source_BCHW is not None
        keep_HW = 1.0 - part.regenerate_HW.to(part.source_BCHW.device)
        sampler = inpainting(sampler, part.source_BCHW, keep_HW, passes=MASK_PASSES)
    start_BCHW = starting_latent(trajectory, noise, part.source_BCHW)
    return sampler(_denoiser(sampling, bundle, wanted), start_BCHW, trajectory, noise=noise, on_step=on_step)


def decoded(bundle: Bundle, latent_BCHW: Tensor) -> np.ndarray:
    """Return the audio (V, S) of a scaled latent at the model's rate and level."""
    mel_BTM = bundle.vae.decode(latent_BCHW / bundle.scale_factor)
    return np.asarray(bundle.vocoder(mel_BTM).float().cpu().numpy())


def _denoiser(sampling: SamplerSpec, bundle: Bundle, wanted: Conditioning) -> Denoise:
    guidance = Guidance(
        scale=sampling.guidance,
        interval_from=sampling.guidance_from,
        interval_to=sampling.guidance_to,
        rescale=sampling.guidance_rescale,
    )
    device = _device(bundle)
    return guided(
        conditional_denoiser(packed(bundle.unet)),
        wanted.positive_BE.to(device),
        wanted.negative_BE.to(device),
        guidance,
    )


def _device(bundle: Bundle) -> torch.device:
    return next(bundle.unet.parameters()).device

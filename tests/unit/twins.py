"""The same random AudioLDM-S twice: in our networks and in diffusers' pipeline.

B batch, S samples, C latent channels, H latent time, W latent frequency, E embedding.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from diffusers import AudioLDMPipeline, AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.utils import logging
from torch import Tensor, nn
from transformers import (
    ClapTextConfig,
    ClapTextModelWithProjection,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

from engine.diffusion.denoiser import conditional_denoiser
from engine.diffusion.guidance import Guidance, guided
from engine.diffusion.noise import SeededNoise
from engine.diffusion.samplers import sampler_named
from engine.diffusion.schedule import NoiseSchedule, Spacing
from engine.models import keymaps
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.unet import UNet, UNetConfig
from engine.models.vae import Vae, VaeConfig
from engine.types import SamplerName
from tests.unit.networks import loaded, random_state

Network = TypeVar("Network", bound=nn.Module)
GUIDANCE_SCALE = 2.5
SCALE_FACTOR = 0.9227914
LATENT_CELL_S = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """Our networks without a bundle around them; a render starts from given latents and embeddings."""

    unet: UNet
    vae: Vae
    vocoder: HifiGan

    @torch.inference_mode()
    def render(self, inputs: Inputs, denoiser: nn.Module, sampler: SamplerName, steps: int) -> Tensor:
        """Return audio (B, S); the denoiser is our U-Net in whatever form."""
        spacing = Spacing.LEADING if sampler is SamplerName.DDIM else Spacing.TRAILING
        denoise = guided(
            conditional_denoiser(denoiser),
            inputs.positive_BE,
            inputs.negative_BE,
            Guidance(scale=GUIDANCE_SCALE),
        )
        z_BCHW = sampler_named(sampler)(
            denoise,
            inputs.latent_BCHW,
            NoiseSchedule.scaled_linear().trajectory(steps, spacing=spacing),
            noise=SeededNoise(0, tuple(inputs.latent_BCHW.shape)),
            on_step=lambda step: None,
        )
        return self.vocoder(self.vae.decode(z_BCHW / SCALE_FACTOR))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A starting latent and two unit embeddings, so that no text encoder takes part."""

    latent_BCHW: Tensor
    positive_BE: Tensor
    negative_BE: Tensor

    @classmethod
    def of_length(cls, cells: int, seed: int = 1) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        rows = nn.functional.normalize(torch.randn(2, 512, generator=generator), dim=-1)
        latent_BCHW = torch.randn(1, 8, cells, 16, generator=generator)
        return cls(latent_BCHW=latent_BCHW, positive_BE=rows[:1], negative_BE=rows[1:])

    @property
    def duration_s(self) -> float:
        return LATENT_CELL_S * self.latent_BCHW.shape[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """diffusers' pipeline, whose parts hold the weights of ours."""

    pipeline: AudioLDMPipeline

    @property
    def unet(self) -> UNet2DConditionModel:
        return self.pipeline.unet

    @property
    def vae(self) -> AutoencoderKL:
        return self.pipeline.vae

    @property
    def vocoder(self) -> SpeechT5HifiGan:
        return self.pipeline.vocoder

    def render(self, inputs: Inputs, steps: int) -> Tensor:
        """Return audio (B, S) by the pipeline's own call, with its DDIM."""
        done = self.pipeline(
            audio_length_in_s=inputs.duration_s,
            num_inference_steps=steps,
            guidance_scale=GUIDANCE_SCALE,
            latents=inputs.latent_BCHW.clone(),
            prompt_embeds=inputs.positive_BE,
            negative_prompt_embeds=inputs.negative_BE,
            output_type="pt",
        )
        return done.audios


def twins(seed: int = 0) -> tuple[Ours, Theirs]:
    """Build both from one set of random weights, which they share without a copy."""
    ours = our_half(seed)
    return ours, their_half(ours)


def our_half(seed: int = 0) -> Ours:
    """Build ours alone."""
    return Ours(
        unet=_random(lambda: UNet(UNetConfig.small()), seed),
        vae=_random(lambda: Vae(VaeConfig()), seed),
        vocoder=_random(lambda: HifiGan(HifiGanConfig()), seed),
    )


def their_half(ours: Ours) -> Theirs:
    """Build the pipeline around the weights of ours."""
    unet = keymaps.unet_to_diffusers(ours.unet.state_dict(), ours.unet.config)
    vae = keymaps.vae_to_diffusers(ours.vae.state_dict(), ours.vae.config)
    vocoder = keymaps.vocoder_to_transformers(ours.vocoder.state_dict(), ours.vocoder.config)
    with _without_complaints():
        pipeline = AudioLDMPipeline(
            vae=loaded(lambda: vae_shape(ours.vae.config), vae),
            text_encoder=_no_text_encoder(),
            tokenizer=None,
            unet=loaded(lambda: unet_shape(ours.unet.config), unet),
            scheduler=_scheduler(),
            vocoder=loaded(lambda: SpeechT5HifiGan(vocoder_config(ours.vocoder.config)), vocoder),
        )
    pipeline.set_progress_bar_config(disable=True)
    return Theirs(pipeline=pipeline)


def unet_shape(config: UNetConfig) -> UNet2DConditionModel:
    deeper = len(config.widths) - 1
    heads = tuple(config.heads_at(level) for level in range(len(config.widths)))
    return UNet2DConditionModel(
        in_channels=config.in_channels,
        out_channels=config.out_channels,
        block_out_channels=config.widths,
        layers_per_block=config.res_blocks,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * deeper,
        up_block_types=("CrossAttnUpBlock2D",) * deeper + ("UpBlock2D",),
        cross_attention_dim=config.widths,
        attention_head_dim=heads,  # diffusers takes the number of heads under this name
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=config.condition_width,
        class_embeddings_concat=True,
    )


def vae_shape(config: VaeConfig) -> AutoencoderKL:
    levels = len(config.channel_mult)
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        block_out_channels=config.widths,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=config.res_blocks,
        latent_channels=config.latent_channels,
        scaling_factor=SCALE_FACTOR,
    )


def vocoder_config(config: HifiGanConfig) -> SpeechT5HifiGanConfig:
    return SpeechT5HifiGanConfig(
        model_in_dim=config.mel_bins,
        sampling_rate=16_000,
        upsample_initial_channel=config.channels,
        upsample_rates=list(config.rates),
        upsample_kernel_sizes=list(config.kernels),
        resblock_kernel_sizes=list(config.resblock_kernels),
        resblock_dilation_sizes=[list(config.resblock_dilations)] * len(config.resblock_kernels),
        normalize_before=False,
    )


@contextmanager
def _without_complaints() -> Iterator[None]:
    """Silence what diffusers says about its AudioLDM being old."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.set_verbosity(before)


def _scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.0015,
        beta_end=0.0195,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def _no_text_encoder() -> ClapTextModelWithProjection:
    """Return the least that the pipeline accepts: it asks for the type of its numbers."""
    return ClapTextModelWithProjection(
        ClapTextConfig(
            vocab_size=8,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=8,
            projection_dim=8,
        )
    ).eval()


def _random(build: Callable[[], Network], seed: int) -> Network:
    return loaded(build, random_state(build, seed))

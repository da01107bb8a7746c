"""What the trained tables compare: a project changed in one way at a time (AudioLDM, tables 1, 3, 4, 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum

from engine.models.vae import VaeConfig
from engine.training.config import ProjectConfig
from engine.training.recipes.ldm import LdmRecipeConfig, TextEncoder

MIXED_SHARE = 0.5


class Variant(Enum):
    """The project as it is, and what is changed of it."""

    BASE = "base"
    TEXT = "text condition"
    ROBERTA = "RoBERTa"
    SIMPLE = "simple attention"
    BALANCED = "balanced sampling"
    AUGMENTED = "conditioning augmentation"
    R4 = "r = 4"
    R8 = "r = 8"
    R16 = "r = 16"

    @property
    def slug(self) -> str:
        """Return a name for folders."""
        return self.name.lower()


# Levels of the VAE and channels of its latents. These are half of the paper's (app. C): a U-Net a quarter as
# wide as its own has no room for 32 of them.
LEVELS: Mapping[Variant, tuple[int, int]] = {Variant.R4: (3, 4), Variant.R8: (4, 8), Variant.R16: (5, 16)}


def varied(config: ProjectConfig, variant: Variant) -> ProjectConfig:
    """Return a project with one change."""
    if variant in LEVELS:
        return _compressed(config, *LEVELS[variant])
    return _CHANGES[variant](config)


def seeded(config: ProjectConfig, training: int) -> ProjectConfig:
    """Return a project whose n-th trainings, from 0, have seeds of their own; their clips are the same."""
    return replace(
        config,
        vae=replace(config.vae, seed=config.vae.seed + training),
        roberta=replace(config.roberta, seed=config.roberta.seed + training),
        ldm=replace(config.ldm, seed=config.ldm.seed + training),
    )


def _with_ldm(config: ProjectConfig, **fields: object) -> ProjectConfig:
    return replace(config, ldm=replace(config.ldm, **fields))  # type: ignore[arg-type]


def _with_draws(config: ProjectConfig, **fields: object) -> ProjectConfig:
    draws = replace(config.data.draws, **fields)  # type: ignore[arg-type]
    return replace(config, data=replace(config.data, draws=draws))


def _read_by_roberta(config: ProjectConfig) -> ProjectConfig:
    network = replace(config.ldm.network, condition_width=config.roberta.network.hidden)
    return _with_ldm(config, text_encoder=TextEncoder.ROBERTA, text_probability=1.0, network=network)


_CHANGES: Mapping[Variant, Callable[[ProjectConfig], ProjectConfig]] = {
    Variant.BASE: lambda config: config,
    Variant.TEXT: lambda config: _with_ldm(config, text_probability=1.0),
    Variant.ROBERTA: _read_by_roberta,
    Variant.SIMPLE: lambda config: _with_ldm(
        config, network=replace(config.ldm.network, simple_attention=True)
    ),
    Variant.BALANCED: lambda config: _with_draws(config, balanced=True),
    Variant.AUGMENTED: lambda config: _with_draws(config, mixed=MIXED_SHARE),
}


def _compressed(config: ProjectConfig, levels: int, channels: int) -> ProjectConfig:
    """Return a project whose VAE has so many levels of its channel_mult, whose last is repeated."""
    mult = config.vae.network.channel_mult
    mult = (*mult, *[mult[-1]] * (levels - len(mult)))[:levels]
    network: VaeConfig = replace(config.vae.network, channel_mult=mult, latent_channels=channels)
    ldm: LdmRecipeConfig = config.ldm
    unet = replace(ldm.network, in_channels=channels, out_channels=channels)
    return replace(config, vae=replace(config.vae, network=network), ldm=replace(ldm, network=unet))

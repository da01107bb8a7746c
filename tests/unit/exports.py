"""The smallest model that both released layouts have a place for."""

from __future__ import annotations

from dataclasses import replace

from tokenizers import Tokenizer

from engine.models.bundle import Bundle, debug_bundle
from engine.models.card import ModelConfigs
from engine.models.clap import ClapConfig, TransformersClap
from engine.models.clap_tokenizer import train_tokenizer
from engine.models.hifigan import HifiGanConfig
from engine.models.unet import UNetConfig
from engine.models.vae import VaeConfig

# No value is a default where another one fits: r, latent channels, kernels, depths of all networks.
FITTING = ModelConfigs(
    vae=VaeConfig(base_channels=32, channel_mult=(1, 2, 1, 1), res_blocks=1, latent_channels=4),
    unet=UNetConfig(
        in_channels=4,
        out_channels=4,
        base_channels=32,
        channel_mult=(1, 2),
        res_blocks=1,
        attention_levels=(1,),
        condition_width=16,
    ),
    vocoder=HifiGanConfig(channels=32, resblock_kernels=(3, 5), resblock_dilations=(1, 3)),
    clap=ClapConfig(
        text_hidden=64,
        text_layers=1,
        text_heads=1,
        text_ffn=32,
        vocabulary=300,
        max_positions=34,
        patch_embeds_hidden=4,
        patch_size=8,
        depths=(2, 1),
        heads=(1, 2),
        projection=16,
    ),
)
SCALE_FACTOR = 0.9227914
CANVAS_S = 2.56


def fitting_bundle(configs: ModelConfigs = FITTING, *, lowers: bool = True) -> Bundle:
    """Return a random model with a canvas and licence of its own; lowers tells of its tokenizer."""
    bundle = debug_bundle(3, configs)
    card = replace(bundle.card, name="fitting", scale_factor=SCALE_FACTOR, canvas_s=CANVAS_S)
    tokenizer = lowering_tokenizer() if lowers else roberta_like_tokenizer()
    assert isinstance(bundle.clap, TransformersClap)
    return replace(
        bundle,
        clap=TransformersClap(bundle.clap.model, tokenizer),
        card=replace(card, licence="CC-BY-4.0", metrics={"fd": 1.5}),
        scale_factor=SCALE_FACTOR,
        tokenizer=tokenizer,
    )


def lowering_tokenizer() -> Tokenizer:
    return train_tokenizer(["a dog barks", "rain on a roof"], vocabulary=300)


def roberta_like_tokenizer() -> Tokenizer:
    """Return one that minds upper case, as RoBERTa's does."""
    tokenizer = lowering_tokenizer()
    tokenizer.normalizer = None
    return tokenizer

"""A model as one value: all networks of a card, read from and written to a folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from torch import nn

from engine.audio.mel import MelFrontEnd
from engine.audio.mel_scale import MelConfig
from engine.diffusion.schedule import NoiseSchedule
from engine.errors import ModelCorrupt, ModelMissing
from engine.models.card import CARD_FILE, ModelCard, ModelConfigs, VocoderConfig, card_to_json, read_card
from engine.models.clap import (
    ClapConfig,
    ClapProvider,
    TransformersClap,
    build_clap_model,
    load_tokenizer,
    train_tokenizer,
)
from engine.models.clap_text import TextOnlyClap, without_audio_tower
from engine.models.files import replacing, sha256_of, writing
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.istft_vocoder import IstftVocoder, IstftVocoderConfig
from engine.models.mel_matching import VocoderNetwork, matched, unmatched
from engine.models.unet import UNet, UNetConfig
from engine.models.vae import Vae, VaeConfig
from engine.models.vocoder import Vocoder
from engine.models.weights import assign_weights, build_empty, read_weights, write_weights

DEBUG_CONFIGS = ModelConfigs(
    mel=MelConfig(mel_bins=32),
    vae=VaeConfig(base_channels=4, channel_mult=(1, 2, 2), res_blocks=1, latent_channels=4),
    unet=UNetConfig(
        in_channels=4,
        out_channels=4,
        base_channels=8,
        channel_mult=(1, 2),
        res_blocks=1,
        attention_levels=(1,),
        head_channels=8,
        condition_width=16,
    ),
    vocoder=IstftVocoderConfig(mel_bins=32, width=16, blocks=1),
    clap=ClapConfig.debug(),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """Everything a render needs; latents are multiplied by scale_factor after the VAE's encoder."""

    card: ModelCard
    mel: MelFrontEnd
    vae: Vae
    unet: UNet
    vocoder: Vocoder
    clap: ClapProvider
    schedule: NoiseSchedule
    scale_factor: float
    tokenizer: Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Networks:
    """The trained parts of a bundle."""

    unet: UNet
    vae: Vae
    vocoder: VocoderNetwork
    clap: transformers.ClapModel

    def components(self) -> dict[str, nn.Module]:
        """Return the networks by the names of their files, the largest first."""
        return {"unet": self.unet, "clap": self.clap, "vae": self.vae, "vocoder": self.vocoder}


def build_networks(card: ModelCard) -> Networks:
    """Build the networks of a card; inside `build_empty` they take no memory."""
    clap = build_clap_model(card.configs.clap)
    return Networks(
        unet=UNet(card.configs.unet),
        vae=Vae(card.configs.vae),
        vocoder=build_vocoder(card.configs.vocoder),
        clap=clap if card.clap_hears else without_audio_tower(clap),
    )


def build_vocoder(config: VocoderConfig) -> VocoderNetwork:
    return HifiGan(config) if isinstance(config, HifiGanConfig) else IstftVocoder(config)


def assemble_bundle(card: ModelCard, networks: Networks, tokenizer: Tokenizer) -> Bundle:
    """Join trained networks with what the card alone defines."""
    for network in networks.components().values():
        network.eval().requires_grad_(False)
    mel = MelFrontEnd(card.configs.mel)
    provider = TransformersClap if card.clap_hears else TextOnlyClap
    return Bundle(
        card=card,
        mel=mel,
        vae=networks.vae,
        unet=networks.unet,
        vocoder=matched(networks.vocoder, mel, card.configs.mel_matching),
        clap=provider(networks.clap, tokenizer),
        schedule=NoiseSchedule.from_config(card.configs.schedule),
        scale_factor=card.scale_factor,
        tokenizer=tokenizer,
    )


def load_bundle(folder: Path, verify: bool = True) -> Bundle:
    """Read a bundle into float32 networks; verify compares every file with the card's checksum first.

    Raises ModelMissing where the folder or a file of it is absent, ModelCorrupt where one is damaged.
    """
    card = read_card(folder)
    require_files(folder, card, verify)
    networks = build_empty(lambda: build_networks(card))
    for component, network in networks.components().items():
        assign_weights(network, read_weights(folder, component, list(card.files)), f"{folder}/{component}")
    return assemble_bundle(card, networks, load_tokenizer(folder / card.tokenizer))


def require_files(folder: Path, card: ModelCard, verify: bool) -> None:
    """Raise unless all files of a card are there and, with verify, have their checksums."""
    for name, digest in card.files.items():
        path = folder / name
        if not path.is_file():
            raise ModelMissing(f"{path} is missing.", "Import or pull the model again.")
        if verify and sha256_of(path) != digest:
            raise ModelCorrupt(
                f"{path} is damaged: its checksum is not the card's.", "Import or pull the model again."
            )


def save_bundle(
    folder: Path,
    bundle: Bundle,
    card: ModelCard | None = None,
    dtype: torch.dtype = torch.float16,
    max_file_bytes: int | None = None,
) -> ModelCard:
    """Write a bundle in place of the folder, whole or not at all; return the card with checksums.

    A component larger than max_file_bytes is spread over several files.
    """
    networks = _networks_of(bundle)
    with writing(folder), replacing(folder) as part:
        names = [
            name
            for component, network in networks.components().items()
            for name in write_weights(part, component, network, dtype, max_file_bytes)
        ]
        card = card or bundle.card
        bundle.tokenizer.save(str(part / card.tokenizer))
        digests = {name: sha256_of(part / name) for name in (*names, card.tokenizer)}
        card = replace(card, files=digests)
        (part / CARD_FILE).write_text(card_to_json(card), encoding="utf-8")
    return card


def debug_bundle(seed: int = 0, configs: ModelConfigs = DEBUG_CONFIGS) -> Bundle:
    """Return a bundle for tests: every part of a real one, tiny; the same seed gives the same weights."""
    card = ModelCard(
        name="debug",
        licence="CC0-1.0",
        scale_factor=1.0,
        canvas_s=2.56,
        sample_rate_hz=configs.mel.sample_rate_hz,
        configs=configs,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = build_networks(card)
        for network in networks.components().values():
            _fill_zeros(network)
    return assemble_bundle(card, networks, debug_tokenizer())


def debug_tokenizer() -> Tokenizer:
    return train_tokenizer(["a dog barks", "rain on a roof"], vocabulary=DEBUG_CONFIGS.clap.vocabulary)


def _networks_of(bundle: Bundle) -> Networks:
    assert isinstance(bundle.clap, TransformersClap)
    vocoder = unmatched(bundle.vocoder)
    return Networks(unet=bundle.unet, vae=bundle.vae, vocoder=vocoder, clap=bundle.clap.model)


@torch.no_grad()
def _fill_zeros(network: nn.Module) -> None:
    """Give branches that start as nothing an effect, so that tests see every part."""
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            parameter.normal_(std=0.05)

"""The recipes that the program brings along: each loads, and builds networks of the sizes it speaks of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.audio.mel_scale import MelConfig
from engine.models.card import ModelConfigs, read_card
from engine.models.clap import build_clap_model
from engine.models.hifigan import HifiGanConfig
from engine.models.store import STARTER_FOLDER
from engine.models.unet import UNet
from engine.models.vae import Vae
from engine.training.config import ProjectConfig, load_project
from engine.training.discriminators import PatchDiscriminator, WaveDiscriminators
from engine.training.losses import noise_error_weight
from engine.training.precision import Precision
from engine.training.recipes.vocoder import build_vocoder, fold_weight_norm

FOLDER = Path(__file__).parents[2] / "presets" / "training"
PRESETS = sorted(path.stem for path in FOLDER.glob("*.toml"))
# The tables' train parts: the others are the starter's, or made for each level of compression.
PARTS = ("ablations", "compression")
WHOLE = [name for name in PRESETS if name not in PARTS]
PAPER = [name for name in PRESETS if name.startswith("paper")]
SMALL, MEDIUM, LARGE = 185_036_552, 415_954_568, 739_139_080
VAE_R4, HIFIGAN = 55_376_873, 55_264_897
# LAION's whole networks, less what AudioLDM has no use for: tagging heads, the two transforms behind the
# projections, and the spectrogram that they compute by convolutions.
TINY = 158_334_169 - (768 * 527 * 6 + 527) - 528 * 527 - 4 * 513 * 512 - 2 * 513 * 1024 - 513 * 64
BASE = 199_564_633 - (1024 * 527 * 6 + 527) - 528 * 527 - 4 * 513 * 512 - 2 * 513 * 1024 - 513 * 64
# The released S with wider latents differs in its first and its last layer.
STEM_AND_END = 2 * 128 * 9


def _project(name: str) -> ProjectConfig:
    return load_project(FOLDER / f"{name}.toml")


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_paper_is_there_in_all_its_sizes() -> None:
    assert {"paper_s", "paper_m", "paper_l", "paper_s_r8", "paper_s_r16", "paper_48k"} == set(PAPER)
    assert [_project(name).vae.network.ratio for name in ("paper_s", "paper_s_r8", "paper_s_r16")] == [
        4,
        8,
        16,
    ]


@pytest.mark.parametrize("name", PARTS)
def test_a_preset_of_parts_can_be_read(name: str) -> None:
    assert _project(name).store.concepts


@pytest.mark.parametrize("name", WHOLE)
def test_a_presets_networks_fit_each_other(name: str) -> None:
    config = _project(name)
    # Refuses what does not fit.
    ModelConfigs(
        mel=config.mel,
        vae=config.vae.network,
        unet=config.ldm.network,
        vocoder=config.vocoder.network,
        clap=config.clap.network,
        schedule=config.schedule,
    )
    assert config.vae.crop_frames % config.vae.network.ratio == 0
    # The processors that the starter was trained on multiply at half the rate in bfloat16.
    assert config.vae.precision is (Precision.FLOAT32 if name == "starter" else Precision.BFLOAT16)


@pytest.mark.parametrize(
    ("name", "unet", "clap"),
    [
        ("paper_s", SMALL, TINY),
        ("paper_m", MEDIUM, BASE),
        ("paper_l", LARGE, TINY),
        ("paper_s_r8", SMALL + 8 * STEM_AND_END + 8, TINY),
        ("paper_s_r16", SMALL + 24 * STEM_AND_END + 24, TINY),
        ("paper_48k", SMALL + 8 * STEM_AND_END + 8, BASE),
    ],
)
def test_the_papers_networks_have_their_sizes(name: str, unet: int, clap: int) -> None:
    config = _project(name)
    with torch.device("meta"):
        PatchDiscriminator(config.vae.discriminator_width)
        WaveDiscriminators(config.vocoder.discriminators)
        assert _parameters(UNet(config.ldm.network)) == unet
        assert _parameters(build_clap_model(config.clap.network)) == clap
        vae = _parameters(Vae(config.vae.network))
        vocoder = build_vocoder(config.vocoder.network)
        fold_weight_norm(vocoder)
    assert (vae == VAE_R4) is (config.vae.network.ratio == 4)
    if name == "paper_48k":
        assert config.vocoder.network == HifiGanConfig.released_48k()
        assert config.mel == MelConfig.released_48k()
        # The released file's bytes, four to a number; it holds a length to each normalised weight, too.
        assert _parameters(vocoder) == pytest.approx(761e6 / 4, rel=2e-3)
    else:
        assert config.mel == MelConfig() and _parameters(vocoder) == HIFIGAN


def test_the_starters_networks_have_the_sizes_of_the_embedded_one() -> None:
    config, card = _project("starter"), read_card(STARTER_FOLDER)
    assert config.vae.network == card.configs.vae and config.ldm.network == card.configs.unet
    assert config.vocoder.network == card.configs.vocoder and config.clap.network == card.configs.clap
    assert config.mel == card.configs.mel


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_losses_are_the_plain_ones(name: str) -> None:
    config = _project(name)
    alpha_bar = torch.linspace(1e-4, 0.999, 50)
    ldm, cells = config.ldm, config.vae.crop_frames * config.mel.mel_bins
    weights = noise_error_weight(alpha_bar, ldm.min_snr_gamma, ldm.snr_floor, ldm.weight_ceiling)
    assert torch.equal(weights, torch.ones(50))
    assert config.vae.kl_weight == pytest.approx(1000 / cells, rel=5e-3)
    assert (config.vocoder.mel_weight, config.vocoder.feature_weight) == (45.0, 2.0)
    rates = [config.ldm.optimiser.rate(step) for step in (5_000, 500_000)]
    assert rates[0] == rates[1] == config.ldm.optimiser.learning_rate

"""Equality with diffusers and transformers on random weights at the full size of AudioLDM-S."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import SpeechT5HifiGan

from engine.models import keymaps
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.unet import UNet, UNetConfig
from engine.models.vae import Vae, VaeConfig
from tests.unit.networks import loaded, on_meta, random_state, relative_error
from tests.unit.twins import unet_shape, vae_shape, vocoder_config

TOLERANCE = 1e-5
CONVERTED = UNetConfig(heads=8)

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def unet_state() -> State:
    return random_state(lambda: UNet(UNetConfig.small()))


@pytest.fixture(scope="module")
def vae_state() -> State:
    return random_state(lambda: Vae(VaeConfig()))


def diffusers_unet(state: State, config: UNetConfig) -> UNet2DConditionModel:
    return loaded(lambda: unet_shape(config), keymaps.unet_to_diffusers(state, config))


def noisy_latent(time: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x_BCHW = torch.randn(2, 8, time, 16, generator=generator)
    condition_BE = torch.nn.functional.normalize(torch.randn(2, 512, generator=generator), dim=-1)
    return x_BCHW, torch.tensor([1, 981]), condition_BE


@torch.no_grad()
@pytest.mark.parametrize("time", [16, 13])
def test_unet_equals_diffusers_given_the_right_heads(unet_state: State, time: int) -> None:
    x_BCHW, t_B, condition_BE = noisy_latent(time)
    network = diffusers_unet(unet_state, UNetConfig.small())
    assert network.config.attention_head_dim == (4, 8, 12, 20)
    theirs = network(x_BCHW, t_B, None, class_labels=condition_BE).sample
    ours = loaded(lambda: UNet(UNetConfig.small()), unet_state)(x_BCHW, t_B, condition_BE)
    assert relative_error(ours, theirs) < TOLERANCE


@torch.no_grad()
def test_unet_reproduces_the_head_count_of_converted_repositories(unet_state: State) -> None:
    x_BCHW, t_B, condition_BE = noisy_latent()
    theirs = diffusers_unet(unet_state, CONVERTED)(x_BCHW, t_B, None, class_labels=condition_BE).sample
    switched = loaded(lambda: UNet(CONVERTED), unet_state)(x_BCHW, t_B, condition_BE)
    right = loaded(lambda: UNet(UNetConfig.small()), unet_state)(x_BCHW, t_B, condition_BE)
    assert relative_error(switched, theirs) < TOLERANCE
    assert relative_error(right, theirs) > 100 * TOLERANCE


def epsilons(network: nn.Module) -> dict[str, float]:
    norms = nn.GroupNorm | nn.LayerNorm
    return {f"{name}.weight": m.eps for name, m in network.named_modules() if isinstance(m, norms)}


def test_every_norm_has_the_epsilon_of_its_counterpart() -> None:
    """An epsilon changes outputs by less than the tolerance, so outputs alone would not tell."""
    unet, vae = UNetConfig.small(), VaeConfig()
    pairs = [
        (on_meta(lambda: UNet(unet)), on_meta(lambda: unet_shape(CONVERTED)), keymaps.unet_table(unet)),
        (on_meta(lambda: Vae(vae)), on_meta(lambda: vae_shape(vae)), keymaps.vae_table(vae)),
    ]
    for ours, theirs, names in pairs:
        assert {names[key]: eps for key, eps in epsilons(ours).items()} == epsilons(theirs)


@torch.no_grad()
def test_channels_last_changes_nothing(unet_state: State) -> None:
    x_BCHW, t_B, condition_BE = noisy_latent()
    network = loaded(lambda: UNet(UNetConfig.small()), unet_state)
    plain = network(x_BCHW, t_B, condition_BE)
    fast = network(x_BCHW.contiguous(memory_format=torch.channels_last), t_B, condition_BE)
    assert relative_error(fast, plain) < TOLERANCE


@torch.no_grad()
def test_vae_equals_diffusers(vae_state: State) -> None:
    config = VaeConfig()
    theirs = loaded(lambda: vae_shape(config), keymaps.vae_to_diffusers(vae_state, config))
    ours = loaded(lambda: Vae(config), vae_state)
    mel_BTM = torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(2))
    posterior, reference = ours.encode(mel_BTM), theirs.encode(mel_BTM[:, None]).latent_dist
    assert relative_error(posterior.mean_BCHW, reference.mean) < TOLERANCE
    assert relative_error(posterior.logvar_BCHW, reference.logvar) < TOLERANCE
    z_BCHW = torch.randn(2, 8, 16, 16, generator=torch.Generator().manual_seed(3))
    assert relative_error(ours.decode(z_BCHW), theirs.decode(z_BCHW).sample[:, 0]) < TOLERANCE


@torch.no_grad()
def test_diffusers_reads_the_old_attention_names_as_we_write_them(tmp_path: Path) -> None:
    config = VaeConfig(base_channels=32)
    state = random_state(lambda: Vae(config))
    vae_shape(config).save_config(tmp_path)
    old = keymaps.vae_to_diffusers(state, config, before_0_17=True)
    save_file(
        {key: tensor.contiguous() for key, tensor in old.items()},
        tmp_path / "diffusion_pytorch_model.safetensors",
    )
    theirs = AutoencoderKL.from_pretrained(tmp_path, low_cpu_mem_usage=False).state_dict()
    expected = keymaps.vae_to_diffusers(state, config)
    assert theirs.keys() == expected.keys()
    assert all(torch.equal(theirs[key], expected[key]) for key in theirs)


@torch.no_grad()
def test_vocoder_equals_transformers() -> None:
    config = HifiGanConfig()
    state = random_state(lambda: HifiGan(config))
    theirs = loaded(
        lambda: SpeechT5HifiGan(vocoder_config(config)), keymaps.vocoder_to_transformers(state, config)
    )
    ours = loaded(lambda: HifiGan(config), state)
    mel_BTM = torch.randn(2, 16, 64, generator=torch.Generator().manual_seed(4)) - 5.0
    reference_BS = theirs(mel_BTM)
    assert reference_BS.abs().median() < 0.9
    assert relative_error(ours.raw_forward(mel_BTM), reference_BS) < TOLERANCE

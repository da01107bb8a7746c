"""Sizes, counts and behaviour of the U-Net and the VAE that no comparison with others shows."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.models.blocks import attend
from engine.models.unet import Downsample, SelfAttention, UNet, UNetConfig
from engine.models.vae import Posterior, Vae, VaeConfig
from tests.unit.networks import loaded, on_meta, parameter_count, random_state, relative_error

TINY_UNET = UNetConfig(base_channels=8, head_channels=8, condition_width=16)
TINY_VAE = VaeConfig(base_channels=8, latent_channels=4)


def tiny_unet(config: UNetConfig = TINY_UNET) -> nn.Module:
    return loaded(lambda: UNet(config), random_state(lambda: UNet(config)))


def head_counts(config: UNetConfig) -> list[int]:
    network = on_meta(lambda: UNet(config))
    counts = [module.heads for module in network.modules() if isinstance(module, SelfAttention)]
    return sorted(set(counts))


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (UNetConfig.small(), 185_036_552),
        (UNetConfig.medium(), 415_954_568),
        (UNetConfig.large(), 739_139_080),
    ],
)
def test_unets_have_the_released_counts(config: UNetConfig, count: int) -> None:
    assert parameter_count(on_meta(lambda: UNet(config))) == count


@pytest.mark.parametrize(
    ("config", "heads"),
    [
        (UNetConfig.small(), [8, 12, 20]),
        (UNetConfig.medium(), [12, 18, 30]),
        (UNetConfig.large(), [8, 12, 20]),
        (UNetConfig(heads=8), [8]),
    ],
)
def test_heads_grow_with_width_unless_fixed(config: UNetConfig, heads: list[int]) -> None:
    assert head_counts(config) == heads


@pytest.mark.parametrize(("norm_groups", "smallest"), [(32, 1), (8, 4)])
def test_the_norms_of_a_narrow_unet_have_so_many_groups(norm_groups: int, smallest: int) -> None:
    with torch.device("meta"):
        unet = UNet(UNetConfig(base_channels=32, norm_groups=norm_groups))
    norms = [module for module in unet.modules() if isinstance(module, nn.GroupNorm)]
    assert {norm.num_groups for norm in norms} == {norm_groups}
    assert min(norm.num_channels // norm.num_groups for norm in norms) == smallest


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (8, 4), (13, 7), (21, 16)])
def test_unet_takes_latents_of_any_size(size: tuple[int, int]) -> None:
    x_BCHW = torch.randn(2, 8, *size, generator=torch.Generator().manual_seed(0))
    noise_BCHW = tiny_unet()(x_BCHW, torch.tensor([0, 999]), torch.ones(2, 16))
    assert noise_BCHW.shape == x_BCHW.shape
    assert noise_BCHW.isfinite().all()


@torch.no_grad()
def test_unet_treats_the_clips_of_a_batch_apart() -> None:
    generator = torch.Generator().manual_seed(0)
    x_BCHW, condition_BE = (
        torch.randn(3, 8, 9, 4, generator=generator),
        torch.randn(3, 16, generator=generator),
    )
    t_B, network = torch.tensor([1, 500, 900]), tiny_unet()
    together = network(x_BCHW, t_B, condition_BE)
    alone = torch.cat([network(x_BCHW[i : i + 1], t_B[i : i + 1], condition_BE[i : i + 1]) for i in range(3)])
    assert relative_error(together, alone) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("changed", ["time", "condition"])
def test_unet_listens_to_time_and_condition(changed: str) -> None:
    x_BCHW, network = torch.ones(1, 8, 8, 4), tiny_unet()
    t_B, condition_BE = torch.tensor([10]), torch.ones(1, 16)
    other = (torch.tensor([11]), condition_BE) if changed == "time" else (t_B, -condition_BE)
    assert relative_error(network(x_BCHW, *other), network(x_BCHW, t_B, condition_BE)) > 1e-4


@torch.no_grad()
def test_an_untrained_unet_predicts_nothing() -> None:
    prediction = UNet(TINY_UNET)(torch.randn(1, 8, 8, 4), torch.tensor([5]), torch.randn(1, 16))
    assert torch.equal(prediction, torch.zeros_like(prediction))


def test_unet_trains_in_mixed_precision_on_channels_last() -> None:
    network = tiny_unet().to(memory_format=torch.channels_last).train().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.ones(2, 8, 8, 4), torch.tensor([0, 9]), torch.ones(2, 16)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("width", [1, 2, 3])
def test_downsampling_has_right_gradients_on_narrow_latents(width: int) -> None:
    """A single column leaves torch's own bfloat16 kernel with uninitialised gradients."""
    layer, x_BCHW = Downsample(24), torch.ones(2, 24, 4, width)
    gradients = []
    for enabled in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            layer(x_BCHW).sum().backward()
        gradients.append(layer.op.weight.grad.clone())
    assert torch.equal(gradients[1], gradients[0])


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel_mult": ()},
        {"res_blocks": 0},
        {"attention_levels": (4,)},
        {"head_channels": 48},
        {"heads": 7},
    ],
)
def test_impossible_unets_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"at least one|attention_levels|heads"):
        UNetConfig(**wrong)  # type: ignore[arg-type]


def test_vae_has_the_released_count() -> None:
    assert parameter_count(on_meta(lambda: Vae(VaeConfig()))) == 55_376_873


@torch.no_grad()
@pytest.mark.parametrize(("mult", "ratio"), [((1, 2, 4), 4), ((1, 2, 4, 8), 8), ((1, 2, 4, 8, 8), 16)])
def test_vae_shrinks_time_and_frequency_by_its_ratio(mult: tuple[int, ...], ratio: int) -> None:
    config = VaeConfig(base_channels=8, channel_mult=mult, latent_channels=4)
    assert config.ratio == ratio
    vae = Vae(config)
    posterior = vae.encode(torch.randn(2, 3 * ratio, 64))
    assert posterior.mean_BCHW.shape == posterior.logvar_BCHW.shape == (2, 4, 3, 64 // ratio)
    assert vae.decode(posterior.mode()).shape == (2, 3 * ratio, 64)


@pytest.mark.parametrize(("asked", "found"), [(32, {8, 16}), (2, {2})])
def test_a_vae_norms_in_as_many_groups_as_its_widths_allow(asked: int, found: set[int]) -> None:
    vae = Vae(VaeConfig(base_channels=8, channel_mult=(1, 2), norm_groups=asked))
    norms = [module for module in vae.modules() if isinstance(module, torch.nn.GroupNorm)]
    assert {norm.num_groups for norm in norms} == found


@torch.no_grad()
def test_logvar_stays_within_the_published_bounds() -> None:
    vae = Vae(TINY_VAE)
    for bias, bound in ((-1000.0, -30.0), (1000.0, 20.0)):
        vae.quant_conv.bias.fill_(bias)
        assert (vae.encode(torch.zeros(1, 8, 8)).logvar_BCHW == bound).all()


def test_a_posterior_scales_the_noise_by_its_deviation() -> None:
    posterior = Posterior(
        mean_BCHW=torch.full((1, 1, 2, 2), 3.0), logvar_BCHW=torch.full((1, 1, 2, 2), 2.0).log()
    )
    noise_BCHW = torch.tensor([[[[-1.0, 0.0], [1.0, 2.0]]]])
    torch.testing.assert_close(posterior.sample(noise_BCHW), 3.0 + 2.0**0.5 * noise_BCHW)
    assert torch.equal(posterior.mode(), posterior.mean_BCHW)


def test_the_last_layer_makes_the_mel() -> None:
    vae = loaded(lambda: Vae(TINY_VAE), random_state(lambda: Vae(TINY_VAE)))
    with torch.no_grad():
        vae.last_layer.weight.zero_()
        vae.last_layer.bias.fill_(-2.5)
        assert (vae.decode(torch.randn(1, 4, 2, 2)) == -2.5).all()


def test_vae_trains_in_mixed_precision() -> None:
    vae = Vae(TINY_VAE).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        posterior = vae.encode(torch.randn(2, 16, 16, generator=torch.Generator().manual_seed(0)))
        vae.decode(posterior.sample(torch.ones_like(posterior.mean_BCHW))).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in vae.parameters())


def test_an_empty_vae_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one level"):
        VaeConfig(channel_mult=())


def test_attention_in_16_bit_is_that_of_32_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, 2, 6, 8, generator=generator).requires_grad_()
    wanted = attend(query, key, value, heads=2)
    trained = attend(query.bfloat16(), key.bfloat16(), value.bfloat16(), heads=2)
    assert torch.allclose(trained.float(), wanted, atol=0.03)
    gradients = [
        torch.autograd.grad(each.float().sum(), query, retain_graph=True)[0] for each in (wanted, trained)
    ]
    assert torch.allclose(*gradients, atol=0.03)

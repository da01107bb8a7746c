"""The packed U-Net is the same function as the one it was packed from, which it leaves as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.models.packed import PackedUNet, can_pack, packed
from engine.models.unet import UNet, UNetConfig
from tests.unit.networks import loaded, random_state, relative_error

NARROW = UNetConfig(
    in_channels=4,
    out_channels=4,
    base_channels=32,
    channel_mult=(1, 2, 2),
    res_blocks=1,
    attention_levels=(1, 2),
    head_channels=16,
    condition_width=16,
)


@pytest.fixture
def unet() -> UNet:
    network = loaded(lambda: UNet(NARROW), random_state(lambda: UNet(NARROW)))
    if not can_pack(network):
        pytest.skip("this torch has no oneDNN")
    return network


def inputs(height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x_BCHW = torch.randn(2, 4, height, width, generator=generator)
    return x_BCHW, torch.tensor([3.0, 700.5]), torch.randn(2, 16, generator=generator)


@torch.inference_mode()
@pytest.mark.parametrize(("height", "width"), [(16, 8), (13, 8), (12, 5), (4, 4), (9, 1)])
def test_any_size_gives_what_the_plain_network_gives(unet: UNet, height: int, width: int) -> None:
    given = inputs(height, width)
    plain_BCHW = unet(*given)
    packed_BCHW = packed(unet)(*given)
    assert isinstance(packed(unet), PackedUNet)
    assert relative_error(packed_BCHW, plain_BCHW) < 1e-5


@torch.inference_mode()
def test_packing_happens_once_for_the_same_weights(unet: UNet) -> None:
    assert packed(unet) is packed(unet)


@torch.no_grad()
def test_new_weights_are_packed_again(unet: UNet) -> None:
    given = inputs(8, 8)
    before_BCHW = packed(unet)(*given)
    for parameter in unet.parameters():
        parameter.mul_(1.1)
    after_BCHW = packed(unet)(*given)
    assert relative_error(after_BCHW, unet(*given)) < 1e-5
    assert relative_error(after_BCHW, before_BCHW) > 1e-2


def test_the_network_keeps_its_weights_and_still_learns(unet: UNet) -> None:
    state = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    with torch.inference_mode():
        packed(unet)
    assert unet.state_dict().keys() == state.keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in unet.state_dict().items())
    unpacked = loaded(lambda: UNet(NARROW), state)
    for network in (unet, unpacked):
        network(*inputs(8, 8)).square().mean().backward()
    for ours, reference in zip(unet.parameters(), unpacked.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, reference.grad, rtol=1e-4, atol=1e-5)


def test_other_precisions_are_left_alone(unet: UNet) -> None:
    half = unet.to(torch.bfloat16)
    assert packed(half) is half

"""Names and shapes against the tables verified on the published conversions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from engine.models import keymaps
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.unet import UNet, UNetConfig
from engine.models.vae import Vae, VaeConfig
from tests.unit.networks import on_meta, random_state

FOLDER = Path(__file__).parents[1] / "golden" / "keymaps"
Row = tuple[str, str, tuple[int, ...]]


def rows(name: str) -> list[Row]:
    lines = (FOLDER / f"{name}.tsv").read_text().splitlines()
    fields = [line.split("\t") for line in lines]
    return [(ours, theirs, tuple(int(size) for size in shape.split("x"))) for ours, theirs, shape in fields]


NETWORKS: dict[str, tuple[int, Callable[[], nn.Module], Callable[[], dict[str, str]]]] = {
    "unet_small": (690, lambda: UNet(UNetConfig.small()), lambda: keymaps.unet_table(UNetConfig.small())),
    "vae": (204, lambda: Vae(VaeConfig()), lambda: keymaps.vae_table(VaeConfig())),
    "vocoder": (194, lambda: HifiGan(HifiGanConfig()), lambda: keymaps.vocoder_table(HifiGanConfig())),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_row_of_the_table_is_what_the_rules_say(name: str) -> None:
    count, _, table = NETWORKS[name]
    assert table() == {ours: theirs for ours, theirs, _ in rows(name)}
    assert len(table()) == count


@pytest.mark.parametrize("name", NETWORKS)
def test_every_tensor_has_its_published_shape(name: str) -> None:
    _, build, _ = NETWORKS[name]
    state = on_meta(build).state_dict()
    for ours, _, shape in rows(name):
        squeezed = (*shape, 1, 1) if ".attn_1." in ours and len(shape) == 2 else shape
        assert tuple(state[ours].shape) == squeezed, ours


@pytest.mark.parametrize("config", [UNetConfig.small(), UNetConfig.medium(), UNetConfig.large()])
def test_unet_names_do_not_depend_on_the_size(config: UNetConfig) -> None:
    assert keymaps.unet_table(config) == keymaps.unet_table(UNetConfig.small())


@pytest.mark.parametrize(
    "table",
    [
        lambda: keymaps.unet_table(UNetConfig(attention_levels=(), res_blocks=1)),
        lambda: keymaps.unet_table(UNetConfig(attention_levels=(0, 3), res_blocks=3)),
        lambda: keymaps.vae_table(VaeConfig(channel_mult=(1, 2, 4, 8)), before_0_17=True),
        lambda: keymaps.vocoder_table(HifiGanConfig.released_48k()),
    ],
)
def test_no_two_tensors_share_a_name(table: Callable[[], dict[str, str]]) -> None:
    names = table()
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("before_0_17", [False, True])
def test_vae_comes_back_from_either_attention_naming(before_0_17: bool) -> None:
    config = VaeConfig(base_channels=8)
    state = random_state(lambda: Vae(config))
    there = keymaps.vae_to_diffusers(state, config, before_0_17)
    name = "query" if before_0_17 else "to_q"
    assert there[f"encoder.mid_block.attentions.0.{name}.weight"].shape == (32, 32)
    back = keymaps.vae_to_original(there, config)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], state[key]) for key in state)


def test_unet_comes_back_unchanged() -> None:
    config = UNetConfig(base_channels=8, head_channels=8)
    state = random_state(lambda: UNet(config))
    back = keymaps.unet_to_original(keymaps.unet_to_diffusers(state, config), config)
    assert {key: id(tensor) for key, tensor in back.items()} == {key: id(t) for key, t in state.items()}


def test_vocoder_comes_back_without_the_unused_buffers() -> None:
    config = HifiGanConfig(channels=32)
    state = random_state(lambda: HifiGan(config))
    there = keymaps.vocoder_to_transformers(state, config)
    assert there.keys() - {"mean", "scale"} == set(keymaps.vocoder_table(config).values())
    assert keymaps.vocoder_to_original(there, config).keys() == state.keys()


def test_a_name_outside_the_table_stays_for_the_strict_load_to_report() -> None:
    stray = {"conv_in.lora": torch.zeros(1)}
    assert (
        keymaps.unet_to_original(stray, UNetConfig(base_channels=8, head_channels=8)).keys() == stray.keys()
    )

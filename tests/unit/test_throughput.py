"""How fast recipes train: operations by closed forms, figures of the page by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.evaluation.paper_cost import PaperRun, unet_operations, vae_operations, vocoder_operations
from engine.evaluation.throughput import BUILDERS, Throughput, measure_recipe, operations_of, prepare
from engine.evaluation.throughput_page import duration, page
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.unet import UNetConfig
from engine.models.vae import VaeConfig
from engine.training.config import ProjectConfig
from engine.training.store import StoreConfig
from tests.unit import training_setups as setups

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_layer_costs_two_operations_a_weight_and_thrice_that_in_training() -> None:
    layer, values = torch.nn.Linear(30, 50, bias=False), torch.randn(7, 30, requires_grad=True)
    forwards = 2 * 30 * 50 * 7
    assert operations_of(lambda: layer(values)) == forwards
    assert operations_of(lambda: layer(values).sum().backward()) == 3 * forwards


def test_a_judged_step_costs_what_its_passes_cost() -> None:
    config = HifiGanConfig(channels=32, resblock_kernels=(3,), resblock_dilations=(1,))
    mel = torch.randn(1, 51, 64)
    alone = operations_of(lambda: HifiGan(config)(mel))
    other = operations_of(lambda: HifiGan(replace(config, channels=64))(mel))
    added = vocoder_operations(replace(config, channels=64)) - vocoder_operations(config)
    # The judges stay the same; a backward pass costs twice, less the gradient at the mel, which nobody needs.
    assert 2.5 * (other - alone) < added <= 3 * (other - alone)


def test_operations_grow_with_the_square_of_the_width() -> None:
    widths = (32, 64, 128)
    vaes = [vae_operations(VaeConfig(base_channels=width, res_blocks=1)) for width in widths]
    unets = [unet_operations(UNetConfig(base_channels=width, res_blocks=1)) for width in widths]
    for narrow, middle, wide in (vaes, unets):
        # What does not grow, as a judge, leaves the differences alone; some layers grow in proportion.
        assert 3.5 < (wide - middle) / (middle - narrow) < 4.0


@pytest.fixture(scope="module")
def config() -> ProjectConfig:
    """Return every recipe at its smallest; the U-Net's latents are those of the VAE."""
    network = replace(setups.ldm_config().network, in_channels=2, out_channels=2)
    return ProjectConfig(
        store=StoreConfig(duration_s=0.64),
        vae=setups.vae_config(),
        vocoder=setups.vocoder_config(coded_probability=0.5),
        clap=setups.clap_config(),
        ldm=setups.ldm_config(network=network, shards=2, batch=6),
        classifier=setups.classifier_config(),
    )


def test_every_recipe_is_measured(config: ProjectConfig, tmp_path: Path) -> None:
    project = prepare(config, tmp_path, clips=6)
    rates = {name: measure_recipe(name, project, seconds=0.0) for name in BUILDERS}
    assert {name: rate.batch for name, rate in rates.items()} == {
        "vae": 3,
        "vocoder": 3,
        "clap": 4,
        "ldm": 6,
        "classifier": 6,
    }
    assert all(rate.clips_per_s > 0 and rate.operations_per_clip > 0 for rate in rates.values())


def test_the_page_says_what_was_measured() -> None:
    rate = Throughput(name="ldm", batch=48, clips_per_s=50.0, operations_per_clip=200_000_000, had=0.5)
    run = PaperRun(name="AudioLDM-S", like="ldm", batch=5, steps=600_000, operations_per_clip=4_000_000_000)
    text = page("a.toml", {"float32": 8e10, "bfloat16": 4e10}, [rate], [run], 20.0)
    assert "| ldm | 48 | 50.0 | 0.20 | 10.0 | 12% | 50% |" in text
    # 1.2e16 operations at 1e10 a second.
    assert "| AudioLDM-S | 5 | 0.6 M | 4 | 0.012 | ldm | 14 days |" in text
    assert "80 GFLOP/s in float32, 40 GFLOP/s in bfloat16" in " ".join(text.split())


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (60.0, "1 minutes"),
        (7200.0, "2 hours"),
        (200_000.0, "2.3 days"),
        (7e7, "2.2 years"),
        (1e10, "320 years"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said

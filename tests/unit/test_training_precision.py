"""Training in float16: losses are scaled, what overflows is skipped, and a resumed run knows of it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NanOutput
from engine.training import precision as module
from engine.training.latents import LatentStore
from engine.training.loop import LoopConfig, train
from engine.training.optimise import Optimiser, OptimiserConfig
from engine.training.precision import LossScale, Precision, mixed_precision
from engine.training.recipes.ldm import LdmRecipe
from engine.training.store import ClipStore
from tests.unit import training_setups as setups

CONFIG = OptimiserConfig(learning_rate=0.1, warmup_steps=1, clip_norm=0.5)


@pytest.fixture(scope="module")
def latents(tmp_path_factory: pytest.TempPathFactory) -> LatentStore:
    return setups.random_latents(tmp_path_factory.mktemp("latents"))


def _line() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(3, 1)


def _loss(network: torch.nn.Linear, factor: float = 1.0) -> torch.Tensor:
    return factor * network(torch.tensor([[1.0, -2.0, 0.5]])).square().sum()


@given(overflows=st.lists(st.booleans(), max_size=16))
def test_the_scale_is_that_of_torchs_own_scaler(overflows: list[bool]) -> None:
    """`torch.amp.GradScaler` is the reference, with a shorter interval."""
    scaler = torch.amp.GradScaler("cpu", init_scale=module.FIRST_SCALE, growth_interval=3)
    weight = torch.nn.Parameter(torch.ones(1))
    adam, ours = torch.optim.SGD([weight], 0.1), LossScale()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "STEPS_TO_DOUBLE", 3)
        for overflow in overflows:
            scaler.scale(weight.sum()).backward()
            weight.grad = torch.full((1,), math.inf if overflow else 1.0)
            scaler.step(adam)
            scaler.update()
            ours.update(overflow)
            assert ours.value == scaler.get_scale()


def test_scaled_losses_train_the_same_bits() -> None:
    plain, scaled = _line(), _line()
    one = Optimiser([plain], CONFIG)
    other = Optimiser([scaled], CONFIG, Precision.FLOAT16)
    for step in range(5):
        expected = one.step(_loss(plain), step)
        descent = other.step(_loss(scaled), step)
        assert (descent.norm, descent.skipped) == (expected.norm, False)
    assert torch.equal(plain.weight, scaled.weight)


def test_small_gradients_live_on_in_float16() -> None:
    for precision, lives in ((Precision.FLOAT16, True), (Precision.FLOAT32, False)):
        network = _line()
        optimiser = Optimiser([network], CONFIG, precision)
        with mixed_precision(Precision.FLOAT16, torch.device("cpu")):
            answer = network(torch.ones(1, 3))
        assert answer.dtype is torch.float16
        # The gradient at the answer is 1e-9, and the smallest float16 6e-8.
        descent = optimiser.step(1e-9 * answer.float().sum(), 0)
        assert (descent.norm > 0) is lives


@pytest.mark.parametrize("factor", [math.inf, math.nan, 3e38])
def test_a_step_that_overflows_changes_nothing_but_the_scale(factor: float) -> None:
    network = _line()
    optimiser = Optimiser([network], CONFIG, Precision.FLOAT16)
    optimiser.step(_loss(network), 0)
    before, adam = network.weight.detach().clone(), optimiser.state_dict()
    assert optimiser.step(_loss(network, factor), 1).skipped
    assert torch.equal(network.weight, before)
    assert str(adam["state"]) == str(optimiser.state_dict()["state"])
    assert optimiser.scale == module.FIRST_SCALE / 2
    assert not optimiser.step(_loss(network), 2).skipped
    assert not torch.equal(network.weight, before)


def test_what_overflows_at_any_scale_ends_the_training() -> None:
    network = _line()
    optimiser = Optimiser([network], CONFIG, Precision.FLOAT16)

    def overflow() -> None:
        for step in range(100):
            optimiser.step(_loss(network, math.inf), step)

    with pytest.raises(NanOutput, match="overflows in float16") as caught:
        overflow()
    assert "bfloat16" in caught.value.hint


def test_skipped_steps_are_counted_and_the_average_waits(
    latents: LatentStore, one_thread: None, tmp_path: Path
) -> None:
    recipe = setups.ldm(latents, precision=Precision.FLOAT16)
    optimiser = recipe._optimiser
    train(recipe, tmp_path, LoopConfig(steps=1))
    shadow = {name: value.clone() for name, value in recipe.ema.shadow.items()}
    assert optimiser._loss_scale is not None
    optimiser._loss_scale.value = 2.0**120
    metrics = recipe.train_step(1)
    assert metrics["skipped"] == 1.0 and "grad" not in metrics and math.isfinite(metrics["loss"])
    assert all(torch.equal(shadow[name], value) for name, value in recipe.ema.shadow.items())
    assert recipe.ema.updates == 1
    optimiser._loss_scale.value = 2.0**8
    assert recipe.train_step(2).keys() > {"grad", "loss_scale"}
    assert recipe.ema.updates == 2


@pytest.mark.parametrize("accumulate", [1, 2])
def test_both_optimisers_of_a_gan_have_a_scale_of_their_own(
    accumulate: int, tiny_clips: ClipStore, one_thread: None
) -> None:
    recipe = setups.vae(tiny_clips, precision=Precision.FLOAT16, adversarial_from=0, accumulate=accumulate)
    judge, network = recipe._judge_optimiser._loss_scale, recipe._optimiser._loss_scale
    assert judge is not None and network is not None
    judge.value, network.value = 2.0**120, 2.0**4
    before = [weight.detach().clone() for weight in recipe.judge.parameters()]
    metrics = recipe.train_step(0)
    assert (metrics["judge_skipped"], metrics["skipped"]) == (1.0, 0.0)
    assert (metrics["judge_loss_scale"], metrics["loss_scale"]) == (2.0**120, 2.0**4)
    assert all(torch.equal(*pair) for pair in zip(before, recipe.judge.parameters(), strict=True))
    judge.value = 2.0**4
    assert recipe.train_step(1)["judge_skipped"] == 0.0


@pytest.mark.parametrize("name", ["vae", "clap"])
def test_the_scale_cancels_out_of_what_is_computed_with_gradients(
    name: str, tiny_clips: ClipStore, one_thread: None
) -> None:
    """The VAE's adversarial weight is a ratio of gradients, CLAP's accumulation hands them on."""
    fields = {"adversarial_from": 0} if name == "vae" else {"accumulate": 2, "gain_db": 0.0}
    grads = []
    for precision in (Precision.FLOAT32, Precision.FLOAT16):
        recipe = getattr(setups, name)(tiny_clips, precision=precision, **fields)
        # The scale alone is looked at, and not what float16 rounds.
        recipe.config = replace(recipe.config, precision=Precision.FLOAT32)
        grads.append([recipe.train_step(step)["grad"] for step in range(3)])
    assert grads[1] == pytest.approx(grads[0], rel=1e-5)


def test_a_resumed_run_has_the_scale_it_had(latents: LatentStore, tmp_path: Path, one_thread: None) -> None:
    def recipe() -> LdmRecipe:
        return setups.ldm(latents, precision=Precision.FLOAT16)

    first = recipe()
    assert first._optimiser._loss_scale is not None
    first._optimiser._loss_scale.value = 2.0**30
    train(first, tmp_path, LoopConfig(steps=6))
    assert first._optimiser.scale < 2.0**30
    second = recipe()
    train(second, tmp_path, LoopConfig(steps=6))
    assert second._optimiser.scale == first._optimiser.scale
    # And one that goes on in other bits takes what there is.
    plain = setups.ldm(latents)
    assert train(plain, tmp_path, LoopConfig(steps=7)) == 7


def test_a_map_that_overflowed_is_not_remembered(tiny_clips: ClipStore, one_thread: None) -> None:
    recipe = setups.classifier(tiny_clips, precision=Precision.FLOAT16)
    with torch.no_grad():
        recipe.network.blocks[0][0].weight *= 1e6
    assert recipe.train_step(0)["skipped"] == 1.0
    assert all(value.isfinite().all() for value in recipe.network.state_dict().values())

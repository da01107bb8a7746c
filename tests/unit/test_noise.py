from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.diffusion.noise import SeededNoise

SHAPE_CHW = (8, 16, 4)


@settings(deadline=None)
@given(seed=st.integers(0, 2**63 - 1), batch=st.integers(1, 5))
def test_a_take_has_the_same_noise_in_any_batch(seed: int, batch: int) -> None:
    together = SeededNoise(seed, (batch, *SHAPE_CHW))
    alone = SeededNoise(seed + batch - 1, (1, *SHAPE_CHW))
    for _ in range(3):
        assert torch.equal(together.initial()[-1:], alone.initial())
        assert torch.equal(together.step()[-1:], alone.step())


def test_asking_for_the_start_again_does_not_move_the_steps() -> None:
    once, often = SeededNoise(7, (1, *SHAPE_CHW)), SeededNoise(7, (1, *SHAPE_CHW))
    for _ in range(4):
        assert torch.equal(often.initial(), once.initial())
    assert torch.equal(often.step(), once.step())


def test_draws_and_items_differ() -> None:
    noise = SeededNoise(7, (3, *SHAPE_CHW))
    drawn = [*noise.initial(), *noise.step(), *noise.step()]
    assert all(not torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


def test_shared_noise_is_that_of_the_first_item() -> None:
    shared = SeededNoise(7, (3, *SHAPE_CHW), shared=True)
    first = SeededNoise(7, (1, *SHAPE_CHW))
    assert torch.equal(shared.initial(), first.initial().expand(3, *SHAPE_CHW))
    assert torch.equal(shared.step(), first.step().expand(3, *SHAPE_CHW))


def test_precision_only_rounds_the_noise() -> None:
    single = SeededNoise(7, (2, *SHAPE_CHW))
    half = SeededNoise(7, (2, *SHAPE_CHW), dtype=torch.bfloat16)
    assert torch.equal(half.initial(), single.initial().bfloat16())


def test_noise_is_standard_normal() -> None:
    drawn = SeededNoise(0, (4, 8, 256, 16)).initial()
    assert abs(float(drawn.mean())) < 0.01
    assert abs(float(drawn.std()) - 1.0) < 0.01

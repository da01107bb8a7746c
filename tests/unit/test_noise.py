from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.diffusion.noise import SeededNoise, VariedNoise, between

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


@given(cells=st.integers(1, 40), batch=st.integers(1, 2), seed=st.integers(0, 2**62))
def test_blocks_change_nothing_up_to_one_block(cells: int, batch: int, seed: int) -> None:
    shape = (batch, 8, cells, 4)
    plain, blocked = SeededNoise(seed, shape), SeededNoise(seed, shape, block_cells=40)
    assert torch.equal(plain.initial(), blocked.initial())
    assert torch.equal(plain.step(), blocked.step())


@given(cells=st.integers(16, 100), more=st.integers(0, 100))
def test_latents_longer_than_a_block_share_what_they_have_in_common(cells: int, more: int) -> None:
    short, long = (SeededNoise(3, (2, 8, length, 4), block_cells=16) for length in (cells, cells + more))
    for _ in range(2):
        assert torch.equal(short.initial(), long.initial()[:, :, :cells])
        assert torch.equal(short.step(), long.step()[:, :, :cells])


def test_blocks_and_takes_differ() -> None:
    blocks = SeededNoise(3, (3, 8, 64, 4), block_cells=16).initial().split(16, dim=2)
    drawn = [item for block in blocks for item in block]
    assert all(not torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])
    assert abs(float(torch.stack(drawn).std()) - 1.0) < 0.02


def varied(amount: float, seed: int = 3, other: int = 8, cells: int = 16) -> VariedNoise:
    first, second = (SeededNoise(each, (2, 8, cells, 4), shared=True) for each in (seed, other))
    return VariedNoise(first, second, amount)


@settings(deadline=None)
@given(seed=st.integers(0, 2**63 - 1), other=st.integers(0, 2**63 - 1))
def test_a_variation_begins_with_one_noise_and_ends_with_the_other(seed: int, other: int) -> None:
    for amount, whose in ((0.0, seed), (1.0, other)):
        noise, plain = varied(amount, seed, other), SeededNoise(whose, (2, 8, 16, 4), shared=True)
        for _ in range(2):
            assert torch.equal(noise.initial(), plain.initial())
            assert torch.equal(noise.step(), plain.step())


@settings(deadline=None)
@given(amount=st.floats(0, 1), seed=st.integers(0, 2**63 - 1))
def test_a_variation_towards_itself_changes_nothing(amount: float, seed: int) -> None:
    assert torch.equal(varied(amount, seed, seed).initial(), varied(0.0, seed).initial())


@settings(deadline=None)
@given(amount=st.floats(0, 1), seed=st.integers(0, 2**62), cells=st.integers(1, 40))
def test_a_variation_keeps_the_norm_of_every_cell(amount: float, seed: int, cells: int) -> None:
    norms = [
        torch.linalg.vector_norm(varied(part, seed, seed + 1, cells).initial(), dim=(1, 3))
        for part in (0.0, amount, 1.0)
    ]
    torch.testing.assert_close(norms[1], torch.lerp(norms[0], norms[2], amount), rtol=1e-5, atol=1e-5)


@given(amounts=st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted))
def test_more_variation_leads_farther_away(amounts: list[float]) -> None:
    start = varied(0.0).initial()
    near, far = (float((varied(amount).initial() - start).norm()) for amount in amounts)
    assert near <= far + 1e-4


@given(cells=st.integers(16, 40))
def test_longer_variations_share_what_they_have_in_common(cells: int) -> None:
    short, long = (
        VariedNoise(*(SeededNoise(seed, (1, 8, many, 4), block_cells=16) for seed in (1, 2)), amount=0.4)
        for many in (cells, cells + 20)
    )
    assert torch.equal(short.initial(), long.initial()[:, :, :cells])


def test_varied_noise_is_standard_normal() -> None:
    first, second = (SeededNoise(seed, (4, 8, 256, 16)) for seed in (0, 100))
    drawn = VariedNoise(first, second, 0.5).initial()
    assert abs(float(drawn.mean())) < 0.01
    assert abs(float(drawn.std()) - 1.0) < 0.01


def test_opposite_noise_has_a_middle() -> None:
    ones = torch.ones(1, 2, 3, 4)
    assert torch.isfinite(between(ones, -ones, 0.5)).all()
    assert torch.isfinite(between(torch.zeros_like(ones), ones, 0.5)).all()

"""What is random about a sample depends on its place in a batch alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from engine.errors import SpecError
from engine.training.answers import Answers
from engine.training.draws import Draws, RowwiseDropout
from engine.training.parallel import own_pieces


def _all(draws: Draws) -> tuple[torch.Tensor, ...]:
    return draws.normal(2, 3), draws.uniform(), draws.integers(1000)


@given(start=st.integers(0, 20), count=st.integers(1, 8), step=st.integers(0, 10**7))
def test_a_row_is_drawn_the_same_in_any_piece(start: int, count: int, step: int) -> None:
    whole = _all(Draws(3, step, slice(0, 30)))
    piece = _all(Draws(3, step, slice(start, start + count)))
    for ours, theirs in zip(piece, whole, strict=True):
        assert torch.equal(ours, theirs[start : start + count])


def test_rows_steps_seeds_and_streams_differ() -> None:
    base = Draws(0, 0, slice(0, 50)).normal(10)
    others = [Draws(1, 0, slice(0, 50)), Draws(0, 1, slice(0, 50)), Draws(0, 0, slice(0, 50), stream=1)]
    values = torch.cat([base, *(other.normal(10) for other in others)])
    # Of 200 independent rows of ten the greatest correlation stays below one, and most are near none.
    likeness = torch.corrcoef(values).fill_diagonal_(0.0)
    assert likeness.abs().max() < 0.99
    assert likeness.mean().abs() < 0.02


def test_values_have_their_distributions() -> None:
    draws = Draws(0, 0, slice(0, 400))
    normal, uniform, integers = draws.normal(100), draws.uniform(100), draws.integers(10)
    assert normal.mean().item() == pytest.approx(0.0, abs=0.02)
    assert normal.std().item() == pytest.approx(1.0, abs=0.02)
    assert uniform.min() >= 0 and uniform.max() < 1 and uniform.mean().item() == pytest.approx(0.5, abs=0.01)
    assert integers.unique().tolist() == list(range(10))


def test_dropout_keeps_its_share_and_the_mean() -> None:
    with RowwiseDropout(Draws(0, 0, slice(0, 100))):
        dropped = F.dropout(torch.ones(100, 400), 0.25)
        kept = F.dropout(torch.ones(100, 4), 0.25, training=False)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert dropped.max().item() == pytest.approx(1 / 0.75)
    assert torch.equal(kept, torch.ones(100, 4))


def test_a_row_is_dropped_the_same_in_any_piece() -> None:
    layers = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(6, 6), torch.nn.Dropout(0.5))
    values = torch.randn(8, 5, 6)
    with RowwiseDropout(Draws(0, 4, slice(0, 8))):
        whole = layers(values)
    with RowwiseDropout(Draws(0, 4, slice(2, 5))):
        assert torch.allclose(layers(values[2:5]), whole[2:5], atol=1e-6)


@pytest.mark.parametrize("kind", ["none", "bool", "float"])
def test_attention_under_dropout_is_attention(kind: str) -> None:
    query, key, value = torch.randn(3, 2, 4, 5, 8).unbind()
    allowed = torch.ones(2, 1, 1, 5, dtype=torch.bool)
    allowed[0, ..., 3:] = False
    masks = {"none": None, "bool": allowed, "float": torch.where(allowed, 0.0, -torch.inf)}
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=masks[kind])
    with RowwiseDropout(Draws(0, 0, slice(0, 2))):
        ours = F.scaled_dot_product_attention(query, key, value, attn_mask=masks[kind], dropout_p=1e-9)
    assert torch.allclose(ours, expected, atol=1e-6)


@given(batch=st.integers(1, 40), accumulate=st.integers(1, 8))
def test_pieces_are_a_batch_cut_evenly(batch: int, accumulate: int) -> None:
    if accumulate > batch:
        with pytest.raises(SpecError, match=f"A batch of {batch} has no row for each of {accumulate} pieces"):
            own_pieces(batch, accumulate)
        return
    pieces = own_pieces(batch, accumulate)
    assert [row for rows in pieces for row in range(batch)[rows]] == list(range(batch))
    sizes = [rows.stop - rows.start for rows in pieces]
    assert max(sizes) - min(sizes) <= 1


def test_one_piece_is_answered_once_and_several_anew_for_each_look() -> None:
    asked: list[int] = []

    def answer(rows: slice) -> torch.Tensor:
        asked.append(rows.start)
        return torch.ones(2, requires_grad=True) * rows.start

    one, two = Answers([slice(3, 4)], answer), Answers([slice(0, 1), slice(1, 2)], answer)
    assert all(value.requires_grad for value in [*one.to_judge(), *one, *one.then(lambda value: value * 2)])
    assert asked == [3]
    assert not any(value.requires_grad for value in two.to_judge())
    assert all(value.requires_grad for value in two)
    assert asked == [3, 0, 1, 0, 1]

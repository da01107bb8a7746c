"""Shared blocks against plain formulas."""

from __future__ import annotations

import math

import pytest
import torch

from engine.models import blocks


def test_attention_equals_the_plain_formula_head_by_head() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 5, 12, generator=generator, dtype=torch.float64) for _ in range(3))
    parts = []
    for head in range(3):
        part = slice(4 * head, 4 * head + 4)
        logits = query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(4)
        parts.append(logits.softmax(-1) @ value[..., part])
    torch.testing.assert_close(blocks.attend(query, key, value, heads=3), torch.cat(parts, dim=-1))


def test_tokens_run_through_frequency_first_and_come_back() -> None:
    x_BCHW = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    tokens_BNC = blocks.to_tokens(x_BCHW)
    assert torch.equal(tokens_BNC[0, 6], x_BCHW[0, :, 1, 1])
    assert torch.equal(blocks.from_tokens(tokens_BNC, 4, 5), x_BCHW)


def test_time_embedding_is_cosines_then_sines() -> None:
    embedding = blocks.sinusoidal_embedding(torch.tensor([0, 7]), 8)
    angles = [7 * 10_000 ** (-i / 4) for i in range(4)]
    expected = [math.cos(a) for a in angles] + [math.sin(a) for a in angles]
    assert embedding[0].tolist() == [1.0] * 4 + [0.0] * 4
    assert embedding[1].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("channels", "groups"), [(8, 8), (32, 32), (48, 16), (192, 32), (640, 32)])
def test_norm_has_as_many_of_32_groups_as_divide_the_width(channels: int, groups: int) -> None:
    assert blocks.group_norm(channels, 1e-5).num_groups == groups

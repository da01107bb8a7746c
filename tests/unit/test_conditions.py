from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from engine.diffusion.conditions import mix_embeddings
from engine.errors import SpecError


def _units(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, 16, generator=generator, dtype=torch.float64), dim=-1)


@settings(deadline=None)
@given(share=st.floats(0.0, 1.0), total=st.floats(0.1, 10.0))
def test_two_conditions_interpolate_along_the_great_arc(share: float, total: float) -> None:
    first_E, second_E = _units(2)
    mixed_E = mix_embeddings(torch.stack([first_E, second_E]), [total * (1.0 - share), total * share])
    angle = math.acos(float(first_E @ second_E))
    near, far = math.sin((1.0 - share) * angle), math.sin(share * angle)
    expected_E = (near * first_E + far * second_E) / math.sin(angle)
    torch.testing.assert_close(mixed_E, expected_E, rtol=0, atol=1e-9)


@settings(deadline=None)
@given(weights=st.lists(st.floats(0.01, 1.0), min_size=3, max_size=5), seed=st.integers(0, 50))
def test_the_mean_minimises_the_weighted_squared_angles(weights: list[float], seed: int) -> None:
    units_KE = normalize(_units(len(weights), seed) + 1.0, dim=-1)
    weights_K = torch.tensor(weights, dtype=torch.float64)

    def cost(point_E: Tensor) -> float:
        return float((weights_K * torch.acos((units_KE @ point_E).clamp(-1.0, 1.0)).square()).sum())

    mixed_E = mix_embeddings(units_KE, weights)
    assert float(mixed_E.norm()) == pytest.approx(1.0, abs=1e-12)
    for step_E in _units(8, seed + 1000):
        assert cost(mixed_E) <= cost(normalize(mixed_E + 0.01 * step_E, dim=0)) + 1e-12


def test_order_does_not_matter() -> None:
    units_KE = _units(3)
    forward_E = mix_embeddings(units_KE, [1.0, 2.0, 3.0])
    torch.testing.assert_close(mix_embeddings(units_KE.flip(0), [3.0, 2.0, 1.0]), forward_E)


def test_one_condition_is_itself_in_its_own_precision() -> None:
    unit_1E = _units(1).float()
    mixed_E = mix_embeddings(unit_1E, [0.3])
    assert mixed_E.dtype == torch.float32
    torch.testing.assert_close(mixed_E, unit_1E[0])


def test_opposite_conditions_are_refused() -> None:
    (unit_E,) = _units(1)
    with pytest.raises(SpecError, match="cancel"):
        mix_embeddings(torch.stack([unit_E, -unit_E]), [1.0, 1.0])

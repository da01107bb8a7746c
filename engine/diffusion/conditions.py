"""Mixtures of CLAP embeddings.

Shapes: K conditions, E embedding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.errors import SpecError

MAX_ROUNDS = 64


def mix_embeddings(embeddings_KE: Tensor, weights: Sequence[float]) -> Tensor:
    """Return the weighted spherical mean of unit embeddings, a unit embedding of shape (E,).

    For two conditions this is the spherical interpolation between them; for more, the point from which
    the weighted great arcs to all of them cancel (Buss and Fillmore 2001, algorithm A1). Weights are
    relative. Raises `SpecError` where the conditions are so opposed that no mean exists.
    """
    assert embeddings_KE.shape[0] == len(weights) > 0, "one weight for each condition"
    assert min(weights) >= 0.0 < sum(weights), "weights must not be negative nor all zero"
    points_KE = torch.nn.functional.normalize(embeddings_KE.double(), dim=-1)
    weights_K1 = torch.tensor(weights, dtype=torch.float64, device=points_KE.device)[:, None] / sum(weights)
    mean_E = _unit((weights_K1 * points_KE).sum(0))
    for _ in range(MAX_ROUNDS):
        step_E = (weights_K1 * _arcs(mean_E, points_KE)).sum(0)
        mean_E = _unit(torch.cos(step_E.norm()) * mean_E + torch.sinc(step_E.norm() / torch.pi) * step_E)
        if step_E.norm() < 1e-12:
            break
    mixed_E: Tensor = mean_E.to(embeddings_KE.dtype)
    return mixed_E


def _arcs(from_E: Tensor, to_KE: Tensor) -> Tensor:
    """Return, for each point, the tangent along the great arc to it, as long as the arc."""
    across_KE = to_KE - (to_KE @ from_E)[:, None] * from_E
    length_K1 = across_KE.norm(dim=-1, keepdim=True)
    angle_K1 = torch.atan2(length_K1, (to_KE @ from_E)[:, None])
    arcs_KE: Tensor = across_KE * (angle_K1 / length_K1.clamp_min(1e-15))
    return arcs_KE


def _unit(point_E: Tensor) -> Tensor:
    length = point_E.norm()
    if length < 1e-6:
        raise SpecError("the conditions cancel each other", "change their weights or leave one out")
    unit_E: Tensor = point_E / length
    return unit_E

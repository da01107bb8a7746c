"""Random weights and comparisons for the tests of networks."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """Return the network without storage: shapes and names only."""
    with torch.device("meta"):
        return build()


def random_state(build: Callable[[], nn.Module], seed: int = 0) -> dict[str, Tensor]:
    """Return weights that keep signals near one, none of them zero, in layers of any kind."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _random(name, t, generator) for name, t in on_meta(build).state_dict().items()}


def loaded(build: Callable[[], nn.Module], state: dict[str, Tensor]) -> nn.Module:
    """Return the network on exactly these tensors, without copies."""
    network = on_meta(build)
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval()


def relative_error(ours: Tensor, reference: Tensor) -> float:
    """Return the largest difference relative to the reference's largest value."""
    assert ours.shape == reference.shape
    return ((ours - reference).abs().max() / reference.abs().max()).item()


def parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _random(name: str, like: Tensor, generator: torch.Generator) -> Tensor:
    uniform = torch.empty(like.shape).uniform_(-1.0, 1.0, generator=generator)
    if like.ndim > 1:
        return uniform * math.sqrt(3.0 / like[0].numel())
    return 1.0 + 0.2 * uniform if name.endswith("weight") else 0.1 * uniform

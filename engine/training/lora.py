"""Low-rank changes of a trained network: far fewer numbers to learn, from far fewer sounds.

O outputs, I inputs (times the cells of a kernel), R rank.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class LowRankChange(nn.Module):
    """Add a product of two thin matrices to a frozen weight (Hu et al. 2021, sec. 4.1); at first nothing.

    The kernel of a convolution counts as a matrix of as many rows as it has outputs. No rank is above the
    smaller side of its matrix, however large a rank is asked for.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        outputs, inputs = weight.flatten(1).shape
        rank = min(rank, outputs, inputs)
        self.down_RI = nn.Parameter(torch.randn(rank, inputs) / inputs**0.5)
        self.up_OR = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up_OR @ self.down_RI).view_as(weight)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Take a weight that is assigned for the frozen one."""
        return weight


def add_low_rank(network: nn.Module, rank: int) -> None:
    """Freeze a network but for a change of this rank in each linear layer and convolution."""
    network.requires_grad_(False)
    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRankChange(layer.weight, rank))


def fold_low_rank(network: nn.Module) -> None:
    """Add what was learnt to the weights, which get their plain names back."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)

"""Parts that several networks share.

B batch, N tokens, E embedding, C channels, H height (time), W width (frequency).
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORM_GROUPS = 32
Layer = TypeVar("Layer", bound=nn.Module)


def group_norm(channels: int, eps: float, groups: int = NORM_GROUPS) -> nn.GroupNorm:
    """Return a norm of so many groups, or of the most that divide both that and the width."""
    return nn.GroupNorm(math.gcd(groups, channels), channels, eps=eps)


def conv3(in_channels: int, out_channels: int, stride: int = 1, padding: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=padding)


def conv1(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 1)


@torch.no_grad()
def zero_initialised(module: Layer) -> Layer:
    """Zero the weights, so that the residual branch which ends here starts as nothing."""
    for parameter in module.parameters():
        parameter.zero_()
    return module


def to_tokens(x_BCHW: Tensor) -> Tensor:
    """Return (B, N, C) with time-major tokens; free of copies on channels-last memory."""
    return x_BCHW.permute(0, 2, 3, 1).flatten(1, 2)


def from_tokens(x_BNC: Tensor, height: int, width: int) -> Tensor:
    return x_BNC.unflatten(1, (height, width)).permute(0, 3, 1, 2)


def attend(query_BNE: Tensor, key_BNE: Tensor, value_BNE: Tensor, heads: int) -> Tensor:
    """Return scaled dot-product attention of so many heads (Vaswani et al. 2017, sec. 3.2)."""
    split = [x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query_BNE, key_BNE, value_BNE)]
    # torch 2.13 takes seven times as long for the fused gradient of a few tokens in 16 bit.
    trains_in_16_bit = torch.is_grad_enabled() and query_BNE.dtype is torch.bfloat16
    attention = _plain_attention if trains_in_16_bit else F.scaled_dot_product_attention
    return attention(*split).transpose(1, 2).flatten(2)


def _plain_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    return scores.softmax(dim=-1) @ value


def sinusoidal_embedding(t_B: Tensor, width: int, max_period: float = 10_000.0) -> Tensor:
    """Return cosines, then sines, of t at geometrically falling frequencies.

    The frequencies are rounded as float32 on purpose: at t near 1000 another rounding moves the
    fastest components by more than 1e-5 from what released weights were trained with.
    """
    half = width // 2
    ramp_E = torch.arange(half, dtype=torch.float32, device=t_B.device)
    frequency_E = torch.exp(-math.log(max_period) * ramp_E / half)
    angle_BE = t_B.float()[:, None] * frequency_E
    return torch.cat([angle_BE.cos(), angle_BE.sin()], dim=-1)

"""The denoising U-Net of AudioLDM, under the attribute names of the released checkpoints.

B batch, C latent channels, H latent time, W latent frequency, E embedding, N tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.models.blocks import (
    NORM_GROUPS,
    attend,
    conv1,
    conv3,
    from_tokens,
    group_norm,
    sinusoidal_embedding,
    to_tokens,
    zero_initialised,
)

RESIDUAL_EPS = 1e-5
TRANSFORMER_EPS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetConfig:
    """Shape of a U-Net; the defaults are AudioLDM-S.

    Attention has width / head_channels heads, so wider levels have more of them. `heads` instead
    fixes their number on every level: the maths that diffusers gives the released weights.
    attention_levels are indices into channel_mult; the middle always attends. A narrow network wants fewer
    norm_groups: in a group of one channel the norm takes away its mean and scale, and with them what the
    noise to predict has of both, an error of 0.006 on 256 latent cells at every level of noise.
    simple_attention puts one self-attention in the place of each transformer (AudioLDM, sec. 5.2).
    """

    in_channels: int = 8
    out_channels: int = 8
    base_channels: int = 128
    channel_mult: tuple[int, ...] = (1, 2, 3, 5)
    res_blocks: int = 2
    attention_levels: tuple[int, ...] = (1, 2, 3)
    head_channels: int = 32
    heads: int | None = None
    condition_width: int = 512
    norm_groups: int = NORM_GROUPS
    simple_attention: bool = False

    def __post_init__(self) -> None:
        if not self.channel_mult or self.res_blocks < 1:
            raise ValueError("a U-Net needs at least one level and one residual block per level")
        if any(not 0 <= level < len(self.channel_mult) for level in self.attention_levels):
            raise ValueError(f"attention_levels {self.attention_levels} name a level that is not there")
        for level in {*self.attention_levels, len(self.channel_mult) - 1}:
            if self.widths[level] % (self.heads or self.head_channels):
                raise ValueError(f"level {level} has {self.widths[level]} channels: no whole number of heads")

    @classmethod
    def small(cls) -> UNetConfig:
        return cls()

    @classmethod
    def medium(cls) -> UNetConfig:
        return cls(base_channels=192)

    @classmethod
    def large(cls) -> UNetConfig:
        return cls(base_channels=256, head_channels=64)

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the channels of each level, finest first."""
        return tuple(self.base_channels * mult for mult in self.channel_mult)

    @property
    def embedding_width(self) -> int:
        """Return the width of time and condition together, as each residual block gets them."""
        return 8 * self.base_channels

    def heads_at(self, level: int) -> int:
        return self.heads or self.widths[level] // self.head_channels


class ResBlock(nn.Module):
    """Two convolutions around an added embedding, with a residual."""

    def __init__(self, in_channels: int, out_channels: int, config: UNetConfig) -> None:
        super().__init__()
        groups, embedding_width = config.norm_groups, config.embedding_width
        self.in_layers = nn.Sequential(
            group_norm(in_channels, RESIDUAL_EPS, groups), nn.SiLU(), conv3(in_channels, out_channels)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding_width, out_channels))
        self.out_layers = nn.Sequential(
            group_norm(out_channels, RESIDUAL_EPS, groups),
            nn.SiLU(),
            nn.Identity(),
            zero_initialised(conv3(out_channels, out_channels)),
        )
        same = in_channels == out_channels
        self.skip_connection = nn.Identity() if same else conv1(in_channels, out_channels)

    def forward(self, x_BCHW: Tensor, embedding_BE: Tensor) -> Tensor:
        h_BCHW = self.in_layers(x_BCHW) + self.emb_layers(embedding_BE)[:, :, None, None]
        return self.skip_connection(x_BCHW) + self.out_layers(h_BCHW)


class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(width, width, bias=False)
        self.to_v = nn.Linear(width, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x_BNE: Tensor) -> Tensor:
        mixed_BNE = attend(self.to_q(x_BNE), self.to_k(x_BNE), self.to_v(x_BNE), self.heads)
        return self.to_out[0](mixed_BNE)


class GatedProjection(nn.Module):
    """GEGLU (Shazeer 2020), value first and gate second."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * hidden)

    def forward(self, x_BNE: Tensor) -> Tensor:
        value_BNE, gate_BNE = self.proj(x_BNE).chunk(2, dim=-1)
        return value_BNE * F.gelu(gate_BNE)


class FeedForward(nn.Module):
    def __init__(self, width: int, expansion: int = 4) -> None:
        super().__init__()
        hidden = expansion * width
        self.net = nn.Sequential(GatedProjection(width, hidden), nn.Identity(), nn.Linear(hidden, width))

    def forward(self, x_BNE: Tensor) -> Tensor:
        return self.net(x_BNE)


class TransformerBlock(nn.Module):
    """Two self-attentions and a feed-forward: the second one has no context in AudioLDM."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn1 = SelfAttention(width, heads)
        self.attn2 = SelfAttention(width, heads)
        self.ff = FeedForward(width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, x_BNE: Tensor) -> Tensor:
        x_BNE = x_BNE + self.attn1(self.norm1(x_BNE))
        x_BNE = x_BNE + self.attn2(self.norm2(x_BNE))
        return x_BNE + self.ff(self.norm3(x_BNE))


class SpatialTransformer(nn.Module):
    """Attention among all cells of a latent, with a residual."""

    def __init__(self, width: int, heads: int, norm_groups: int) -> None:
        super().__init__()
        self.norm = group_norm(width, TRANSFORMER_EPS, norm_groups)
        self.proj_in = conv1(width, width)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, heads)])
        self.proj_out = zero_initialised(conv1(width, width))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        tokens_BNE = to_tokens(self.proj_in(self.norm(x_BCHW)))
        for block in self.transformer_blocks:
            tokens_BNE = block(tokens_BNE)
        return x_BCHW + self.proj_out(from_tokens(tokens_BNE, *x_BCHW.shape[2:]))


class SimpleAttention(nn.Module):
    """One self-attention among all cells of a latent, with a residual and nothing else."""

    def __init__(self, width: int, heads: int, norm_groups: int) -> None:
        super().__init__()
        self.norm = group_norm(width, TRANSFORMER_EPS, norm_groups)
        self.attn1 = SelfAttention(width, heads)
        zero_initialised(self.attn1.to_out[0])

    def forward(self, x_BCHW: Tensor) -> Tensor:
        mixed_BNE = self.attn1(to_tokens(self.norm(x_BCHW)))
        return x_BCHW + from_tokens(mixed_BNE, *x_BCHW.shape[2:])


class Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = conv3(channels, channels, stride=2)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        if x_BCHW.shape[3] > 1:
            return self.op(x_BCHW)
        # On one column torch 2.13's bfloat16 CPU kernel leaves the weight gradients of the taps
        # that see only its own padding uninitialised; padding by hand gives it real zeros to read.
        padded_BCHW = F.pad(x_BCHW, (1, 1, 0, 0))
        return F.conv2d(padded_BCHW, self.op.weight, self.op.bias, stride=2, padding=(1, 0))


class Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3(channels, channels)

    def forward(self, x_BCHW: Tensor, size: torch.Size) -> Tensor:
        """Return twice the size, less a row or column where the finer level has an odd count."""
        return self.conv(F.interpolate(x_BCHW, size=size, mode="nearest"))


class Stage(nn.ModuleList):
    """Layers in order, each given what it needs."""

    def forward(self, x_BCHW: Tensor, embedding_BE: Tensor, finer_size: torch.Size | None = None) -> Tensor:
        for layer in self:
            if isinstance(layer, ResBlock):
                x_BCHW = layer(x_BCHW, embedding_BE)
            elif isinstance(layer, Upsample):
                x_BCHW = layer(x_BCHW, finer_size)
            else:
                x_BCHW = layer(x_BCHW)
        return x_BCHW


class UNet(nn.Module):
    """Predict the noise in a latent from its level and a CLAP embedding."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        time_width = 4 * config.base_channels
        self.time_embed = nn.Sequential(
            nn.Linear(config.base_channels, time_width), nn.SiLU(), nn.Linear(time_width, time_width)
        )
        self.film_emb = nn.Linear(config.condition_width, time_width)
        self.input_blocks, skip_widths = _input_blocks(config)
        self.middle_block = _middle_block(config)
        self.output_blocks = _output_blocks(config, skip_widths)
        self.out = nn.Sequential(
            group_norm(config.widths[0], RESIDUAL_EPS, config.norm_groups),
            nn.SiLU(),
            zero_initialised(conv3(config.widths[0], config.out_channels)),
        )

    def forward(self, x_BCHW: Tensor, t_B: Tensor, condition_BE: Tensor) -> Tensor:
        """Return the noise; t_B is the schedule's index (0 the cleanest), any H and W will do."""
        embedding_BE = self._embedding(t_B, condition_BE, x_BCHW.dtype)
        skips = []
        for stage in self.input_blocks:
            x_BCHW = stage(x_BCHW, embedding_BE)
            skips.append(x_BCHW)
        x_BCHW = self.middle_block(x_BCHW, embedding_BE)
        for stage in self.output_blocks:
            x_BCHW = torch.cat([x_BCHW, skips.pop()], dim=1)
            x_BCHW = stage(x_BCHW, embedding_BE, skips[-1].shape[2:] if skips else None)
        return self.out(x_BCHW)

    def _embedding(self, t_B: Tensor, condition_BE: Tensor, dtype: torch.dtype) -> Tensor:
        waves_BE = sinusoidal_embedding(t_B, self.config.base_channels).to(dtype)
        return torch.cat([self.time_embed(waves_BE), self.film_emb(condition_BE)], dim=-1)


def _stage(config: UNetConfig, level: int, in_channels: int) -> Stage:
    width = config.widths[level]
    stage = Stage([ResBlock(in_channels, width, config)])
    if level in config.attention_levels:
        stage.append(_attention(config, level))
    return stage


def _attention(config: UNetConfig, level: int) -> nn.Module:
    kind = SimpleAttention if config.simple_attention else SpatialTransformer
    return kind(config.widths[level], config.heads_at(level), config.norm_groups)


def _input_blocks(config: UNetConfig) -> tuple[nn.ModuleList, list[int]]:
    """Return the way down, and the width of each stage's result for the way up."""
    stages = nn.ModuleList([Stage([conv3(config.in_channels, config.widths[0])])])
    skip_widths = [config.widths[0]]
    for level, width in enumerate(config.widths):
        for _ in range(config.res_blocks):
            stages.append(_stage(config, level, skip_widths[-1]))
            skip_widths.append(width)
        if level < len(config.widths) - 1:
            stages.append(Stage([Downsample(width)]))
            skip_widths.append(width)
    return stages, skip_widths


def _middle_block(config: UNetConfig) -> Stage:
    deepest = len(config.widths) - 1
    width = config.widths[deepest]
    return Stage(
        [
            ResBlock(width, width, config),
            _attention(config, deepest),
            ResBlock(width, width, config),
        ]
    )


def _output_blocks(config: UNetConfig, skip_widths: list[int]) -> nn.ModuleList:
    remaining = list(skip_widths)
    width = config.widths[-1]
    stages = nn.ModuleList()
    for level in reversed(range(len(config.widths))):
        for index in range(config.res_blocks + 1):
            stage = _stage(config, level, width + remaining.pop())
            width = config.widths[level]
            if level > 0 and index == config.res_blocks:
                stage.append(Upsample(width))
            stages.append(stage)
    return stages

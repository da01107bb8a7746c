"""The HiFi-GAN generator (Kong et al. 2020), under the attribute names of the released checkpoints.

Weights are plain: weight norm is folded when a checkpoint is read.
B batch, S samples, T mel frames, M mel bins, C channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

INNER_SLOPE = 0.1
OUTER_SLOPE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class HifiGanConfig:
    """Shape of a generator; the defaults are the released 16 kHz one with 64 bins.

    exact_upsampling pads each stage so that it returns exactly rate times its input, whatever
    the kernel; without it an odd rate with an even kernel adds one sample.
    """

    mel_bins: int = 64
    channels: int = 1024
    rates: tuple[int, ...] = (5, 4, 2, 2, 2)
    kernels: tuple[int, ...] = (16, 16, 8, 4, 4)
    resblock_kernels: tuple[int, ...] = (3, 7, 11)
    resblock_dilations: tuple[int, ...] = (1, 3, 5)
    exact_upsampling: bool = False

    def __post_init__(self) -> None:
        if not self.rates or len(self.rates) != len(self.kernels):
            raise ValueError(f"rates {self.rates} and kernels {self.kernels} must pair up")
        if self.exact_upsampling and self.kernels != tuple(2 * rate for rate in self.rates):
            raise ValueError("exact upsampling needs kernels of twice the rates")
        if self.channels % 2 ** len(self.rates):
            raise ValueError(f"channels must halve {len(self.rates)} times, got {self.channels}")

    @classmethod
    def released_48k(cls) -> HifiGanConfig:
        """Return the generator of the 48 kHz checkpoints with 256 bins."""
        return cls(
            mel_bins=256,
            channels=1536,
            rates=(6, 5, 4, 2, 2),
            kernels=(12, 10, 8, 4, 4),
            resblock_kernels=(3, 7, 11, 15),
            exact_upsampling=True,
        )

    @property
    def hop_samples(self) -> int:
        return math.prod(self.rates)


class DilatedResBlock(nn.Module):
    """Pairs of a dilated and a plain convolution, each pair with a residual ("type 1")."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_same_conv(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_same_conv(channels, kernel, 1) for _ in dilations)

    def forward(self, x_BCS: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            h_BCS = dilated(F.leaky_relu(x_BCS, INNER_SLOPE))
            x_BCS = x_BCS + plain(F.leaky_relu(h_BCS, INNER_SLOPE))
        return x_BCS


class HifiGan(nn.Module):
    """Turn log-mels into audio by transposed convolutions."""

    def __init__(self, config: HifiGanConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels // 2**stage for stage in range(len(config.rates) + 1)]
        self.conv_pre = _same_conv(config.mel_bins, 7, 1, out_channels=widths[0])
        self.ups = nn.ModuleList(_upsampler(config, stage, widths) for stage in range(len(config.rates)))
        self.resblocks = nn.ModuleList(
            DilatedResBlock(width, kernel, config.resblock_dilations)
            for width in widths[1:]
            for kernel in config.resblock_kernels
        )
        self.conv_post = _same_conv(widths[-1], 7, 1, out_channels=1)

    @property
    def hop_samples(self) -> int:
        return self.config.hop_samples

    def forward(self, mel_BTM: Tensor) -> Tensor:
        """Return audio (B, S) with exactly T * hop_samples."""
        return self.raw_forward(mel_BTM)[:, : mel_BTM.shape[1] * self.hop_samples]

    def raw_forward(self, mel_BTM: Tensor) -> Tensor:
        """Return all that the network makes; the released 16 kHz one adds 32 samples at the end."""
        x_BCS = self.conv_pre(mel_BTM.transpose(1, 2))
        for stage, upsampler in enumerate(self.ups):
            x_BCS = self._merged(upsampler(F.leaky_relu(x_BCS, INNER_SLOPE)), stage)
        return torch.tanh(self.conv_post(F.leaky_relu(x_BCS, OUTER_SLOPE)))[:, 0]

    def _merged(self, x_BCS: Tensor, stage: int) -> Tensor:
        """Return the mean of a stage's residual blocks."""
        count = len(self.config.resblock_kernels)
        total_BCS = self.resblocks[stage * count](x_BCS)
        for index in range(1, count):
            total_BCS = total_BCS + self.resblocks[stage * count + index](x_BCS)
        return total_BCS / count


def _same_conv(channels: int, kernel: int, dilation: int, out_channels: int | None = None) -> nn.Conv1d:
    padding = dilation * (kernel - 1) // 2
    return nn.Conv1d(channels, out_channels or channels, kernel, dilation=dilation, padding=padding)


def _upsampler(config: HifiGanConfig, stage: int, widths: list[int]) -> nn.ConvTranspose1d:
    rate, kernel = config.rates[stage], config.kernels[stage]
    odd = rate % 2 if config.exact_upsampling else 0
    padding = rate // 2 + odd if config.exact_upsampling else (kernel - rate) // 2
    return nn.ConvTranspose1d(
        widths[stage], widths[stage + 1], kernel, stride=rate, padding=padding, output_padding=odd
    )

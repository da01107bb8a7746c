"""A vocoder at frame rate: ConvNeXt blocks and an inverse STFT, as Vocos (Siuzdak 2023).

B batch, S samples, T mel frames, M mel bins, C channels, F frequency bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EMBED_KERNEL = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class IstftVocoderConfig:
    """Shape of the vocoder; n_fft must be a multiple of the hop by an integer from 2."""

    mel_bins: int = 64
    width: int = 256
    blocks: int = 8
    expansion: int = 3
    n_fft: int = 640
    hop_samples: int = 160

    def __post_init__(self) -> None:
        if self.n_fft % self.hop_samples or self.n_fft < 2 * self.hop_samples:
            raise ValueError(f"n_fft {self.n_fft} must be 2 or more times the hop {self.hop_samples}")
        if (self.n_fft - self.hop_samples) % 2:
            raise ValueError("n_fft and hop_samples must differ by an even number")


class ConvNextBlock(nn.Module):
    """Depthwise convolution in time, then a two-layer network per frame (Liu et al. 2022)."""

    def __init__(self, width: int, hidden: int, initial_scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, EMBED_KERNEL, padding=EMBED_KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.scale = nn.Parameter(torch.full((width,), initial_scale))

    def forward(self, x_BTC: Tensor) -> Tensor:
        h_BTC = self.depthwise(x_BTC.transpose(1, 2)).transpose(1, 2)
        return x_BTC + self.scale * self.contract(F.gelu(self.expand(self.norm(h_BTC))))


class IstftHead(nn.Module):
    """Predict log-magnitude and phase of each frame, and overlap-add the frames."""

    def __init__(self, width: int, n_fft: int, hop_samples: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.hop_samples = hop_samples
        self.linear = nn.Linear(width, n_fft + 2)

    def forward(self, x_BTC: Tensor) -> Tensor:
        spectrum_BTF = self._spectrum(self.linear(x_BTC).float())
        # Made here and not kept, so that a network built without storage is whole once loaded.
        window = torch.hann_window(self.n_fft, device=x_BTC.device)
        frames = torch.fft.irfft(spectrum_BTF, n=self.n_fft, dim=-1) * window
        envelope = (window**2).expand(1, x_BTC.shape[1], self.n_fft)
        return self._overlap_add(frames) / self._overlap_add(envelope)

    def _spectrum(self, logits_BTF: Tensor) -> Tensor:
        log_magnitude_BTF, phase_BTF = logits_BTF.chunk(2, dim=-1)
        # No clip within -1..1 has a louder bin: the window sums to n_fft / 2.
        magnitude_BTF = log_magnitude_BTF.clamp(max=math.log(self.n_fft / 2)).exp()
        return torch.complex(magnitude_BTF * phase_BTF.cos(), magnitude_BTF * phase_BTF.sin())

    def _overlap_add(self, frames: Tensor) -> Tensor:
        """Return (B, T * hop) samples: the sum of the frames, less half an overlap at both ends."""
        count, hop = frames.shape[1], self.hop_samples
        overlaps = self.n_fft // hop
        pieces = frames.unflatten(-1, (overlaps, hop))
        shifted = [F.pad(pieces[:, :, k], (0, 0, k, overlaps - 1 - k)) for k in range(overlaps)]
        trim = (self.n_fft - hop) // 2
        return torch.stack(shifted).sum(0).flatten(1)[:, trim : trim + count * hop]


class IstftVocoder(nn.Module):
    """Turn log-mels into audio in one pass at frame rate."""

    def __init__(self, config: IstftVocoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Conv1d(config.mel_bins, config.width, EMBED_KERNEL, padding=EMBED_KERNEL // 2)
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.blocks = nn.ModuleList(
            ConvNextBlock(config.width, config.expansion * config.width, 1 / config.blocks)
            for _ in range(config.blocks)
        )
        self.final_norm = nn.LayerNorm(config.width, eps=1e-6)
        self.head = IstftHead(config.width, config.n_fft, config.hop_samples)
        self.apply(_initialise)

    @property
    def hop_samples(self) -> int:
        return self.config.hop_samples

    def forward(self, mel_BTM: Tensor) -> Tensor:
        """Return audio (B, S) with exactly T * hop_samples, float32."""
        x_BTC = self.norm(self.embed(mel_BTM.transpose(1, 2)).transpose(1, 2))
        for block in self.blocks:
            x_BTC = block(x_BTC)
        return self.head(self.final_norm(x_BTC))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)

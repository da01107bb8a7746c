"""The mel VAE of AudioLDM, under the attribute names of the released checkpoints.

B batch, T mel frames, M mel bins, C channels (latent ones outside), H latent time,
W latent frequency.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.limits import require_at_least
from engine.models.blocks import NORM_GROUPS, attend, conv1, conv3, from_tokens, group_norm, to_tokens

NORM_EPS = 1e-6
LOGVAR_MIN, LOGVAR_MAX = -30.0, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VaeConfig:
    """Shape of a VAE; the defaults are the released 16 kHz one (r = 4).

    norm_groups: in a group of one channel the norm takes away its mean and scale, and with them how loud a
    sound is: a narrow VAE needs fewer groups than the released 32.
    """

    base_channels: int = 128
    channel_mult: tuple[int, ...] = (1, 2, 4)
    res_blocks: int = 2
    latent_channels: int = 8
    in_channels: int = 1
    norm_groups: int = NORM_GROUPS

    def __post_init__(self) -> None:
        if not self.channel_mult or self.res_blocks < 1:
            raise ValueError("a VAE needs at least one level and one residual block per level")
        require_at_least(
            1,
            base_channels=self.base_channels,
            channel_mult=min(self.channel_mult),
            latent_channels=self.latent_channels,
            in_channels=self.in_channels,
            norm_groups=self.norm_groups,
        )

    @property
    def ratio(self) -> int:
        """Return r: how many mel frames, and mel bins, one latent cell stands for."""
        return 2 ** (len(self.channel_mult) - 1)

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the channels of each level, finest first."""
        return tuple(self.base_channels * mult for mult in self.channel_mult)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """A diagonal Gaussian over latents."""

    mean_BCHW: Tensor
    logvar_BCHW: Tensor

    def sample(self, noise_BCHW: Tensor) -> Tensor:
        """Return the latent that this standard-normal noise picks (Kingma & Welling 2014, eq. 10)."""
        return self.mean_BCHW + torch.exp(0.5 * self.logvar_BCHW) * noise_BCHW

    def mode(self) -> Tensor:
        return self.mean_BCHW


class VaeResBlock(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, groups: int) -> None:
        super().__init__()
        self.norm1 = group_norm(in_channels, NORM_EPS, groups)
        self.conv1 = conv3(in_channels, out_channels)
        self.norm2 = group_norm(out_channels, NORM_EPS, groups)
        self.conv2 = conv3(out_channels, out_channels)
        if in_channels != out_channels:
            self.nin_shortcut = conv1(in_channels, out_channels)
        self._widens = in_channels != out_channels

    def forward(self, x_BCHW: Tensor) -> Tensor:
        h_BCHW = self.conv1(F.silu(self.norm1(x_BCHW)))
        h_BCHW = self.conv2(F.silu(self.norm2(h_BCHW)))
        return (self.nin_shortcut(x_BCHW) if self._widens else x_BCHW) + h_BCHW


class VaeAttention(nn.Module):
    """Single-head attention among all cells, with a residual."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = group_norm(channels, NORM_EPS, groups)
        self.q = conv1(channels, channels)
        self.k = conv1(channels, channels)
        self.v = conv1(channels, channels)
        self.proj_out = conv1(channels, channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        h_BCHW = self.norm(x_BCHW)
        query, key, value = (to_tokens(layer(h_BCHW)) for layer in (self.q, self.k, self.v))
        mixed_BCHW = from_tokens(attend(query, key, value, heads=1), *x_BCHW.shape[2:])
        return x_BCHW + self.proj_out(mixed_BCHW)


class Middle(nn.Module):
    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.block_1 = VaeResBlock(channels, channels, groups)
        self.attn_1 = VaeAttention(channels, groups)
        self.block_2 = VaeResBlock(channels, channels, groups)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x_BCHW)))


class HalvingConv(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3(channels, channels, stride=2, padding=0)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        # Padded after the last frame and bin only: the released weights expect this asymmetry.
        return self.conv(F.pad(x_BCHW, (0, 1, 0, 1)))


class DoublingConv(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3(channels, channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.conv(F.interpolate(x_BCHW, scale_factor=2.0, mode="nearest"))


class Level(nn.Module):
    """Residual blocks of one width, then a change of size except at the end of the network."""

    def __init__(self, in_channels: int, out_channels: int, blocks: int, groups: int) -> None:
        super().__init__()
        widths = [in_channels] + [out_channels] * blocks
        self.block = nn.ModuleList(VaeResBlock(a, b, groups) for a, b in itertools.pairwise(widths))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        for block in self.block:
            x_BCHW = block(x_BCHW)
        return x_BCHW


class EncoderLevel(Level):
    def __init__(self, in_channels: int, out_channels: int, blocks: int, groups: int, last: bool) -> None:
        super().__init__(in_channels, out_channels, blocks, groups)
        self.downsample = nn.Identity() if last else HalvingConv(out_channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.downsample(super().forward(x_BCHW))


class DecoderLevel(Level):
    def __init__(self, in_channels: int, out_channels: int, blocks: int, groups: int, last: bool) -> None:
        super().__init__(in_channels, out_channels, blocks, groups)
        self.upsample = nn.Identity() if last else DoublingConv(out_channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.upsample(super().forward(x_BCHW))


class Encoder(nn.Module):
    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        widths = config.widths
        self.conv_in = conv3(config.in_channels, widths[0])
        self.down = nn.ModuleList(
            EncoderLevel(
                widths[max(0, level - 1)],
                width,
                config.res_blocks,
                config.norm_groups,
                last=level == len(widths) - 1,
            )
            for level, width in enumerate(widths)
        )
        self.mid = Middle(widths[-1], config.norm_groups)
        self.norm_out = group_norm(widths[-1], NORM_EPS, config.norm_groups)
        self.conv_out = conv3(widths[-1], 2 * config.latent_channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        h_BCHW = self.conv_in(x_BCHW)
        for level in self.down:
            h_BCHW = level(h_BCHW)
        return self.conv_out(F.silu(self.norm_out(self.mid(h_BCHW))))


class Decoder(nn.Module):
    """Walk `up` from its last entry to its first: checkpoints number levels finest first."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        widths = config.widths
        coarser = (*widths[1:], widths[-1])
        self.conv_in = conv3(config.latent_channels, widths[-1])
        self.mid = Middle(widths[-1], config.norm_groups)
        self.up = nn.ModuleList(
            DecoderLevel(coarser[level], width, config.res_blocks + 1, config.norm_groups, last=level == 0)
            for level, width in enumerate(widths)
        )
        self.norm_out = group_norm(widths[0], NORM_EPS, config.norm_groups)
        self.conv_out = conv3(widths[0], config.in_channels)

    def forward(self, z_BCHW: Tensor) -> Tensor:
        h_BCHW = self.mid(self.conv_in(z_BCHW))
        for level in reversed(self.up):
            h_BCHW = level(h_BCHW)
        return self.conv_out(F.silu(self.norm_out(h_BCHW)))


class Vae(nn.Module):
    """Compress log-mels to latents and back; latents are unscaled here."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_conv = conv1(2 * config.latent_channels, 2 * config.latent_channels)
        self.post_quant_conv = conv1(config.latent_channels, config.latent_channels)

    @property
    def last_layer(self) -> nn.Conv2d:
        """Return the layer whose gradients balance the adversarial loss (Esser et al. 2021, eq. 7)."""
        return self.decoder.conv_out

    def encode(self, mel_BTM: Tensor) -> Posterior:
        """Return the posterior; frames and bins beyond a multiple of the ratio are ignored."""
        moments_BCHW = self.quant_conv(self.encoder(mel_BTM[:, None]))
        mean_BCHW, logvar_BCHW = moments_BCHW.chunk(2, dim=1)
        return Posterior(mean_BCHW=mean_BCHW, logvar_BCHW=logvar_BCHW.clamp(LOGVAR_MIN, LOGVAR_MAX))

    def decode(self, z_BCHW: Tensor) -> Tensor:
        """Return ratio * H mel frames of ratio * W bins."""
        return self.decoder(self.post_quant_conv(z_BCHW))[:, 0]

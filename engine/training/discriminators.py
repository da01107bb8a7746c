"""Discriminators: PatchGAN on mels; multi-period and multi-scale on waveforms.

B batch, S samples, T mel frames, M mel bins, P period.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

LEAKY_SLOPE = 0.1
SCALE_WIDTHS = (1, 1, 2, 4, 8, 8, 8)
SCALE_KERNELS = (15, 41, 41, 41, 41, 41, 5)
SCALE_STRIDES = (1, 2, 2, 4, 4, 1, 1)
SCALE_GROUPS = (1, 4, 16, 16, 16, 16, 1)


class PatchDiscriminator(nn.Module):
    """Judge 2-D patches of a mel spectrogram (Isola et al. 2017, sec. 3.2.2).

    Normalised over each clip, not over the batch, so that a clip's verdict is its own.
    """

    def __init__(self, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(layers + 1)]
        stack: list[nn.Module] = [nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for level in range(1, layers + 1):
            stride = 1 if level == layers else 2
            stack += [
                nn.Conv2d(widths[level - 1], widths[level], 4, stride, 1, bias=False),
                nn.GroupNorm(1, widths[level]),
                nn.LeakyReLU(0.2),
            ]
        self.stack = nn.Sequential(*stack, nn.Conv2d(widths[-1], 1, 4, 1, 1))

    def forward(self, mel_BTM: Tensor) -> Tensor:
        """Return one logit for each patch, of 70 x 70 cells at three layers; shape (B, 1, rows, columns)."""
        return self.stack(mel_BTM.unsqueeze(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveDiscriminatorConfig:
    """Sizes of the waveform discriminators; width 32 is the one of HiFi-GAN."""

    width: int = 32
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    scales: int = 3


class WaveDiscriminators(nn.Module):
    """All multi-period and multi-scale discriminators together (Kong et al. 2020, sec. 2.3)."""

    def __init__(self, config: WaveDiscriminatorConfig) -> None:
        super().__init__()
        self.periods = nn.ModuleList(_Period(period, config.width) for period in config.periods)
        self.scales = nn.ModuleList(_Scale(config.width * 4, index == 0) for index in range(config.scales))

    def forward(self, audio_BS: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        """Return each discriminator's logits and its feature maps."""
        outputs = [judge(audio_BS) for judge in self.periods]
        scaled = audio_BS[:, None]
        for judge in self.scales:
            outputs.append(judge(scaled[:, 0]))
            scaled = F.avg_pool1d(scaled, 4, 2, 2)
        return [logits for logits, _ in outputs], [maps for _, maps in outputs]


class _Period(nn.Module):
    """Convolutions along the samples that are one period apart."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        widths = [1, width, width * 4, width * 16, width * 32, width * 32]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(widths[i], widths[i + 1], (5, 1), (3 if i < 4 else 1, 1), (2, 0)))
            for i in range(5)
        )
        self.head = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, audio_BS: Tensor) -> tuple[Tensor, list[Tensor]]:
        missing = -audio_BS.shape[1] % self.period
        padded_BS = F.pad(audio_BS[:, None], (0, missing), mode="reflect")[:, 0]
        features = padded_BS.unflatten(1, (-1, self.period))[:, None]
        return _judge(features, self.layers, self.head)


class _Scale(nn.Module):
    """Grouped convolutions over samples; the undecimated scale is spectrally normalised."""

    def __init__(self, width: int, spectral: bool) -> None:
        super().__init__()
        norm = spectral_norm if spectral else weight_norm
        widths = [width * times for times in SCALE_WIDTHS]
        shapes = zip([1, *widths], widths, SCALE_KERNELS, SCALE_STRIDES, SCALE_GROUPS, strict=False)
        self.layers = nn.ModuleList(
            norm(nn.Conv1d(before, after, kernel, stride, kernel // 2, groups=min(groups, width // 2)))
            for before, after, kernel, stride, groups in shapes
        )
        self.head = norm(nn.Conv1d(widths[-1], 1, 3, 1, 1))

    def forward(self, audio_BS: Tensor) -> tuple[Tensor, list[Tensor]]:
        return _judge(audio_BS[:, None], self.layers, self.head)


def _judge(features: Tensor, layers: nn.ModuleList, head: nn.Module) -> tuple[Tensor, list[Tensor]]:
    maps = []
    for layer in layers:
        features = F.leaky_relu(layer(features), LEAKY_SLOPE)
        maps.append(features)
    logits = head(features)
    return logits.flatten(1), [*maps, logits]

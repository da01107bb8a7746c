"""What the trainings of the AudioLDM paper cost, counted on networks of its sizes that hold no numbers.

B batch, S samples, T mel frames, M mel bins, C latent channels, H latent time, W latent frequency,
E embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.audio.mel_scale import MelConfig
from engine.evaluation.throughput import operations_of
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.unet import UNet, UNetConfig
from engine.models.vae import Vae, VaeConfig
from engine.training.discriminators import PatchDiscriminator, WaveDiscriminatorConfig, WaveDiscriminators

FRAMES = 1024
# HiFi-GAN's 8192 samples, in whole frames of 160.
SEGMENT_FRAMES = 51


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRun:
    """A training of the paper; `like` is the recipe here at whose rate it is taken to compute."""

    name: str
    like: str
    batch: int
    steps: int
    operations_per_clip: int

    @property
    def operations(self) -> int:
        return self.operations_per_clip * self.batch * self.steps


def paper_runs() -> list[PaperRun]:
    """Return what the paper trains, in its order; CLAP it takes from others."""
    small, large = unet_operations(UNetConfig()), unet_operations(large_unet())
    runs = (
        ("VAE, r = 4", "vae", 6, 1_500_000, vae_operations(VaeConfig())),
        ("HiFi-GAN V1", "vocoder", 96, 2_500_000, vocoder_operations(HifiGanConfig())),
        ("AudioLDM-S", "ldm", 5, 600_000, small),
        ("AudioLDM-L", "ldm", 8, 600_000, large),
        ("AudioLDM-L-Full", "ldm", 8, 1_500_000, large),
        ("AudioLDM-L-Full, fine-tuned on AudioCaps", "ldm", 8, 250_000, large),
    )
    return [
        PaperRun(name=name, like=like, batch=batch, steps=steps, operations_per_clip=operations)
        for name, like, batch, steps, operations in runs
    ]


def large_unet() -> UNetConfig:
    return UNetConfig(base_channels=256, head_channels=64)


def unet_operations(config: UNetConfig) -> int:
    """Return the operations of a training step on one clip of 10.24 s."""
    with torch.device("meta"):
        network = UNet(config)
        z_BCHW = torch.randn(1, config.in_channels, FRAMES // 4, MelConfig().mel_bins // 4)
        step_B, condition_BE = torch.zeros(1, dtype=torch.long), torch.randn(1, config.condition_width)
        return operations_of(lambda: _backward(network(z_BCHW, step_B, condition_BE)))


def vae_operations(config: VaeConfig) -> int:
    """Return the operations of an adversarial step on one clip of 10.24 s."""
    with torch.device("meta"):
        network, judge = Vae(config), PatchDiscriminator()
        mel_BTM = torch.randn(1, FRAMES, MelConfig().mel_bins)
        return operations_of(
            lambda: _adversarial_step(lambda: _autoencoded(network, mel_BTM), mel_BTM, judge)
        )


def vocoder_operations(config: HifiGanConfig) -> int:
    """Return the operations of an adversarial step on one segment."""
    with torch.device("meta"):
        network, judges = HifiGan(config), WaveDiscriminators(WaveDiscriminatorConfig())
        mel_BTM = torch.randn(1, SEGMENT_FRAMES, MelConfig().mel_bins)
        real_BS = torch.randn(1, SEGMENT_FRAMES * MelConfig().hop_samples)

        def judge(audio_BS: Tensor) -> Tensor:
            return torch.cat(judges(audio_BS)[0], dim=1)

        return operations_of(lambda: _adversarial_step(lambda: network(mel_BTM), real_BS, judge))


def _autoencoded(network: Vae, mel_BTM: Tensor) -> Tensor:
    return network.decode(network.encode(mel_BTM).mean_BCHW)


def _adversarial_step(
    answer: Callable[[], Tensor], real: Tensor, judge: Callable[[Tensor], Tensor] | nn.Module
) -> None:
    """Let the judge learn from a real and a made sound, then the network from the judge."""
    made = answer()
    _backward(judge(real), judge(made.detach()))
    with torch.no_grad():
        judge(real)
    _backward(judge(made), made)


def _backward(*values: Tensor) -> None:
    torch.stack([value.sum() for value in values]).sum().backward()

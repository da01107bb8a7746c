"""Train the mel VAE: L1, KL and, from a given step, PatchGAN (AudioLDM, app. C).

B batch, T mel frames, M mel bins, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.audio.mel import MelFrontEnd
from engine.audio.mel_scale import MelConfig
from engine.errors import SpecError
from engine.models.vae import Vae, VaeConfig
from engine.training.batches import BatchSampler, step_generator
from engine.training.clips import Clips
from engine.training.discriminators import PatchDiscriminator
from engine.training.ema import Ema
from engine.training.loop import Metrics, Parts
from engine.training.losses import (
    adaptive_weight,
    hinge_discriminator_loss,
    hinge_generator_loss,
    kl_to_standard_normal,
)
from engine.training.optimise import Optimiser, OptimiserConfig, mixed_precision


@dataclass(frozen=True, slots=True, kw_only=True)
class VaeRecipeConfig:
    """kl_weight is per latent element against the mean L1 (the released training used 0.0153)."""

    network: VaeConfig = field(default_factory=lambda: VaeConfig(base_channels=32, channel_mult=(1, 2, 4)))
    batch: int = 12
    crop_frames: int = 128
    mean_log_mel: float = -6.0
    kl_weight: float = 0.01
    adversarial_from: int = 1_000_000
    adversarial_weight: float = 0.5
    discriminator_width: int = 24
    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig(learning_rate=6e-4, betas=(0.5, 0.9), weight_decay=0.0)
    )
    ema_decay: float = 0.999
    seed: int = 0
    bfloat16: bool = True


class VaeRecipe(Parts):
    """Hold the VAE, its discriminator and their optimisers."""

    def __init__(self, config: VaeRecipeConfig, store: Clips) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network = Vae(config.network)
        # An untrained decoder answers 0, far above any log-mel: from the mean, L1 has less way to go.
        bias = self.network.last_layer.bias
        assert bias is not None
        torch.nn.init.constant_(bias, config.mean_log_mel)
        self.judge = PatchDiscriminator(config.discriminator_width)
        self.ema = Ema(self.network, config.ema_decay)
        self._optimiser = Optimiser([self.network], config.optimiser)
        self._judge_optimiser = Optimiser([self.judge], config.optimiser)
        self._mel = MelFrontEnd(MelConfig())
        _require_crop(config, store.config.clip_samples // self._mel.config.hop_samples)
        self._store = store
        self._batches = BatchSampler(len(store), config.batch, config.seed)
        self._parts = {
            "network": self.network,
            "judge": self.judge,
            "ema": self.ema,
            "optimiser": self._optimiser,
            "judge_optimiser": self._judge_optimiser,
        }

    def train_step(self, step: int) -> Metrics:
        generator = step_generator(self.config.seed, step)
        mel_BTM = self._batch(step, generator)
        adversarial = step >= self.config.adversarial_from
        with mixed_precision(self.config.bfloat16):
            posterior = self.network.encode(mel_BTM)
            noise_BCHW = torch.randn(posterior.mean_BCHW.shape, generator=generator)
            decoded_BTM = self.network.decode(posterior.sample(noise_BCHW))
        l1 = F.l1_loss(decoded_BTM.float(), mel_BTM)
        kl = kl_to_standard_normal(posterior)
        loss = l1 + self.config.kl_weight * kl
        metrics = {"l1": l1.item(), "kl": kl.item(), "latent_std": posterior.mean_BCHW.float().std().item()}
        if adversarial:
            metrics["judge"] = self._train_judge(mel_BTM, decoded_BTM.detach().float(), step)
            loss = loss + self._adversarial(l1, decoded_BTM)
        metrics["grad"] = self._optimiser.step(loss, step)
        self.ema.update(self.network)
        return metrics

    def _batch(self, step: int, generator: torch.Generator) -> Tensor:
        """Return mels of whole clips cut at a random frame."""
        audio_BS = torch.from_numpy(self._store.audio(self._batches.indices(step)))
        mel_BTM = self._mel(audio_BS)
        last = mel_BTM.shape[1] - self.config.crop_frames
        start = int(torch.randint(last + 1, (), generator=generator))
        return mel_BTM[:, start : start + self.config.crop_frames]

    def _train_judge(self, real_BTM: Tensor, fake_BTM: Tensor, step: int) -> float:
        with mixed_precision(self.config.bfloat16):
            real_logits, fake_logits = self.judge(real_BTM), self.judge(fake_BTM)
        loss = hinge_discriminator_loss(real_logits.float(), fake_logits.float())
        self._judge_optimiser.step(loss, step)
        return loss.item()

    def _adversarial(self, l1: Tensor, decoded_BTM: Tensor) -> Tensor:
        with mixed_precision(self.config.bfloat16):
            adversarial = hinge_generator_loss(self.judge(decoded_BTM).float())
        weight = adaptive_weight(l1, adversarial, self.network.last_layer.weight)
        return self.config.adversarial_weight * weight * adversarial


def _require_crop(config: VaeRecipeConfig, clip_frames: int) -> None:
    if config.crop_frames > clip_frames or config.crop_frames % config.network.ratio:
        raise SpecError(
            f"vae.crop_frames {config.crop_frames} must be at most the {clip_frames} frames of a clip, "
            f"and a multiple of the VAE's ratio {config.network.ratio}."
        )

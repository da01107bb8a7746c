"""Train the mel VAE: L1, KL and, from a given step, PatchGAN (AudioLDM, app. C).

B batch, T mel frames, M mel bins, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.audio.mel import MelFrontEnd
from engine.audio.mel_scale import MEL_16K, MelConfig
from engine.errors import SpecError
from engine.limits import require_at_least
from engine.models.vae import Posterior, Vae, VaeConfig
from engine.training.answers import Answers
from engine.training.batches import BatchSampler, step_generator
from engine.training.clips import Clips
from engine.training.discriminators import PatchDiscriminator
from engine.training.draws import Draws
from engine.training.ema import Ema
from engine.training.loop import Metrics, Parts
from engine.training.losses import (
    adaptive_weight,
    hinge_discriminator_loss,
    hinge_generator_loss,
    kl_to_standard_normal,
)
from engine.training.optimise import Optimiser, OptimiserConfig
from engine.training.parallel import Rows, own_pieces
from engine.training.precision import Descent, Precision, mixed_precision, with_descent
from engine.training.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class VaeRecipeConfig:
    """kl_weight is per latent element against the mean L1 (the released training used 0.0153).

    Each process computes its part of a batch in `accumulate` pieces, one after the other.
    """

    network: VaeConfig = field(default_factory=lambda: VaeConfig(base_channels=32, channel_mult=(1, 2, 4)))
    batch: int = 12
    accumulate: int = 1
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
    precision: Precision = Precision.BFLOAT16

    def __post_init__(self) -> None:
        require_at_least(1, batch=self.batch, accumulate=self.accumulate)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What the network makes of some rows; share is theirs of the batch."""

    share: float
    mel_BTM: Tensor
    posterior: Posterior
    decoded_BTM: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class _Losses:
    share: float
    l1: Tensor
    kl: Tensor
    adversarial: Tensor
    latent_BCHW: Tensor


class VaeRecipe(Parts):
    """Hold the VAE, its discriminator and their optimisers."""

    def __init__(self, config: VaeRecipeConfig, store: Clips, mel: MelConfig = MEL_16K) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network = Vae(config.network)
        # An untrained decoder answers 0, far above any log-mel: from the mean, L1 has less way to go.
        bias = self.network.last_layer.bias
        assert bias is not None
        torch.nn.init.constant_(bias, config.mean_log_mel)
        self.judge = PatchDiscriminator(config.discriminator_width)
        self.ema = Ema(self.network, config.ema_decay)
        self._optimiser = Optimiser([self.network], config.optimiser, config.precision)
        self._judge_optimiser = Optimiser([self.judge], config.optimiser, config.precision)
        self._mel = MelFrontEnd(mel)
        _require_crop(config, store.config.clip_samples // mel.hop_samples)
        _require_bins(config, mel)
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
        adversarial = step >= self.config.adversarial_from
        tally = Tally(self.device)
        pieces = own_pieces(len(self._batches.indices(step)), self.config.accumulate)
        answers = Answers(pieces, partial(self._answer, step))
        judge = self._train_judge(answers, step, tally) if adversarial else None
        losses = answers.then(partial(self._losses, adversarial))
        weight = self._adversarial_weight(losses) if adversarial else 0.0
        descent = self._optimiser.step_down(self._weighed(losses, weight, tally), step)
        self.ema.follow(self.network, descent)
        return with_descent(_with_latent_std(tally.total()), descent, judge)

    def _answer(self, step: int, rows: Rows) -> _Answer:
        draws = Draws(self.config.seed, step, rows, self.device)
        indices = self._batches.indices(step)
        mel_BTM = self._crops(indices[rows], step)
        with mixed_precision(self.config.precision, self.device):
            posterior = self.network.encode(mel_BTM)
            noise_BCHW = draws.normal(*posterior.mean_BCHW.shape[1:])
            decoded_BTM = self.network.decode(posterior.sample(noise_BCHW))
        share = len(mel_BTM) / len(indices)
        return _Answer(share=share, mel_BTM=mel_BTM, posterior=posterior, decoded_BTM=decoded_BTM)

    def _crops(self, indices: np.ndarray, step: int) -> Tensor:
        """Return mels of whole clips cut at a random frame, the same for the whole batch."""
        audio_BS = torch.from_numpy(self._store.audio(indices)).to(self.device)
        mel_BTM = self._mel(audio_BS)
        last = mel_BTM.shape[1] - self.config.crop_frames
        start = int(torch.randint(last + 1, (), generator=step_generator(self.config.seed, step)))
        return mel_BTM[:, start : start + self.config.crop_frames]

    def _train_judge(self, answers: Answers[_Answer], step: int, tally: Tally) -> Descent:
        judged = (self._judge_loss(answer, tally) for answer in answers.to_judge())
        return self._judge_optimiser.step_down(judged, step)

    def _judge_loss(self, answer: _Answer, tally: Tally) -> Tensor:
        with mixed_precision(self.config.precision, self.device):
            real_logits = self.judge(answer.mel_BTM)
            fake_logits = self.judge(answer.decoded_BTM.detach().float())
        loss = hinge_discriminator_loss(real_logits.float(), fake_logits.float())
        tally.add(answer.share, judge=loss)
        return answer.share * loss

    def _losses(self, adversarial: bool, answer: _Answer) -> _Losses:
        return _Losses(
            share=answer.share,
            l1=F.l1_loss(answer.decoded_BTM.float(), answer.mel_BTM),
            kl=kl_to_standard_normal(answer.posterior),
            adversarial=self._adversarial(answer) if adversarial else answer.mel_BTM.new_zeros(()),
            latent_BCHW=answer.posterior.mean_BCHW.detach().float(),
        )

    def _adversarial(self, answer: _Answer) -> Tensor:
        with mixed_precision(self.config.precision, self.device):
            return hinge_generator_loss(self.judge(answer.decoded_BTM).float())

    def _adversarial_weight(self, losses: Answers[_Losses]) -> Tensor:
        pairs = ((one.share * one.l1, one.share * one.adversarial) for one in losses)
        weight = adaptive_weight(pairs, self.network.last_layer.weight, self._optimiser.scale)
        return self.config.adversarial_weight * weight

    def _weighed(
        self, losses: Answers[_Losses], adversarial_weight: Tensor | float, tally: Tally
    ) -> Iterator[Tensor]:
        for one in losses:
            latent, square = one.latent_BCHW.mean(), one.latent_BCHW.square().mean()
            tally.add(one.share, l1=one.l1, kl=one.kl, latent_mean=latent, latent_square=square)
            loss = one.l1 + self.config.kl_weight * one.kl
            yield one.share * (loss + adversarial_weight * one.adversarial)


def _with_latent_std(figures: Metrics) -> Metrics:
    variance = figures.pop("latent_square") - figures.pop("latent_mean") ** 2
    return figures | {"latent_std": math.sqrt(max(variance, 0.0))}


def _require_crop(config: VaeRecipeConfig, clip_frames: int) -> None:
    if config.crop_frames > clip_frames or config.crop_frames % config.network.ratio:
        raise SpecError(
            f"vae.crop_frames {config.crop_frames} must be at most the {clip_frames} frames of a clip, "
            f"and a multiple of the VAE's ratio {config.network.ratio}."
        )


def _require_bins(config: VaeRecipeConfig, mel: MelConfig) -> None:
    if mel.mel_bins % config.network.ratio:
        raise SpecError(
            f"mel.mel_bins {mel.mel_bins} must be a multiple of the VAE's ratio {config.network.ratio}."
        )

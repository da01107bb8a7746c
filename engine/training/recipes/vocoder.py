"""Train a vocoder, HiFi-GAN or inverse-STFT: mel, feature matching and adversarial losses.

B batch, S samples, T mel frames, M mel bins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from engine.audio.mel import MelFrontEnd
from engine.audio.mel_scale import MEL_16K, MelConfig
from engine.errors import SpecError
from engine.limits import require_at_least
from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.istft_vocoder import IstftVocoder, IstftVocoderConfig
from engine.models.vae import Vae
from engine.training.answers import Answers
from engine.training.batches import BatchSampler, step_generator, with_floor_noise
from engine.training.clips import Clips
from engine.training.discriminators import WaveDiscriminatorConfig, WaveDiscriminators
from engine.training.draws import Draws
from engine.training.ema import Ema
from engine.training.loop import Metrics, Parts
from engine.training.losses import feature_matching_loss, lsgan_discriminator_loss, lsgan_generator_loss
from engine.training.optimise import Optimiser, OptimiserConfig
from engine.training.parallel import Rows, own_pieces, summed
from engine.training.precision import Precision, mixed_precision, with_descent
from engine.training.recipes.coded_mels import CodedMels
from engine.training.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class VocoderRecipeConfig:
    """Weights are HiFi-GAN's: 45 for mel, 2 for features; extra_resolutions add STFT losses.

    Each process computes its part of a batch in `accumulate` pieces, one after the other. Two things see the
    pieces: the spectral convergence of the STFT losses, which is a ratio over a piece, and the spectral norm
    of the first scale's judge, which moves a little at every look.
    coded_probability is the share of clips whose mel goes through the trained VAE first: all that a model
    makes comes from there.
    """

    network: IstftVocoderConfig | HifiGanConfig = field(default_factory=IstftVocoderConfig)
    batch: int = 16
    accumulate: int = 1
    segment_frames: int = 64
    coded_probability: float = 0.0
    mel_weight: float = 45.0
    feature_weight: float = 2.0
    extra_resolutions: tuple[int, ...] = (256, 512, 2048)
    adversarial_from: int = 1_000_000
    discriminators: WaveDiscriminatorConfig = field(
        default_factory=lambda: WaveDiscriminatorConfig(width=8, periods=(2, 3, 5, 7, 11), scales=3)
    )
    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig(learning_rate=6e-4, betas=(0.8, 0.99), clip_norm=10.0)
    )
    ema_decay: float = 0.999
    seed: int = 0
    precision: Precision = Precision.BFLOAT16

    def __post_init__(self) -> None:
        require_at_least(1, batch=self.batch, accumulate=self.accumulate)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """Segments and what the network makes of their mels; share is theirs of the batch."""

    share: float
    real_BS: Tensor
    fake_BS: Tensor


class VocoderRecipe(Parts):
    """Hold the vocoder, the waveform discriminators and their optimisers."""

    def __init__(
        self, config: VocoderRecipeConfig, store: Clips, mel: MelConfig = MEL_16K, vae: Vae | None = None
    ) -> None:
        """Without a trained vae no mel goes through it, whatever the config says."""
        _require_fit(config.network, mel)
        torch.manual_seed(config.seed)
        self.config = config
        self.network = build_vocoder(config.network)
        self.judges = WaveDiscriminators(config.discriminators)
        self.ema = Ema(self.network, config.ema_decay)
        self._optimiser = Optimiser([self.network], config.optimiser, config.precision)
        self._judge_optimiser = Optimiser([self.judges], config.optimiser, config.precision)
        self._mel = MelFrontEnd(mel)
        clip_frames = store.config.clip_samples // mel.hop_samples
        if config.segment_frames > clip_frames:
            raise SpecError(
                f"vocoder.segment_frames {config.segment_frames} exceeds the {clip_frames} frames of a clip."
            )
        self._coded = CodedMels(vae, config.coded_probability, clip_frames) if vae is not None else None
        self._store = store
        self._batches = BatchSampler(len(store), config.batch, config.seed)
        self._parts = {
            "network": self.network,
            "judges": self.judges,
            "ema": self.ema,
            "optimiser": self._optimiser,
            "judge_optimiser": self._judge_optimiser,
        }

    def train_step(self, step: int) -> Metrics:
        adversarial = step >= self.config.adversarial_from
        tally = Tally(self.device)
        pieces = own_pieces(len(self._batches.indices(step)), self.config.accumulate)
        answers = Answers(pieces, partial(self._answer, step))
        judge = None
        if adversarial:
            judged = (self._judge_loss(answer, tally) for answer in answers.to_judge())
            judge = self._judge_optimiser.step_down(judged, step)
        losses = (answer.share * self._loss(answer, adversarial, tally) for answer in answers)
        descent = self._optimiser.step_down(losses, step)
        self.ema.follow(self.network, descent)
        return with_descent(tally.total(), descent, judge)

    def _answer(self, step: int, rows: Rows) -> _Answer:
        """Imitate random segments by their mels, taken from the whole clip's mel as at inference."""
        indices = self._batches.indices(step)
        draws = Draws(self.config.seed, step, rows, self.device)
        clip_BS = torch.from_numpy(self._store.audio(indices[rows])).to(self.device)
        clip_BS = with_floor_noise(clip_BS, draws)
        frames, hop = self.config.segment_frames, self._mel.config.hop_samples
        choices = clip_BS.shape[1] // hop - frames + 1
        start = int(torch.randint(choices, (), generator=step_generator(self.config.seed, step)))
        segment = slice(start, start + frames)
        whole_BTM = self._mel(clip_BS)
        mel_BTM = self._coded.segments(whole_BTM, segment, draws) if self._coded else whole_BTM[:, segment]
        with mixed_precision(self.config.precision, self.device):
            fake_BS = self.network(mel_BTM).float()
        real_BS = clip_BS[:, start * hop : (start + frames) * hop]
        return _Answer(share=len(clip_BS) / len(indices), real_BS=real_BS, fake_BS=fake_BS)

    def _loss(self, answer: _Answer, adversarial: bool, tally: Tally) -> Tensor:
        real_BS, fake_BS = answer.real_BS, answer.fake_BS
        mel_loss = F.l1_loss(self._mel(fake_BS), self._mel(real_BS))
        tally.add(answer.share, mel=mel_loss)
        loss = self.config.mel_weight * mel_loss + self._spectral(fake_BS, real_BS)
        return loss + self._adversarial(real_BS, fake_BS) if adversarial else loss

    def _spectral(self, fake_BS: Tensor, real_BS: Tensor) -> Tensor:
        """Return log-magnitude and convergence distances at several resolutions (Yamamoto et al. 2020)."""
        losses = [_stft_distance(fake_BS, real_BS, n_fft) for n_fft in self.config.extra_resolutions]
        return torch.stack(losses).sum() if losses else fake_BS.new_zeros(())

    def _judge_loss(self, answer: _Answer, tally: Tally) -> Tensor:
        with mixed_precision(self.config.precision, self.device):
            real_logits, _ = self.judges(answer.real_BS)
            fake_logits, _ = self.judges(answer.fake_BS.detach())
        loss = lsgan_discriminator_loss([x.float() for x in real_logits], [x.float() for x in fake_logits])
        tally.add(answer.share, judges=loss)
        return answer.share * loss

    def _adversarial(self, real_BS: Tensor, fake_BS: Tensor) -> Tensor:
        with mixed_precision(self.config.precision, self.device):
            with torch.no_grad():
                _, real_maps = self.judges(real_BS)
            fake_logits, fake_maps = self.judges(fake_BS)
        features = feature_matching_loss(real_maps, fake_maps)
        return lsgan_generator_loss([x.float() for x in fake_logits]) + self.config.feature_weight * features


def _require_fit(network: IstftVocoderConfig | HifiGanConfig, mel: MelConfig) -> None:
    if (network.mel_bins, network.hop_samples) != (mel.mel_bins, mel.hop_samples):
        raise SpecError(
            f"The vocoder takes {network.mel_bins} bins and makes {network.hop_samples} samples of a frame, "
            f"but the project's mel has {mel.mel_bins} bins and a hop of {mel.hop_samples}.",
            "Let [vocoder.network] and [mel] agree.",
        )


def build_vocoder(config: IstftVocoderConfig | HifiGanConfig) -> IstftVocoder | HifiGan:
    """Build a vocoder to train; HiFi-GAN's convolutions get weight norm, see `fold_weight_norm`."""
    if isinstance(config, IstftVocoderConfig):
        return IstftVocoder(config)
    network = HifiGan(config)
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            weight_norm(module)
    return network


def fold_weight_norm(network: nn.Module) -> None:
    """Turn normalised weights into plain ones, so that the names are the released checkpoints'."""
    for module in network.modules():
        if parametrize.is_parametrized(module, "weight"):
            # A weight without gradient would come back as a buffer.
            module.requires_grad_(True)
            parametrize.remove_parametrizations(module, "weight")


def _stft_distance(fake_BS: Tensor, real_BS: Tensor, n_fft: int) -> Tensor:
    window = torch.hann_window(n_fft, device=fake_BS.device)
    fake = torch.stft(fake_BS, n_fft, n_fft // 4, window=window, return_complex=True).abs()
    real = torch.stft(real_BS, n_fft, n_fft // 4, window=window, return_complex=True).abs()
    error, power = summed(torch.stack([(fake - real).square().sum(), real.square().sum()]))
    convergence = error.clamp(min=1e-20).sqrt() / power.sqrt().clamp(min=1e-5)
    return convergence + F.l1_loss(fake.clamp(min=1e-4).log(), real.clamp(min=1e-4).log())

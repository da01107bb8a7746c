"""Train the latent diffusion U-Net on cached latents and CLAP embeddings (AudioLDM, eq. 3).

B batch, C latent channels, H latent time, W latent frequency, E embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.diffusion.schedule import NoiseSchedule
from engine.errors import SpecError
from engine.limits import require_at_least
from engine.models.unet import UNet, UNetConfig
from engine.training.batches import BatchSampler
from engine.training.draws import Draws
from engine.training.ema import Ema
from engine.training.latents import LatentStore
from engine.training.loop import Metrics, Parts
from engine.training.lora import add_low_rank
from engine.training.losses import diffusion_loss, noise_error_weight
from engine.training.optimise import Optimiser, OptimiserConfig
from engine.training.parallel import Rows, own_pieces
from engine.training.precision import Precision, mixed_precision, with_descent
from engine.training.tally import Tally


class TextEncoder(Enum):
    """What reads captions and prompts."""

    CLAP = "clap"
    ROBERTA = "roberta"


@dataclass(frozen=True, slots=True, kw_only=True)
class LdmRecipeConfig:
    """text_probability is the share of clips conditioned by their caption instead of their sound.

    The paper conditions by sound alone (0); the released training code mixes in 0.69. RoBERTa as
    text_encoder hears no sounds, so that with it all are conditioned by their caption (1). shards parts of
    a batch are computed side by side, each by one thread: the U-Net's small tensors keep two threads
    busy in no other way. The weights depend on their number, not on the threads that are there. Each process
    computes its part of a batch in `accumulate` pieces, one after the other.
    min_snr_gamma, snr_floor and weight_ceiling are those of `noise_error_weight`. Without posterior_noise
    the latents are the posteriors' means: what the VAE does not use is then not learnt as noise. A
    lora_rank above 0 trains a change of that rank alone, of weights that the run must have begun with.
    """

    network: UNetConfig = field(
        default_factory=lambda: UNetConfig(
            in_channels=16, out_channels=16, base_channels=32, head_channels=32
        )
    )
    batch: int = 64
    accumulate: int = 1
    shards: int = 1
    drop_probability: float = 0.1
    text_probability: float = 0.0
    text_encoder: TextEncoder = TextEncoder.CLAP
    min_snr_gamma: float = 5.0
    snr_floor: float = 0.0
    weight_ceiling: float = 200.0
    posterior_noise: bool = True
    lora_rank: int = 0
    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig(learning_rate=1e-3, warmup_steps=500, weight_decay=0.0)
    )
    ema_decay: float = 0.9995
    seed: int = 0
    precision: Precision = Precision.BFLOAT16

    def __post_init__(self) -> None:
        require_at_least(1, batch=self.batch, accumulate=self.accumulate, shards=self.shards)
        if self.text_encoder is TextEncoder.ROBERTA and self.text_probability < 1.0:
            raise SpecError(
                "RoBERTa hears no sounds to condition by.", "Set text_probability = 1.0 in [ldm]."
            )


class LdmRecipe(Parts):
    """Hold the U-Net, its average and its optimiser."""

    def __init__(self, config: LdmRecipeConfig, latents: LatentStore) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network = UNet(config.network)
        if config.lora_rank:
            add_low_rank(self.network, config.lora_rank)
        self.ema = Ema(self.network, config.ema_decay)
        self._optimiser = Optimiser([self.network], config.optimiser, config.precision)
        self._latents = latents
        self._map = map if config.shards == 1 else _one_thread_each(config.shards).map
        self._schedule = NoiseSchedule.scaled_linear()
        self._batches = BatchSampler(len(latents), config.batch, config.seed)
        self._parts = {
            "network": self.network,
            "ema": self.ema,
            "optimiser": self._optimiser,
        }

    def train_step(self, step: int) -> Metrics:
        tally = Tally(self.device)
        descent = self._optimiser.step_by(self._gradients(step, tally), step)
        self.ema.follow(self.network, descent)
        return with_descent(tally.total(), descent)

    def _gradients(self, step: int, tally: Tally) -> Iterator[Sequence[Tensor]]:
        """Yield the gradients of each shard of each piece of a batch that is this process'."""
        indices = self._batches.indices(step)
        for rows in own_pieces(len(indices), self.config.accumulate):
            shards = zip(
                *(value.chunk(self.config.shards) for value in self._noised(step, rows)), strict=True
            )
            for share, plain, weighted, gradients in self._map(partial(self._shard, len(indices)), shards):
                tally.add(share, loss=plain, weighted=weighted)
                yield gradients

    def _noised(self, step: int, rows: Rows) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return noisy latents, their steps, their conditions, and the noise."""
        draws = Draws(self.config.seed, step, rows)
        z_BCHW, condition_BE = self._batch(self._batches.indices(step)[rows], draws)
        noise_BCHW = draws.normal(*z_BCHW.shape[1:])
        t_B = draws.integers(self._schedule.steps)
        noisy_BCHW = self._schedule.diffuse(z_BCHW, t_B, noise_BCHW)
        return noisy_BCHW, t_B, condition_BE, noise_BCHW

    def _shard(
        self, batch: int, values: tuple[Tensor, Tensor, Tensor, Tensor]
    ) -> tuple[float, Tensor, Tensor, Sequence[Tensor]]:
        """Return a shard's share, its plain and weighted loss, and the scaled gradients of its part."""
        noisy_BCHW, t_B, condition_BE, noise_BCHW = (value.to(self.device) for value in values)
        with mixed_precision(self.config.precision, self.device):
            predicted_BCHW = self.network(noisy_BCHW, t_B, condition_BE)
        weight_B = noise_error_weight(
            self._schedule.alpha_bar[values[1]].float(),
            self.config.min_snr_gamma,
            self.config.snr_floor,
            self.config.weight_ceiling,
        ).to(self.device)
        share = len(t_B) / batch
        weighted = diffusion_loss(predicted_BCHW, noise_BCHW, weight_B)
        plain = diffusion_loss(predicted_BCHW.detach(), noise_BCHW, torch.ones_like(weight_B))
        scaled = self._optimiser.scale * share * weighted
        gradients = torch.autograd.grad(scaled, self._optimiser.parameters)
        return share, plain, weighted.detach(), gradients

    def _batch(self, indices: np.ndarray, draws: Draws) -> tuple[Tensor, Tensor]:
        """Return latents and their conditions, sound, text or none."""
        noisy = self.config.posterior_noise
        z_BCHW = self._latents.sample(indices, draws) if noisy else self._latents.mean(indices)
        by_text_B1 = draws.uniform(1) < self.config.text_probability
        condition_BE = self._latents.text_embeddings(indices)
        if self.config.text_probability < 1.0:
            condition_BE = torch.where(by_text_B1, condition_BE, self._latents.audio_embeddings(indices))
        dropped_B1 = draws.uniform(1) < self.config.drop_probability
        return z_BCHW, torch.where(dropped_B1, self._latents.empty_E, condition_BE)


def _one_thread_each(shards: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(shards, initializer=torch.set_num_threads, initargs=(1,))

"""Train the latent diffusion U-Net on cached latents and CLAP embeddings (AudioLDM, eq. 3).

B batch, C latent channels, H latent time, W latent frequency, E embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.diffusion.schedule import NoiseSchedule
from engine.models.unet import UNet, UNetConfig
from engine.training.batches import BatchSampler, step_generator
from engine.training.ema import Ema
from engine.training.latents import LatentStore
from engine.training.loop import Metrics, Parts
from engine.training.losses import diffusion_loss, noise_error_weight
from engine.training.optimise import Optimiser, OptimiserConfig, mixed_precision


@dataclass(frozen=True, slots=True, kw_only=True)
class LdmRecipeConfig:
    """text_probability is the share of clips conditioned by their caption instead of their sound.

    The paper conditions by sound alone (0); the released training code mixes in 0.69. shards parts of
    a batch are computed side by side, each by one thread: the U-Net's small tensors keep two threads
    busy in no other way. The weights depend on their number, not on the threads that are there.
    min_snr_gamma, snr_floor and weight_ceiling are those of `noise_error_weight`. Without posterior_noise
    the latents are the posteriors' means: what the VAE does not use is then not learnt as noise.
    """

    network: UNetConfig = field(
        default_factory=lambda: UNetConfig(
            in_channels=16, out_channels=16, base_channels=32, head_channels=32
        )
    )
    batch: int = 64
    shards: int = 1
    drop_probability: float = 0.1
    text_probability: float = 0.0
    min_snr_gamma: float = 5.0
    snr_floor: float = 0.0
    weight_ceiling: float = 200.0
    posterior_noise: bool = True
    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig(learning_rate=1e-3, warmup_steps=500, weight_decay=0.0)
    )
    ema_decay: float = 0.9995
    seed: int = 0
    bfloat16: bool = True


class LdmRecipe(Parts):
    """Hold the U-Net, its average and its optimiser."""

    def __init__(self, config: LdmRecipeConfig, latents: LatentStore) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network = UNet(config.network)
        self.ema = Ema(self.network, config.ema_decay)
        self._optimiser = Optimiser([self.network], config.optimiser)
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
        generator = step_generator(self.config.seed, step)
        z_BCHW, condition_BE = self._batch(step, generator)
        noise_BCHW = torch.randn(z_BCHW.shape, generator=generator)
        t_B = torch.randint(self._schedule.steps, (len(z_BCHW),), generator=generator)
        values = (self._schedule.diffuse(z_BCHW, t_B, noise_BCHW), t_B, condition_BE, noise_BCHW)
        shards = zip(*(value.chunk(self.config.shards) for value in values), strict=True)
        results = list(self._map(lambda shard: self._shard(len(t_B), *shard), shards))
        norm = self._optimiser.step_by([gradients for *_, gradients in results], step)
        self.ema.update(self.network)
        plain, weighted = (sum(losses) for losses in list(zip(*results, strict=True))[:2])
        return {"loss": plain, "weighted": weighted, "grad": norm}

    def _shard(
        self, batch: int, noisy_BCHW: Tensor, t_B: Tensor, condition_BE: Tensor, noise_BCHW: Tensor
    ) -> tuple[float, float, Sequence[Tensor]]:
        """Return a shard's part of the plain and the weighted loss, and the gradients of the latter."""
        with mixed_precision(self.config.bfloat16):
            predicted_BCHW = self.network(noisy_BCHW, t_B, condition_BE)
        weight_B = noise_error_weight(
            self._schedule.alpha_bar[t_B].float(),
            self.config.min_snr_gamma,
            self.config.snr_floor,
            self.config.weight_ceiling,
        )
        share = len(t_B) / batch
        weighted = share * diffusion_loss(predicted_BCHW, noise_BCHW, weight_B)
        plain = share * diffusion_loss(predicted_BCHW.detach(), noise_BCHW, torch.ones_like(weight_B))
        return plain.item(), weighted.item(), torch.autograd.grad(weighted, self._optimiser.parameters)

    def _batch(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        indices = self._batches.indices(step)
        if self.config.posterior_noise:
            z_BCHW = self._latents.sample(indices, generator)
        else:
            z_BCHW = self._latents.mean(indices)
        condition_BE = self._latents.audio_embeddings(indices)
        by_text_B = torch.rand(len(indices), generator=generator) < self.config.text_probability
        condition_BE = torch.where(by_text_B[:, None], self._latents.text_embeddings(indices), condition_BE)
        dropped_B = torch.rand(len(indices), generator=generator) < self.config.drop_probability
        return z_BCHW, torch.where(dropped_B[:, None], self._latents.empty_E, condition_BE)


def _one_thread_each(shards: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(shards, initializer=torch.set_num_threads, initargs=(1,))

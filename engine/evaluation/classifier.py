"""A concept classifier trained on renders only: the judge of what was generated.

B batch, S samples, T mel frames, M mel bins, K concepts, D features.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.audio.mel import MelFrontEnd
from engine.audio.mel_scale import MelConfig
from engine.training.batches import BatchSampler, step_generator, with_floor_noise
from engine.training.clips import Clips
from engine.training.loop import Metrics, Parts
from engine.training.optimise import Optimiser, OptimiserConfig, mixed_precision

LOG_CENTRE, LOG_SPREAD = -5.0, 3.0
TILT_SPREAD = 0.3
MEL_FLOOR = -11.5129


class ConceptClassifier(nn.Module):
    """Name the concept of a 16 kHz clip; also gives features for distances."""

    def __init__(self, concepts: int, width: int = 32) -> None:
        super().__init__()
        widths = (1, width, width * 2, width * 4, width * 8)
        self.mel = MelFrontEnd(MelConfig())
        self.blocks = nn.Sequential(*(_block(widths[i], widths[i + 1]) for i in range(4)))
        self.head = nn.Linear(widths[-1] * 2, concepts)

    def features(self, mel_BTM: Tensor) -> Tensor:
        """Return mean and maximum over time of the last block, shape (B, D)."""
        maps = self.blocks((mel_BTM[:, None] - LOG_CENTRE) / LOG_SPREAD).mean(dim=3)
        return torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1)

    def forward(self, mel_BTM: Tensor) -> Tensor:
        return self.head(self.features(mel_BTM))

    @torch.no_grad()
    def name(self, audio_BS: Tensor) -> Tensor:
        """Return the index of the most likely concept of each clip."""
        return self(self.mel(audio_BS)).argmax(dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierRecipeConfig:
    """Augmentation keeps the judge from relying on what a vocoder changes.

    gain_spread and noise_spread are deviations in natural-log mel units, of a clip and of a bin.
    """

    batch: int = 64
    width: int = 32
    gain_spread: float = 1.0
    noise_spread: float = 0.3
    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig(learning_rate=2e-3, warmup_steps=50, weight_decay=0.05)
    )
    seed: int = 1
    bfloat16: bool = True


class ClassifierRecipe(Parts):
    """Train a `ConceptClassifier` on the single-concept clips of a store."""

    def __init__(self, config: ClassifierRecipeConfig, store: Clips) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network = ConceptClassifier(len(store.config.catalogue), config.width)
        self._optimiser = Optimiser([self.network], config.optimiser)
        self._store = store
        self._batches = BatchSampler(store.config.singles, config.batch, config.seed)
        self._parts = {
            "network": self.network,
            "optimiser": self._optimiser,
        }

    def train_step(self, step: int) -> Metrics:
        generator = step_generator(self.config.seed, step)
        indices = self._batches.indices(step)
        mel_BTM = self._augmented(torch.from_numpy(self._store.audio(indices)), generator)
        target_B = single_concepts(self._store, indices)
        self.network.train()
        with mixed_precision(self.config.bfloat16):
            logits_BK = self.network(mel_BTM)
        loss = F.cross_entropy(logits_BK.float(), target_B, label_smoothing=0.05)
        self._optimiser.step(loss, step)
        accuracy = (logits_BK.argmax(dim=1) == target_B).float().mean()
        return {"loss": loss.item(), "accuracy": accuracy.item()}

    def _augmented(self, audio_BS: Tensor, generator: torch.Generator) -> Tensor:
        """Shift levels per clip and per band, and blur bins by a little noise."""
        mel_BTM = self.network.mel(with_floor_noise(audio_BS, generator))
        batch, _, bins = mel_BTM.shape
        gain = self.config.gain_spread * torch.randn(batch, 1, 1, generator=generator)
        tilt = TILT_SPREAD * torch.randn(batch, 1, bins, generator=generator)
        noise = self.config.noise_spread * torch.randn(mel_BTM.shape, generator=generator)
        return (mel_BTM + gain + tilt + noise).clamp(min=MEL_FLOOR)


def single_concepts(store: Clips, indices: np.ndarray) -> Tensor:
    """Return the index of each clip's first concept among the store's."""
    places = {concept.name: place for place, concept in enumerate(store.config.catalogue)}
    return torch.tensor([places[store.infos[int(index)].concepts[0]] for index in indices])


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.AvgPool2d(2),
    )

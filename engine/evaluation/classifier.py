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
from engine.audio.mel_scale import MEL_16K, MelConfig
from engine.limits import require_at_least
from engine.training.batch_norm import SharedBatchNorm2d
from engine.training.batches import BatchSampler, with_floor_noise
from engine.training.clips import Clips
from engine.training.draws import Draws
from engine.training.loop import Metrics, Parts
from engine.training.optimise import Optimiser, OptimiserConfig
from engine.training.parallel import Rows, own_pieces
from engine.training.precision import Precision, mixed_precision, with_descent
from engine.training.tally import Tally

LOG_CENTRE, LOG_SPREAD = -5.0, 3.0
TILT_SPREAD = 0.3
MEL_FLOOR = -11.5129
OTHER_RATE = "sample_rate_hz"


class ConceptClassifier(nn.Module):
    """Name the concept of a clip at the mel's rate; also gives features for distances."""

    def __init__(self, concepts: int, width: int = 32, mel: MelConfig = MEL_16K) -> None:
        super().__init__()
        widths = (1, width, width * 2, width * 4, width * 8)
        self.mel = MelFrontEnd(mel)
        if mel != MEL_16K:
            # So that its weights are not taken for those of one that hears as most do.
            self.register_buffer(OTHER_RATE, torch.tensor(mel.sample_rate_hz))
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
    precision: Precision = Precision.BFLOAT16

    def __post_init__(self) -> None:
        require_at_least(1, batch=self.batch, width=self.width)


class ClassifierRecipe(Parts):
    """Train a `ConceptClassifier` on the single-concept clips of a store."""

    def __init__(self, config: ClassifierRecipeConfig, store: Clips, mel: MelConfig = MEL_16K) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network = ConceptClassifier(len(store.config.catalogue), config.width, mel)
        self._optimiser = Optimiser([self.network], config.optimiser, config.precision)
        self._store = store
        self._batches = BatchSampler(store.config.singles, config.batch, config.seed)
        self._parts = {
            "network": self.network,
            "optimiser": self._optimiser,
        }

    def train_step(self, step: int) -> Metrics:
        indices = self._batches.indices(step)
        (rows,) = own_pieces(len(indices))
        tally = Tally(self.device)
        share = (rows.stop - rows.start) / len(indices)
        loss = share * self._loss(indices[rows], step, rows, share, tally)
        return with_descent(tally.total(), self._optimiser.step(loss, step))

    def _loss(self, indices: np.ndarray, step: int, rows: Rows, share: float, tally: Tally) -> Tensor:
        audio_BS = torch.from_numpy(self._store.audio(indices)).to(self.device)
        mel_BTM = self._augmented(audio_BS, Draws(self.config.seed, step, rows, self.device))
        target_B = single_concepts(self._store, indices).to(self.device)
        self.network.train()
        with mixed_precision(self.config.precision, self.device):
            logits_BK = self.network(mel_BTM)
        loss = F.cross_entropy(logits_BK.float(), target_B, label_smoothing=0.05)
        tally.add(share, loss=loss, accuracy=(logits_BK.argmax(dim=1) == target_B).float().mean())
        return loss

    def _augmented(self, audio_BS: Tensor, draws: Draws) -> Tensor:
        """Shift levels per clip and per band, and blur bins by a little noise."""
        mel_BTM = self.network.mel(with_floor_noise(audio_BS, draws))
        gain = self.config.gain_spread * draws.normal(1, 1)
        tilt = TILT_SPREAD * draws.normal(1, mel_BTM.shape[2])
        noise = self.config.noise_spread * draws.normal(*mel_BTM.shape[1:])
        return (mel_BTM + gain + tilt + noise).clamp(min=MEL_FLOOR)


def single_concepts(store: Clips, indices: np.ndarray) -> Tensor:
    """Return the index of each clip's first concept among the store's."""
    places = {concept.name: place for place, concept in enumerate(store.config.catalogue)}
    return torch.tensor([places[store.infos[int(index)].concepts[0]] for index in indices])


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        SharedBatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        SharedBatchNorm2d(outputs),
        nn.ReLU(),
        nn.AvgPool2d(2),
    )

"""Train CLAP: symmetric cross-entropy with a learnable temperature (AudioLDM, app. A).

B batch, L tokens, E embedding.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer
from torch import Tensor

from engine.models.clap import ClapConfig, build_clap_model
from engine.models.clap_features import window_of
from engine.models.clap_tokenizer import PAD, PAD_ID
from engine.training.batches import BatchSampler, step_generator
from engine.training.clap_features import cached_clap_features
from engine.training.clips import Clips
from engine.training.ema import Ema
from engine.training.loop import Metrics, Parts
from engine.training.losses import contrastive_loss, without_equal_captions
from engine.training.optimise import Optimiser, OptimiserConfig, mixed_precision

NAMER_SCALE = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClapRecipeConfig:
    """gain_db is the half-width of the random level shift that makes embeddings level-tolerant.

    extra_texts more captions of other clips stand beside the batch's own as wrong answers: text is
    cheap to embed, and more of it tells close captions apart. concept_weight adds the error of naming
    the clips' concepts from either embedding: LAION starts from towers that were taught to tag and to
    read, these towers start from nothing.
    """

    network: ClapConfig = field(default_factory=ClapConfig.starter)
    batch: int = 64
    extra_texts: int = 0
    concept_weight: float = 0.0
    gain_db: float = 6.0
    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig(learning_rate=1e-3, warmup_steps=200, weight_decay=0.02)
    )
    ema_decay: float = 0.999
    seed: int = 0
    bfloat16: bool = True


class ClapRecipe(Parts):
    """Hold the CLAP model, its average and its optimiser."""

    def __init__(self, config: ClapRecipeConfig, store: Clips, tokenizer: Tokenizer) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network = build_clap_model(config.network)
        self.network.train()
        self.ema = Ema(self.network, config.ema_decay)
        self.namer = ConceptNamer(len(store.config.catalogue), config.network.projection)
        taught = [self.network, self.namer] if config.concept_weight else [self.network]
        self._optimiser = Optimiser(taught, config.optimiser)
        self._store = store
        self._tokenizer = _batching(tokenizer, config.network.max_tokens)
        self._features = cached_clap_features(store, window_of(config.network.spec_size))
        self._batches = BatchSampler(len(store), config.batch, config.seed)
        self._parts = {
            "network": self.network,
            "ema": self.ema,
            "namer": self.namer,
            "optimiser": self._optimiser,
        }

    def train_step(self, step: int) -> Metrics:
        generator = step_generator(self.config.seed, step)
        # Dropout draws from the global source, which must depend on the step alone.
        torch.manual_seed(generator.initial_seed())
        indices = self._batches.indices(step)
        captions = self._store.captions(self._with_extra_texts(indices, generator))
        with mixed_precision(self.config.bfloat16):
            audio_BE = self._audio(indices, generator)
            text_KE = self._text(captions)
        scale = self.network.logit_scale_a.exp().clamp(max=100.0)
        logits_BK = without_equal_captions(scale * audio_BE.float() @ text_KE.float().T, captions)
        loss = contrastive_loss(logits_BK)
        if self.config.concept_weight:
            loss = loss + self.config.concept_weight * self._naming_loss(audio_BE, text_KE, indices)
        norm = self._optimiser.step(loss, step)
        self.ema.update(self.network)
        hits = (logits_BK.argmax(dim=1) == torch.arange(len(indices))).float().mean()
        return {"loss": loss.item(), "top1": hits.item(), "scale": scale.item(), "grad": norm}

    def _audio(self, indices: np.ndarray, generator: torch.Generator) -> Tensor:
        features = torch.from_numpy(self._features[indices].astype(np.float32))
        shift_db_B = (2 * torch.rand(len(indices), generator=generator) - 1) * self.config.gain_db
        return _embed_features(self.network, features[:, None] + shift_db_B[:, None, None, None])

    def _naming_loss(self, audio_BE: Tensor, text_KE: Tensor, indices: np.ndarray) -> Tensor:
        shares_BN = concept_shares(self._store, indices)
        errors = [
            torch.nn.functional.cross_entropy(self.namer(rows_BE.float()), shares_BN)
            for rows_BE in (audio_BE, text_KE[: len(indices)])
        ]
        return torch.stack(errors).mean()

    def _with_extra_texts(self, indices: np.ndarray, generator: torch.Generator) -> np.ndarray:
        extra = torch.randint(len(self._store), (self.config.extra_texts,), generator=generator)
        return np.concatenate([indices, extra.numpy()])

    def _text(self, captions: list[str]) -> Tensor:
        ids_BL, mask_BL = encode_captions(self._tokenizer, captions)
        return _embed_tokens(self.network, ids_BL, mask_BL)


class ConceptNamer(torch.nn.Module):
    """Score concepts by the cosine of an embedding with one learnt row for each."""

    def __init__(self, concepts: int, embedding_width: int) -> None:
        super().__init__()
        self.rows_NE = torch.nn.Parameter(torch.randn(concepts, embedding_width))

    def forward(self, embedding_BE: Tensor) -> Tensor:
        return NAMER_SCALE * embedding_BE @ torch.nn.functional.normalize(self.rows_NE, dim=-1).T


def concept_shares(store: Clips, indices: np.ndarray) -> Tensor:
    """Return how much of each clip is each concept of the store, shape (B, N)."""
    places = {concept.name: place for place, concept in enumerate(store.config.catalogue)}
    shares_BN = torch.zeros(len(indices), len(places))
    for row, index in enumerate(indices):
        names = store.infos[int(index)].concepts
        for name in names:
            shares_BN[row, places[name]] += 1 / len(names)
    return shares_BN


def encode_captions(tokenizer: Tokenizer, captions: list[str]) -> tuple[Tensor, Tensor]:
    """Return token ids and attention mask of a tokenizer that pads; shape (B, L)."""
    encodings = tokenizer.encode_batch(captions)
    ids_BL = torch.tensor([encoding.ids for encoding in encodings])
    return ids_BL, torch.tensor([encoding.attention_mask for encoding in encodings])


def _batching(tokenizer: Tokenizer, max_tokens: int) -> Tokenizer:
    """Return a copy that pads to the longest caption and cuts what the text tower cannot hold."""
    own = Tokenizer.from_str(tokenizer.to_str())
    own.enable_truncation(max_tokens)
    own.enable_padding(pad_id=PAD_ID, pad_token=PAD)
    return own


def _embed_features(network: transformers.ClapModel, features: Tensor) -> Tensor:
    pooled = network.audio_model(input_features=features, is_longer=None).pooler_output
    return torch.nn.functional.normalize(network.audio_projection(pooled), dim=-1)


def _embed_tokens(network: transformers.ClapModel, ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
    pooled = network.text_model(input_ids=ids_BL, attention_mask=mask_BL).pooler_output
    return torch.nn.functional.normalize(network.text_projection(pooled), dim=-1)

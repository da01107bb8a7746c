"""Train CLAP: symmetric cross-entropy with a learnable temperature (AudioLDM, app. A).

B batch, K texts, R rows of this process, L tokens, E embedding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer
from torch import Tensor

from engine.limits import require_at_least
from engine.models.clap import ClapConfig, build_clap_model
from engine.models.clap_features import window_of
from engine.models.clap_tokenizer import PAD, PAD_ID
from engine.training.batch_norm import share_batch_norms
from engine.training.batches import BatchSampler, step_generator
from engine.training.clap_features import cached_clap_features
from engine.training.clips import Clips
from engine.training.draws import Draws, RowwiseDropout
from engine.training.ema import Ema
from engine.training.loop import Metrics, Parts
from engine.training.losses import contrastive_loss, without_equal_captions
from engine.training.optimise import Optimiser, OptimiserConfig
from engine.training.parallel import Rows, gathered, own_pieces, processes
from engine.training.precision import Precision, mixed_precision, with_descent
from engine.training.tally import Tally

NAMER_SCALE = 20.0
TEXT_STREAM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClapRecipeConfig:
    """gain_db is the half-width of the random level shift that makes embeddings level-tolerant.

    extra_texts more captions of other clips stand beside the batch's own as wrong answers: text is
    cheap to embed, and more of it tells close captions apart. concept_weight adds the error of naming
    the clips' concepts from either embedding: LAION starts from towers that were taught to tag and to
    read, these towers start from nothing.

    Each process embeds its part of a batch in `accumulate` pieces, one after the other; the wrong answers are
    those of the whole batch all the same. Only the batch norm at the entry of the audio tower sees one piece
    of each process at a time.
    """

    network: ClapConfig = field(default_factory=ClapConfig.starter)
    batch: int = 64
    accumulate: int = 1
    extra_texts: int = 0
    concept_weight: float = 0.0
    gain_db: float = 6.0
    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig(learning_rate=1e-3, warmup_steps=200, weight_decay=0.02)
    )
    ema_decay: float = 0.999
    seed: int = 0
    precision: Precision = Precision.BFLOAT16

    def __post_init__(self) -> None:
        require_at_least(1, batch=self.batch, accumulate=self.accumulate)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Batch:
    """The clips of a step and all captions that are set against them, the clips' own first."""

    step: int
    indices: np.ndarray
    captions: list[str]
    ids_KL: Tensor
    mask_KL: Tensor


class ClapRecipe(Parts):
    """Hold the CLAP model, its average and its optimiser."""

    def __init__(self, config: ClapRecipeConfig, store: Clips, tokenizer: Tokenizer) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network = build_clap_model(config.network)
        share_batch_norms(self.network)
        self.network.train()
        self.ema = Ema(self.network, config.ema_decay)
        self.namer = ConceptNamer(len(store.config.catalogue), config.network.projection)
        taught = [self.network, self.namer] if config.concept_weight else [self.network]
        self._optimiser = Optimiser(taught, config.optimiser, config.precision)
        self._store = store
        self._tokenizer = batching(tokenizer, config.network.max_tokens)
        self._features = cached_clap_features(store, window_of(config.network.spec_size))
        self._batches = BatchSampler(len(store), config.batch, config.seed)
        self._parts = {
            "network": self.network,
            "ema": self.ema,
            "namer": self.namer,
            "optimiser": self._optimiser,
        }

    def train_step(self, step: int) -> Metrics:
        batch = self._batch(step)
        tally = Tally(self.device)
        descent = self._optimiser.step_down(self._losses(batch, tally), step)
        self.ema.follow(self.network, descent)
        return with_descent(tally.total(), descent)

    def _batch(self, step: int) -> _Batch:
        """Return the whole batch of a step; texts are cheap, so that all are padded to the same length."""
        indices = self._batches.indices(step)
        generator = step_generator(self.config.seed, step)
        extra = torch.randint(len(self._store), (self.config.extra_texts,), generator=generator)
        captions = self._store.captions(np.concatenate([indices, extra.numpy()]))
        ids_KL, mask_KL = encode_captions(self._tokenizer, captions)
        return _Batch(step=step, indices=indices, captions=captions, ids_KL=ids_KL, mask_KL=mask_KL)

    def _losses(self, batch: _Batch, tally: Tally) -> Iterator[Tensor]:
        """Yield this process' share of the loss, whose wrong answers are those of the whole batch.

        Of several pieces each is embedded twice: to know the loss's gradient at all embeddings, and then to
        send it down piece by piece (Gao et al. 2021, "Scaling deep contrastive learning batch size under
        memory limited setup", sec. 3).
        """
        embed = partial(self._embed, batch)
        if self.config.accumulate == 1:
            yield self._loss(batch, *embed(0), tally)
            return
        pieces = range(self.config.accumulate)
        with torch.no_grad():
            embedded = [embed(piece) for piece in pieces]
        leaves = [torch.cat(rows).requires_grad_() for rows in zip(*embedded, strict=True)]
        yield self._loss(batch, leaves[0], leaves[1], tally)
        gradients = [
            (leaf.grad / self._optimiser.scale).split([len(rows) for rows in parts])
            for leaf, parts in zip(leaves, zip(*embedded, strict=True), strict=True)
            if leaf.grad is not None
        ]
        for piece in pieces:
            yield torch.stack(
                [(rows * parts[piece]).sum() for rows, parts in zip(embed(piece), gradients, strict=True)]
            ).sum()

    def _embed(self, batch: _Batch, piece: int) -> tuple[Tensor, Tensor]:
        """Return the embeddings of one piece of this process' sounds and texts."""
        texts, sounds = (
            own_pieces(count, self.config.accumulate)[piece]
            for count in (len(batch.captions), len(batch.indices))
        )
        with mixed_precision(self.config.precision, self.device):
            audio_RE = self._audio(batch, sounds)
            text_RE = self._text(batch, texts)
        return audio_RE.float(), text_RE.float()

    def _loss(self, batch: _Batch, audio_RE: Tensor, text_RE: Tensor, tally: Tally) -> Tensor:
        """Return this process' share of the loss between the embeddings of all."""
        audio_BE = gathered(audio_RE, _own_rows(len(batch.indices)), len(batch.indices))
        text_KE = gathered(text_RE, _own_rows(len(batch.captions)), len(batch.captions))
        scale = self.network.logit_scale_a.exp().clamp(max=100.0)
        logits_BK = without_equal_captions(scale * audio_BE @ text_KE.T, batch.captions)
        loss = contrastive_loss(logits_BK)
        if self.config.concept_weight:
            loss = loss + self.config.concept_weight * self._naming_loss(audio_BE, text_KE, batch.indices)
        share = 1 / processes()
        places_B = torch.arange(len(batch.indices), device=self.device)
        top1 = (logits_BK.argmax(dim=1) == places_B).float().mean()
        tally.add(share, loss=loss, top1=top1, scale=scale)
        return share * loss

    def _audio(self, batch: _Batch, rows: Rows) -> Tensor:
        features = torch.from_numpy(self._features[batch.indices[rows]].astype(np.float32)).to(self.device)
        draws = Draws(self.config.seed, batch.step, rows, self.device)
        shift_db_R = (2 * draws.uniform() - 1) * self.config.gain_db
        with RowwiseDropout(draws):
            return _embed_features(self.network, features[:, None] + shift_db_R[:, None, None, None])

    def _text(self, batch: _Batch, rows: Rows) -> Tensor:
        draws = Draws(self.config.seed, batch.step, rows, self.device, stream=TEXT_STREAM)
        with RowwiseDropout(draws):
            return _embed_tokens(
                self.network, batch.ids_KL[rows].to(self.device), batch.mask_KL[rows].to(self.device)
            )

    def _naming_loss(self, audio_BE: Tensor, text_KE: Tensor, indices: np.ndarray) -> Tensor:
        shares_BN = concept_shares(self._store, indices).to(self.device)
        errors = [
            torch.nn.functional.cross_entropy(self.namer(rows_BE), shares_BN)
            for rows_BE in (audio_BE, text_KE[: len(indices)])
        ]
        return torch.stack(errors).mean()


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


def _own_rows(count: int) -> Rows:
    (rows,) = own_pieces(count)
    return rows


def batching(tokenizer: Tokenizer, max_tokens: int) -> Tokenizer:
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

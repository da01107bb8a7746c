"""Train a RoBERTa on captions alone, by masked-language modelling (Liu et al. 2019, sec. 2.3 and 4.1).

B batch, R rows of this process, L tokens, V vocabulary, M masked tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from engine.errors import SpecError
from engine.limits import require_at_least
from engine.models.clap_tokenizer import MASK, UNKNOWN_ID
from engine.models.roberta import RobertaConfig, build_roberta
from engine.training.batches import BatchSampler
from engine.training.clips import Clips
from engine.training.draws import Draws, RowwiseDropout
from engine.training.ema import Ema
from engine.training.loop import Metrics, Parts
from engine.training.optimise import Optimiser, OptimiserConfig
from engine.training.parallel import Rows, own_pieces
from engine.training.precision import Precision, mixed_precision, with_descent
from engine.training.recipes.clap import batching, encode_captions
from engine.training.tally import Tally

MASKING_STREAM, DROPOUT_STREAM = 0, 1
# Of the chosen tokens so many become the mask, so many more a random token (Devlin et al. 2018, sec. 3.1).
MASK_SHARE, RANDOM_SHARE = 0.8, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RobertaRecipeConfig:
    """masked is the share of tokens to guess, chosen anew each time a caption is seen.

    folder names a released RoBERTa, in transformers' layout, that is used as it is instead of training one.
    """

    network: RobertaConfig = field(default_factory=RobertaConfig)
    folder: str = ""
    batch: int = 64
    masked: float = 0.15
    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig(learning_rate=1e-3, warmup_steps=100, weight_decay=0.01)
    )
    ema_decay: float = 0.99
    seed: int = 0
    precision: Precision = Precision.FLOAT32

    def __post_init__(self) -> None:
        require_at_least(1, batch=self.batch)
        if not 0.0 < self.masked < 1.0:
            raise SpecError("The share of masked tokens lies between 0 and 1.")


class RobertaRecipe(Parts):
    """Hold the network with its head, its average and its optimiser."""

    def __init__(self, config: RobertaRecipeConfig, store: Clips, tokenizer: Tokenizer) -> None:
        mask_id = _usable_mask(config.network, tokenizer)
        torch.manual_seed(config.seed)
        self.config = config
        self.network = build_roberta(config.network).train()
        self.ema = Ema(self.network, config.ema_decay)
        self._optimiser = Optimiser([self.network], config.optimiser, config.precision)
        self._store = store
        self._tokenizer = batching(tokenizer, config.network.max_tokens)
        self._mask_id = mask_id
        self._batches = BatchSampler(len(store), config.batch, config.seed)
        self._parts = {"network": self.network, "ema": self.ema, "optimiser": self._optimiser}

    def train_step(self, step: int) -> Metrics:
        tally = Tally(self.device)
        descent = self._optimiser.step_down(self._losses(step, tally), step)
        self.ema.follow(self.network, descent)
        return with_descent(tally.total(), descent)

    def _losses(self, step: int, tally: Tally) -> Iterator[Tensor]:
        """Yield this process' share of the mean error over the masked tokens of the whole batch."""
        captions = self._store.captions(self._batches.indices(step))
        ids_BL, mask_BL = encode_captions(self._tokenizer, captions)
        draws = Draws(self.config.seed, step, slice(0, len(captions)), stream=MASKING_STREAM)
        shown_BL, chosen_BL = masked_tokens(ids_BL, draws, self.config, self._mask_id)
        (rows,) = own_pieces(len(captions))
        logits_MV = self._guesses(shown_BL[rows], mask_BL[rows], chosen_BL[rows], step, rows)
        true_M = ids_BL[rows][chosen_BL[rows]].to(self.device)
        count = max(int(chosen_BL.sum()), 1)
        loss = F.cross_entropy(logits_MV, true_M, reduction="sum") / count
        hits = (logits_MV.argmax(dim=1) == true_M).float().sum() / count
        tally.add(1.0, loss=loss, accuracy=hits)
        yield loss

    def _guesses(self, shown_RL: Tensor, mask_RL: Tensor, chosen_RL: Tensor, step: int, rows: Rows) -> Tensor:
        draws = Draws(self.config.seed, step, rows, self.device, stream=DROPOUT_STREAM)
        with mixed_precision(self.config.precision, self.device), RowwiseDropout(draws):
            states_RLE = self.network.roberta(
                input_ids=shown_RL.to(self.device), attention_mask=mask_RL.to(self.device)
            ).last_hidden_state
            return self.network.lm_head(states_RLE[chosen_RL.to(self.device)]).float()


def masked_tokens(
    ids_BL: Tensor, draws: Draws, config: RobertaRecipeConfig, mask_id: int
) -> tuple[Tensor, Tensor]:
    """Return what the network is shown, and which tokens it has to guess, one of each caption at least.

    Only tokens of the text are chosen, none that frame or pad it.
    """
    length = ids_BL.shape[1]
    text_BL = ids_BL > UNKNOWN_ID
    lot_BL = draws.uniform(length).masked_fill(~text_BL, 2.0)
    first_BL = (lot_BL == lot_BL.amin(dim=1, keepdim=True)) & text_BL
    chosen_BL = (lot_BL < config.masked) | first_BL
    fate_BL = draws.uniform(length)
    random_BL = UNKNOWN_ID + 1 + (draws.uniform(length) * (config.network.vocabulary - UNKNOWN_ID - 1)).long()
    shown_BL = torch.where(chosen_BL & (fate_BL < MASK_SHARE), mask_id, ids_BL)
    replaced_BL = chosen_BL & (fate_BL >= MASK_SHARE) & (fate_BL < MASK_SHARE + RANDOM_SHARE)
    return torch.where(replaced_BL, random_BL, shown_BL), chosen_BL


def _usable_mask(network: RobertaConfig, tokenizer: Tokenizer) -> int:
    """Return the token that hides words; SpecError where there is none, or too many tokens."""
    tokens = tokenizer.get_vocab_size()
    if tokens > network.vocabulary:
        raise SpecError(
            f"The tokenizer has {tokens} tokens, but roberta.network.vocabulary is {network.vocabulary}.",
            "Give it that of clap.network.",
        )
    mask_id = tokenizer.token_to_id(MASK)
    if mask_id is None:
        raise SpecError(f"The tokenizer has no {MASK} to hide words by.", "Let a new one be learnt.")
    return mask_id

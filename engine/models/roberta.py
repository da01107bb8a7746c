"""RoBERTa, a text encoder that never heard a sound, in the place of CLAP (AudioLDM, table 1).

B batch, S samples, L tokens, E embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from torch import Tensor

from engine.errors import ModelCorrupt, ModelMissing
from engine.models.clap import UNUSED_POSITIONS, TwoTowerClap, load_tokenizer
from engine.models.clap_tokenizer import BEGIN_ID, END_ID, PAD_ID
from engine.models.diffusers_folder import CONFIG_FILE, folder_weights, read_object
from engine.models.shapes import explained
from engine.models.weights import assign_weights, build_empty


@dataclass(frozen=True, slots=True, kw_only=True)
class RobertaConfig:
    """Sizes of a RoBERTa (Liu et al. 2019); the defaults are those of the starter's text tower.

    max_positions counts the two unused ones, so a text may have max_positions - 2 tokens.
    """

    hidden: int = 192
    layers: int = 2
    heads: int = 6
    ffn: int = 768
    vocabulary: int = 1500
    max_positions: int = 130
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ValueError(f"{self.hidden} channels are no whole number for each of {self.heads} heads")

    @property
    def max_tokens(self) -> int:
        return self.max_positions - UNUSED_POSITIONS


class RobertaText(TwoTowerClap):
    """Serve a RoBERTa as what conditions a U-Net: the mean of its last states over the tokens of a text.

    Asking for the embedding of a sound raises ModelMissing.
    """

    def __init__(self, model: transformers.RobertaModel, tokenizer: Tokenizer) -> None:
        max_tokens = model.config.max_position_embeddings - UNUSED_POSITIONS
        super().__init__(tokenizer, max_tokens, model.config.hidden_size)
        self.model = model.eval()

    @property
    def device(self) -> torch.device:
        return self.model.device

    def hear(self, audio_BS: Tensor) -> Tensor:
        """Raise ModelMissing: there is nothing to hear with."""
        raise ModelMissing("RoBERTa reads texts and hears no sounds.", "Condition by text alone.")

    def _embed_window(self, audio_BS: Tensor) -> Tensor:
        return self.hear(audio_BS)

    def _embed_tokens(self, ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
        states_BLE = self.model(input_ids=ids_BL, attention_mask=mask_BL).last_hidden_state
        return (states_BLE * mask_BL[:, :, None]).sum(dim=1) / mask_BL.sum(dim=1, keepdim=True)


def build_roberta(config: RobertaConfig) -> transformers.RobertaForMaskedLM:
    """Build the network and the head that it is trained with, with random weights, in evaluation mode."""
    sizes = transformers.RobertaConfig(
        vocab_size=config.vocabulary,
        hidden_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.ffn,
        max_position_embeddings=config.max_positions,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
        type_vocab_size=1,
        bos_token_id=BEGIN_ID,
        pad_token_id=PAD_ID,
        eos_token_id=END_ID,
    )
    return transformers.RobertaForMaskedLM(sizes).eval()


def load_roberta(folder: Path) -> RobertaText:
    """Read a released RoBERTa from a folder of transformers' layout, without asking the network.

    Raises ModelMissing where a file of it is not there, ModelCorrupt where one cannot be used.
    """
    path = folder / CONFIG_FILE
    values = read_object(path)
    if values.get("model_type") != "roberta":
        raise ModelCorrupt(f"{path} describes no RoBERTa.", "Name the folder of one, as roberta-base.")
    tokenizer = load_tokenizer(folder)
    state = folder_weights(folder)
    with explained(str(path)):
        sizes = transformers.RobertaConfig(**{name: values[name] for name in _SIZES})
        model = build_empty(lambda: transformers.RobertaModel(sizes, add_pooling_layer=False))
    assign_weights(model, _encoder(state), str(folder))
    return RobertaText(model, tokenizer)


def _encoder(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of the encoder alone, whatever head it was saved with."""
    bare = {name.removeprefix("roberta."): tensor for name, tensor in state.items()}
    return {name: tensor for name, tensor in bare.items() if name.startswith(("embeddings.", "encoder."))}


# All that a released one's config says of how it computes.
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
    "pad_token_id",
    "hidden_act",
)

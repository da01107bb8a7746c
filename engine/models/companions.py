"""What every layout needs to become a bundle: companion files, and networks filled with weights.

A state maps the names of weights to tensors, mapped from their file wherever the file allows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer
from torch import Tensor

from engine.errors import ModelMissing
from engine.models.bundle import Bundle, assemble_bundle, build_networks
from engine.models.card import ModelCard
from engine.models.clap import load_tokenizer
from engine.models.clap_tokenizer import MERGES_FILE, TOKENIZER_FILE, VOCAB_FILE
from engine.models.weights import assign_weights, build_empty

State = dict[str, Tensor]

RELEASED_CANVAS_S = 10.24
UNKNOWN_LICENCE = "unknown (the released AudioLDM weights are CC-BY-NC-SA-4.0: not for commercial use)"
TOKENIZER_FOLDER = "tokenizer"
_NORMED = re.compile(r"\.weight_[gv]$|\.parametrizations\.weight\.original[01]$")
_DIRECTION_OF = {
    ".weight_g": ".weight_v",
    ".parametrizations.weight.original0": ".parametrizations.weight.original1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Companions:
    """Files that a layout lacks; without a path the model's own folder is searched.

    tokenizer is RoBERTa's: tokenizer.json, or a folder with it or with vocab.json and merges.txt.
    clap is a LAION CLAP checkpoint, for the audio tower that diffusers folders do not have.
    vocoder is a HiFi-GAN checkpoint, for training checkpoints without one.
    installed_tokenizer is tried where the model's own folder has none.
    """

    tokenizer: Path | None = None
    installed_tokenizer: Path | None = None
    clap: Path | None = None
    vocoder: Path | None = None


def fill(card: ModelCard, parts: Mapping[str, State], source: str, tokenizer: Tokenizer) -> Bundle:
    """Build the networks of a card around the weights given for each component."""
    networks = build_empty(lambda: build_networks(card))
    for component, network in networks.components().items():
        assign_weights(network, parts[component], f"{source} ({component})")
    return assemble_bundle(card, networks, tokenizer)


def folded(state: Mapping[str, Tensor]) -> State:
    """Multiply out weight norm (Salimans & Kingma 2016, eq. 2): released vocoders come both ways."""
    plain = {name: tensor for name, tensor in state.items() if not _NORMED.search(name)}
    for name, length in state.items():
        found = _NORMED.search(name)
        if found and found[0] in _DIRECTION_OF:
            direction = state[_NORMED.sub(_DIRECTION_OF[found[0]], name)]
            plain[_NORMED.sub(".weight", name)] = direction * (length / _lengths(direction))
    return plain


def _lengths(direction: Tensor) -> Tensor:
    """Return the length of each row of the first dimension, ready to broadcast."""
    return direction.flatten(1).norm(dim=1).view(-1, *[1] * (direction.dim() - 1))


def roberta_tokenizer(folder: Path, companions: Companions, own: Tokenizer | None = None) -> Tokenizer:
    """Return the tokenizer given, or the model's own, or the one in the folder or in its `tokenizer`."""
    if companions.tokenizer is not None:
        return load_tokenizer(companions.tokenizer)
    if own is not None:
        return own
    for place in (folder / TOKENIZER_FOLDER, folder):
        if (place / TOKENIZER_FILE).is_file() or (place / VOCAB_FILE).is_file():
            return load_tokenizer(place)
    if companions.installed_tokenizer is not None:
        return load_tokenizer(companions.installed_tokenizer)
    raise ModelMissing(
        f"The text encoder's tokenizer is missing: {folder / TOKENIZER_FOLDER} has no "
        f"{VOCAB_FILE} and {MERGES_FILE}.",
        f"Put these two files of huggingface.co/FacebookAI/roberta-base into {folder / TOKENIZER_FOLDER}.",
    )


def plain_name(text: str) -> str:
    """Return the text with what a model's name may not have replaced."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-_")[:100] or "model"


def under(state: Mapping[str, Tensor], prefix: str) -> State:
    """Return the weights below a prefix, without it."""
    return {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}

"""Begin a training with the weights of a finished model instead of random ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol

import torch
from torch import nn
from torch.nn.utils import parametrize

from engine.errors import ModelCorrupt, SpecError
from engine.models.bundle import Bundle, load_bundle
from engine.models.clap import TransformersClap
from engine.models.mel_matching import unmatched
from engine.training.ema import Ema
from engine.training.latents import weights_digest
from engine.training.loop import CHECKPOINT, Recipe, save

ORIGIN = "started_from.json"


class Averaged(Recipe, Protocol):
    """A recipe that keeps a moving average of its network."""

    @property
    def network(self) -> nn.Module: ...

    @property
    def ema(self) -> Ema: ...


def begin_from(recipe: Averaged, stage: str, folder: Path, model_folder: Path) -> None:
    """Write a run's first checkpoint with a finished model's weights, and where they came from.

    Raises SpecError where the run has a checkpoint already.
    """
    if (folder / CHECKPOINT).exists():
        raise SpecError(
            f"{folder} has trained already and cannot start from another model.",
            "Leave --start-from out to go on, or remove that folder.",
        )
    bundle = load_bundle(model_folder)
    network = trained_network(bundle, stage)
    copy_weights(network, recipe, model_folder)
    folder.mkdir(parents=True, exist_ok=True)
    origin = {
        "model": bundle.card.name,
        "training": bundle.card.training.get(stage),
        "weights": weights_digest(network),
    }
    (folder / ORIGIN).write_text(json.dumps(origin))
    save(recipe, folder, 0)


def trained_network(bundle: Bundle, stage: str) -> nn.Module:
    """Return the network of a model that a stage trains; SpecError where no model holds one."""
    vocoder = unmatched(bundle.vocoder)
    networks: dict[str, object] = {"vae": bundle.vae, "vocoder": vocoder, "ldm": bundle.unet}
    if isinstance(bundle.clap, TransformersClap):
        networks["clap"] = bundle.clap.model
    network = networks.get(stage)
    if not isinstance(network, nn.Module):
        raise SpecError(f"This model holds no {stage} to start from.", f"It has: {', '.join(networks)}.")
    return network


def copy_weights(source: nn.Module, recipe: Averaged, folder: Path) -> None:
    """Copy a network's weights into a recipe that has not trained yet, and into its average.

    Raises ModelCorrupt naming the first weight whose shape differs.
    """
    with torch.no_grad():
        for name, value in source.state_dict().items():
            _assign(recipe.network, name, value, folder)
    for name, parameter in recipe.network.named_parameters():
        recipe.ema.shadow[name].copy_(parameter.detach())


def _assign(network: nn.Module, name: str, value: torch.Tensor, folder: Path) -> None:
    owner, _, leaf = name.rpartition(".")
    try:
        module = network.get_submodule(owner)
        own = getattr(module, leaf)
    except AttributeError as error:
        raise _different(folder, name) from error
    if own.shape != value.shape:
        raise _different(folder, name)
    if parametrize.is_parametrized(module, leaf):
        setattr(module, leaf, value.to(own.dtype))
    else:
        own.copy_(value)


def _different(folder: Path, name: str) -> ModelCorrupt:
    return ModelCorrupt(
        f"{folder} has another network than the recipe: {name} does not fit.",
        "Give the recipe's [network] the sizes in that model's card.json.",
    )

"""Trainings of the trained tables, in one folder, each of which goes on where it was stopped.

N clips, S samples, K names of sounds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from torch import nn

from engine.errors import NotFound
from engine.evaluation.classifier import ClassifierRecipe, ConceptClassifier
from engine.evaluation.tables.variants import LEVELS, Variant, seeded, varied
from engine.models.bundle import Bundle
from engine.models.clap import TransformersClap
from engine.models.roberta import RobertaText, load_roberta
from engine.models.vae import Vae
from engine.training.clips import Clips
from engine.training.config import ProjectConfig
from engine.training.data.opening import open_drawn
from engine.training.latents import Conditioner, LatentStore, cache_latents
from engine.training.loop import LoopConfig, resume, train
from engine.training.project import TrainableRecipe, averaged, training_history
from engine.training.recipes.ldm import LdmRecipe, TextEncoder
from engine.training.recipes.roberta import RobertaRecipe
from engine.training.recipes.vae import VaeRecipe
from engine.training.store import ClipStore, render_store

SAVE_MINUTES = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """A variant as a model that renders; run names its training and all that it depends on."""

    variant: Variant
    bundle: Bundle
    run: str
    minutes: float
    vae_minutes: float

    @property
    def parameters(self) -> int:
        return parameters_of(self.bundle.unet)


@dataclass(frozen=True, kw_only=True, eq=False)
class Workshop:
    """Train variants of a project; what one does not train is that of a finished model, the starter.

    Each folder is named after all that it depends on, so that other settings never mix with what is there.
    """

    config: ProjectConfig
    starter: Bundle
    folder: Path

    @cached_property
    def store(self) -> ClipStore:
        return render_store(self._place("clips", self.config.store), self.config.store, processes=1)

    def judge(self) -> tuple[ConceptClassifier, str]:
        """Return a classifier that learnt from its own clips, of all kinds alike, and its training's name."""
        config = replace(self.config.store, seed=self.config.store.seed + 1, skew=0.0, mixtures=0)
        clips = render_store(self._place("judges_clips", config), config, processes=1)
        place = self._place("judge", config, self.config.classifier)
        recipe = ClassifierRecipe(self.config.classifier, clips)
        self._fit(recipe, place)
        return recipe.network.eval(), place.name

    def trained(self, variant: Variant, training: int = 0) -> Trained:
        """Return the n-th training of a variant, from 0, trained as far as that is still to be done."""
        config = seeded(varied(self.config, variant), training)
        vae, vae_minutes = self._vae(config) if variant in LEVELS else (self.starter.vae, 0.0)
        reader = self._reader(config)
        latents = self._latents(config, vae, reader, variant)
        recipe = LdmRecipe(config.ldm, latents)
        place = self._place(variant.slug, latents.folder.name, config.ldm)
        self._fit(recipe, place)
        bundle = replace(
            self.starter, unet=averaged(recipe), vae=vae, clap=reader, scale_factor=latents.scale_factor
        )
        return Trained(
            variant=variant, bundle=bundle, run=place.name, minutes=_minutes(place), vae_minutes=vae_minutes
        )

    def _vae(self, config: ProjectConfig) -> tuple[Vae, float]:
        recipe = VaeRecipe(config.vae, self.store)
        place = self._place(f"vae{config.vae.network.ratio}", config.store, config.vae)
        self._fit(recipe, place)
        return averaged(recipe), _minutes(place)

    def _reader(self, config: ProjectConfig) -> Conditioner:
        if config.ldm.text_encoder is TextEncoder.CLAP:
            assert isinstance(self.starter.clap, TransformersClap)
            return self.starter.clap
        if config.roberta.folder:
            return load_roberta(Path(config.roberta.folder))
        recipe = RobertaRecipe(config.roberta, self.store, self.starter.tokenizer)
        self._fit(recipe, self._place("roberta", config.store, config.roberta))
        return RobertaText(averaged(recipe).roberta, self.starter.tokenizer)

    def _latents(self, config: ProjectConfig, vae: Vae, reader: Conditioner, variant: Variant) -> LatentStore:
        own_vae = config.vae if variant in LEVELS else None
        own_reader = config.roberta if isinstance(reader, RobertaText) else None
        place = self._place("latents", config.store, config.data.draws, own_vae, own_reader)
        try:
            return LatentStore(place)
        except NotFound:
            click.echo(f"{variant.value}: latents", err=True)
            return cache_latents(self._clips(config), place, vae, self.starter.mel, reader)

    def _clips(self, config: ProjectConfig) -> Clips:
        return open_drawn(config.data, self.store.folder)

    def _fit(self, recipe: TrainableRecipe, place: Path) -> None:
        steps = recipe.config.optimiser.steps
        if resume(recipe, place) < steps:
            click.echo(f"training {place.name}", err=True)
            train(recipe, place, LoopConfig(steps=steps, save_minutes=SAVE_MINUTES))

    def _place(self, name: str, *settings: object) -> Path:
        """Return a folder named after what it is, and after settings, the starter's weights among them."""
        told = [_plain(one) for one in settings]
        digest = hashlib.sha256(json.dumps([told, dict(self.starter.card.files)], default=str).encode())
        return self.folder / f"{name}-{digest.hexdigest()[:8]}"


def parameters_of(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _minutes(place: Path) -> float:
    minutes = training_history(place / "metrics.csv")["minutes"]
    assert isinstance(minutes, float)
    return minutes


def _plain(one: Any) -> object:
    if one is None or isinstance(one, str):
        return one
    values: Mapping[str, object] = asdict(one)
    return values

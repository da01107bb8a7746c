"""A training folder: its stores, its runs, and the trained networks in them."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from filelock import FileLock
from tokenizers import Tokenizer
from torch import nn

from engine.audio.mel import MelFrontEnd
from engine.errors import NotFound, SpecError
from engine.evaluation.classifier import ClassifierRecipe, ConceptClassifier
from engine.models.bundle import Bundle, Networks, assemble_bundle
from engine.models.card import ModelCard, ModelConfigs
from engine.models.clap import TransformersClap, load_tokenizer, train_tokenizer
from engine.models.hifigan import HifiGan
from engine.models.istft_vocoder import IstftVocoder
from engine.models.roberta import RobertaText, load_roberta
from engine.models.unet import UNet
from engine.models.vae import Vae
from engine.training.clips import Clips
from engine.training.config import ProjectConfig
from engine.training.data.opening import open_clips, open_drawn
from engine.training.data.prepared import HELD_OUT
from engine.training.ema import Ema
from engine.training.latents import Conditioner, LatentStore, cache_latents, encoder_digest
from engine.training.loop import Recipe, resume
from engine.training.lora import fold_low_rank
from engine.training.recipes.clap import ClapRecipe
from engine.training.recipes.ldm import LdmRecipe, TextEncoder
from engine.training.recipes.roberta import RobertaRecipe
from engine.training.recipes.vae import VaeRecipe
from engine.training.recipes.vocoder import VocoderRecipe, fold_weight_norm
from engine.training.warm_start import ORIGIN

TrainableRecipe = VaeRecipe | VocoderRecipe | ClapRecipe | RobertaRecipe | LdmRecipe | ClassifierRecipe
TrainedRecipe = TypeVar("TrainedRecipe", bound=Recipe)
TrainedNetwork = TypeVar("TrainedNetwork", bound=nn.Module)


class _Averaging(Protocol[TrainedNetwork]):
    """A recipe that keeps a moving average of its network."""

    network: TrainedNetwork
    ema: Ema


class Project:
    """Build recipes over a folder's stores, and load what they trained."""

    def __init__(self, config: ProjectConfig, folder: Path) -> None:
        self.config = config
        self.folder = folder

    @property
    def clips(self) -> Clips:
        """Return the clips to train on, drawn as [data.draws] says."""
        return self._at_its_rate(open_drawn(self.config.data, self.folder / "clips"))

    @property
    def plain_clips(self) -> Clips:
        """Return each clip once and as it is."""
        return self._at_its_rate(open_clips(self.config.data, self.folder / "clips"))

    @property
    def held_out(self) -> Clips:
        """Return clips that no training sees; SpecError where their labels are not those of the training."""
        held_out = open_clips(self.config.data, self.folder / HELD_OUT, HELD_OUT)
        if self.config.data.folder and held_out.config.catalogue != self.plain_clips.config.catalogue:
            raise SpecError(
                f"{held_out.folder} has other labels than the clips to train on.",
                "Prepare both from one source, with --held-out.",
            )
        return held_out

    def _at_its_rate(self, clips: Clips) -> Clips:
        rate_hz, needed_hz = clips.config.sample_rate_hz, self.config.mel.sample_rate_hz
        if rate_hz != needed_hz:
            how = f"Prepare them with --rate {needed_hz}" if self.config.data.folder else "Set it in [store]"
            raise SpecError(
                f"{clips.folder} has clips of {rate_hz} Hz, and the project's mel is of {needed_hz} Hz.",
                f"{how}, or change mel.sample_rate_hz.",
            )
        return clips

    def vae_recipe(self) -> VaeRecipe:
        return VaeRecipe(self.config.vae, self.clips, self.config.mel)

    def vocoder_recipe(self) -> VocoderRecipe:
        vae = self.vae() if self.config.vocoder.coded_probability else None
        return VocoderRecipe(self.config.vocoder, self.clips, self.config.mel, vae)

    def clap_recipe(self) -> ClapRecipe:
        clips = self.clips
        if self.config.clap.concept_weight and not clips.config.catalogue:
            raise SpecError(
                f"clap.concept_weight needs labels, and {clips.folder} has none.", "Leave it out."
            )
        return ClapRecipe(self.config.clap, clips, self.tokenizer())

    def roberta_recipe(self) -> RobertaRecipe:
        if self.config.roberta.folder:
            raise SpecError("roberta.folder names one that is trained already.", "Leave it out to train one.")
        return RobertaRecipe(self.config.roberta, self.clips, self.tokenizer())

    def ldm_recipe(self) -> LdmRecipe:
        return LdmRecipe(self.config.ldm, self.latents())

    def classifier_recipe(self) -> ClassifierRecipe:
        clips = self.plain_clips
        if not clips.config.singles:
            raise SpecError(f"A classifier learns from clips of one label each; {clips.folder} has none.")
        return ClassifierRecipe(self.config.classifier, clips, self.config.mel)

    def latents(self) -> LatentStore:
        """Return the cached latents; SpecError where their encoders have changed since."""
        store = LatentStore(self.folder / "latents")
        if store.encoders != encoder_digest(self.vae(), self.conditioner()):
            raise SpecError(
                f"{store.folder} was made before the VAE or {self._reader} trained on.",
                f"Run: python -m engine.training latents; and remove {self.folder / 'ldm'}, if it is there.",
            )
        return store

    def vae(self) -> Vae:
        return averaged(self._trained(self.vae_recipe, "vae"))

    def unet(self) -> UNet:
        network = averaged(self._trained(self.ldm_recipe, "ldm"))
        fold_low_rank(network)
        return network

    def vocoder(self) -> IstftVocoder | HifiGan:
        """Return the vocoder under plain weight names, whatever normalised them in training."""
        network = averaged(self._trained(self.vocoder_recipe, "vocoder"))
        fold_weight_norm(network)
        return network.requires_grad_(False)

    def clap(self) -> TransformersClap:
        recipe = self._trained(self.clap_recipe, "clap")
        return TransformersClap(averaged(recipe), self.tokenizer())

    def roberta(self) -> RobertaText:
        """Return the released RoBERTa that the project names, or else the one that is trained here."""
        if self.config.roberta.folder:
            return load_roberta(Path(self.config.roberta.folder))
        network = averaged(self._trained(self.roberta_recipe, "roberta"))
        return RobertaText(network.roberta, self.tokenizer())

    def conditioner(self) -> Conditioner:
        """Return what reads captions, and hears where it can, for the U-Net."""
        by_roberta = self.config.ldm.text_encoder is TextEncoder.ROBERTA
        return self.roberta() if by_roberta else self.clap()

    def classifier(self) -> ConceptClassifier:
        return self._trained(self.classifier_recipe, "classifier").network.eval()

    def bundle(self, name: str, licence: str) -> Bundle:
        """Join all trained networks into a model that renders; its card has no figures yet."""
        if self.config.ldm.text_encoder is TextEncoder.ROBERTA:
            raise SpecError(
                "A model whose texts RoBERTa reads is there to be measured; no bundle holds one.",
                "Train one with CLAP: leave text_encoder out of [ldm].",
            )
        networks = Networks(unet=self.unet(), vae=self.vae(), vocoder=self.vocoder(), clap=self.clap().model)
        card = ModelCard(
            name=name,
            licence=licence,
            scale_factor=self.latents().scale_factor,
            canvas_s=self.clips.config.duration_s,
            sample_rate_hz=self.config.mel.sample_rate_hz,
            configs=ModelConfigs(
                mel=self.config.mel,
                vae=self.config.vae.network,
                unet=self.config.ldm.network,
                vocoder=self.config.vocoder.network,
                clap=self.config.clap.network,
                schedule=self.config.schedule,
                mel_matching=self.config.mel_matching,
            ),
            training=self._history(),
        )
        return assemble_bundle(card, networks, self.tokenizer())

    def cache_latents(self) -> LatentStore:
        """Encode the training clips with the trained VAE and what conditions the U-Net."""
        mel = MelFrontEnd(self.config.mel)
        return cache_latents(self.clips, self.folder / "latents", self.vae(), mel, self.conditioner())

    def tokenizer(self) -> Tokenizer:
        """Return the folder's tokenizer, learnt from all captions the first time."""
        path = self.folder / "tokenizer.json"
        if not path.exists():
            with FileLock(path.with_name(".tokenizer.lock")):
                self._learn_tokenizer(path)
        return load_tokenizer(self.folder)

    def _learn_tokenizer(self, path: Path) -> None:
        if path.exists():
            return
        captions = [text for info in self.plain_clips.infos for text in (info.caption, *info.others)]
        part = path.with_name(path.name + ".part")
        train_tokenizer(captions, self.config.clap.network.vocabulary).save(str(part))
        os.replace(part, path)

    @property
    def _reader(self) -> str:
        return "RoBERTa" if self.config.ldm.text_encoder is TextEncoder.ROBERTA else "CLAP"

    def _history(self) -> dict[str, object]:
        """Return how long each network trained, as its journal says, and on what."""
        runs = {
            run: training_history(self.folder / run / "metrics.csv")
            for run in ("vae", "vocoder", "clap", "ldm")
        }
        return {"clips": self.clips.describe(), **runs}

    def _trained(self, build: Callable[[], TrainedRecipe], run: str) -> TrainedRecipe:
        recipe = build()
        if resume(recipe, self.folder / run) == 0:
            raise NotFound(
                f"{self.folder / run} holds no checkpoint.", f"Train it: python -m engine.training fit {run}"
            )
        return recipe


def training_history(metrics: Path) -> dict[str, object]:
    """Return steps, minutes and last figures of a run from its metrics file, and what it began with."""
    with metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    figures = {name: value for name, value in rows[-1].items() if name not in ("step", "elapsed_s")}
    last = {name: float(value) for name, value in figures.items() if value}
    minutes = sum(float(row["elapsed_s"]) for row in rows) / 60
    history = {"steps": int(float(rows[-1]["step"])), "minutes": round(minutes, 1), "last": last}
    origin = metrics.with_name(ORIGIN)
    return history | ({"started_from": json.loads(origin.read_text())} if origin.exists() else {})


def averaged(recipe: _Averaging[TrainedNetwork]) -> TrainedNetwork:
    """Return a recipe's network with its averaged weights, ready to use."""
    network = recipe.network
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(recipe.ema.shadow[name])
    return network.eval().requires_grad_(False)

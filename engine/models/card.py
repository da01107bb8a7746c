"""The card of a model: what it is, how it is built, and the checksums of its files."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from engine.audio.mel_scale import MelConfig
from engine.diffusion.schedule import ScheduleConfig
from engine.errors import ModelCorrupt, ModelMissing
from engine.models.clap import ClapConfig
from engine.models.hifigan import HifiGanConfig
from engine.models.istft_vocoder import IstftVocoderConfig
from engine.models.mel_matching import MelMatchingConfig, require_fit
from engine.models.unet import UNetConfig
from engine.models.vae import VaeConfig
from engine.strict_json import Variants, decode, encode, parse_json
from engine.types import Task

CARD_FILE = "card.json"
CARD_SCHEMA_VERSION = 1
MAX_CARD_BYTES = 4_000_000
VOCODERS = Variants(key="architecture", kinds={"hifigan": HifiGanConfig, "istft": IstftVocoderConfig})
VocoderConfig = HifiGanConfig | IstftVocoderConfig
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfigs:
    """The shape of each component; the vocoder's class says its architecture."""

    mel: MelConfig = field(default_factory=MelConfig)
    vae: VaeConfig = field(default_factory=VaeConfig)
    unet: UNetConfig = field(default_factory=UNetConfig)
    vocoder: VocoderConfig = field(default_factory=HifiGanConfig)
    clap: ClapConfig = field(default_factory=ClapConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    mel_matching: MelMatchingConfig = field(default_factory=MelMatchingConfig)

    def __post_init__(self) -> None:
        if self.unet.in_channels != self.vae.latent_channels:
            raise ValueError(
                f"unet.in_channels {self.unet.in_channels} is not vae.latent_channels "
                f"{self.vae.latent_channels}"
            )
        if self.unet.condition_width != self.clap.projection:
            raise ValueError(
                f"unet.condition_width {self.unet.condition_width} is not clap.projection "
                f"{self.clap.projection}"
            )
        if self.vocoder.mel_bins != self.mel.mel_bins or self.vocoder.hop_samples != self.mel.hop_samples:
            raise ValueError("vocoder and mel differ in mel_bins or hop_samples")
        if self.mel.mel_bins % self.vae.ratio:
            raise ValueError(f"mel.mel_bins {self.mel.mel_bins} is not a multiple of the VAE's ratio")
        require_fit(self.mel_matching, self.mel)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """canvas_s is the length of the clips the U-Net was trained on.

    clap_hears says that the audio tower of CLAP is there: without it takes cannot be ranked nor
    conditioned by sound. files maps each file of the bundle to its SHA-256; training, metrics and
    provenance are free.
    """

    name: str
    licence: str
    scale_factor: float
    canvas_s: float
    sample_rate_hz: int = 16_000
    tasks: tuple[Task, ...] = tuple(Task)
    configs: ModelConfigs = field(default_factory=ModelConfigs)
    tokenizer: str = "tokenizer.json"
    clap_hears: bool = True
    files: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, object] = field(default_factory=dict)
    training: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, object] = field(default_factory=dict)
    schema_version: int = CARD_SCHEMA_VERSION

    def __post_init__(self) -> None:
        require_plain_name(self.name, "name")
        require_plain_name(self.tokenizer, "tokenizer")
        for name, digest in self.files.items():
            require_plain_name(name, "files")
            if not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise ValueError(f"files.{name} is not a SHA-256")
        for key, value in (("scale_factor", self.scale_factor), ("canvas_s", self.canvas_s)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{key} must be above zero, got {value}")
        if self.sample_rate_hz != self.configs.mel.sample_rate_hz:
            raise ValueError(f"sample_rate_hz {self.sample_rate_hz} is not the mel's")
        if not self.tasks:
            raise ValueError("tasks must name at least one task")


def require_plain_name(name: str, key: str) -> None:
    """Raise ValueError unless the name is safe as a file's or folder's name on every system."""
    if not _PLAIN_NAME.fullmatch(name) or name.endswith("."):
        raise ValueError(f"{key} {name!r:.60} is not a plain name of letters, digits, '.', '_' and '-'")


def settings_digest(card: ModelCard) -> str:
    """Return the SHA-256 of all but the weights that decides how a model sounds.

    What is as by default does not count, so that a card keeps its digest when cards learn a further key.
    """
    told = {"canvas_s": card.canvas_s, "scale_factor": card.scale_factor, "configs": _chosen(card.configs)}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def card_to_json(card: ModelCard) -> str:
    """Return the card as readable JSON."""
    return json.dumps(encode(card, VOCODERS), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def card_from_json(text: str, source: str) -> ModelCard:
    """Read a card; ModelCorrupt names the source and the key that is wrong."""
    try:
        value = parse_json(text, MAX_CARD_BYTES)
        _require_version(value)
        card: ModelCard = decode(ModelCard, value, "", VOCODERS)
    except ValueError as error:
        raise ModelCorrupt(f"{source} is not a usable model card: {error}.", _HINT) from error
    return card


def read_card(folder: Path) -> ModelCard:
    """Read the card of a bundle; ModelMissing where there is none."""
    path = folder / CARD_FILE
    if not path.is_file():
        raise ModelMissing(f"{folder} holds no model: it has no {CARD_FILE}.", "See: daw-bridge models list")
    if path.stat().st_size > MAX_CARD_BYTES:
        raise ModelCorrupt(f"{path} is larger than a model card can be.", _HINT)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelCorrupt(f"{path} is not a usable model card: it is not UTF-8.", _HINT) from error
    return card_from_json(text, str(path))


def _chosen(config: Any) -> dict[str, object]:
    default = type(config)()
    values = {item.name: getattr(config, item.name) for item in fields(config)}
    return {
        name: _chosen(value) if is_dataclass(value) else value
        for name, value in values.items()
        if value != getattr(default, name)
    }


def _require_version(value: object) -> None:
    version = value.get("schema_version") if isinstance(value, dict) else None
    if type(version) is int and version > CARD_SCHEMA_VERSION:
        raise ValueError(f"schema_version {version} is newer than this program's {CARD_SCHEMA_VERSION}")


_HINT = "Import or pull the model again."

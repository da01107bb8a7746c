"""A training project as one TOML file: what to render or to read, and the recipe of each network."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

import dacite

from engine.audio.mel_scale import MelConfig
from engine.diffusion.schedule import ScheduleConfig
from engine.errors import SpecError
from engine.evaluation.classifier import ClassifierRecipeConfig
from engine.models.mel_matching import MelMatchingConfig, require_fit
from engine.training.data.opening import DataConfig
from engine.training.recipes.clap import ClapRecipeConfig
from engine.training.recipes.ldm import LdmRecipeConfig
from engine.training.recipes.roberta import RobertaRecipeConfig
from engine.training.recipes.vae import VaeRecipeConfig
from engine.training.recipes.vocoder import VocoderRecipeConfig
from engine.training.store import StoreConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectConfig:
    """All recipes of one model, in their own sections of the file, and the mel that its networks share.

    A key that is left out has the recipe's default. A nested section (network, optimiser) stands for
    itself: keys left out of it have the defaults of its own type, not those of the recipe.
    """

    store: StoreConfig = field(default_factory=StoreConfig)
    mel: MelConfig = field(default_factory=MelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    vae: VaeRecipeConfig = field(default_factory=VaeRecipeConfig)
    vocoder: VocoderRecipeConfig = field(default_factory=VocoderRecipeConfig)
    clap: ClapRecipeConfig = field(default_factory=ClapRecipeConfig)
    roberta: RobertaRecipeConfig = field(default_factory=RobertaRecipeConfig)
    ldm: LdmRecipeConfig = field(default_factory=LdmRecipeConfig)
    classifier: ClassifierRecipeConfig = field(default_factory=ClassifierRecipeConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    mel_matching: MelMatchingConfig = field(default_factory=MelMatchingConfig)

    def __post_init__(self) -> None:
        require_fit(self.mel_matching, self.mel)


def load_project(path: Path) -> ProjectConfig:
    """Read a project file; an unknown key, a wrong type or an impossible value raises SpecError naming it."""
    try:
        data = tomllib.loads(path.read_text())
        _require_no_old_key(data)
        known = get_type_hints(ProjectConfig)
        _require_known(data, known, "a section", inside="")
        return ProjectConfig(**{name: _section(name, known[name], value) for name, value in data.items()})
    except (OSError, tomllib.TOMLDecodeError, dacite.DaciteError, ValueError) as error:
        raise SpecError(f"{path} is not a usable training project: {error}.") from error


def _section(name: str, kind: type, values: object) -> Any:
    try:
        if not isinstance(values, dict):
            raise ValueError("it has to be a section")
        _require_known(values, get_type_hints(kind), "a key", inside=f"{name}.")
        return dacite.from_dict(kind, values, dacite.Config(strict=True, cast=[tuple, Enum]))
    except (dacite.DaciteError, ValueError) as error:
        raise ValueError(f"[{name}] {error}") from error


def _require_known(
    values: Mapping[str, object], known: Mapping[str, object], kind: str, *, inside: str
) -> None:
    """Name what stands at a wrong place, with the places there are, and the section that has such a key."""
    for name in values.keys() - known.keys():
        homes = [section for section, of in known.items() if is_dataclass(of) and name in get_type_hints(of)]
        hint = f"it belongs into [{inside}{homes[0]}]" if homes else f"there are {', '.join(known)}"
        raise ValueError(f"{name} is not {kind}; {hint}")


def _require_no_old_key(data: dict[str, Any]) -> None:
    for name, section in data.items():
        if isinstance(section, dict) and "bfloat16" in section:
            precision = "bfloat16" if section["bfloat16"] else "float32"
            raise ValueError(f'{name}.bfloat16 is no key any more; write precision = "{precision}"')

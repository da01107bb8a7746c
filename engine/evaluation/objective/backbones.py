"""The networks whose features and opinions are compared.

N channels of a clip, S samples, R rows of features of a clip, D features, K classes.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from engine.audio.level import mono
from engine.audio.splice import fit_length
from engine.errors import ModelCorrupt, ModelMissing, NotFound, SpecError
from engine.evaluation.objective.panns import Cnn14, load_cnn14
from engine.evaluation.objective.report import BackboneUsed
from engine.evaluation.objective.vggish import VGGISH_RATE_HZ, Vggish, load_vggish
from engine.models.bundle import load_bundle
from engine.models.card import read_card
from engine.models.clap import ClapProvider
from engine.models.clap_features import CLAP_SAMPLE_RATE_HZ
from engine.models.files import sha256_of
from engine.models.store import model_folder

# audioldm-eval fills shorter clips up with silence.
SHORTEST_SAMPLES = 32_000
CLASSIFIER_RATE_HZ = 16_000
CLASSIFIER_PEAK = 0.5
CLASSIFIER_SHORTEST_SAMPLES = 8_000
_UNREADABLE = (RuntimeError, LookupError, TypeError, ValueError, EOFError, OSError, pickle.UnpicklingError)


class BackboneName(Enum):
    CLAP = "clap"
    CLASSIFIER = "classifier"
    PANNS = "panns"
    VGGISH = "vggish"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """What a backbone makes of one clip: one row of features or one for each frame; logits of classifiers."""

    features_RD: np.ndarray
    logits_K: np.ndarray | None = None


class Backbone(Protocol):
    info: BackboneUsed

    def hear(self, audio_NS: np.ndarray) -> Heard:
        """Hear a clip at the rate that info tells."""
        ...


class PannsBackbone:
    """Cnn14 on the first channel without its mean, at least two seconds of it at 16 kHz."""

    def __init__(self, network: Cnn14, weights: Path) -> None:
        self._network = network
        rate_hz = network.config.mel.sample_rate_hz
        self.info = _info(BackboneName.PANNS, f"PANNs Cnn14 at {rate_hz // 1000} kHz", rate_hz, weights)

    @torch.no_grad()
    def hear(self, audio_NS: np.ndarray) -> Heard:
        audio_S = _at_least(_first_channel(audio_NS), SHORTEST_SAMPLES)
        features_BD, logits_BK = self._network(torch.from_numpy(audio_S)[None].to(self._network.window))
        return Heard(features_RD=_numpy(features_BD), logits_K=_numpy(logits_BK[0]))


class VggishBackbone:
    """VGGish on the mean of the channels, a row for each 0.96 s."""

    def __init__(self, network: Vggish, weights: Path) -> None:
        self._network = network
        self.info = _info(BackboneName.VGGISH, "VGGish", VGGISH_RATE_HZ, weights, "mean")

    @torch.no_grad()
    def hear(self, audio_NS: np.ndarray) -> Heard:
        audio_S = torch.from_numpy(audio_NS.mean(axis=0).astype(np.float32))
        return Heard(features_RD=_numpy(self._network.hear(audio_S)))


class ClapBackbone:
    """The CLAP of an installed model, which knows captions too."""

    def __init__(self, clap: ClapProvider, folder: Path) -> None:
        self._clap = clap
        card = read_card(folder)
        self.info = BackboneUsed(
            name=BackboneName.CLAP.value,
            network=f"CLAP of the model {card.name}",
            sample_rate_hz=CLAP_SAMPLE_RATE_HZ,
            channels="mean",
            weights=card.name,
            sha256=" ".join(digest for name, digest in card.files.items() if name.startswith("clap")),
        )

    @torch.no_grad()
    def hear(self, audio_NS: np.ndarray) -> Heard:
        audio_1S = torch.from_numpy(mono(audio_NS))[None]
        return Heard(features_RD=_numpy(self._clap.embed_audio(audio_1S, self.info.sample_rate_hz)))

    @torch.no_grad()
    def read(self, captions: Sequence[str]) -> np.ndarray:
        """Return text embeddings, one row a caption."""
        return _numpy(self._clap.embed_text(captions))


class ClassifierBackbone:
    """The classifier of a training folder, which judges the starter."""

    def __init__(self, network: Any, weights: Path) -> None:
        self._network = network
        network_name = f"concept classifier of {network.head.out_features} sounds"
        self.info = _info(BackboneName.CLASSIFIER, network_name, CLASSIFIER_RATE_HZ, weights)

    @torch.no_grad()
    def hear(self, audio_NS: np.ndarray) -> Heard:
        audio_S = _at_least(_first_channel(audio_NS), CLASSIFIER_SHORTEST_SAMPLES)
        audio_S = CLASSIFIER_PEAK * audio_S / max(1e-5, float(np.abs(audio_S).max()))
        features_1D = self._network.features(self._network.mel(torch.from_numpy(audio_S)[None]))
        return Heard(features_RD=_numpy(features_1D), logits_K=_numpy(self._network.head(features_1D)[0]))


def load_backbones(
    names: Sequence[BackboneName], weights: Mapping[BackboneName, Path], model: str
) -> dict[BackboneName, Backbone]:
    """Load backbones; model is the installed model whose CLAP hears.

    Raises SpecError where one needs weights that are not given, ModelMissing and ModelCorrupt where they are
    no use.
    """
    for name in names:
        if name is not BackboneName.CLAP and name not in weights:
            hint = f"Add: --weights {name.value}=PATH"
            raise SpecError(f"the backbone {name.value} needs its weights", hint)
    return {name: _load(name, weights.get(name, Path()), model) for name in names}


def _load(name: BackboneName, weights: Path, model: str) -> Backbone:
    if name is BackboneName.PANNS:
        return PannsBackbone(load_cnn14(weights), weights)
    if name is BackboneName.VGGISH:
        return VggishBackbone(load_vggish(weights), weights)
    if name is BackboneName.CLASSIFIER:
        path = _checkpoint_in(weights)
        return ClassifierBackbone(_classifier(path), path)
    return _clap(model)


def _clap(model: str) -> ClapBackbone:
    folder = model_folder(model)
    card = read_card(folder)
    if not card.clap_hears:
        raise ModelMissing(
            f"the model {model} has no ears (CLAP's audio tower)", "Name another: --model starter"
        )
    return ClapBackbone(load_bundle(folder).clap, folder)


def _checkpoint_in(folder: Path) -> Path:
    """Return the checkpoint of a training folder, of the classifier's folder in it, or the file itself."""
    for path in (folder, folder / "checkpoint.pt", folder / "classifier" / "checkpoint.pt"):
        if path.is_file():
            return path
    raise ModelMissing(
        f"{folder} holds no trained classifier", "Train one: python -m engine.training fit classifier"
    )


def _classifier(path: Path) -> Any:
    try:
        # Its training, and what that needs, is no part of an installed program.
        from engine.evaluation.classifier import OTHER_RATE, ConceptClassifier  # noqa: PLC0415
    except ModuleNotFoundError as error:
        missing = f"the classifier needs {error.name}, which is not installed"
        raise NotFound(missing, "Run: pip install 'daw-bridge[train]'") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["recipe"]["network"]
        concepts, features = state["head.weight"].shape
    except _UNREADABLE as error:
        raise _no_classifier(path) from error
    if OTHER_RATE in state:
        raise SpecError(
            f"{path} is a classifier of sounds at {int(state[OTHER_RATE])} Hz, and sets are measured at "
            f"{CLASSIFIER_RATE_HZ} Hz",
            "Give one that was trained at that rate.",
        )
    # The features are mean and maximum of eight times the width.
    network = ConceptClassifier(concepts, features // 16)
    try:
        network.load_state_dict(state)
    except _UNREADABLE as error:
        raise _no_classifier(path) from error
    return network.eval().requires_grad_(False)


def _no_classifier(path: Path) -> ModelCorrupt:
    return ModelCorrupt(f"{path} is no checkpoint of a classifier", "Train it again.")


def _info(
    name: BackboneName, network: str, rate_hz: int, weights: Path, channels: str = "first, mean removed"
) -> BackboneUsed:
    return BackboneUsed(
        name=name.value,
        network=network,
        sample_rate_hz=rate_hz,
        channels=channels,
        weights=weights.name,
        sha256=sha256_of(weights),
    )


def _first_channel(audio_NS: np.ndarray) -> np.ndarray:
    return (audio_NS[0] - audio_NS[0].mean()).astype(np.float32)


def _at_least(audio_S: np.ndarray, samples: int) -> np.ndarray:
    return fit_length(audio_S, max(samples, len(audio_S)))


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()

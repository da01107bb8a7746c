"""Read the original checkpoints: the released ones, and those of the training code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from torch import Tensor

from engine.diffusion.schedule import ScheduleConfig
from engine.errors import ModelCorrupt, ModelMissing
from engine.models.bundle import Bundle
from engine.models.card import ModelCard, ModelConfigs
from engine.models.clap_laion import clap_state_from_laion, infer_clap_config
from engine.models.clap_tokenizer import tokenizer_from_json
from engine.models.companions import (
    RELEASED_CANVAS_S,
    UNKNOWN_LICENCE,
    Companions,
    State,
    fill,
    folded,
    plain_name,
    roberta_tokenizer,
    under,
)
from engine.models.note import CARD_KEY, TOKENIZER_KEY, with_note
from engine.models.pickle_file import read_noted_pickle, read_pickle
from engine.models.shapes import (
    explained,
    hifigan_config,
    mel_config,
    schedule_config,
    unet_config,
    vae_config,
)
from engine.models.weights import SUFFIX, read_safetensors

WeightsKind = Literal["ema", "live"]

UNET_PREFIX = "model.diffusion_model."
EMA_PREFIX = "model_ema."
VAE_PREFIX = "first_stage_model."
VOCODER_PREFIX = "first_stage_model.vocoder."
# The released checkpoints', then the training code's two: the condition's before the ranking's.
CLAP_PREFIXES = ("cond_stage_model.model.", "cond_stage_models.0.model.", "clap.model.", "clap.")
VAE_PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
VOCODER_FILES = ("hifigan_16k_64bins.ckpt", "hifigan_48k_256bins.ckpt")


def load_original(path: Path, weights: WeightsKind, companions: Companions) -> Bundle:
    """Read an original checkpoint, pickled or as safetensors."""
    state, texts = (read_safetensors(path), {}) if path.suffix == SUFFIX else read_noted_pickle(path)
    with explained(str(path)):
        parts, used = component_weights(state, path, weights, companions)
        configs = model_configs(parts, state, str(path))
        card = ModelCard(
            name=plain_name(path.stem),
            licence=UNKNOWN_LICENCE,
            scale_factor=float(state["scale_factor"]),
            canvas_s=RELEASED_CANVAS_S,
            sample_rate_hz=configs.mel.sample_rate_hz,
            configs=configs,
            provenance={"layout": "original", "file": path.name, "weights": used},
        )
    card = with_note(card, texts.get(CARD_KEY), str(path))
    parts["clap"] = clap_state_from_laion(parts["clap"])
    own = tokenizer_from_json(texts[TOKENIZER_KEY], str(path)) if TOKENIZER_KEY in texts else None
    return fill(card, parts, str(path), roberta_tokenizer(path.parent, companions, own))


def component_weights(
    state: Mapping[str, Tensor], path: Path, weights: WeightsKind, companions: Companions
) -> tuple[dict[str, State], WeightsKind]:
    """Return the weights of each component, and which U-Net they hold."""
    unet = under(state, UNET_PREFIX)
    if not unet:
        raise ModelCorrupt(
            f"{path} holds no AudioLDM: there is no weight under {UNET_PREFIX}.",
            "Give a whole AudioLDM checkpoint; a vocoder or a CLAP alone goes beside one.",
        )
    if not any(name.startswith(EMA_PREFIX) for name in state):
        weights = "live"
    parts = {
        "unet": averaged_unet(state, unet) if weights == "ema" else unet,
        "vae": {
            name: tensor for name, tensor in under(state, VAE_PREFIX).items() if name.startswith(VAE_PARTS)
        },
        "vocoder": folded(under(state, VOCODER_PREFIX)) or _separate_vocoder(path.parent, companions),
        "clap": _clap(state, path),
    }
    return parts, weights


def averaged_unet(state: Mapping[str, Tensor], live: Mapping[str, Tensor]) -> State:
    """Return the averaged weights: they are stored under names without dots."""
    return {name: state[EMA_PREFIX + squashed(name)] for name in live}


def squashed(name: str) -> str:
    """Return the name under which a checkpoint averages a U-Net's weight."""
    return ("diffusion_model." + name).replace(".", "")


def model_configs(parts: Mapping[str, State], state: Mapping[str, Tensor], source: str) -> ModelConfigs:
    """Return the sizes that the weights of each component show; raises KeyError or ValueError."""
    vocoder = hifigan_config(parts["vocoder"])
    return ModelConfigs(
        mel=mel_config(vocoder),
        vae=vae_config(parts["vae"]),
        unet=unet_config(parts["unet"]),
        vocoder=vocoder,
        clap=infer_clap_config(parts["clap"], source),
        schedule=schedule_config(state["betas"]) if "betas" in state else ScheduleConfig(),
    )


def _clap(state: Mapping[str, Tensor], path: Path) -> State:
    for prefix in CLAP_PREFIXES:
        if prefix + "audio_branch.bn0.weight" in state:
            return under(state, prefix)
    raise ModelCorrupt(f"{path} holds no CLAP.", "Give a whole AudioLDM checkpoint.")


def _separate_vocoder(folder: Path, companions: Companions) -> State:
    places = [companions.vocoder] if companions.vocoder else [folder / name for name in VOCODER_FILES]
    for place in places:
        if place.is_file():
            return folded(read_pickle(place))
    raise ModelMissing(f"The checkpoint has no vocoder, and {places[0]} is missing.", "Put the file there.")

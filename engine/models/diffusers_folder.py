"""Read a folder in diffusers' layout, as the hub's cvssp/audioldm* are.

Such folders hold CLAP's text tower only. The hub's attention_head_dim of 8 is the number of heads to
diffusers, while the weights were trained with a fixed width of each head: it is not believed here. A list,
one number for each level, is what the weights were trained with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers

from engine.diffusion.schedule import ScheduleConfig
from engine.errors import ModelCorrupt, ModelMissing
from engine.models.blocks import NORM_GROUPS
from engine.models.bundle import Bundle
from engine.models.card import ModelCard, ModelConfigs
from engine.models.clap import ClapConfig
from engine.models.clap_laion import clap_state_from_laion, infer_clap_config, read_laion_state
from engine.models.companions import (
    RELEASED_CANVAS_S,
    UNKNOWN_LICENCE,
    Companions,
    State,
    fill,
    folded,
    plain_name,
    roberta_tokenizer,
)
from engine.models.hifigan import HifiGanConfig
from engine.models.keymaps import unet_to_original, vae_to_original, vocoder_to_original
from engine.models.note import NOTE_FILE, with_note
from engine.models.pickle_file import read_pickle
from engine.models.shapes import explained, mel_config, released_head_channels
from engine.models.unet import UNetConfig
from engine.models.vae import VaeConfig
from engine.models.weights import read_safetensors

INDEX_FILE = "model_index.json"
PIPELINE = "AudioLDMPipeline"
CONFIG_FILE = "config.json"
SCHEDULER_FILE = "scheduler_config.json"
CONFIG_FILES = {
    "scheduler": SCHEDULER_FILE,
    **dict.fromkeys(("text_encoder", "unet", "vae", "vocoder"), CONFIG_FILE),
}
WEIGHT_FILES = (
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "diffusion_pytorch_model.bin",
    "pytorch_model.bin",
    "diffusion_pytorch_model.fp16.safetensors",
    "model.fp16.safetensors",
)
MAX_JSON_BYTES = 4_000_000
AUDIO_TOWER = ("audio_model.", "audio_projection.")
CLAP_INITIAL_SCALE = 1 / 0.07


def load_diffusers_folder(folder: Path, companions: Companions) -> Bundle:
    """Read a pipeline folder; with a companion CLAP file the model can also hear."""
    _require_pipeline(folder)
    values = {part: read_object(folder / part / name) for part, name in CONFIG_FILES.items()}
    with explained(str(folder)):
        configs, scale_factor = model_configs(values), float(values["vae"]["scaling_factor"])
    assert isinstance(configs.vocoder, HifiGanConfig)
    parts = {
        "unet": unet_to_original(folder_weights(folder / "unet"), configs.unet),
        "vae": vae_to_original(folder_weights(folder / "vae"), configs.vae),
        "vocoder": vocoder_to_original(folded(folder_weights(folder / "vocoder")), configs.vocoder),
        "clap": _text_tower(folder / "text_encoder"),
    }
    if companions.clap is not None:
        configs = _add_audio_tower(configs, parts["clap"], companions.clap)
    card = ModelCard(
        name=plain_name(folder.name),
        licence=UNKNOWN_LICENCE,
        scale_factor=scale_factor,
        canvas_s=RELEASED_CANVAS_S,
        sample_rate_hz=configs.mel.sample_rate_hz,
        configs=configs,
        clap_hears=companions.clap is not None,
        provenance={"layout": "diffusers", "folder": folder.name, **_clap_provenance(companions)},
    )
    card = with_note(card, _note(folder), str(folder / NOTE_FILE))
    return fill(card, parts, str(folder), roberta_tokenizer(folder, companions))


def unet_config(values: Mapping[str, Any]) -> UNetConfig:
    """Return the U-Net of a UNet2DConditionModel's config; raises KeyError or ValueError."""
    _require(values, "class_embed_type", "simple_projection")
    _require(values, "class_embeddings_concat", True)
    widths = values["block_out_channels"]
    levels = tuple(level for level, kind in enumerate(values["down_block_types"]) if "Attn" in kind)
    head_channels, heads = _heads(values.get("attention_head_dim"), widths, levels)
    return UNetConfig(
        in_channels=values["in_channels"],
        out_channels=values["out_channels"],
        base_channels=widths[0],
        channel_mult=_multiples(widths),
        res_blocks=values["layers_per_block"],
        attention_levels=levels,
        head_channels=head_channels,
        heads=heads,
        condition_width=values["projection_class_embeddings_input_dim"],
        norm_groups=values.get("norm_num_groups", NORM_GROUPS),
    )


def vae_config(values: Mapping[str, Any]) -> VaeConfig:
    """Return the VAE of an AutoencoderKL's config; raises KeyError or ValueError."""
    widths = values["block_out_channels"]
    return VaeConfig(
        base_channels=widths[0],
        channel_mult=_multiples(widths),
        res_blocks=values["layers_per_block"],
        latent_channels=values["latent_channels"],
        in_channels=values["in_channels"],
        norm_groups=values.get("norm_num_groups", NORM_GROUPS),
    )


def vocoder_config(values: Mapping[str, Any]) -> HifiGanConfig:
    """Return the generator of a SpeechT5HifiGan's config; raises KeyError or ValueError."""
    _require(values, "normalize_before", False)
    dilations = {tuple(row) for row in values["resblock_dilation_sizes"]}
    if len(dilations) != 1:
        raise ValueError("vocoder: resblock_dilation_sizes differ among the blocks")
    return HifiGanConfig(
        mel_bins=values["model_in_dim"],
        channels=values["upsample_initial_channel"],
        rates=tuple(values["upsample_rates"]),
        kernels=tuple(values["upsample_kernel_sizes"]),
        resblock_kernels=tuple(values["resblock_kernel_sizes"]),
        resblock_dilations=dilations.pop(),
    )


def text_config(values: Mapping[str, Any]) -> ClapConfig:
    """Return CLAP with the text tower of a ClapTextModelWithProjection's config; raises KeyError."""
    defaults = transformers.ClapTextConfig()
    sizes = {name: values.get(name, getattr(defaults, name)) for name in TEXT_SIZES}
    return ClapConfig(**{TEXT_SIZES[name]: value for name, value in sizes.items()})


def schedule_config(values: Mapping[str, Any]) -> ScheduleConfig:
    """Return the schedule of a scheduler's config; raises KeyError or ValueError."""
    _require(values, "beta_schedule", "scaled_linear")
    if values.get("prediction_type", "epsilon") != "epsilon":
        raise ValueError("scheduler: prediction_type is not epsilon")
    return ScheduleConfig(
        steps=values["num_train_timesteps"], start=values["beta_start"], end=values["beta_end"]
    )


def model_configs(values: Mapping[str, Mapping[str, Any]]) -> ModelConfigs:
    """Return the sizes of a pipeline from the config of each of its parts; raises KeyError or ValueError."""
    vocoder = vocoder_config(values["vocoder"])
    return ModelConfigs(
        mel=mel_config(vocoder),
        vae=vae_config(values["vae"]),
        unet=unet_config(values["unet"]),
        vocoder=vocoder,
        clap=text_config(values["text_encoder"]),
        schedule=schedule_config(values["scheduler"]),
    )


def _text_tower(folder: Path) -> State:
    """Return the text tower's weights, with the temperatures that the whole network also has."""
    scale = torch.tensor(CLAP_INITIAL_SCALE).log()
    return {**folder_weights(folder), "logit_scale_a": scale, "logit_scale_t": scale.clone()}


def _add_audio_tower(configs: ModelConfigs, clap: State, path: Path) -> ModelConfigs:
    """Add a LAION checkpoint's audio tower to the weights; prompts keep the folder's own text tower."""
    laion = read_laion_state(path)
    whole = clap_state_from_laion(laion)
    clap |= {name: tensor for name, tensor in whole.items() if name.startswith(AUDIO_TOWER)}
    heard, text = infer_clap_config(laion, str(path)), configs.clap
    kept = {name: getattr(text, name) for name in TEXT_SIZES.values()}
    return replace(configs, clap=replace(heard, **kept))


def _clap_provenance(companions: Companions) -> dict[str, object]:
    return {} if companions.clap is None else {"clap": companions.clap.name}


def folder_weights(folder: Path) -> State:
    """Return the weights of a folder of diffusers or transformers, whichever way they are stored."""
    for name in WEIGHT_FILES:
        path = folder / name
        if path.is_file():
            return read_safetensors(path) if path.suffix == ".safetensors" else read_pickle(path)
    wanted = WEIGHT_FILES[1 if folder.name in ("text_encoder", "vocoder") else 0]
    raise ModelMissing(f"{folder} has no weights.", f"Put {wanted} of the same model into {folder}.")


def _require_pipeline(folder: Path) -> None:
    index = folder / INDEX_FILE
    if not index.is_file() and not (folder / "unet" / CONFIG_FILE).is_file():
        raise ModelMissing(
            f"{folder} holds no model: neither card.json nor {INDEX_FILE} is there.",
            "Give a .ckpt file, a diffusers folder, or a bundle.",
        )
    kind = read_object(index).get("_class_name", PIPELINE) if index.is_file() else PIPELINE
    if kind != PIPELINE:
        raise ModelCorrupt(f"{index} describes a {kind}, not an {PIPELINE}.", "Give an AudioLDM model.")


def _note(folder: Path) -> str | None:
    path = folder / NOTE_FILE
    return json.dumps(read_object(path)) if path.is_file() else None


def read_object(path: Path) -> dict[str, Any]:
    """Return a JSON object; ModelMissing without such a file, ModelCorrupt where it holds something else."""
    if not path.is_file():
        raise ModelMissing(f"{path} is missing.", f"Put {path.name} of the same model into {path.parent}.")
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError("it is too large")
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it is not an object")
    except (ValueError, RecursionError) as error:
        raise ModelCorrupt(f"{path} cannot be read: {error}.", "Download or copy it again.") from error
    return values


def _require(values: Mapping[str, Any], key: str, wanted: object) -> None:
    if values[key] != wanted:
        raise ValueError(f"{key} is {values[key]!r}, not {wanted!r}")


def _heads(stated: object, widths: list[int], levels: tuple[int, ...]) -> tuple[int, int | None]:
    """Return the channels per head, and the number of heads where that is what all levels have in common."""
    if not isinstance(stated, list):
        return released_head_channels(widths[0]), None
    attending = {*levels, len(widths) - 1}
    heads = {stated[level] for level in attending}
    channels = {widths[level] / stated[level] for level in attending if stated[level]}
    if len(channels) == 1:
        return int(channels.pop()), None
    if len(heads) == 1 and 0 not in heads:
        return UNetConfig().head_channels, heads.pop()
    raise ValueError(f"attention_head_dim {stated} has neither heads of one width nor one number of them")


def _multiples(widths: list[int]) -> tuple[int, ...]:
    if any(width % widths[0] for width in widths):
        raise ValueError(f"block_out_channels {widths} are not multiples of the first")
    return tuple(width // widths[0] for width in widths)


# transformers' names, and ours; a config leaves out what is its class's default.
TEXT_SIZES = {
    "hidden_size": "text_hidden",
    "num_hidden_layers": "text_layers",
    "num_attention_heads": "text_heads",
    "intermediate_size": "text_ffn",
    "vocab_size": "vocabulary",
    "max_position_embeddings": "max_positions",
    "layer_norm_eps": "layer_norm_eps",
    "projection_dim": "projection",
}

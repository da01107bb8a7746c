"""Write diffusers' layout: a folder as `AudioLDMPipeline.save_pretrained` leaves it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from tokenizers import Tokenizer, models, pre_tokenizers

from engine.models.bundle import Bundle
from engine.models.clap import ClapConfig, TransformersClap
from engine.models.clap_tokenizer import BEGIN, END, MASK, PAD, PAD_ID, TOKENIZER_FILE, UNKNOWN
from engine.models.companions import TOKENIZER_FOLDER, State
from engine.models.diffusers_folder import (
    AUDIO_TOWER,
    CONFIG_FILES,
    INDEX_FILE,
    PIPELINE,
    TEXT_SIZES,
    WEIGHT_FILES,
    model_configs,
)
from engine.models.export_limits import ROOM_HINT, Layout, norm_groups, require_plain_parts, require_told
from engine.models.files import replacing, require_room, writing
from engine.models.hifigan import HifiGanConfig
from engine.models.keymaps import unet_to_diffusers, vae_to_diffusers, vocoder_to_transformers
from engine.models.mel_matching import unmatched
from engine.models.note import NOTE_FILE, note_of
from engine.models.unet import UNetConfig
from engine.models.vae import VaeConfig

Values = dict[str, Any]

# The last release that its makers tried this pipeline with.
DIFFUSERS_VERSION = "0.33.1"
WEIGHT_FILE = {
    **dict.fromkeys(("unet", "vae"), WEIGHT_FILES[0]),
    **dict.fromkeys(("text_encoder", "vocoder"), WEIGHT_FILES[1]),
}
SPECIAL_TOKENS = {
    "bos_token": BEGIN,
    "cls_token": BEGIN,
    "eos_token": END,
    "sep_token": END,
    "pad_token": PAD,
    "unk_token": UNKNOWN,
    "mask_token": MASK,
}


def write_diffusers(bundle: Bundle, folder: Path) -> None:
    """Write a bundle as a pipeline's folder, whole or not at all.

    Raises SpecError where the layout has no place for a part of the bundle, DiskFull, OutputError.
    """
    configs = pipeline_configs(bundle)
    size_bytes = sum(tensor.nbytes for _, state in _states(bundle) for tensor in state.values())
    require_room(folder.parent, size_bytes, ROOM_HINT)
    with writing(folder, ROOM_HINT), replacing(folder) as part:
        for name, values in configs.items():
            _write_json(part / name / CONFIG_FILES[name], values)
        # One after the other: what is renamed shares memory, what is made contiguous does not.
        for name, state in _states(bundle):
            contiguous = {key: tensor.contiguous() for key, tensor in state.items()}
            safetensors.torch.save_file(contiguous, part / name / WEIGHT_FILE[name], {"format": "pt"})
        tokenizer_class = _write_tokenizer(part / TOKENIZER_FOLDER, bundle)
        _write_json(part / INDEX_FILE, _index(tokenizer_class))
        (part / NOTE_FILE).write_text(note_of(bundle.card), encoding="utf-8")


def pipeline_configs(bundle: Bundle) -> dict[str, Values]:
    """Return the config of each part; raises SpecError where they cannot tell what the bundle is."""
    require_plain_parts(bundle, Layout.DIFFUSERS)
    configs, card = bundle.card.configs, bundle.card
    assert isinstance(configs.vocoder, HifiGanConfig)
    cell_s = configs.vae.ratio * configs.mel.hop_samples / configs.mel.sample_rate_hz
    values = {
        "scheduler": _scheduler(configs.schedule.steps, configs.schedule.start, configs.schedule.end),
        "text_encoder": _text_encoder(configs.clap),
        "unet": _unet(configs.unet, norm_groups(bundle.unet).pop(), round(card.canvas_s / cell_s)),
        "vae": _vae(configs.vae, norm_groups(bundle.vae).pop(), bundle.scale_factor),
        "vocoder": _vocoder(configs.vocoder, configs.mel.sample_rate_hz),
    }
    written: dict[str, Values] = json.loads(json.dumps(values))
    require_told(bundle, Layout.DIFFUSERS, lambda: model_configs(written))
    return written


def _states(bundle: Bundle) -> Iterator[tuple[str, State]]:
    configs = bundle.card.configs
    assert isinstance(bundle.clap, TransformersClap)
    assert isinstance(configs.vocoder, HifiGanConfig)
    yield "unet", unet_to_diffusers(bundle.unet.state_dict(), configs.unet)
    yield "vae", vae_to_diffusers(bundle.vae.state_dict(), configs.vae)
    yield "vocoder", vocoder_to_transformers(unmatched(bundle.vocoder).state_dict(), configs.vocoder)
    clap, left_out = bundle.clap.model.state_dict(), (*AUDIO_TOWER, "logit_scale")
    yield "text_encoder", {name: tensor for name, tensor in clap.items() if not name.startswith(left_out)}


def _index(tokenizer_class: str) -> Values:
    return {
        "_class_name": PIPELINE,
        "_diffusers_version": DIFFUSERS_VERSION,
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "ClapTextModelWithProjection"],
        "tokenizer": ["transformers", tokenizer_class],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "vocoder": ["transformers", "SpeechT5HifiGan"],
    }


def _scheduler(steps: int, start: float, end: float) -> Values:
    return {
        "_class_name": "DDIMScheduler",
        "_diffusers_version": DIFFUSERS_VERSION,
        "num_train_timesteps": steps,
        "beta_start": start,
        "beta_end": end,
        "beta_schedule": "scaled_linear",
        "prediction_type": "epsilon",
        "clip_sample": False,
        "set_alpha_to_one": False,
        "steps_offset": 1,
        "timestep_spacing": "leading",
    }


def _unet(config: UNetConfig, groups: int, canvas_cells: int) -> Values:
    """Return a UNet2DConditionModel's config; what it calls attention_head_dim is the number of heads."""
    attends = [level in config.attention_levels for level in range(len(config.widths))]
    return {
        "_class_name": "UNet2DConditionModel",
        "_diffusers_version": DIFFUSERS_VERSION,
        "sample_size": canvas_cells,
        "in_channels": config.in_channels,
        "out_channels": config.out_channels,
        "block_out_channels": config.widths,
        "layers_per_block": config.res_blocks,
        "down_block_types": ["CrossAttnDownBlock2D" if attend else "DownBlock2D" for attend in attends],
        "up_block_types": ["CrossAttnUpBlock2D" if attend else "UpBlock2D" for attend in attends[::-1]],
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        # Without a text to attend to, the second attention takes the width of its own level.
        "cross_attention_dim": config.widths,
        "attention_head_dim": [max(1, config.heads_at(level)) for level in range(len(config.widths))],
        "class_embed_type": "simple_projection",
        "class_embeddings_concat": True,
        "projection_class_embeddings_input_dim": config.condition_width,
        "norm_num_groups": groups,
        "norm_eps": 1e-5,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "act_fn": "silu",
        "use_linear_projection": False,
    }


def _vae(config: VaeConfig, groups: int, scale_factor: float) -> Values:
    levels = len(config.widths)
    return {
        "_class_name": "AutoencoderKL",
        "_diffusers_version": DIFFUSERS_VERSION,
        "in_channels": config.in_channels,
        "out_channels": config.in_channels,
        "block_out_channels": config.widths,
        "layers_per_block": config.res_blocks,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "latent_channels": config.latent_channels,
        "norm_num_groups": groups,
        "act_fn": "silu",
        "scaling_factor": scale_factor,
    }


def _vocoder(config: HifiGanConfig, sample_rate_hz: int) -> Values:
    return {
        "architectures": ["SpeechT5HifiGan"],
        "model_type": "speecht5_hifigan",
        "model_in_dim": config.mel_bins,
        "sampling_rate": sample_rate_hz,
        "upsample_initial_channel": config.channels,
        "upsample_rates": config.rates,
        "upsample_kernel_sizes": config.kernels,
        "resblock_kernel_sizes": config.resblock_kernels,
        "resblock_dilation_sizes": [config.resblock_dilations] * len(config.resblock_kernels),
        "leaky_relu_slope": 0.1,
        "normalize_before": False,
    }


def _text_encoder(config: ClapConfig) -> Values:
    return {
        "architectures": ["ClapTextModelWithProjection"],
        "model_type": "clap_text_model",
        **{name: getattr(config, own) for name, own in TEXT_SIZES.items()},
        "hidden_act": "gelu",
        "projection_hidden_act": "relu",
        "hidden_dropout_prob": config.text_dropout,
        "attention_probs_dropout_prob": config.text_dropout,
        "type_vocab_size": 1,
        "pad_token_id": PAD_ID,
    }


def _write_tokenizer(folder: Path, bundle: Bundle) -> str:
    """Write the tokenizer's files; return the class that reads them as they are."""
    folder.mkdir()
    bundle.tokenizer.save(str(folder / TOKENIZER_FILE))
    is_roberta = _is_roberta(bundle.tokenizer)
    if is_roberta:
        bundle.tokenizer.model.save(str(folder))
    tokenizer_class = "RobertaTokenizerFast" if is_roberta else "PreTrainedTokenizerFast"
    config = {
        "tokenizer_class": tokenizer_class.removesuffix("Fast") if is_roberta else tokenizer_class,
        "model_max_length": bundle.card.configs.clap.max_tokens,
        **SPECIAL_TOKENS,
    }
    _write_json(folder / "tokenizer_config.json", config)
    _write_json(folder / "special_tokens_map.json", SPECIAL_TOKENS)
    return tokenizer_class


def _is_roberta(tokenizer: Tokenizer) -> bool:
    """Tell whether RobertaTokenizer splits text the same way: it knows no normalizer, such as lower case."""
    splitter = tokenizer.pre_tokenizer
    return (
        isinstance(tokenizer.model, models.BPE)
        and tokenizer.normalizer is None
        and isinstance(splitter, pre_tokenizers.ByteLevel)
        and not splitter.add_prefix_space
    )


def _write_json(path: Path, values: Mapping[str, object]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

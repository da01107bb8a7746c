"""Narrow AudioLDM models in the layouts that the released ones come in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from engine.diffusion.schedule import NoiseSchedule
from engine.models.bundle import Bundle, debug_bundle, debug_tokenizer
from engine.models.card import ModelConfigs
from engine.models.clap import ClapConfig
from engine.models.hifigan import HifiGanConfig
from engine.models.keymaps import unet_to_diffusers, vae_to_diffusers, vocoder_to_transformers
from engine.models.unet import UNetConfig
from engine.models.vae import VaeConfig

State = dict[str, Tensor]
SCALE_FACTOR = 0.9227914214134216
EMA_SHIFT = 0.25

NARROW = ModelConfigs(
    vae=VaeConfig(base_channels=4, channel_mult=(1, 2, 4), res_blocks=1),
    unet=UNetConfig(
        base_channels=32, channel_mult=(1, 2), res_blocks=1, attention_levels=(1,), condition_width=16
    ),
    vocoder=HifiGanConfig(channels=32, resblock_kernels=(3,), resblock_dilations=(1,)),
    clap=ClapConfig(
        text_hidden=64,
        text_layers=1,
        text_heads=1,
        text_ffn=32,
        vocabulary=300,
        max_positions=66,
        patch_embeds_hidden=4,
        patch_size=16,
        depths=(1, 1),
        heads=(1, 2),
        projection=16,
    ),
)

_LAION_NAMES = (
    (r"^text_model\.", "text_branch."),
    (r"^(text|audio)_projection\.linear1\.", r"\1_projection.0."),
    (r"^(text|audio)_projection\.linear2\.", r"\1_projection.2."),
    (r"^audio_model\.audio_encoder\.batch_norm\.", "audio_branch.bn0."),
    (r"^audio_model\.audio_encoder\.", "audio_branch."),
    (r"(audio_branch.*)\.attention\.output\.dense\.", r"\1.attn.proj."),
    (r"(audio_branch.*)\.attention\.self\.relative_position", r"\1.attn.relative_position"),
    (r"(audio_branch.*)\.intermediate\.dense\.", r"\1.mlp.fc1."),
    (r"(audio_branch.*)(?<!attn)\.output\.dense\.", r"\1.mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
)
_QUERY = re.compile(r"^(audio_branch\..*)\.attention\.self\.query\.(weight|bias)$")


def narrow_bundle(seed: int = 0) -> Bundle:
    """Return the networks that the files below hold."""
    return debug_bundle(seed, NARROW)


def original_state(bundle: Bundle) -> State:
    """Return a released checkpoint's content: the live U-Net is the bundle's, the average is shifted."""
    unet = bundle.unet.state_dict()
    average = {"diffusion_model." + name: tensor + EMA_SHIFT for name, tensor in unet.items()}
    betas = 1.0 - _alpha_ratio(bundle.schedule)
    return {
        **_prefixed("model.diffusion_model.", unet),
        **{"model_ema." + name.replace(".", ""): tensor for name, tensor in average.items()},
        "model_ema.decay": torch.tensor(0.9999),
        "model_ema.num_updates": torch.tensor(7, dtype=torch.int32),
        **_prefixed("first_stage_model.", bundle.vae.state_dict()),
        **_prefixed("first_stage_model.vocoder.", bundle.vocoder.state_dict()),
        **_prefixed("cond_stage_model.model.", laion_state(bundle)),
        "scale_factor": torch.tensor(SCALE_FACTOR),
        "betas": betas.float(),
        "logvar": torch.zeros(len(betas)),
    }


def training_state(bundle: Bundle) -> State:
    """Return the same as the training code saves it, with its losses and its second CLAP."""
    renamed = {
        name.replace("cond_stage_model.model.", "cond_stage_models.0.model."): tensor
        for name, tensor in original_state(bundle).items()
    }
    ranking = {
        name: tensor + 1.0 for name, tensor in laion_state(bundle).items() if tensor.is_floating_point()
    }
    loss = {"first_stage_model.loss.discriminator.main.0.weight": torch.zeros(2, 2)}
    return {**renamed, **_prefixed("clap.model.", ranking), **loss}


def laion_state(bundle: Bundle) -> State:
    """Return CLAP under LAION's names, with the leftovers that its files hold."""
    state = {_laion_name(name): tensor for name, tensor in bundle.clap.model.state_dict().items()}
    for name in [name for name in state if _QUERY.match(name)]:
        stem, kind = _QUERY.match(name).groups()
        rows = [state.pop(f"{stem}.attention.self.{part}.{kind}") for part in ("query", "key", "value")]
        state[f"{stem}.attn.qkv.{kind}"] = torch.cat(rows)
    return {
        **state,
        "text_branch.embeddings.position_ids": torch.arange(66)[None],
        "audio_branch.logmel_extractor.melW": torch.zeros(3, 3),
        "audio_branch.layers.0.blocks.0.attn_mask": torch.zeros(1, 4),
        "audio_branch.tscam_conv.weight": torch.zeros(2, 2),
        "text_transform.sequential.0.weight": torch.zeros(2, 2),
    }


def write_original(folder: Path, state: Mapping[str, Tensor], name: str = "narrow.ckpt") -> Path:
    """Write a checkpoint, with the tokenizer beside it where it is looked for."""
    write_tokenizer(folder / "tokenizer")
    torch.save({"state_dict": dict(state), "global_step": 1}, folder / name)
    return folder / name


def write_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    debug_tokenizer().save(str(folder / "tokenizer.json"))


def write_diffusers(folder: Path, bundle: Bundle, safe: bool = True, old_attention: bool = False) -> Path:
    """Write a pipeline folder as the hub's conversions are, with their wrong attention_head_dim."""
    clap = {
        name: tensor
        for name, tensor in bundle.clap.model.state_dict().items()
        if name.startswith(("text_model.", "text_projection."))
    }
    states = {
        "unet": unet_to_diffusers(bundle.unet.state_dict(), NARROW.unet),
        "vae": vae_to_diffusers(bundle.vae.state_dict(), NARROW.vae, old_attention),
        "vocoder": vocoder_to_transformers(bundle.vocoder.state_dict(), NARROW.vocoder),
        "text_encoder": clap,
    }
    for component, state in states.items():
        _write_component(folder / component, state, safe)
    for path, values in _diffusers_configs().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(values))
    write_tokenizer(folder / "tokenizer")
    return folder


def _write_component(folder: Path, state: State, safe: bool) -> None:
    folder.mkdir(parents=True)
    contiguous = {name: tensor.contiguous() for name, tensor in state.items()}
    ours = folder.name in ("unet", "vae")
    if safe:
        name = "diffusion_pytorch_model.safetensors" if ours else "model.safetensors"
        safetensors.torch.save_file(contiguous, folder / name)
    else:
        torch.save(contiguous, folder / ("diffusion_pytorch_model.bin" if ours else "pytorch_model.bin"))


def _diffusers_configs() -> dict[str, dict[str, object]]:
    unet, vae, vocoder, clap = NARROW.unet, NARROW.vae, NARROW.vocoder, NARROW.clap
    return {
        "model_index.json": {"_class_name": "AudioLDMPipeline"},
        "scheduler/scheduler_config.json": {
            "beta_schedule": "scaled_linear",
            "beta_start": 0.0015,
            "beta_end": 0.0195,
            "num_train_timesteps": 1000,
            "prediction_type": "epsilon",
        },
        "unet/config.json": {
            "in_channels": unet.in_channels,
            "out_channels": unet.out_channels,
            "block_out_channels": list(unet.widths),
            "layers_per_block": unet.res_blocks,
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
            "attention_head_dim": 8,
            "class_embed_type": "simple_projection",
            "class_embeddings_concat": True,
            "projection_class_embeddings_input_dim": unet.condition_width,
        },
        "vae/config.json": {
            "block_out_channels": list(vae.widths),
            "layers_per_block": vae.res_blocks,
            "latent_channels": vae.latent_channels,
            "in_channels": vae.in_channels,
            "scaling_factor": SCALE_FACTOR,
        },
        "vocoder/config.json": {
            "model_in_dim": vocoder.mel_bins,
            "upsample_initial_channel": vocoder.channels,
            "upsample_rates": list(vocoder.rates),
            "upsample_kernel_sizes": list(vocoder.kernels),
            "resblock_kernel_sizes": list(vocoder.resblock_kernels),
            "resblock_dilation_sizes": [list(vocoder.resblock_dilations)],
            "normalize_before": False,
        },
        "text_encoder/config.json": {
            "hidden_size": clap.text_hidden,
            "num_hidden_layers": clap.text_layers,
            "num_attention_heads": clap.text_heads,
            "intermediate_size": clap.text_ffn,
            "vocab_size": clap.vocabulary,
            "max_position_embeddings": clap.max_positions,
            "layer_norm_eps": clap.layer_norm_eps,
            "projection_dim": clap.projection,
        },
    }


def _alpha_ratio(schedule: NoiseSchedule) -> Tensor:
    """Return 1 - beta of each step."""
    before = torch.cat([torch.ones(1, dtype=torch.float64), schedule.alpha_bar[:-1]])
    return schedule.alpha_bar / before


def _prefixed(prefix: str, state: Mapping[str, Tensor]) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def _laion_name(name: str) -> str:
    for pattern, replacement in _LAION_NAMES:
        name = re.sub(pattern, replacement, name)
    return name

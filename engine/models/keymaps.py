"""Names of the same tensors in AudioLDM's checkpoints (ours) and in diffusers and transformers.

A table maps each original name to the other one; it is a bijection, so the way back is its
inverse. Nothing is transposed; only the VAE's attention changes shape, between 1x1 convolutions
and linear layers. Names that no table knows keep their form, for the strict load to report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from engine.models.hifigan import HifiGan, HifiGanConfig
from engine.models.unet import UNet, UNetConfig
from engine.models.vae import Vae, VaeConfig

State = dict[str, Tensor]

UNET_ROOTS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "film_emb": "class_embedding",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
    "middle_block.0": "mid_block.resnets.0",
    "middle_block.1": "mid_block.attentions.0",
    "middle_block.2": "mid_block.resnets.1",
}
UNET_RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
VAE_PARTS = {
    "downsample": "downsamplers.0",
    "upsample": "upsamplers.0",
    "mid.block_1": "mid_block.resnets.0",
    "mid.block_2": "mid_block.resnets.1",
    "mid.attn_1": "mid_block.attentions.0",
    "nin_shortcut": "conv_shortcut",
    "norm_out": "conv_norm_out",
}
VAE_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
VAE_ATTENTION_BEFORE_0_17 = {
    "norm": "group_norm",
    "q": "query",
    "k": "key",
    "v": "value",
    "proj_out": "proj_attn",
}
VOCODER_UNUSED = ("mean", "scale")


def unet_table(config: UNetConfig) -> dict[str, str]:
    """Return original -> diffusers (UNet2DConditionModel)."""
    return _table(lambda: UNet(config), lambda key: _unet_name(key, config))


def vae_table(config: VaeConfig, before_0_17: bool = False) -> dict[str, str]:
    """Return original -> diffusers (AutoencoderKL), with the attention names of either age."""
    attention = VAE_ATTENTION_BEFORE_0_17 if before_0_17 else VAE_ATTENTION
    return _table(lambda: Vae(config), lambda key: _vae_name(key, config, attention))


def vocoder_table(config: HifiGanConfig) -> dict[str, str]:
    """Return original -> transformers (SpeechT5HifiGan)."""
    return _table(lambda: HifiGan(config), lambda key: re.sub(r"^ups\.", "upsampler.", key))


def unet_to_diffusers(state: Mapping[str, Tensor], config: UNetConfig) -> State:
    return _renamed(state, unet_table(config))


def unet_to_original(state: Mapping[str, Tensor], config: UNetConfig) -> State:
    return _renamed(state, _inverse(unet_table(config)))


def vae_to_diffusers(state: Mapping[str, Tensor], config: VaeConfig, before_0_17: bool = False) -> State:
    """Rename, and make the attention's 1x1 convolutions linear layers."""
    renamed = _renamed(state, vae_table(config, before_0_17))
    return {key: _as_linear(key, tensor) for key, tensor in renamed.items()}


def vae_to_original(state: Mapping[str, Tensor], config: VaeConfig) -> State:
    """Undo `vae_to_diffusers`, whichever attention names the state carries."""
    names = _inverse(vae_table(config)) | _inverse(vae_table(config, before_0_17=True))
    return {key: _as_convolution(key, tensor) for key, tensor in _renamed(state, names).items()}


def vocoder_to_transformers(state: Mapping[str, Tensor], config: HifiGanConfig) -> State:
    """Rename, and add the mean and scale that SpeechT5HifiGan holds without using them here."""
    identity = {"mean": torch.zeros(config.mel_bins), "scale": torch.ones(config.mel_bins)}
    return _renamed(state, vocoder_table(config)) | identity


def vocoder_to_original(state: Mapping[str, Tensor], config: HifiGanConfig) -> State:
    kept = {key: tensor for key, tensor in state.items() if key not in VOCODER_UNUSED}
    return _renamed(kept, _inverse(vocoder_table(config)))


def _table(build: Callable[[], nn.Module], rename: Callable[[str], str]) -> dict[str, str]:
    with torch.device("meta"):
        names = build().state_dict().keys()
    return {name: rename(name) for name in names}


def _inverse(table: dict[str, str]) -> dict[str, str]:
    return {other: original for original, other in table.items()}


def _renamed(state: Mapping[str, Tensor], names: Mapping[str, str]) -> State:
    return {names.get(key, key): tensor for key, tensor in state.items()}


def _unet_name(key: str, config: UNetConfig) -> str:
    for original, other in UNET_ROOTS.items():
        if key.startswith(f"{original}."):
            return _with_residual_names(other + key.removeprefix(original))
    side, stage, layer, rest = key.split(".", 3)
    place = _down_place if side == "input_blocks" else _up_place
    return _with_residual_names(place(int(stage), int(layer), rest, config.res_blocks))


def _down_place(stage: int, layer: int, rest: str, res_blocks: int) -> str:
    block, slot = divmod(stage - 1, res_blocks + 1)
    if slot == res_blocks:
        return f"down_blocks.{block}.downsamplers.0.{rest.replace('op.', 'conv.', 1)}"
    return f"down_blocks.{block}.{'attentions' if layer else 'resnets'}.{slot}.{rest}"


def _up_place(stage: int, layer: int, rest: str, res_blocks: int) -> str:
    """Tell an upsampler by its name: where a level has no attention it takes that one's index."""
    block, slot = divmod(stage, res_blocks + 1)
    if rest.startswith("conv."):
        return f"up_blocks.{block}.upsamplers.0.{rest}"
    return f"up_blocks.{block}.{'attentions' if layer else 'resnets'}.{slot}.{rest}"


def _with_residual_names(key: str) -> str:
    for original, other in UNET_RESIDUAL.items():
        key = key.replace(f".{original}.", f".{other}.")
    return key


def _vae_name(key: str, config: VaeConfig, attention: Mapping[str, str]) -> str:
    key = re.sub(r"mid\.attn_1\.(\w+)", lambda found: f"mid.attn_1.{attention[found[1]]}", key)
    key = re.sub(r"down\.(\d+)\.", r"down_blocks.\1.", key)
    deepest = len(config.channel_mult) - 1
    key = re.sub(r"up\.(\d+)\.", lambda found: f"up_blocks.{deepest - int(found[1])}.", key)
    key = re.sub(r"\.block\.(\d+)\.", r".resnets.\1.", key)
    for original, other in VAE_PARTS.items():
        key = key.replace(f".{original}.", f".{other}.")
    return key


def _as_linear(key: str, tensor: Tensor) -> Tensor:
    return tensor[:, :, 0, 0] if ".attentions." in key and tensor.ndim == 4 else tensor


def _as_convolution(key: str, tensor: Tensor) -> Tensor:
    return tensor[:, :, None, None] if ".attn_1." in key and tensor.ndim == 2 else tensor

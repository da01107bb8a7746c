"""CLAP under LAION's names: the way back of `clap_laion`, with all that LAION's network has beside.

P patches of a window, K windows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

import torch
import transformers
from torch import Tensor

from engine.models.clap import ClapConfig
from engine.models.clap_features import CLAP_MEL, ClapFeatures
from engine.models.clap_laion import COMPUTED

State = dict[str, Tensor]

AUDIOSET_CLASSES = 527
BLOCKED = -100.0
_LAION_NAMES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^text_model\.", "text_branch."),
        (r"^(text|audio)_projection\.linear1\.", r"\1_projection.0."),
        (r"^(text|audio)_projection\.linear2\.", r"\1_projection.2."),
        (r"^audio_model\.audio_encoder\.batch_norm\.", "audio_branch.bn0."),
        (r"^audio_model\.audio_encoder\.", "audio_branch."),
        (r"^(audio_branch\..*)\.attention\.output\.dense\.", r"\1.attn.proj."),
        (r"^(audio_branch\..*)\.attention\.self\.", r"\1.attn."),
        (r"^(audio_branch\..*)\.intermediate\.dense\.", r"\1.mlp.fc1."),
        (r"^(audio_branch\..*)\.output\.dense\.", r"\1.mlp.fc2."),
        (r"^(audio_branch\..*)\.layernorm_before\.", r"\1.norm1."),
        (r"^(audio_branch\..*)\.layernorm_after\.", r"\1.norm2."),
    )
)
_QUERY = re.compile(r"\.attn\.query\.(weight|bias)$")


def laion_state(model: transformers.ClapModel, config: ClapConfig) -> State:
    """Return a whole CLAP as LAION's network holds it, front end and masks included.

    Zeros stand for what CLAP's embeddings do not pass through: the tagging head and two MLPs of its training.
    """
    own = {name: value for name, value in model.state_dict().items() if not name.endswith(COMPUTED)}
    return _fused({_laion_name(name): value for name, value in own.items()}) | _rest(config)


def grids(config: ClapConfig) -> list[int]:
    """Return how many patches each stage of the audio tower has along either side."""
    return [config.spec_size // config.patch_size // 2**stage for stage in range(len(config.depths))]


def _laion_name(name: str) -> str:
    for pattern, replacement in _LAION_NAMES:
        name = pattern.sub(replacement, name)
    return name


def _fused(state: Mapping[str, Tensor]) -> State:
    """Join query, key and value, which LAION's audio tower has as rows of one matrix."""
    fused: State = {}
    for name, value in state.items():
        if _QUERY.search(name):
            parts = [state[name.replace(".query.", f".{part}.")] for part in ("query", "key", "value")]
            fused[name.replace(".query.", ".qkv.")] = torch.cat(parts)
        elif not re.search(r"\.attn\.(key|value)\.", name):
            fused[name] = value
    return fused


def _rest(config: ClapConfig) -> State:
    branch = _front_end() | dict(_masks(config)) | _tagging(config)
    mlps = _training_mlp("text", config.projection) | _training_mlp("audio", config.projection)
    return {
        **{f"audio_branch.{name}": value for name, value in branch.items()},
        **mlps,
        # transformers 4.30 and older ask for it, as the released checkpoints have it.
        "text_branch.embeddings.position_ids": torch.arange(config.max_positions)[None],
    }


def _front_end() -> State:
    """Return the STFT as two convolutions, of a windowed cosine and a sine, and the mel filters."""
    features, n_fft = ClapFeatures(), CLAP_MEL.n_fft
    steps = torch.outer(torch.arange(n_fft // 2 + 1), torch.arange(n_fft)) % n_fft
    angle = steps.double() * (2.0 * math.pi / n_fft)
    window = features.window.double()
    return {
        "spectrogram_extractor.stft.conv_real.weight": (angle.cos() * window)[:, None].float(),
        "spectrogram_extractor.stft.conv_imag.weight": (-angle.sin() * window)[:, None].float(),
        "logmel_extractor.melW": features.filters_FM.clone(),
    }


def _masks(config: ClapConfig) -> Iterator[tuple[str, Tensor]]:
    """Yield the masks of every second block, where windows are shifted by half their size."""
    for stage, (grid, depth) in enumerate(zip(grids(config), config.depths, strict=True)):
        if grid > config.window > 1:
            mask_KPP = shift_mask(grid, config.window)
            for block in range(1, depth, 2):
                yield f"layers.{stage}.blocks.{block}.attn_mask", mask_KPP.clone()


def shift_mask(grid: int, window: int) -> Tensor:
    """Return mask_KPP of shifted windows: patches attend to their neighbours (Liu et al. 2021, fig. 4).

    After the shift a window at the border holds patches of both ends of the grid.
    """
    index = torch.arange(grid)
    end = (index >= grid - window).long() + (index >= grid - window // 2).long()
    region = 3 * end[:, None] + end[None, :]
    side = grid // window
    region_KP = region.view(side, window, side, window).transpose(1, 2).reshape(side * side, window * window)
    return (region_KP[:, :, None] != region_KP[:, None, :]) * BLOCKED


def _tagging(config: ClapConfig) -> State:
    """Return zeros in the shapes of the head that names AudioSet's classes."""
    folded_bins = max(1, grids(config)[-1] * CLAP_MEL.mel_bins // config.spec_size)
    return {
        "tscam_conv.weight": torch.zeros(AUDIOSET_CLASSES, config.audio_hidden, folded_bins, 3),
        "tscam_conv.bias": torch.zeros(AUDIOSET_CLASSES),
        "head.weight": torch.zeros(AUDIOSET_CLASSES, AUDIOSET_CLASSES),
        "head.bias": torch.zeros(AUDIOSET_CLASSES),
    }


def _training_mlp(part: str, width: int) -> State:
    return {
        f"{part}_transform.sequential.{layer}.{kind}": torch.zeros(*[width] * (2 if kind == "weight" else 1))
        for layer in (0, 3)
        for kind in ("weight", "bias")
    }

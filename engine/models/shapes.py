"""Read the sizes of AudioLDM's networks off the shapes of their weights, under the original names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor

from engine.audio.mel_scale import MelConfig
from engine.diffusion.schedule import NoiseSchedule, ScheduleConfig
from engine.errors import ModelCorrupt
from engine.models.hifigan import HifiGanConfig
from engine.models.unet import UNetConfig
from engine.models.vae import VaeConfig

State = Mapping[str, Tensor]

# Shapes do not show heads, nor the rates of transposed convolutions: these are the released ones.
LARGE_BASE_CHANNELS = 256
LARGE_HEAD_CHANNELS = 64
RATES_OF_KERNELS: dict[tuple[int, ...], tuple[int, ...]] = {(16, 16, 8, 4, 4): (5, 4, 2, 2, 2)}
DILATIONS = (1, 3, 5)
SCHEDULE_TOLERANCE = 1e-6


@contextmanager
def explained(source: str) -> Iterator[None]:
    """Turn a weight that is absent or of an unknown shape into ModelCorrupt naming the source."""
    try:
        yield
    except KeyError as error:
        raise ModelCorrupt(
            f"{source} lacks {error.args[0]}.", "It is incomplete, or no AudioLDM checkpoint."
        ) from error
    except (ValueError, IndexError, TypeError) as error:
        raise ModelCorrupt(
            f"{source} has unknown sizes: {error}.", "It may be another kind of model."
        ) from error


def released_head_channels(base_channels: int) -> int:
    """Return the channels per head that a released U-Net of this width was trained with."""
    return LARGE_HEAD_CHANNELS if base_channels == LARGE_BASE_CHANNELS else UNetConfig().head_channels


def unet_config(state: State) -> UNetConfig:
    """Infer a U-Net's sizes; raises KeyError or ValueError."""
    stem = state["input_blocks.0.0.weight"]
    base_channels = stem.shape[0]
    levels = list(_unet_levels(state))
    res_blocks = {len(level) for level in levels}
    if len(res_blocks) != 1:
        raise ValueError("the U-Net's levels differ in their number of blocks")
    return UNetConfig(
        in_channels=stem.shape[1],
        out_channels=state["out.2.weight"].shape[0],
        base_channels=base_channels,
        channel_mult=tuple(_width(state, level[-1]) // base_channels for level in levels),
        res_blocks=res_blocks.pop(),
        attention_levels=tuple(
            index for index, level in enumerate(levels) if f"input_blocks.{level[0]}.1.norm.weight" in state
        ),
        head_channels=released_head_channels(base_channels),
        condition_width=state["film_emb.weight"].shape[1],
    )


def vae_config(state: State) -> VaeConfig:
    """Infer a VAE's sizes; raises KeyError or ValueError."""
    stem = state["encoder.conv_in.weight"]
    base_channels = stem.shape[0]
    levels = _count(state, r"encoder\.down\.(\d+)\.")
    widths = [state[f"encoder.down.{level}.block.0.conv2.weight"].shape[0] for level in range(levels)]
    return VaeConfig(
        base_channels=base_channels,
        channel_mult=tuple(width // base_channels for width in widths),
        res_blocks=_count(state, r"encoder\.down\.0\.block\.(\d+)\."),
        latent_channels=state["post_quant_conv.weight"].shape[1],
        in_channels=stem.shape[1],
    )


def hifigan_config(state: State) -> HifiGanConfig:
    """Infer a generator's sizes; raises KeyError or ValueError."""
    channels, mel_bins, _ = state["conv_pre.weight"].shape
    stages = _count(state, r"ups\.(\d+)\.")
    kernels = tuple(state[f"ups.{stage}.weight"].shape[2] for stage in range(stages))
    rates = RATES_OF_KERNELS.get(kernels)
    per_stage = _count(state, r"resblocks\.(\d+)\.") // max(stages, 1)
    return HifiGanConfig(
        mel_bins=mel_bins,
        channels=channels,
        rates=rates or tuple(kernel // 2 for kernel in kernels),
        kernels=kernels,
        resblock_kernels=tuple(
            state[f"resblocks.{index}.convs1.0.weight"].shape[2] for index in range(per_stage)
        ),
        resblock_dilations=DILATIONS[: _count(state, r"resblocks\.0\.convs1\.(\d+)\.")],
        exact_upsampling=rates is None,
    )


def mel_config(vocoder: HifiGanConfig) -> MelConfig:
    """Return the front end that a released vocoder of these sizes was trained with."""
    for config in (MelConfig(), MelConfig.released_48k()):
        if (config.mel_bins, config.hop_samples) == (vocoder.mel_bins, vocoder.hop_samples):
            return config
    raise ValueError(f"no released mel has {vocoder.mel_bins} bins and a hop of {vocoder.hop_samples}")


def schedule_config(betas: Tensor) -> ScheduleConfig:
    """Return the squared ramp with these betas; raises ValueError where they are another schedule."""
    betas = betas.double()
    start, end = (float(f"{value:.6g}") for value in (betas[0].item(), betas[-1].item()))
    config = ScheduleConfig(steps=len(betas), start=start, end=end)
    alpha_bar = NoiseSchedule.from_config(config).alpha_bar
    if (alpha_bar - (1.0 - betas).cumprod(0)).abs().max() > SCHEDULE_TOLERANCE:
        raise ValueError("the noise schedule is not AudioLDM's")
    return config


def _unet_levels(state: State) -> Iterator[list[int]]:
    """Yield the indices of the residual stages of each level on the way down."""
    level: list[int] = []
    for stage in range(1, _count(state, r"input_blocks\.(\d+)\.")):
        if f"input_blocks.{stage}.0.op.weight" in state:
            yield level
            level = []
        else:
            level.append(stage)
    yield level


def _width(state: State, stage: int) -> int:
    return state[f"input_blocks.{stage}.0.out_layers.3.weight"].shape[0]


def _count(names: Iterable[str], pattern: str) -> int:
    compiled = re.compile(pattern)
    return len({found[1] for name in names if (found := compiled.match(name))})

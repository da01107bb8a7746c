"""What the released layouts have no place for: found by reading back what they would tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from enum import Enum

from torch import nn

from engine.errors import SpecError
from engine.models.blocks import NORM_GROUPS
from engine.models.bundle import Bundle
from engine.models.card import ModelConfigs
from engine.models.export_laion import grids
from engine.models.hifigan import HifiGanConfig
from engine.models.istft_vocoder import IstftVocoderConfig
from engine.models.unet import UNetConfig

ROOM_HINT = "Free some space, or choose a folder on another disk with --into."
HINT = "A bundle holds everything; docs/training.md tells what the layouts hold."
# Dropout is for training alone, the peak for passes, which no layout has.
WITHOUT_EFFECT = ("clap.text_dropout", "clap.audio_dropout", "mel_matching.peak")
AUDIO_TOWER = ("patch_embeds_hidden", "patch_size", "depths", "heads", "window", "spec_size")


class Layout(Enum):
    ORIGINAL = "original"
    DIFFUSERS = "diffusers"


def require_plain_parts(bundle: Bundle, layout: Layout) -> None:
    """Raise SpecError for parts that readers of the layout build in one way only, whatever a file says."""
    _refuse(bundle.card.name, layout, list(_foreign_parts(bundle, layout)))


def require_told(bundle: Bundle, layout: Layout, read_back: Callable[[], ModelConfigs]) -> None:
    """Raise SpecError where a reader of the layout would build other networks than the bundle's."""
    try:
        told = facts(read_back(), layout)
    except ValueError as error:
        _refuse(bundle.card.name, layout, [f"sizes that it cannot tell ({error})"])
        return
    wanted = facts(bundle.card.configs, layout)
    different = (
        f"{name} {wanted[name]} (readers take {told[name]})" for name in wanted if wanted[name] != told[name]
    )
    _refuse(bundle.card.name, layout, list(different))


def facts(configs: ModelConfigs, layout: Layout) -> dict[str, object]:
    """Return what of the sizes changes a sound, by the card's names; other spellings of the same are one."""
    values = {
        f"{part.name}.{field.name}": getattr(getattr(configs, part.name), field.name)
        for part in fields(configs)
        for field in fields(getattr(configs, part.name))
    }
    values |= {"unet.heads": _heads(configs.unet), "mel.padding": configs.mel.padding.value}
    values["vocoder.exact_upsampling"] = _adds_samples(configs.vocoder)
    left_out = {*WITHOUT_EFFECT, "unet.head_channels", "unet.norm_groups", "vae.norm_groups"}
    if layout is Layout.DIFFUSERS:
        left_out |= {f"clap.{name}" for name in AUDIO_TOWER}
    return {name: value for name, value in values.items() if name not in left_out}


def norm_groups(network: nn.Module) -> set[int]:
    """Return the numbers of groups among a network's norms."""
    return {module.num_groups for module in network.modules() if isinstance(module, nn.GroupNorm)}


def _foreign_parts(bundle: Bundle, layout: Layout) -> Iterator[str]:
    configs, original = bundle.card.configs, layout is Layout.ORIGINAL
    if isinstance(configs.vocoder, IstftVocoderConfig):
        yield "an inverse-STFT vocoder (it holds HiFi-GAN)"
    if configs.schedule.noisiest != 1.0:
        yield f"schedule.noisiest {configs.schedule.noisiest} (readers take 1.0)"
    if configs.mel_matching.passes:
        yield f"mel_matching.passes {configs.mel_matching.passes} (readers take 0)"
    for name, network in (("unet", bundle.unet), ("vae", bundle.vae)):
        groups = norm_groups(network)
        found = " and ".join(str(number) for number in sorted(groups))
        if original and groups != {NORM_GROUPS}:
            yield f"{name} norms of {found} groups (readers take {NORM_GROUPS})"
        elif len(groups) > 1:
            yield f"{name} norms of {found} groups (it tells one number for all)"
    if original and not bundle.card.clap_hears:
        yield "a CLAP without audio tower"
    if original and not all(grid % min(grid, configs.clap.window) == 0 for grid in grids(configs.clap)):
        yield f"clap.window {configs.clap.window} (its grids are no multiples)"


def _heads(config: UNetConfig) -> list[int]:
    return [config.heads_at(level) for level in sorted({*config.attention_levels, len(config.widths) - 1})]


def _adds_samples(vocoder: object) -> bool:
    """Tell whether exact upsampling differs from the released generator's: it does at odd rates."""
    return (
        isinstance(vocoder, HifiGanConfig)
        and vocoder.exact_upsampling
        and any(rate % 2 for rate in vocoder.rates)
    )


def _refuse(name: str, layout: Layout, reasons: list[str]) -> None:
    if reasons:
        raise SpecError(f"{name} does not fit the {layout.value} layout: {'; '.join(reasons)}.", HINT)

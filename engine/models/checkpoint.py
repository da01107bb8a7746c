"""Read a model of any layout: the original checkpoint, a diffusers folder, an own bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.errors import ModelMissing, SpecError
from engine.models.bundle import Bundle, load_bundle
from engine.models.card import CARD_FILE
from engine.models.companions import Companions
from engine.models.diffusers_folder import load_diffusers_folder
from engine.models.original import WeightsKind, load_original
from engine.models.shapes import explained
from engine.models.unet import UNet
from engine.models.weights import assign_weights, build_empty

DIFFUSERS_HEADS = 8


def load_any(
    path: Path,
    *,
    weights: WeightsKind = "ema",
    diffusers_compatible: bool = False,
    companions: Companions | None = None,
) -> Bundle:
    """Read a model from a file or folder of any layout.

    weights chooses the averaged U-Net or the live one where a checkpoint has both.
    diffusers_compatible gives the U-Net eight heads on every level: not what it was trained with,
    but what diffusers computes.

    Raises ModelMissing that names the absent file and where to put it, ModelCorrupt for a file that
    is damaged, unsafe, or of another kind of model.
    """
    if weights not in ("ema", "live"):
        raise SpecError(f"weights must be ema or live, got {weights!r}")
    bundle = _load(path, weights, companions or Companions())
    return with_heads(bundle, DIFFUSERS_HEADS) if diffusers_compatible else bundle


def with_heads(bundle: Bundle, heads: int) -> Bundle:
    """Return the bundle with that number of heads on every level of its U-Net, around the same weights."""
    configs = bundle.card.configs
    with explained(bundle.card.name):
        config = replace(configs.unet, heads=heads)
    unet = build_empty(lambda: UNet(config))
    assign_weights(unet, bundle.unet.state_dict(), bundle.card.name)
    card = replace(bundle.card, configs=replace(configs, unet=config))
    return replace(bundle, card=card, unet=unet)


def _load(path: Path, weights: WeightsKind, companions: Companions) -> Bundle:
    if path.is_file():
        return load_original(path, weights, companions)
    if not path.is_dir():
        raise ModelMissing(f"There is no model at {path}.", "Give a .ckpt file, or a folder with a model.")
    if (path / CARD_FILE).is_file():
        return load_bundle(path)
    return load_diffusers_folder(path, companions)

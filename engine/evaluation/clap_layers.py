"""How far two clips are apart in the layers of CLAP's audio tower.

B batch, S samples, L patches of a layer in all windows, C channels, E embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import ModelMissing
from engine.models.clap import ClapProvider, TransformersClap
from engine.models.clap_laion_network import LaionClap
from engine.models.clap_text import TextOnlyClap


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """What CLAP makes of clips: one unit row each, and what each stage of its tower gave on the way."""

    audio_BE: Tensor
    layers: tuple[Tensor, ...]


@torch.no_grad()
def embed_with_layers(clap: ClapProvider, audio_BS: Tensor, rate_hz: int) -> Embedded:
    """Embed clips, keeping the output (B, L, C) of each stage of the tower, of all windows of a clip.

    Raises:
        ModelMissing: this CLAP has no audio tower.
    """
    stages = audio_stages(clap)
    kept: list[list[Tensor]] = [[] for _ in stages]
    hooks = [
        stage.register_forward_hook(partial(_keep, outputs))
        for stage, outputs in zip(stages, kept, strict=True)
    ]
    try:
        audio_BE = clap.embed_audio(audio_BS, rate_hz)
    finally:
        for hook in hooks:
            hook.remove()
    # The windows of a clip follow each other: their patches are all the clip's.
    layers = tuple(torch.cat(outputs).unflatten(0, (len(audio_BS), -1)).flatten(1, 2) for outputs in kept)
    return Embedded(audio_BE=audio_BE, layers=layers)


def layer_distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Return how far clips are apart in all stages, one figure each, 0 (alike) to 4 times the stages.

    LPAPS: LPIPS for sounds (Iashin and Rahtu 2021), in the layers of CLAP as Manor and Michaeli 2024
    measure edits, without learnt weights: in each patch of each stage the channels are scaled to length 1,
    and the squared distances are averaged over patches and added over stages. Its scale depends on the
    network: figures of two CLAPs cannot be compared.
    """
    distances = [
        (F.normalize(one_BLC, dim=-1) - F.normalize(other_BLC, dim=-1)).square().sum(dim=-1).mean(dim=-1)
        for one_BLC, other_BLC in zip(first, second, strict=True)
    ]
    return torch.stack(distances).sum(dim=0)


def audio_stages(clap: ClapProvider) -> list[nn.Module]:
    """Return the stages of the HTSAT audio tower, of our network or of LAION's own."""
    if isinstance(clap, TransformersClap) and not isinstance(clap, TextOnlyClap):
        return list(clap.model.audio_model.audio_encoder.layers)
    if isinstance(clap, LaionClap):
        return list(clap.network.audio_branch.layers)
    raise ModelMissing(
        "This CLAP has no audio tower whose layers could be compared.",
        "Use a model that hears: its card says clap_hears.",
    )


def _keep(outputs: list[Tensor], stage: nn.Module, inputs: Any, output: tuple[Tensor, ...]) -> None:
    outputs.append(output[0])

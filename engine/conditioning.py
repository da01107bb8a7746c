"""What a render should sound like, as CLAP embeddings.

Shapes: B batch, S samples, E embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.audio.io import AudioClip, read_excerpt
from engine.audio.level import mono
from engine.diffusion.conditions import mix_embeddings
from engine.models.bundle import Bundle
from engine.models.clap import ClapProvider
from engine.types import Condition, ConditionKind, RenderSpec


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conditioning:
    """What to go towards and what to go away from, one unit row each."""

    positive_BE: Tensor
    negative_BE: Tensor


def conditioning(spec: RenderSpec, bundle: Bundle, clip: AudioClip | None) -> Conditioning:
    """Mix the prompt (weight 1) with the further conditions; without any, sound like the clip.

    A model that cannot hear takes the empty prompt instead of the clip.

    Raises:
        AudioIOError: a condition's audio file cannot be used.
        ModelMissing: a condition is audio and the model cannot hear.
    """
    clap = bundle.clap
    wanted = list(spec.conditions)
    if spec.prompt.strip():
        wanted.insert(0, Condition(kind=ConditionKind.TEXT, value=spec.prompt))
    if wanted:
        rows_KE = torch.cat([_embedded(condition, clap) for condition in wanted])
        positive_BE = mix_embeddings(rows_KE, [condition.weight for condition in wanted])[None]
    elif bundle.card.clap_hears:
        assert clip is not None, "a spec without any condition edits a clip"
        positive_BE = embed_clip(clip, clap)
    else:
        positive_BE = clap.embed_text([""])
    return Conditioning(positive_BE=positive_BE, negative_BE=clap.embed_text([spec.negative.strip()]))


def embed_clip(clip: AudioClip, clap: ClapProvider) -> Tensor:
    """Embed the mono mix of a clip, without its context, as one row."""
    audio_BS = torch.from_numpy(mono(clip.audio_NS))[None]
    return clap.embed_audio(audio_BS, clip.sample_rate_hz)


def similarity(clip: AudioClip, bundle: Bundle, target_BE: Tensor) -> float:
    """Return the cosine between a clip's embedding and a target, 0 if the model cannot hear."""
    if not bundle.card.clap_hears:
        return 0.0
    return float((embed_clip(clip, bundle.clap).double() * target_BE.double()).sum())


def _embedded(condition: Condition, clap: ClapProvider) -> Tensor:
    if condition.kind is ConditionKind.TEXT:
        return clap.embed_text([condition.value])
    return embed_clip(read_excerpt(condition.value), clap)

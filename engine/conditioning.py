"""What a render should sound like, as CLAP embeddings.

Shapes: B batch, S samples, K conditions or places in time, E embedding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from engine.audio.io import AudioClip, read_excerpt
from engine.audio.level import mono
from engine.diffusion.conditions import mix_embeddings
from engine.diffusion.course import Course
from engine.errors import SpecError
from engine.models.bundle import Bundle
from engine.models.clap import ClapProvider
from engine.types import Condition, ConditionKind, Editor, RenderSpec, Task

# Between embeddings further apart than this (radians), predictions under both are not blended at once.
_WIDEST_ARC = 0.8
_MOST_HALVINGS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conditioning:
    """What to go towards, what to go away from, and what an edit starts from; one unit row each.

    source_1E is None where nobody asks for it.
    """

    course: Course
    negative_1E: Tensor
    source_1E: Tensor | None = None


def conditioning(spec: RenderSpec, bundle: Bundle, clip: AudioClip | None) -> Conditioning:
    """Mix the prompt with the further conditions, over time; without any, sound like the clip.

    A model that cannot hear takes the empty prompt instead of the clip.

    Raises:
        AudioIOError: a condition's audio file cannot be used.
        ModelMissing: a condition is audio and the model cannot hear.
        SpecError: conditions of which, at some time, none has any weight, or which cancel each other.
    """
    wanted = _wanted(spec)
    if wanted:
        rows_KE = torch.cat([_embedded(condition, bundle.clap) for condition in wanted])
        course = _course(rows_KE, wanted)
    else:
        assert clip is not None, "a spec without any condition edits a clip"
        course = Course(times_s=(0.0,), rows_KE=_of_clip(clip, bundle))
    return Conditioning(
        course=course,
        negative_1E=bundle.clap.embed_text([spec.negative.strip()]),
        source_1E=_source(spec, bundle, clip),
    )


def embed_clip(clip: AudioClip, clap: ClapProvider) -> Tensor:
    """Embed the mono mix of a clip, without its context, as one row."""
    audio_BS = torch.from_numpy(mono(clip.audio_NS))[None]
    return clap.embed_audio(audio_BS, clip.sample_rate_hz)


def similarity(clip: AudioClip, bundle: Bundle, target_BE: Tensor) -> float:
    """Return the cosine between a clip's embedding and a target, 0 if the model cannot hear."""
    if not bundle.card.clap_hears:
        return 0.0
    return float((embed_clip(clip, bundle.clap).double() * target_BE.double()).sum())


def _wanted(spec: RenderSpec) -> list[Condition]:
    if not spec.prompt.strip():
        return list(spec.conditions)
    prompt = Condition(kind=ConditionKind.TEXT, value=spec.prompt, curve=spec.prompt_curve)
    return [prompt, *spec.conditions]


def _source(spec: RenderSpec, bundle: Bundle, clip: AudioClip | None) -> Tensor | None:
    """Return what the region is, by its description or its own sound, where an editor asks for it."""
    if spec.task is not Task.TRANSFER or spec.editor is Editor.RENOISE:
        return None
    if spec.source_prompt.strip():
        return bundle.clap.embed_text([spec.source_prompt])
    assert clip is not None, "a transfer has a clip"
    return _of_clip(clip, bundle)


def _of_clip(clip: AudioClip, bundle: Bundle) -> Tensor:
    return embed_clip(clip, bundle.clap) if bundle.card.clap_hears else bundle.clap.embed_text([""])


def _course(rows_KE: Tensor, wanted: Sequence[Condition]) -> Course:
    """Mix the conditions at each time where a curve bends, and between as often as the mixes are apart."""
    bends_s = sorted({time_s for condition in wanted for time_s, _ in condition.curve}) or [0.0]
    places = [(time_s, _mixed(rows_KE, wanted, time_s)) for time_s in bends_s]
    for _ in range(_MOST_HALVINGS):
        places = [*_halved(places, rows_KE, wanted), places[-1]]
    places = list(_changing(places))
    times_s, mixes = zip(*places, strict=True)
    return Course(times_s=times_s, rows_KE=torch.stack(mixes))


def _halved(
    places: Sequence[tuple[float, Tensor]], rows_KE: Tensor, wanted: Sequence[Condition]
) -> Iterator[tuple[float, Tensor]]:
    """Yield the places but the last, and the middle between those that are too far apart."""
    for (earlier_s, earlier_E), (later_s, later_E) in pairwise(places):
        yield earlier_s, earlier_E
        if _arc(earlier_E, later_E) > _WIDEST_ARC:
            middle_s = (earlier_s + later_s) / 2.0
            yield middle_s, _mixed(rows_KE, wanted, middle_s)


def _changing(places: Sequence[tuple[float, Tensor]]) -> Iterator[tuple[float, Tensor]]:
    """Yield the places at which something begins or ends to change: each one costs a prediction."""
    before_E: Tensor | None = None
    for number, (time_s, row_E) in enumerate(places):
        after_E = places[number + 1][1] if number + 1 < len(places) else row_E
        if before_E is None or not (torch.equal(row_E, before_E) and torch.equal(row_E, after_E)):
            yield time_s, row_E
        before_E = row_E


def _mixed(rows_KE: Tensor, wanted: Sequence[Condition], time_s: float) -> Tensor:
    weights = [_weight(condition, time_s) for condition in wanted]
    if max(weights) <= 0.0:
        raise SpecError(
            f"at {time_s:g} s no condition has any weight", "Let one of the curves be above zero."
        )
    return mix_embeddings(rows_KE, weights)


def _weight(condition: Condition, time_s: float) -> float:
    if not condition.curve:
        return condition.weight
    times_s, weights = zip(*condition.curve, strict=True)
    return float(np.interp(time_s, times_s, weights))


def _arc(one_E: Tensor, other_E: Tensor) -> float:
    return math.acos(max(-1.0, min(1.0, float(one_E.double() @ other_E.double()))))


def _embedded(condition: Condition, clap: ClapProvider) -> Tensor:
    if condition.kind is ConditionKind.TEXT:
        return clap.embed_text([condition.value])
    return embed_clip(read_excerpt(condition.value), clap)

"""All concepts, and a finished clip of any of them.

S samples.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.training.synthesis import (
    animals,
    drums,
    foley,
    instruments,
    loops,
    machines,
    nature,
    signals,
    speech,
    synths,
)
from engine.training.synthesis.captions import caption
from engine.training.synthesis.concept import Attribute, Concept, RenderContext, Sound
from engine.training.synthesis.dsp import Signal
from engine.training.synthesis.rooms import draw_place, floor_noise, put_into

PEAK = 0.5
ONSET_SHARE = 0.02
LATEST_ONSET_S = 0.05
FADE_S = 0.01
AUDIBLE_TRIES = 8
MUSICAL_GROUPS = frozenset({"drums", "drum loops", "synths", instruments.GROUP})

CONCEPTS: tuple[Concept, ...] = (
    *drums.CONCEPTS,
    *loops.CONCEPTS,
    *synths.CONCEPTS,
    *nature.CONCEPTS,
    *animals.CONCEPTS,
    *machines.CONCEPTS,
    *signals.CONCEPTS,
    *foley.CONCEPTS,
    *instruments.CONCEPTS,
    *speech.CONCEPTS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A finished mono clip with zero mean and a peak of 0.5, and what is true of it."""

    audio_S: NDArray[np.float32]
    caption: str
    concept_name: str
    attributes: frozenset[Attribute]


def render_clip(concept: Concept, seed: int, duration_s: float = 2.56, sample_rate_hz: int = 16_000) -> Clip:
    """Render one clip; the same arguments always give the same samples and words."""
    rng = np.random.default_rng((seed, zlib.crc32(concept.name.encode())))
    sound_rng, place_rng, caption_rng = rng.spawn(3)
    context = RenderContext(rng=sound_rng, sample_rate_hz=sample_rate_hz, duration_s=duration_s)
    sound = _audible(concept, context)
    place = draw_place(place_rng)
    dry_S = _started(sound.audio_S.astype(np.float64), sample_rate_hz, place_rng)
    audio_S = put_into(place, dry_S, place_rng, sample_rate_hz)
    audio_S = audio_S + floor_noise(audio_S, place_rng, sample_rate_hz)
    attributes = sound.attributes | _told(place, concept)
    return Clip(
        audio_S=_normalised(audio_S, sample_rate_hz),
        caption=caption(concept, attributes, caption_rng),
        concept_name=concept.name,
        attributes=attributes,
    )


def _audible(concept: Concept, context: RenderContext) -> Sound:
    """Draw again where chance left nothing to hear within a short clip."""
    for _ in range(AUDIBLE_TRIES):
        sound = concept.render(context)
        if np.isfinite(sound.audio_S).all() and np.abs(sound.audio_S).max() > 0:
            return sound
    raise AssertionError(f"{concept.name} rendered nothing audible in {AUDIBLE_TRIES} tries")


def _told(place: Attribute | None, concept: Concept) -> frozenset[Attribute]:
    """Return the place as attribute; dryness is a word for music only (dry rain means something else)."""
    if place is None or (place is Attribute.DRY and concept.group not in MUSICAL_GROUPS):
        return frozenset()
    return frozenset({place})


def _started(audio_S: Signal, rate_hz: int, rng: np.random.Generator) -> Signal:
    """Return the sound moved ahead if it begins later than some tens of milliseconds."""
    peak = np.abs(audio_S).max()
    assert np.isfinite(peak) and peak > 0, "a concept rendered silence or values that are not finite"
    onset = int(np.argmax(np.abs(audio_S) > ONSET_SHARE * peak))
    if onset <= LATEST_ONSET_S * rate_hz:
        return audio_S
    skipped = onset - int(rng.uniform(0, 0.8 * LATEST_ONSET_S) * rate_hz)
    return np.concatenate([audio_S[skipped:], np.zeros(skipped)])


def _normalised(audio_S: Signal, rate_hz: int) -> NDArray[np.float32]:
    """Return zero mean and a peak of 0.5, as AudioLDM's own loader does, with a short fade at the end."""
    fade = min(round(FADE_S * rate_hz), len(audio_S))
    faded_S = audio_S.copy()
    faded_S[len(faded_S) - fade :] *= np.linspace(1, 0, fade)
    centred_S = faded_S - faded_S.mean()
    return (centred_S * (PEAK / np.abs(centred_S).max())).astype(np.float32)

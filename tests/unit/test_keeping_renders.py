"""What is kept in whole renders: the starter on the example clip, and what becomes of files and masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engine.audio.io import AudioClip, read_clip
from engine.edit.take_latents import from_bytes
from engine.evaluation.keeping import heard
from engine.evaluation.transfer_measures import chroma_similarity, level_correlation, onset_f_measure
from engine.models.bundle import Bundle
from engine.render import Preview, RenderedTake, render
from engine.types import Mask, RectShape, Region, RenderSpec, SamplerSpec, Task, TimeSpan
from tests.unit.bundles import debug, starter

SONG = Path(__file__).parents[2] / "presets" / "examples" / "groove.flac"
TRANSFER = RenderSpec(
    task=Task.TRANSFER,
    prompt="church organ",
    region=Region(path=""),
    sampler=SamplerSpec(strength=0.8, steps=10),
    seed=1,
)
QUICK = replace(TRANSFER, model="debug", sampler=SamplerSpec(steps=2))
KEEPS: Mapping[str, RenderSpec] = {
    "nothing": TRANSFER,
    "pitch": replace(TRANSFER, keep_pitch=True),
    "rhythm": replace(TRANSFER, keep_rhythm=True),
    "level": replace(TRANSFER, keep_level=True),
    "all": replace(TRANSFER, keep_pitch=True, keep_rhythm=True, keep_level=True),
}
MASK = Mask(shapes=(RectShape(span=TimeSpan(start_s=0.6, end_s=1.2)),))


@cache
def groove(end_s: float = 2.56) -> AudioClip:
    return read_clip(SONG, TimeSpan(start_s=0.0, end_s=end_s))


def rendered(spec: RenderSpec, bundle: Bundle, clip: AudioClip) -> RenderedTake:
    (take,) = render(spec, bundle, clip, lambda _: None, lambda: False)
    return take


@cache
def like_source(keeps: str) -> dict[str, float]:
    there, found = heard(groove()), heard(rendered(KEEPS[keeps], starter(), groove()).clip)
    return {
        "onsets": onset_f_measure(there.onsets_O, found.onsets_O),
        "chroma": chroma_similarity(there.chroma_PT, found.chroma_PT),
        "level": level_correlation(there.level_T, found.level_T),
    }


@pytest.mark.parametrize(
    ("keeps", "measure", "gain"),
    [
        ("rhythm", "onsets", 0.05),
        ("pitch", "chroma", 0.03),
        ("level", "level", 0.3),
        ("all", "onsets", 0.05),
        ("all", "chroma", 0.03),
        ("all", "level", 0.3),
    ],
)
def test_the_starter_keeps_what_it_is_asked_to(keeps: str, measure: str, gain: float) -> None:
    before, after = like_source("nothing")[measure], like_source(keeps)[measure]
    assert after > before + gain


@pytest.mark.parametrize("flags", [{"keep_pitch": True}, {"keep_rhythm": True}, {"keep_level": True}])
def test_a_take_that_was_changed_keeps_no_latents(flags: dict[str, bool]) -> None:
    assert rendered(QUICK, debug(), groove(1.0)).latents
    assert not rendered(replace(QUICK, **flags), debug(), groove(1.0)).latents


def test_what_keeps_nothing_to_change_keeps_its_latents() -> None:
    """Rhythm kept of silence, in which there is none."""
    silence = replace(groove(1.0), audio_NS=0 * groove(1.0).audio_NS)
    take = rendered(replace(QUICK, keep_rhythm=True), debug(), silence)
    assert take.latents == rendered(QUICK, debug(), silence).latents
    assert from_bytes(take.latents, "another model") == ()


def test_outside_a_mask_no_bit_changes() -> None:
    spec = replace(KEEPS["all"], model="debug", sampler=SamplerSpec(steps=2), mask=MASK)
    take = rendered(spec, debug(), groove(2.0))
    assert take.contract is not None
    assert take.contract.changed_outside == 0
    assert not np.array_equal(
        take.clip.audio_NS, rendered(replace(QUICK, mask=MASK), debug(), groove(2.0)).clip.audio_NS
    )


def test_previews_have_what_is_kept() -> None:
    def previews(spec: RenderSpec) -> list[np.ndarray]:
        heard: list[np.ndarray] = []

        def listen(event: object) -> None:
            if isinstance(event, Preview):
                heard.append(event.clip.audio_NS)

        render(spec, debug(), groove(1.0), listen, lambda: False, preview_every=1)
        return heard

    spec = replace(QUICK, sampler=SamplerSpec(steps=2, strength=1.0))
    plain, kept = previews(spec), previews(replace(spec, keep_level=True))
    assert len(plain) == len(kept) == 1
    assert not np.array_equal(plain[0], kept[0])

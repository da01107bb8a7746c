from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.grid import LatentGrid
from engine.audio.io import AudioClip
from engine.conditioning import similarity
from engine.edit.edit import Edit, edit_of
from engine.edit.loudness import CEILING_DBTP
from engine.models.bundle import Bundle, debug_bundle
from engine.ranking import Ranking, Reference, clipped_share, prompt_weight, ranked, ranking_of, surroundings
from engine.types import Mask, RectShape, Region, RenderSpec, SamplerSpec, Task, TimeSpan

RATE_HZ = 16_000
TRANSFER = RenderSpec(task=Task.TRANSFER, prompt="rain", region=Region(path="unread"), model="debug")
GENERATE = RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=1.0, model="debug")
CLEAN: dict[str, Any] = {
    "prompt_score": 0.4,
    "source_score": 0.6,
    "prompt_weight": 0.5,
    "true_peak_dbtp": -6.0,
    "clipped_share": 0.0,
    "level_db": 0.0,
    "seam_db": -10.0,
}
cosines = st.floats(-1, 1)
decibels = st.floats(-200, 60)
measures = st.fixed_dictionaries(
    {
        "prompt_score": cosines,
        "source_score": st.none() | cosines,
        "prompt_weight": st.floats(0, 1),
        "true_peak_dbtp": decibels,
        "clipped_share": st.floats(0, 1),
        "level_db": st.none() | decibels,
        "seam_db": st.none() | decibels,
    }
)


@cache
def cached_bundle() -> Bundle:
    return debug_bundle()


@pytest.fixture
def bundle() -> Bundle:
    return cached_bundle()


def noise(seconds: float, level: float = 0.1, channels: int = 2, seed: int = 0) -> AudioClip:
    generator = np.random.default_rng(seed)
    audio_NS = generator.normal(0, level, (channels, round(seconds * RATE_HZ)))
    return AudioClip(audio_NS=audio_NS.astype(np.float32), sample_rate_hz=RATE_HZ, subtype="FLOAT")


def masked(start_s: float, end_s: float) -> Mask:
    return Mask(shapes=(RectShape(span=TimeSpan(start_s=start_s, end_s=end_s)),))


def an_edit(bundle: Bundle, clip: AudioClip, mask: Mask | None = None) -> Edit:
    spec = TRANSFER if mask is None else replace(TRANSFER, task=Task.INPAINT, mask=mask)
    grid = LatentGrid.of(bundle.mel.config, bundle.vae.config.ratio)
    return edit_of(spec, clip, mask, grid, bundle.card.canvas_s)


def a_ranking(bundle: Bundle, edit: Edit, gain: float) -> Ranking:
    """Rank an edit whose model gives back what it hears, but for a gain."""
    reference = Reference.of(bundle, bundle.clap.embed_text(["rain"]), edit)
    output = [canvas.audio_VS * gain for canvas in edit.canvases]
    return ranked(edit.spec, bundle, reference, edit.clip, output, edit)


@given(measures)
def test_the_score_is_what_the_class_says(given_: dict[str, Any]) -> None:
    found = ranking_of(**given_)
    for penalty in (found.clipping, found.silence, found.seam):
        assert 0.0 <= penalty <= 1.0
    source = found.source_score or 0.0
    likeness = found.prompt_weight * found.prompt_score + (1 - found.prompt_weight) * source
    penalties = 0.2 * found.clipping + 0.5 * found.silence + 0.2 * found.seam
    assert found.total == pytest.approx(likeness - penalties)


@given(measures, st.sampled_from(["prompt_score", "level_db"]), st.floats(0, 50))
def test_more_likeness_and_more_level_never_harm(given_: dict[str, Any], name: str, more: float) -> None:
    if given_[name] is not None:
        assert ranking_of(**given_ | {name: given_[name] + more}).total >= ranking_of(**given_).total - 1e-9


@pytest.mark.parametrize(
    ("changes", "penalties"),
    [
        ({}, (0, 0, 0)),
        ({"seam_db": 0.0, "level_db": -20.0, "true_peak_dbtp": -1.2}, (0, 0, 0)),
        ({"true_peak_dbtp": CEILING_DBTP}, (0.5, 0, 0)),
        ({"true_peak_dbtp": 3.0}, (0.5, 0, 0)),
        ({"clipped_share": 0.0025}, (0.25, 0, 0)),
        ({"clipped_share": 0.5, "true_peak_dbtp": 0.0}, (1, 0, 0)),
        ({"level_db": -30.0}, (0, 0.5, 0)),
        ({"level_db": -90.0}, (0, 1, 0)),
        ({"seam_db": 6.0}, (0, 0, 0.5)),
        ({"seam_db": 20.0}, (0, 0, 1)),
        ({"seam_db": None, "level_db": None, "source_score": None}, (0, 0, 0)),
    ],
)
def test_penalties(changes: dict[str, Any], penalties: tuple[float, float, float]) -> None:
    found = ranking_of(**CLEAN | changes)
    assert (found.clipping, found.silence, found.seam) == pytest.approx(penalties)


def test_a_transfer_weighs_by_strength() -> None:
    weights = [
        prompt_weight(replace(TRANSFER, sampler=SamplerSpec(strength=each))) for each in (0.0, 0.3, 1.0)
    ]
    assert weights == [0.0, 0.3, 1.0]
    assert prompt_weight(GENERATE) == 1.0
    assert 0.5 < prompt_weight(replace(TRANSFER, task=Task.INPAINT, mask=masked(0, 1))) < 1.0


def test_clipped_samples_are_counted_over_all_canvases() -> None:
    assert clipped_share([]) == 0.0
    assert clipped_share([np.zeros((1, 10)), np.array([[1.0, -1.0, 0.998, 0.0] + [0.0] * 6])]) == 0.1


def test_a_source_is_like_itself(bundle: Bundle) -> None:
    edit = an_edit(bundle, noise(1.0))
    found = a_ranking(bundle, edit, 1.0)
    assert found.source_score == pytest.approx(1.0)
    assert found.prompt_score == pytest.approx(
        similarity(edit.clip, bundle, bundle.clap.embed_text(["rain"])), abs=1e-6
    )
    assert found.level_db == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(gain_db=st.floats(-40, 10), is_masked=st.booleans())
def test_the_level_is_that_of_the_new_sound_beside_the_old_one(*, gain_db: float, is_masked: bool) -> None:
    bundle = cached_bundle()
    edit = an_edit(bundle, noise(2.0), masked(0.5, 1.5) if is_masked else None)
    assert a_ranking(bundle, edit, 10 ** (gain_db / 20)).level_db == pytest.approx(gain_db, abs=0.5)


def test_beside_silence_there_is_no_level(bundle: Bundle) -> None:
    clip = noise(2.0)
    clip.audio_NS[:, 8_000:24_000] = 0.0
    assert a_ranking(bundle, an_edit(bundle, clip, masked(0.6, 1.4)), 1.0).level_db is None


def test_a_generation_has_neither_source_nor_seam(bundle: Bundle) -> None:
    reference = Reference.of(bundle, bundle.clap.embed_text(["rain"]), None)
    clip = noise(1.0, level=0.001, channels=1)
    found = ranked(GENERATE, bundle, reference, clip, [clip.audio_NS])
    assert (found.source_score, found.seam_db, found.prompt_weight) == (None, None, 1.0)
    assert found.level_db == pytest.approx(-40.0, abs=0.2)
    assert found.silence == pytest.approx(1.0, abs=0.02)


def test_a_model_that_cannot_hear_ranks_by_penalties_alone(bundle: Bundle) -> None:
    deaf = replace(bundle, card=replace(bundle.card, clap_hears=False))
    found = a_ranking(deaf, an_edit(deaf, noise(1.0)), 0.001)
    assert (found.prompt_score, found.source_score) == (0.0, None)
    assert found.total == pytest.approx(-0.5 * found.silence)


def test_an_inpainting_is_compared_with_what_lies_around_it(bundle: Bundle) -> None:
    whole = noise(20.0)
    region_NS, start = whole.audio_NS[:, 48_000:80_000], 48_000
    clip = replace(
        whole,
        audio_NS=region_NS,
        before_NS=whole.audio_NS[:, :start],
        after_NS=whole.audio_NS[:, 80_000:],
    )
    around_NS = surroundings(an_edit(bundle, clip, masked(0.5, 1.0))).audio_NS
    # 3 s are there before the region, 5 s are heard after the mask.
    expected = np.concatenate(
        [whole.audio_NS[:, : start + 8_000], whole.audio_NS[:, start + 16_000 : start + 96_000]], axis=1
    )
    assert np.array_equal(around_NS, expected)


@settings(max_examples=20, deadline=None)
@given(before=st.integers(0, 4), after=st.integers(0, 4), start=st.integers(0, 5), length=st.integers(1, 6))
def test_surroundings_hold_nothing_of_what_is_made_anew(
    before: int, after: int, start: int, length: int
) -> None:
    bundle, second = cached_bundle(), RATE_HZ
    audio_1S = np.ones((1, 12 * second), dtype=np.float32)
    audio_1S[:, start * second : (start + length) * second] = 2.0
    clip = AudioClip(
        audio_NS=audio_1S,
        sample_rate_hz=second,
        before_NS=np.ones((1, before * second), dtype=np.float32),
        after_NS=np.ones((1, after * second), dtype=np.float32),
    )
    around = surroundings(an_edit(bundle, clip, masked(start, start + length)))
    assert (around.audio_NS == 1.0).all()
    assert around.duration_s == min(5, before + start) + min(5, 12 - start - length + after)


def test_where_nothing_is_around_the_part_itself_is_heard(bundle: Bundle) -> None:
    clip = noise(1.0)
    assert np.array_equal(surroundings(an_edit(bundle, clip, masked(0.0, 1.0))).audio_NS, clip.audio_NS)

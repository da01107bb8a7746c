"""Rendered training clips: reproducible, varied, and captioned truthfully."""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
import pytest

from engine.training.synthesis.captions import ADJECTIVES, PLACES, caption
from engine.training.synthesis.catalogue import CONCEPTS, PEAK, Clip, render_clip
from engine.training.synthesis.concept import Attribute, Concept, RenderContext
from engine.training.synthesis.draws import Draws
from engine.training.synthesis.dsp import modes, oscillate, saturate, saw_harmonics, sweep_filter
from engine.training.synthesis.rooms import put_into

OTHER_ENGINES = {"instrument", "speech"}  # rendered by external programs, tested beside them
SYNTHESISED = tuple(concept for concept in CONCEPTS if concept.group not in OTHER_ENGINES)
BY_NAME = {concept.name: concept for concept in CONCEPTS}
WORDS = {
    word: attribute for table in (ADJECTIVES, PLACES) for attribute, words in table.items() for word in words
}

every_concept = pytest.mark.parametrize("concept", SYNTHESISED, ids=lambda concept: concept.name)


def spectrum_db(audio_S: np.ndarray) -> np.ndarray:
    window_S = np.blackman(len(audio_S))
    magnitude = np.abs(np.fft.rfft(audio_S * window_S))
    return 20 * np.log10(magnitude / magnitude.max() + 1e-12)


def names(concept: Concept) -> tuple[str, ...]:
    return (concept.name, *concept.synonyms)


def told(text: str, concept: Concept) -> set[Attribute]:
    """Return the attributes a caption speaks of outside the concept's own name."""
    for name in sorted(names(concept), key=len, reverse=True):
        if name in text:
            text = text.replace(name, "", 1)
            break
    return {attribute for word, attribute in WORDS.items() if re.search(rf"\b{word}\b(?!-pitched)", text)}


def context(seed: int = 0, duration_s: float = 1.0, sample_rate_hz: int = 16_000) -> RenderContext:
    return RenderContext(
        rng=np.random.default_rng(seed), sample_rate_hz=sample_rate_hz, duration_s=duration_s
    )


def test_catalogue_has_at_least_sixty_concepts_and_no_shared_names() -> None:
    every_name = [name for concept in CONCEPTS for name in names(concept)]
    assert len(CONCEPTS) >= 60
    assert len(set(every_name)) == len(every_name)


@every_concept
def test_clip_keeps_its_format(concept: Concept) -> None:
    clip = render_clip(concept, 11)
    assert clip.audio_S.dtype == np.float32 and clip.audio_S.shape == (40_960,)
    assert np.isfinite(clip.audio_S).all()
    assert np.abs(clip.audio_S).max() == pytest.approx(PEAK, abs=1e-6)
    assert abs(float(clip.audio_S.mean(dtype=np.float64))) < 1e-6
    assert clip.concept_name == concept.name


@every_concept
def test_clip_sounds_at_once(concept: Concept) -> None:
    for seed in (1, 2):
        audio_S = render_clip(concept, seed).audio_S
        assert int(np.argmax(np.abs(audio_S) > 0.01 * PEAK)) < 0.06 * 16_000
        assert float(np.sqrt(np.mean(audio_S**2))) > 0.002


@every_concept
def test_same_seed_repeats_and_other_seeds_differ(concept: Concept) -> None:
    first, again, other = (render_clip(concept, seed, duration_s=1.28) for seed in (5, 5, 6))
    assert np.array_equal(first.audio_S, again.audio_S)
    assert (first.caption, first.attributes) == (again.caption, again.attributes)
    assert float(np.corrcoef(first.audio_S, other.audio_S)[0, 1]) < 0.95


@every_concept
def test_caption_names_the_concept_and_tells_the_truth(concept: Concept) -> None:
    clip = render_clip(concept, 8, duration_s=0.64)
    for seed in range(8):
        text = caption(concept, clip.attributes, np.random.default_rng(seed))
        assert any(name in text for name in names(concept))
        assert told(text, concept) <= clip.attributes
    assert told(clip.caption, concept) <= clip.attributes


@every_concept
def test_rate_changes_neither_words_nor_length_in_seconds(concept: Concept) -> None:
    low, high = (render_clip(concept, 3, duration_s=0.64, sample_rate_hz=rate) for rate in (16_000, 48_000))
    assert (low.caption, low.attributes) == (high.caption, high.attributes)
    assert len(high.audio_S) == 3 * len(low.audio_S) == 30_720
    assert np.isfinite(high.audio_S).all()


@pytest.mark.parametrize("duration_s", [0.3, 1.0, 5.12])
def test_any_duration_renders(duration_s: float) -> None:
    for concept in SYNTHESISED[::5]:
        assert len(render_clip(concept, 4, duration_s=duration_s).audio_S) == round(duration_s * 16_000)


def test_no_attribute_contradicts_another() -> None:
    opposites = (
        (Attribute.LOW, Attribute.HIGH),
        (Attribute.SLOW, Attribute.FAST),
        (Attribute.DARK, Attribute.BRIGHT),
        (Attribute.SOFT, Attribute.HARD),
        (Attribute.SHORT, Attribute.LONG),
        (Attribute.SMALL_ROOM, Attribute.HUGE_HALL),
        (Attribute.DRY, Attribute.HUGE_HALL),
    )
    clips = [render_clip(concept, seed, duration_s=0.3) for concept in SYNTHESISED for seed in (0, 1)]
    assert not any(set(pair) <= clip.attributes for clip in clips for pair in opposites)


def test_captions_vary_and_sometimes_leave_attributes_out() -> None:
    attributes = {Attribute.FAST, Attribute.BRIGHT, Attribute.HUGE_HALL}
    snare = BY_NAME["snare drum"]
    texts = [caption(snare, attributes, np.random.default_rng(seed)) for seed in range(200)]
    assert len(set(texts)) > 60
    spoken = [told(text, snare) for text in texts]
    assert set() in spoken and attributes in spoken


def test_uncountable_names_take_no_article() -> None:
    texts = {caption(BY_NAME["rain"], (), np.random.default_rng(seed)) for seed in range(60)}
    assert "rain" in texts and "the sound of rain" in texts
    assert not any(re.search(r"\ba rain", text) for text in texts)
    crow = {caption(BY_NAME["owl hoot"], (), np.random.default_rng(seed)) for seed in range(60)}
    assert "an owl hoot" in crow


def clips_of(name: str, wanted: Attribute, count: int = 5) -> list[Clip]:
    """Return the first clips that have an attribute and are heard from near."""
    clips = (render_clip(BY_NAME[name], seed) for seed in range(200))
    far = {Attribute.HUGE_HALL, Attribute.DISTANT}
    return list(
        islice((clip for clip in clips if wanted in clip.attributes and not far & clip.attributes), count)
    )


def centroid_hz(clip: Clip) -> float:
    power = np.abs(np.fft.rfft(clip.audio_S)) ** 2
    return float(np.sum(power * np.fft.rfftfreq(len(clip.audio_S), 1 / 16_000)) / power.sum())


@pytest.mark.parametrize(
    ("name", "under", "over"),
    [
        ("woodblock", Attribute.LOW, Attribute.HIGH),
        ("dog bark", Attribute.LOW, Attribute.HIGH),
        ("synth pad", Attribute.DARK, Attribute.BRIGHT),
        ("snare drum", Attribute.DARK, Attribute.BRIGHT),
    ],
)
def test_spectral_words_hold_for_the_sound(name: str, under: Attribute, over: Attribute) -> None:
    low, high = ([centroid_hz(clip) for clip in clips_of(name, word)] for word in (under, over))
    assert np.mean(high) > 1.15 * np.mean(low)


def onsets(clip: Clip) -> int:
    level = np.sqrt(np.mean(clip.audio_S[: 40_960 // 160 * 160].reshape(-1, 160) ** 2, axis=1))
    rising = level[1:] > 2.5 * level[:-1] + 0.02
    return int(np.count_nonzero(rising))


@pytest.mark.parametrize("name", ["woodblock", "snare drum", "footsteps", "ticking clock"])
def test_fast_sounds_have_more_events_than_slow_ones(name: str) -> None:
    slow, fast = (
        [onsets(clip) for clip in clips_of(name, word)] for word in (Attribute.SLOW, Attribute.FAST)
    )
    assert np.mean(fast) > 1.4 * np.mean(slow)


def test_hall_rings_longer_than_a_small_room() -> None:
    click_S = np.zeros(32_000)
    click_S[100] = 1.0
    late = {}
    for place in (Attribute.DRY, Attribute.SMALL_ROOM, Attribute.HUGE_HALL):
        heard_S = put_into(place, click_S, np.random.default_rng(1), 16_000)
        assert len(heard_S) == len(click_S)
        late[place] = float(np.sum(heard_S[16_000:] ** 2) / np.sum(heard_S**2))
    assert late[Attribute.DRY] == 0
    assert late[Attribute.HUGE_HALL] > 1e3 * late[Attribute.SMALL_ROOM]


def test_saw_has_its_harmonics_and_no_aliases() -> None:
    tone_S = oscillate(np.full(16_000, 1100.0), saw_harmonics(), 16_000)
    levels_db = spectrum_db(tone_S)
    harmonic = np.zeros(len(levels_db), bool)
    for k in range(1, 7):
        harmonic[1100 * k - 4 : 1100 * k + 5] = True
        assert levels_db[1100 * k] == pytest.approx(-20 * np.log10(k), abs=0.2)
    assert levels_db[~harmonic].max() < -50


def test_saturation_folds_little_back() -> None:
    time_s = np.arange(16_000) / 16_000
    driven_S = saturate(np.sin(2 * np.pi * 3000 * time_s), 2.0, 16_000)
    levels_db = spectrum_db(driven_S)
    levels_db[2990:3011] = -120
    assert levels_db.max() < -40
    assert len(driven_S) == 16_000


def test_mode_decays_at_its_time_constant_and_vanishes_beyond_the_band() -> None:
    ringing_S = modes(16_000, [440.0, 9000.0], 1.0, 0.1, 16_000)
    expected_S = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000) * np.exp(-np.arange(16_000) / 1600)
    assert np.allclose(ringing_S, expected_S, atol=1e-6)


def test_sweep_filter_with_unit_gain_changes_nothing() -> None:
    noise_S = np.random.default_rng(0).standard_normal(5000)
    same_S = sweep_filter(noise_S, 16_000, lambda times_s, freqs_hz: np.ones((len(times_s), freqs_hz.size)))
    assert np.allclose(same_S, noise_S, atol=1e-10)


def test_draws_mark_only_the_outer_thirds() -> None:
    for seed in range(50):
        draws = Draws(context(seed))
        value = draws.pitch_hz(100.0, 800.0)
        expected = {Attribute.LOW} if value < 200 else {Attribute.HIGH} if value > 400 else set()
        assert draws.attributes == expected

"""What the measures say of sounds whose notes, beginnings and levels are known.

S samples, P pitch classes, T frames, O onsets.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from engine.evaluation.transfer_measures import (
    Heard,
    chroma,
    chroma_similarity,
    level_correlation,
    level_envelope,
    onset_f_measure,
    onset_times,
    spectral_change_db,
    transposed_chroma_similarity,
)

RATE_HZ = 16_000
A3_HZ = 220.0
LEVELS = arrays(np.float64, (12, 9), elements=st.floats(0.0, 1.0).map(lambda level: round(level, 3)))
ONSETS = st.lists(st.integers(0, 400), max_size=12, unique=True).map(lambda at: np.array(sorted(at)) / 100)


def tone(frequency_hz: float, duration_s: float = 2.56) -> np.ndarray:
    time_S = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    harmonics = (np.sin(2 * np.pi * n * frequency_hz * time_S) / n for n in (1, 2, 4))
    return (0.2 * sum(harmonics)).astype(np.float32)


def semitones(number: float) -> float:
    return A3_HZ * 2 ** (number / 12)


def clicks(times_s: list[float], duration_s: float = 2.56) -> np.ndarray:
    audio_S = np.zeros(round(duration_s * RATE_HZ), np.float32)
    decay_S = np.exp(-np.arange(800) / 100) * np.sin(np.arange(800))
    for time_s in times_s:
        start = round(time_s * RATE_HZ)
        audio_S[start : start + 800] += decay_S.astype(np.float32)
    return audio_S


def noise(seed: int = 0, duration_s: float = 2.56) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(duration_s * RATE_HZ)).astype(np.float32)


def frame(*levels: float) -> np.ndarray:
    """Return chroma frames that hold one pitch class each: C, of these levels."""
    chroma_PT = np.zeros((12, len(levels)))
    chroma_PT[0] = levels
    return chroma_PT


@pytest.mark.parametrize("gain", [1.0, 0.05])
def test_a_clip_is_like_itself_at_any_level(gain: float) -> None:
    audio_S = tone(A3_HZ) + clicks([0.3, 1.1, 1.9]) + noise()
    first, second = Heard.of(audio_S, RATE_HZ), Heard.of(gain * audio_S, RATE_HZ)
    assert chroma_similarity(first.chroma_PT, second.chroma_PT) == pytest.approx(1.0, abs=1e-6)
    assert transposed_chroma_similarity(first.chroma_PT, second.chroma_PT)[1] == 0
    assert onset_f_measure(first.onsets_O, second.onsets_O) == 1.0
    assert level_correlation(first.level_T, second.level_T) == pytest.approx(1.0, abs=1e-6)
    assert spectral_change_db(first.mel_KT, second.mel_KT) < 0.02


@pytest.mark.parametrize("steps", [-5, -1, 1, 4, 6])
def test_a_transposed_note_is_another_note_until_it_is_transposed_back(steps: int) -> None:
    here, there = chroma(tone(A3_HZ), RATE_HZ), chroma(tone(semitones(steps)), RATE_HZ)
    likeness, found = transposed_chroma_similarity(here, there)
    assert chroma_similarity(here, there) < 0.15
    assert (found, likeness) == (steps, pytest.approx(1.0, abs=0.02))


def test_octaves_are_one_pitch_class() -> None:
    assert np.argmax(chroma(tone(A3_HZ), RATE_HZ).mean(axis=1)) == 9
    here, above = (chroma(tone(pitch_hz), RATE_HZ) for pitch_hz in (A3_HZ, 2 * A3_HZ))
    assert chroma_similarity(here, above) > 0.97


def test_the_frames_of_a_clip_are_its_own_however_short_it_is() -> None:
    assert chroma(tone(A3_HZ, 0.5), RATE_HZ).shape == (12, 1 + 8000 // 512)
    assert np.argmax(chroma(tone(A3_HZ, 0.5), RATE_HZ).mean(axis=1)) == 9


def test_louder_frames_weigh_more() -> None:
    second = frame(1.0, 1.0)
    second[:, 1] = np.roll(second[:, 1], 1)
    # Levels beside their means: 4/3 and 2/3, 1 and 1; of the weights 7/3 and 5/3 the first has cosine 1.
    assert chroma_similarity(frame(2.0, 1.0), second) == pytest.approx(7 / 12)


def test_a_note_that_falls_silent_is_not_kept() -> None:
    assert chroma_similarity(frame(1.0, 1.0), frame(1.0, 0.0)) == pytest.approx(3 / 4)
    silent = np.zeros((12, 2))
    assert chroma_similarity(silent, silent) == 1.0
    assert chroma_similarity(frame(1.0, 1.0), silent) == chroma_similarity(silent, frame(1.0, 1.0)) == 0.0


@given(first=LEVELS, second=LEVELS, gain=st.floats(0.1, 10.0), shift=st.integers(0, 11))
def test_likeness_of_notes_is_bounded_symmetric_and_free_of_gain_and_key(
    first: np.ndarray, second: np.ndarray, gain: float, shift: int
) -> None:
    likeness = chroma_similarity(first, second)
    assert 0.0 <= likeness <= 1.0
    assert chroma_similarity(second, first) == pytest.approx(likeness)
    assert chroma_similarity(gain * first, second) == pytest.approx(likeness)
    both_moved = (np.roll(chroma_PT, shift, axis=0) for chroma_PT in (first, second))
    assert chroma_similarity(*both_moved) == pytest.approx(likeness)
    moved, _ = transposed_chroma_similarity(np.roll(first, shift, axis=0), second)
    assert moved == pytest.approx(transposed_chroma_similarity(first, second)[0])
    assert moved >= likeness - 1e-9


def test_clicks_are_found_where_they_are() -> None:
    times_s = [0.2, 0.7, 1.0, 1.33, 2.1]
    assert onset_times(clicks(times_s), RATE_HZ) == pytest.approx(times_s, abs=0.02)


def test_the_f_measure_of_known_clicks() -> None:
    source, edit = (
        onset_times(clicks(times_s), RATE_HZ)
        for times_s in ([0.2, 0.7, 1.2, 1.7, 2.2], [0.22, 0.7, 1.4, 1.72])
    )
    # 0.2, 0.7 and 1.7 are there within 50 ms, 1.2 came too late and 2.2 is missing.
    assert onset_f_measure(source, edit) == pytest.approx(2 * 3 / (5 + 4))


def test_an_onset_answers_for_one_other() -> None:
    assert onset_f_measure(np.array([1.0]), np.array([0.97, 1.03])) == pytest.approx(2 / 3)
    # Whoever lets 1.00 take 1.03 leaves 1.06 alone.
    assert onset_f_measure(np.array([1.0, 1.06]), np.array([0.96, 1.03])) == 1.0


def test_nothing_begins_in_silence_and_two_such_clips_are_alike() -> None:
    nothing, something = onset_times(np.zeros(RATE_HZ, np.float32), RATE_HZ), np.array([0.5])
    assert onset_f_measure(nothing, nothing) == 1.0
    assert onset_f_measure(nothing, something) == onset_f_measure(something, nothing) == 0.0


@given(first=ONSETS, second=ONSETS)
def test_as_many_onsets_are_matched_as_can_be(first: np.ndarray, second: np.ndarray) -> None:
    found = onset_f_measure(first, second, tolerance_s=0.0501)
    assert onset_f_measure(second, first, tolerance_s=0.0501) == found
    if not len(first) or not len(second):
        assert found == float(len(first) == len(second))
        return
    near = csr_array((np.abs(first[:, None] - second[None]) <= 0.0501).astype(int))
    matched = int((maximum_bipartite_matching(near) >= 0).sum())
    assert found == pytest.approx(2 * matched / (len(first) + len(second)))


def test_the_envelope_tells_levels_in_db() -> None:
    audio_S = noise()
    half = len(audio_S) // 2
    audio_S[half:] *= 0.1
    level_T = level_envelope(audio_S, RATE_HZ)
    assert len(level_T) == 256
    assert level_T[10:118].mean() - level_T[138:246].mean() == pytest.approx(20.0, abs=0.3)
    assert level_T.max() == 0.0


def test_what_is_loud_where_the_other_is_soft_correlates_inversely() -> None:
    gate_S = np.where(np.arange(len(noise())) // 8000 % 2, 1.0, 0.1).astype(np.float32)
    beats, again, between = (
        level_envelope(noise(seed) * gain_S, RATE_HZ)
        for seed, gain_S in enumerate((gate_S, gate_S, 1.1 - gate_S))
    )
    assert level_correlation(beats, again) > 0.97
    assert level_correlation(beats, between) < -0.9


def test_levels_that_never_change_are_alike() -> None:
    still, moving = np.zeros(8), np.arange(8.0)
    assert level_correlation(still, still) == 1.0
    assert level_correlation(still, moving) == level_correlation(moving, still) == 0.0


@given(*(arrays(np.float64, 9, elements=st.floats(-50.0, 0.0)) for _ in range(2)))
def test_the_correlation_is_bounded_and_symmetric(first: np.ndarray, second: np.ndarray) -> None:
    found = level_correlation(first, second)
    assert -1.0 <= found <= 1.0
    assert level_correlation(second, first) == pytest.approx(found)


def test_the_change_of_a_spectrum_is_told_in_db_at_equal_loudness() -> None:
    before_S = noise()
    after_S = before_S.copy()
    after_S[len(after_S) // 2 :] *= 0.1
    first, second = (Heard.of(audio_S, RATE_HZ).mel_KT for audio_S in (before_S, after_S))
    # At equal RMS one half is 2.97 dB louder and the other 17.03 dB softer.
    assert spectral_change_db(first, second) == pytest.approx((2.97 + 17.03) / 2, abs=0.2)


def test_silence_can_be_measured() -> None:
    silent, sounding = Heard.of(np.zeros(RATE_HZ, np.float32), RATE_HZ), Heard.of(tone(A3_HZ, 1.0), RATE_HZ)
    assert chroma_similarity(silent.chroma_PT, sounding.chroma_PT) == 0.0
    assert level_correlation(silent.level_T, silent.level_T) == 1.0
    assert spectral_change_db(silent.mel_KT, sounding.mel_KT) > 30.0

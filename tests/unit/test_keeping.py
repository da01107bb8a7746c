"""What a transfer keeps, by closed forms; harmony and onsets are measured by librosa. V voices, S samples."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.level import decibels, peak, rms
from engine.audio.onset_pairs import MOST_STRETCH, onset_pairs
from engine.audio.rhythm import onsets_s
from engine.edit.envelope import MOST_GAIN_DB
from engine.edit.keeping import Ear, with_kept, with_level_of, with_rhythm_of
from engine.edit.moving import moved
from engine.edit.notes import with_notes_of
from engine.evaluation.transfer_measures import chroma, chroma_similarity
from engine.types import Region, RenderSpec, Task
from tests.unit.test_rhythm import clicks

RATE_HZ = 16_000
MONO = Ear(mono_V=np.ones(1), power_V=np.ones(1), rate_hz=RATE_HZ)
MID_SIDE = Ear(mono_V=np.array([1.0, 0.0]), power_V=np.array([2.0, 2.0]), rate_hz=RATE_HZ)
ALL = RenderSpec(
    task=Task.TRANSFER,
    prompt="a bell",
    region=Region(path=""),
    keep_pitch=True,
    keep_rhythm=True,
    keep_level=True,
)
FLAGS = ("keep_pitch", "keep_rhythm", "keep_level")
HITS_S = [0.3, 0.75, 1.1, 1.62, 2.0, 2.5]


def times(duration_s: float) -> np.ndarray:
    return np.arange(round(duration_s * RATE_HZ)) / RATE_HZ


def tone(pitch_hz: float, duration_s: float = 3.0, gain: float = 0.2) -> np.ndarray:
    return (gain * np.sin(2 * np.pi * pitch_hz * times(duration_s))).astype(np.float32)[None]


def saw(pitch_hz: float, duration_s: float = 3.0) -> np.ndarray:
    partials = range(1, int(3_000 / pitch_hz))
    return sum(tone(pitch_hz * n, duration_s, 0.2 / n) for n in partials)  # type: ignore[return-value]


def noise(duration_s: float = 3.0, gain: float = 0.1, seed: int = 0) -> np.ndarray:
    sound_S = gain * np.random.default_rng(seed).standard_normal(round(duration_s * RATE_HZ))
    return sound_S.astype(np.float32)[None]


def hits(times_s: list[float], decay_s: float = 0.02, duration_s: float = 3.0) -> np.ndarray:
    return clicks(times_s, duration_s, RATE_HZ, decay_s).astype(np.float32)[None]


def chord(*pitches_hz: float) -> np.ndarray:
    """Return notes of six partials that fade slowly."""
    notes = [tone(pitch_hz * n, 3.0, 0.1 / n) for pitch_hz in pitches_hz for n in range(1, 7)]
    return np.asarray(sum(notes) * np.exp(-times(3.0))).astype(np.float32)


A_MAJOR = chord(220.0, 277.18, 329.63)
F_MINOR = chord(174.61, 207.65, 261.63)


def harmony(audio_VS: np.ndarray) -> float:
    """Return how much a sound has of the notes of A major."""
    return chroma_similarity(chroma(A_MAJOR[0], RATE_HZ), chroma(audio_VS[0], RATE_HZ))


def level_db(audio_VS: np.ndarray, window_s: float = 0.05) -> np.ndarray:
    """Return levels of stretches that follow each other."""
    size = round(window_s * RATE_HZ)
    frames = audio_VS[0, : audio_VS.shape[1] // size * size].reshape(-1, size).astype(np.float64)
    return np.asarray(10 * np.log10(np.square(frames).mean(axis=1) + 1e-12))


def pitch_hz(audio_S: np.ndarray) -> float:
    """Return the frequency of a steady tone from the phase of its analytic signal."""
    spectrum_F = np.abs(np.fft.rfft(audio_S * np.hanning(len(audio_S)), 2**20))
    return float(np.argmax(spectrum_F) * RATE_HZ / 2**20)


def first_rise(audio_S: np.ndarray, near_s: float) -> float:
    """Return where a sound near a moment first exceeds a tenth of its peak there."""
    start = round((near_s - 0.02) * RATE_HZ)
    part_S = np.abs(audio_S[start : start + round(0.05 * RATE_HZ)])
    return (start + int(np.argmax(part_S > 0.1 * part_S.max()))) / RATE_HZ


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("sound", [hits(HITS_S), A_MAJOR, noise(), saw(55.0), hits([0.0, 1.0]) + A_MAJOR])
def test_a_source_imposed_on_itself_changes_no_bit(name: str, sound: np.ndarray) -> None:
    spec = replace(ALL, **{flag: flag == name for flag in FLAGS})
    assert np.array_equal(with_kept(spec, sound, sound, MONO), sound)


def test_without_a_wish_and_of_other_tasks_nothing_is_kept() -> None:
    plain = replace(ALL, keep_pitch=False, keep_rhythm=False, keep_level=False)
    made = noise()
    assert with_kept(plain, A_MAJOR, made, MONO) is made
    superres = replace(ALL, task=Task.SUPERRES)
    assert with_kept(superres, A_MAJOR, made, MONO) is made


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**20),
    duration_s=st.floats(0.01, 1.5),
    gain=st.sampled_from([0.0, 1e-9, 1e-3, 1.0, 100.0]),
    source=st.sampled_from(["silence", "noise", "hits", "tone"]),
    voices=st.sampled_from([1, 2]),
)
def test_whatever_is_kept_is_a_sound_of_the_same_length_and_bounded(
    seed: int, duration_s: float, gain: float, source: str, voices: int
) -> None:
    made = np.concatenate([noise(duration_s, gain, seed + voice) for voice in range(voices)])
    made *= np.repeat(np.random.default_rng(seed).integers(0, 2, 16), -(-made.shape[1] // 16))[
        : made.shape[1]
    ]
    sounds = {"noise": noise(duration_s), "tone": tone(200.0, duration_s), "silence": 0 * noise(duration_s)}
    sounds["hits"] = hits([duration_s / 2], 0.02, duration_s)
    source_VS = np.repeat(sounds[source], voices, axis=0)
    ear = MONO if voices == 1 else MID_SIDE
    result = with_kept(ALL, source_VS, made, ear)
    assert result.shape == made.shape
    assert result.dtype == made.dtype
    assert np.isfinite(result).all()
    # Rhythm, notes and their makeup, level.
    most_db = MOST_GAIN_DB + 12.0 + 6.0 + MOST_GAIN_DB
    assert peak(result) <= peak(made) * 10 ** (most_db / 20)
    if not made.any():
        assert not result.any()


def test_with_a_silent_source_the_level_is_silence_and_the_rest_stays() -> None:
    made, silence = noise(), np.zeros_like(noise())
    assert not with_level_of(silence, made, MONO).any()
    assert np.array_equal(with_rhythm_of(silence, made, MONO), made)
    assert np.array_equal(with_notes_of(silence[0], made[0], made, RATE_HZ), made)


def test_where_a_source_pauses_so_does_the_result() -> None:
    pausing = np.where((times(3.0) > 1.0) & (times(3.0) < 2.0), 0.0, tone(300.0)).astype(np.float32)
    result = with_level_of(pausing, noise(), MONO)
    pause, loud = result[:, round(1.1 * RATE_HZ) : round(1.9 * RATE_HZ)], result[:, : RATE_HZ // 2]
    assert decibels(rms(pause)) < decibels(rms(loud)) - 49.0


@pytest.mark.parametrize("rate_hz", [2.0, 5.0, 9.0])
@pytest.mark.parametrize("made", [tone(440.0), noise(), saw(110.0)])
def test_a_swelling_level_is_followed_within_a_decibel(rate_hz: float, made: np.ndarray) -> None:
    source = noise(seed=5) * 0 + tone(300.0) * (0.55 + 0.45 * np.sin(2 * np.pi * rate_hz * times(3.0)))
    source = source.astype(np.float32)
    wanted_db, found_db = level_db(source, 0.02), level_db(with_level_of(source, made, MONO), 0.02)
    off_db = found_db - wanted_db
    off_db -= np.median(off_db)
    spread_db = np.abs(level_db(made, 0.02) - np.median(level_db(made, 0.02)))
    assert np.percentile(np.abs(off_db), 95) < 1.0 + np.percentile(spread_db, 95)


@pytest.mark.parametrize("source", [tone(440.0), tone(50.0), saw(50.0), saw(41.2), saw(82.4)])
@pytest.mark.parametrize("made_hz", [50.0, 82.4, 1_000.0])
def test_on_steady_tones_no_gain_moves(source: np.ndarray, made_hz: float) -> None:
    made = tone(made_hz)
    gain = (with_level_of(source, made, MONO) / np.where(np.abs(made) > 0.02, made, np.nan))[0]
    gain_db = 20 * np.log10(gain[RATE_HZ // 5 : -RATE_HZ // 5])
    assert np.nanmax(gain_db) - np.nanmin(gain_db) < 0.1


def test_an_attack_is_as_sudden_as_its_source() -> None:
    source = hits([1.0, 2.0], decay_s=0.08) + 0.01 * noise()
    result = with_level_of(source, noise(seed=3), MONO)
    before, after = result[0, 15_600:15_920], result[0, 16_016:16_160]
    assert decibels(rms(after)) - decibels(rms(before)) > 20.0
    assert rms(result[0, 15_000:15_600]) < 2 * rms(source[0, 15_000:15_600]) + 0.02


def test_a_noise_floor_is_not_pumped_up() -> None:
    made = np.where(times(3.0) < 1.5, tone(300.0), 1e-5 * noise()).astype(np.float32)
    result = with_level_of(tone(440.0), made, MONO)
    assert decibels(rms(result[:, -RATE_HZ:])) < decibels(rms(made[:, -RATE_HZ:])) + MOST_GAIN_DB + 0.1
    assert decibels(rms(result[:, -RATE_HZ:])) < -80.0


@settings(max_examples=12)
@given(late_ms=st.lists(st.integers(-40, 40), min_size=6, max_size=6))
def test_hits_come_back_to_within_two_milliseconds(late_ms: list[int]) -> None:
    made = hits([time_s + late / 1000 for time_s, late in zip(HITS_S, late_ms, strict=True)])
    result = with_rhythm_of(hits(HITS_S), made, MONO)
    found_s = [first_rise(result[0], time_s) for time_s in HITS_S]
    assert np.abs(np.array(found_s) - HITS_S).max() < 0.002


def test_a_tone_under_moved_hits_keeps_its_pitch() -> None:
    late_s = [0.03, -0.025, 0.03, -0.03, 0.02, -0.03]
    drone = tone(440.0, gain=0.02)
    made = hits([time_s + late for time_s, late in zip(HITS_S, late_s, strict=True)], decay_s=0.008) + drone
    result = with_rhythm_of(hits(HITS_S, decay_s=0.008) + drone, made, MONO)
    assert not np.array_equal(result, made)
    for time_s in HITS_S[:-1]:
        start = round((time_s + 0.1) * RATE_HZ)
        assert pitch_hz(result[0, start : start + 3_200]) == pytest.approx(440.0, abs=2.0)
    assert pitch_hz(result[0]) == pytest.approx(440.0, abs=0.5)
    assert rms(result) == pytest.approx(rms(made), rel=0.15)


@settings(max_examples=25)
@given(
    gaps_ms=st.lists(st.integers(60, 500), min_size=1, max_size=8),
    late_ms=st.lists(st.integers(-19, 19), min_size=8, max_size=8),
    hz=st.sampled_from([41.2, 100.0, 440.0, 3_000.0]),
)
def test_moves_make_no_sound_of_their_own(gaps_ms: list[int], late_ms: list[int], hz: float) -> None:
    to = np.cumsum(gaps_ms) * 16
    moves = [(int(time + late * 16), int(time)) for time, late in zip(to, late_ms, strict=False)]
    made = tone(hz, (int(to[-1]) + 4_000) / RATE_HZ)
    result = moved(made, made[0], moves, RATE_HZ)
    assert result.shape == made.shape
    assert peak(result) <= peak(made) * (1 + 1e-6)
    # No corner sharper than a fade of 3 ms makes of a tone that is turned round.
    fade_step = peak(made) * np.pi / (0.003 * RATE_HZ)
    assert peak(np.diff(result)) <= peak(np.diff(made)) + fade_step


def test_a_moment_that_stays_keeps_its_bits() -> None:
    made, mono_S = noise(), noise()[0]
    moves = [(8_000, 8_000), (16_000, 16_400), (24_000, 24_000), (40_000, 40_000)]
    result = moved(made, mono_S, moves, RATE_HZ)
    assert np.array_equal(result[:, :8_600], made[:, :8_600])
    assert np.array_equal(result[:, 24_000:], made[:, 24_000:])
    assert np.array_equal(result[:, 16_400:16_800], made[:, 16_000:16_400])


def test_all_voices_move_alike() -> None:
    late = hits([time_s + 0.03 for time_s in HITS_S])
    source = np.concatenate([hits(HITS_S), 0.5 * hits(HITS_S)])
    result = with_rhythm_of(source, np.concatenate([late, 0.5 * late]), MID_SIDE)
    np.testing.assert_allclose(result[1], 0.5 * result[0], atol=1e-6)
    silent_side = with_rhythm_of(source, np.concatenate([late, 0 * late]), MID_SIDE)
    assert not silent_side[1].any()


def test_a_missing_attack_is_imposed_and_a_surplus_one_softened() -> None:
    source = hits([0.5, 1.5], decay_s=0.1) + 0.02 * noise()
    imposed = with_rhythm_of(source, noise(seed=4), MONO)
    for time_s in (0.5, 1.5):
        at = round(time_s * RATE_HZ)
        assert rms(imposed[:, at + 32 : at + 400]) > 3 * rms(imposed[:, at - 480 : at - 32])
    steady = tone(440.0)
    stricken = hits([1.0], decay_s=0.05) + 0.1 * steady
    softened = with_rhythm_of(steady, stricken, MONO)
    here = slice(RATE_HZ, RATE_HZ + 480)
    assert rms(softened[:, here]) < 0.4 * rms(stricken[:, here])


@given(
    gaps_s=st.lists(st.floats(0.11, 0.5), min_size=1, max_size=10),
    late_s=st.lists(st.floats(-0.03, 0.03), min_size=10, max_size=10),
)
@settings(max_examples=20)
def test_onsets_are_paired_in_order(gaps_s: list[float], late_s: list[float]) -> None:
    there_s = [float(time_s) for time_s in np.cumsum(gaps_s)]
    made_s = [time_s + late for time_s, late in zip(there_s, late_s, strict=False)]
    duration_s = there_s[-1] + 0.5
    source_S, made_S = (hits(each, 0.01, duration_s)[0] for each in (there_s, made_s))
    pairs = onset_pairs(source_S, made_S, onsets_s(source_S, RATE_HZ), onsets_s(made_S, RATE_HZ), RATE_HZ)
    found = [(0.0, 0.0), *((pair.source_s, pair.made_s) for pair in pairs), (duration_s, duration_s)]
    for (wanted_s, has_s), (next_wanted_s, next_has_s) in pairwise(found[1:]):
        assert 1 / MOST_STRETCH <= (next_wanted_s - wanted_s) / (next_has_s - has_s) <= MOST_STRETCH
    for pair in pairs:
        nearest = int(np.argmin(np.abs(np.array(there_s) - pair.source_s)))
        assert pair.made_s - pair.source_s == pytest.approx(late_s[nearest], abs=0.004)


def test_a_chord_takes_the_notes_of_another() -> None:
    before = harmony(F_MINOR)
    result = with_notes_of(A_MAJOR[0], F_MINOR[0], F_MINOR, RATE_HZ)
    after = harmony(result)
    assert before < 0.6
    assert after > before + 0.1


def test_of_a_rich_sound_the_notes_of_the_source_are_left() -> None:
    cluster = np.asarray(sum(chord(110.0 * 2 ** (step / 12)) for step in range(24)) / 8).astype(np.float32)
    before = harmony(cluster)
    result = with_notes_of(A_MAJOR[0], cluster[0], cluster, RATE_HZ)
    assert harmony(result) > max(0.85, before + 0.2)


def test_noise_and_strokes_have_no_notes_to_shape() -> None:
    for made in (noise(), hits(HITS_S)):
        result = with_notes_of(A_MAJOR[0], made[0], made, RATE_HZ)
        assert decibels(rms(result - made)) - decibels(rms(made)) < -9.0

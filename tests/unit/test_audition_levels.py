"""Levels as one hears them, and files as they are read for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.audition.levels import Level, k_weighting, matching_gains, measure
from daw_bridge.audition.loader import MAX_DURATION_S, Cut, downmix, load
from daw_bridge.audition.voice import Frames
from engine.errors import AudioIOError, AudioMissing, Cancelled, EngineError, SpecError, TooLarge

RATES_HZ = (16_000, 44_100, 48_000, 96_000)
LEVELS = st.builds(
    Level,
    loudness_lufs=st.floats(-70, 10) | st.just(float("-inf")),
    true_peak_db=st.floats(-80, 12) | st.just(float("-inf")),
)


def tone(rate_hz: int, seconds: float, peak: float = 1.0, hz: float = 997.0) -> Frames:
    wave = peak * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)
    return np.stack([wave, wave], axis=1).astype(np.float32)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_standards_tone_reads_what_the_standard_says(rate_hz: int) -> None:
    left = tone(rate_hz, 2.0) * np.float32([1, 0])
    assert measure(left, rate_hz).loudness_lufs == pytest.approx(-3.01, abs=0.05)
    assert measure(tone(rate_hz, 2.0, 0.1), rate_hz).loudness_lufs == pytest.approx(-20.0, abs=0.05)


def test_the_filters_are_those_of_the_standard_at_48_khz() -> None:
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585]
    high_pass = [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621]
    assert k_weighting(48_000) == pytest.approx(np.array([shelf, high_pass]), abs=1e-9)


def test_silence_around_a_sound_does_not_make_it_quieter() -> None:
    sound = tone(48_000, 3.0, 0.2)
    padded = np.concatenate([np.zeros((480_000, 2), np.float32), sound])
    alone, among = (measure(audio, 48_000).loudness_lufs for audio in (sound, padded))
    assert among == pytest.approx(alone, abs=0.3)


def test_a_short_take_has_a_loudness_and_silence_has_none() -> None:
    assert measure(tone(48_000, 0.1, 0.1), 48_000).loudness_lufs == pytest.approx(-20.0, abs=0.5)
    silent = measure(np.zeros((100, 2), np.float32), 48_000)
    assert silent == Level(loudness_lufs=float("-inf"), true_peak_db=float("-inf"))


def test_the_peak_between_the_samples_counts() -> None:
    rate_hz = 48_000
    angle = np.pi / 4 + np.pi / 2 * np.arange(rate_hz)
    wave = np.stack([np.sin(angle)] * 2, axis=1).astype(np.float32)  # samples reach 0.707 only
    wave *= np.hanning(rate_hz)[:, None].astype(np.float32)
    assert measure(wave, rate_hz).true_peak_db == pytest.approx(0.0, abs=0.1)


def test_matched_sides_are_equally_loud() -> None:
    quiet, loud = tone(48_000, 1.0, 0.05), tone(48_000, 1.0, 0.8, hz=120.0)
    levels = [measure(audio, 48_000) for audio in (quiet, loud)]
    gains_db = matching_gains(levels)
    assert gains_db[0] == 0.0 and gains_db[1] < -20
    matched = loud * np.float32(10 ** (gains_db[1] / 20))
    assert measure(matched, 48_000).loudness_lufs == pytest.approx(levels[0].loudness_lufs, abs=0.01)


def test_beside_silence_others_stay_as_they_are() -> None:
    silent, loud = (
        Level(loudness_lufs=float("-inf"), true_peak_db=float("-inf")),
        measure(tone(48_000, 1.0, 0.5), 48_000),
    )
    assert matching_gains([silent, loud]) == matching_gains([silent, silent]) == (0.0, 0.0)


@given(LEVELS, LEVELS)
def test_matching_only_turns_down_and_keeps_peaks_whole(a: Level, b: Level) -> None:
    gains_db = matching_gains([a, b])
    for level, gain in zip((a, b), gains_db, strict=True):
        assert -200.0 <= gain <= 0.0
        assert level.true_peak_db + gain <= 1e-9
    if np.isfinite([a.loudness_lufs, b.loudness_lufs]).all():
        assert a.loudness_lufs + gains_db[0] == pytest.approx(b.loudness_lufs + gains_db[1])


def never() -> bool:
    return False


def written(folder: Path, audio: np.ndarray, rate_hz: int = 48_000) -> str:
    path = folder / "sound.wav"
    soundfile.write(path, audio, rate_hz, subtype="FLOAT")
    return str(path)


def test_a_file_of_the_devices_rate_is_read_as_it_is(tmp_path: Path) -> None:
    audio = np.random.default_rng(1).uniform(-1, 1, (70_000, 2)).astype(np.float32)
    assert np.array_equal(load(written(tmp_path, audio), 48_000, Cut(), never), audio)


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 96_000])
def test_another_rate_is_converted_in_pieces_as_in_one(tmp_path: Path, rate_hz: int) -> None:
    audio = tone(rate_hz, 4.0, 0.5, hz=440.0)
    heard = load(written(tmp_path, audio, rate_hz), 48_000, Cut(), never)
    assert len(heard) == 4 * 48_000
    np.testing.assert_allclose(heard, soxr.resample(audio, rate_hz, 48_000)[: len(heard)], atol=1e-5)


def test_mono_goes_to_both_sides(tmp_path: Path) -> None:
    audio = np.random.default_rng(1).uniform(-1, 1, (500, 1)).astype(np.float32)
    heard = load(written(tmp_path, audio), 48_000, Cut(), never)
    assert np.array_equal(heard, np.repeat(audio, 2, axis=1))


@pytest.mark.parametrize("channels", range(3, 17))
def test_more_channels_are_mixed_without_clipping(tmp_path: Path, channels: int) -> None:
    full = np.ones((200, channels), np.float32)
    heard = load(written(tmp_path, full), 48_000, Cut(), never)
    assert heard.min() > 0.3 and heard.max() == pytest.approx(1.0, abs=1e-6)
    matrix = downmix(channels)
    assert matrix[0, 0] > matrix[0, 1] and matrix[1, 1] > matrix[1, 0]


def test_the_effects_channel_is_left_out_and_the_centre_is_in_the_middle() -> None:
    matrix = downmix(6)
    assert not matrix[3].any() and matrix[2, 0] == matrix[2, 1] > 0


def test_a_part_is_faded_where_it_was_cut(tmp_path: Path) -> None:
    path = written(tmp_path, np.ones((4800, 2), np.float32))
    heard = load(path, 48_000, Cut(from_s=0.02, to_s=0.07), never)
    assert len(heard) == 2400 and heard[0, 0] < 0.02 and heard[-1, 0] < 0.02
    assert (heard[96:-96] == 1.0).all()
    assert load(path, 48_000, Cut(from_s=0.05, to_s=9.0), never)[-1, 0] == 1.0


def test_what_is_no_number_is_not_heard(tmp_path: Path) -> None:
    audio = np.full((100, 2), np.nan, np.float32)
    assert not load(written(tmp_path, audio), 48_000, Cut(), never).any()


@pytest.mark.parametrize(
    ("cut", "error"),
    [
        (Cut(from_s=1.0), SpecError),
        (Cut(from_s=-0.5), SpecError),
        (Cut(from_s=0.05, to_s=0.05), SpecError),
        (Cut(from_s=0.0, to_s=-1.0), SpecError),
    ],
)
def test_a_part_outside_the_file_is_refused(tmp_path: Path, cut: Cut, error: type[EngineError]) -> None:
    with pytest.raises(error):
        load(written(tmp_path, np.zeros((4800, 2))), 48_000, cut, never)


def test_what_cannot_be_heard_says_so(tmp_path: Path) -> None:
    text = tmp_path / "note.wav"
    text.write_text("no audio")
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros((0, 2)), 48_000)
    for path in (text, empty, tmp_path):
        with pytest.raises(AudioIOError):
            load(str(path), 48_000, Cut(), never)
    for path in ("nowhere.wav", "a\0b"):
        with pytest.raises(AudioMissing):
            load(str(tmp_path / path), 48_000, Cut(), never)


def test_a_long_file_is_refused_but_a_part_of_it_is_not(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(round(8000 * (MAX_DURATION_S + 1)), np.int16), 8000)
    with pytest.raises(TooLarge):
        load(str(path), 8000, Cut(), never)
    assert len(load(str(path), 8000, Cut(from_s=600.0), never)) == 8000


def test_reading_stops_when_it_is_not_wanted_any_more(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        load(written(tmp_path, np.zeros((4800, 2))), 48_000, Cut(), lambda: True)

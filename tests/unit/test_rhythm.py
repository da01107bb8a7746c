from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.rhythm import bar_lines_s, onsets_s, preferred_cuts_s
from engine.types import TimeSpan

TOLERANCE_S = 0.01


def clicks(times_s: list[float], duration_s: float, rate_hz: int, decay_s: float = 0.05) -> np.ndarray:
    """Return bursts of decaying noise."""
    generator = np.random.default_rng(0)
    audio_S = np.zeros(round(duration_s * rate_hz))
    for time_s in times_s:
        start = round(time_s * rate_hz)
        length = min(round(6 * decay_s * rate_hz), len(audio_S) - start)
        fall = np.exp(-np.arange(length) / (decay_s * rate_hz))
        audio_S[start : start + length] += 0.3 * generator.standard_normal(length) * fall
    return audio_S


def assert_found(found_s: tuple[float, ...], times_s: list[float]) -> None:
    assert len(found_s) == len(times_s), (found_s, times_s)
    assert np.abs(np.array(found_s) - np.array(times_s)).max() < TOLERANCE_S


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_clicks_are_found_within_ten_milliseconds(rate_hz: int) -> None:
    times_s = [0.0, 0.31, 0.5, 0.913, 1.4, 1.55, 2.207, 2.9]
    assert_found(onsets_s(clicks(times_s, 3.0, rate_hz), rate_hz), times_s)


@settings(max_examples=20)
@given(gaps_s=st.lists(st.floats(0.12, 0.9), min_size=1, max_size=12), gain=st.sampled_from([1e-4, 0.1, 1.0]))
def test_clicks_anywhere_at_any_level(gaps_s: list[float], gain: float) -> None:
    times_s = [float(time_s) for time_s in np.cumsum(gaps_s)]
    audio_S = gain * clicks(times_s, times_s[-1] + 0.5, 16_000, decay_s=0.01)
    assert_found(onsets_s(audio_S, 16_000), times_s)


def test_clicks_are_found_under_a_drone() -> None:
    times_s = [0.5, 1.0, 1.5, 2.25]
    time_S = np.arange(3 * 16_000) / 16_000
    drone_S = 0.2 * np.sin(2 * np.pi * 110.0 * time_S)
    found_s = onsets_s(clicks(times_s, 3.0, 16_000) + drone_S, 16_000)
    assert_found(tuple(time_s for time_s in found_s if time_s > 0.1), times_s)


def test_notes_of_one_level_are_told_apart_by_their_pitch() -> None:
    time_S = np.arange(8_000) / 16_000
    notes = [0.3 * np.sin(2 * np.pi * pitch_hz * time_S) for pitch_hz in (220.0, 330.0, 262.0, 440.0)]
    found_s = onsets_s(np.concatenate(notes), 16_000)
    assert len(found_s) == 4
    assert np.abs(np.array(found_s) - np.arange(4) * 0.5).max() < 0.025


@pytest.mark.parametrize("samples", [0, 1, 100, 16_000])
def test_silence_has_no_onsets(samples: int) -> None:
    assert onsets_s(np.zeros(samples), 16_000) == ()


def test_steady_noise_has_few_onsets() -> None:
    noise_S = 0.1 * np.random.default_rng(1).standard_normal(10 * 16_000)
    assert len(onsets_s(noise_S, 16_000)) <= 3


def test_bar_lines_count_from_the_start_of_the_project() -> None:
    span = TimeSpan(start_s=0.0, end_s=7.0)
    assert bar_lines_s(span, 120.0) == (0.0, 2.0, 4.0, 6.0)
    assert bar_lines_s(span, 120.0, position_s=3.5) == (0.5, 2.5, 4.5, 6.5)
    assert bar_lines_s(span, 120.0, position_s=1.0, beats_per_bar=3) == (0.5, 2.0, 3.5, 5.0, 6.5)


@given(
    tempo_bpm=st.floats(20.0, 400.0),
    position_s=st.floats(0.0, 3600.0),
    start_s=st.floats(0.0, 60.0),
    length_s=st.floats(0.1, 600.0),
    beats=st.integers(1, 12),
)
def test_bar_lines_are_all_whole_bars_within(
    tempo_bpm: float, position_s: float, start_s: float, length_s: float, beats: int
) -> None:
    span = TimeSpan(start_s=start_s, end_s=start_s + length_s)
    lines_s = bar_lines_s(span, tempo_bpm, position_s, beats)
    bar_s = beats * 60.0 / tempo_bpm
    assert abs(len(lines_s) - length_s / bar_s) <= 1.0 + 1e-6
    for line_s in lines_s:
        assert span.start_s <= line_s <= span.end_s
        assert abs((line_s + position_s) / bar_s - round((line_s + position_s) / bar_s)) < 1e-6


@pytest.mark.parametrize(("tempo_bpm", "beats"), [(0.0, 4), (-1.0, 4), (float("inf"), 4), (120.0, 0)])
def test_impossible_tempi_are_refused(tempo_bpm: float, beats: int) -> None:
    with pytest.raises(ValueError, match="tempo"):
        bar_lines_s(TimeSpan(start_s=0.0, end_s=1.0), tempo_bpm, beats_per_bar=beats)


def test_cuts_are_bars_where_the_tempo_is_known_and_onsets_elsewhere() -> None:
    times_s = [0.25, 1.7]
    audio_NS = np.stack([clicks(times_s, 4.0, 16_000)] * 2)
    assert preferred_cuts_s(audio_NS, 16_000, tempo_bpm=120.0, position_s=1.0) == (1.0, 3.0)
    assert_found(preferred_cuts_s(audio_NS, 16_000), times_s)


def test_long_bars_are_cut_at_beats() -> None:
    audio_NS = np.zeros((1, 3 * 16_000))
    assert preferred_cuts_s(audio_NS, 16_000, tempo_bpm=60.0, longest_s=2.0) == (0.0, 1.0, 2.0, 3.0)
    assert preferred_cuts_s(audio_NS[:, :0], 16_000) == ()

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.audio.level import (
    decibels,
    is_audible,
    model_level,
    mono,
    rms,
)
from engine.audio.resample import resample
from engine.audio.splice import between, fit_length

RATES_HZ = (8_000, 11_025, 16_000, 44_100, 48_000, 96_000, 192_000)


def noise(length: int, channels: int = 1, seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (channels, length)).astype(dtype)


@given(st.integers(0, 50), st.integers(0, 50))
def test_fit_length_cuts_or_pads(have: int, want: int) -> None:
    fitted_NS = fit_length(np.ones((2, have)), want)
    assert fitted_NS.shape == (2, want)
    assert fitted_NS.sum() == 2 * min(have, want)


@settings(max_examples=30, deadline=None)
@given(
    from_hz=st.sampled_from(RATES_HZ),
    to_hz=st.sampled_from(RATES_HZ),
    length=st.integers(0, 20_000),
    channels=st.integers(1, 3),
)
def test_resampling_gives_exact_lengths(from_hz: int, to_hz: int, length: int, channels: int) -> None:
    audio_NS = noise(length, channels)
    resampled_NS = resample(audio_NS, from_hz, to_hz)
    assert resampled_NS.shape == (channels, -(-length * to_hz // from_hz))
    back_NS = resample(resampled_NS, to_hz, from_hz, length)
    assert back_NS.shape == audio_NS.shape


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_resampling_neither_delays_nor_scales(rate_hz: int) -> None:
    times_s = np.arange(rate_hz) / rate_hz
    pulse_1S = (np.exp(-(((times_s - 0.5) / 0.002) ** 2)) * np.cos(2 * np.pi * 500 * (times_s - 0.5)))[None]
    there_1S = resample(pulse_1S, rate_hz, 16_000)
    times_16k_s = np.arange(16_000) / 16_000
    expected_S = np.exp(-(((times_16k_s - 0.5) / 0.002) ** 2)) * np.cos(2 * np.pi * 500 * (times_16k_s - 0.5))
    assert np.abs(there_1S[0] - expected_S).max() < 1e-4


def test_the_models_level_is_peak_one_half_without_mean_and_undone_exactly() -> None:
    audio_S = noise(1000, dtype=np.float64)[0] + 0.3
    level = model_level(audio_S)
    normal_S = level.apply(audio_S)
    assert abs(normal_S.mean()) < 1e-12
    assert np.abs(normal_S).max() == pytest.approx(0.5)
    assert np.allclose(normal_S / level.gain + level.mean, audio_S, atol=1e-12)


def test_silence_is_not_amplified() -> None:
    assert model_level(np.full(100, 1e-7)).gain == 1.0


def test_channels_that_cancel_are_still_heard() -> None:
    left_S = noise(1000)[0]
    assert rms(mono(np.stack([left_S, -left_S]))) == pytest.approx(rms(left_S))
    assert np.allclose(mono(np.stack([left_S, left_S])), left_S)


def test_levels_in_decibels() -> None:
    assert decibels(1.0) == 0.0
    assert decibels(0.5) == pytest.approx(-6.0206, abs=1e-4)
    assert decibels(0.0) == -200.0
    assert is_audible(np.full(10, 0.01))
    assert not is_audible(np.full(10, 0.0005))
    assert rms(np.zeros(0)) == 0.0


def test_mirror_images_go_on_without_a_jump_as_long_as_there_is_something_to_mirror() -> None:
    three = np.array([[1.0, 2.0, 3.0]])
    assert between([three], 0, -4, 6).tolist() == [[1, 2, 3, 2, 1, 2, 3, 2, 1, 2]]
    assert between([np.array([[5.0]])], 0, -1, 2).tolist() == [[0, 5, 0]]


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=3),
    st.integers(-10, 10),
    st.integers(-40, 40),
    st.integers(1, 60),
)
def test_what_lies_between_two_samples_is_that_of_the_joined_parts(
    sizes: list[int], first: int, start: int, length: int
) -> None:
    parts = np.split(np.arange(float(sum(sizes)))[None], np.cumsum(sizes)[:-1], axis=1)
    total = sum(sizes)
    assume(total > 1)
    left, right = max(0, first - start), max(0, start + length - first - total)
    wide = np.pad(np.concatenate(parts, axis=1), ((0, 0), (left, right)), mode="reflect")
    expected = wide[:, start - (first - left) :][:, :length]
    assert np.array_equal(between(parts, first, start, start + length), expected)

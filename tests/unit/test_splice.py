from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.grid import samples_at
from engine.audio.level import (
    channel_gains,
    decibels,
    is_audible,
    matching_gain,
    model_level,
    mono,
    rms,
    safe_gain,
)
from engine.audio.resample import resample
from engine.audio.splice import composite, crossfade, envelope, fit_length, masked_part, surround
from engine.types import BrushShape, Mask, PolygonShape, RectShape, TimeSpan

RATES_HZ = (8_000, 11_025, 16_000, 44_100, 48_000, 96_000, 192_000)


def noise(length: int, channels: int = 1, seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (channels, length)).astype(dtype)


def band_mask(start_s: float, end_s: float, low_hz: float, high_hz: float, feather_s: float = 0.01) -> Mask:
    span = TimeSpan(start_s=start_s, end_s=end_s)
    return Mask(shapes=(RectShape(span=span, low_hz=low_hz, high_hz=high_hz),), feather_s=feather_s)


def time_mask(start_s: float, end_s: float) -> Mask:
    return Mask(shapes=(RectShape(span=TimeSpan(start_s=start_s, end_s=end_s)),))


@settings(max_examples=30, deadline=None)
@given(
    rate_hz=st.sampled_from(RATES_HZ),
    length=st.integers(100, 30_000),
    channels=st.integers(1, 8),
    start=st.floats(0, 0.95),
    share=st.floats(0.01, 1),
    low_hz=st.one_of(st.just(0.0), st.floats(20, 3000)),
    double=st.booleans(),
)
def test_outside_the_masks_time_not_one_bit_changes(
    *, rate_hz: int, length: int, channels: int, start: float, share: float, low_hz: float, double: bool
) -> None:
    dtype = np.float64 if double else np.float32
    original_NS, new_NS = noise(length, channels, 1, dtype), noise(length, channels, 2, np.float64)
    duration_s = length / rate_hz
    span = TimeSpan(start_s=start * duration_s, end_s=(start + max(share * (1 - start), 1e-6)) * duration_s)
    mask = Mask(shapes=(RectShape(span=span, low_hz=low_hz),))
    mixed_NS = composite(original_NS, new_NS, rate_hz, mask)
    first, past = samples_at(span.start_s, rate_hz), samples_at(span.end_s, rate_hz)
    assert mixed_NS.dtype == dtype
    assert mixed_NS.shape == original_NS.shape
    assert np.array_equal(mixed_NS[:, :first], original_NS[:, :first])
    assert np.array_equal(mixed_NS[:, past:], original_NS[:, past:])


def test_between_two_masked_stretches_nothing_changes() -> None:
    original_NS, new_NS = noise(48_000, 2, 1), noise(48_000, 2, 2)
    shapes = (*band_mask(0.1, 0.2, 300, 4000).shapes, *band_mask(0.7, 0.8, 300, 4000).shapes)
    mixed_NS = composite(original_NS, new_NS, 48_000, Mask(shapes=shapes))
    changed = np.flatnonzero((mixed_NS != original_NS).any(axis=0)) / 48_000
    assert ((changed >= 0.1) & (changed < 0.2) | (changed >= 0.7) & (changed < 0.8)).all()
    assert (changed < 0.2).any()
    assert (changed >= 0.7).any()


def test_inside_only_the_masked_band_changes() -> None:
    rate_hz = 48_000
    original_NS, new_NS = noise(4 * rate_hz, seed=1), noise(4 * rate_hz, seed=2)
    difference_NS = composite(original_NS, new_NS, rate_hz, band_mask(1, 3, 2000, 4000, 0.1)) - original_NS
    spectrum = np.abs(np.fft.rfft(difference_NS[0, rate_hz : 3 * rate_hz] * np.hanning(2 * rate_hz))) ** 2
    freqs_hz = np.fft.rfftfreq(2 * rate_hz, 1 / rate_hz)
    core, outside = (freqs_hz > 2200) & (freqs_hz < 3800), (freqs_hz < 1600) | (freqs_hz > 4400)
    assert 10 * np.log10(spectrum[outside].max() / spectrum[core].mean()) < -80
    new_band = np.abs(np.fft.rfft((new_NS - original_NS)[0, rate_hz : 3 * rate_hz] * np.hanning(2 * rate_hz)))
    assert np.sum(spectrum[core]) / np.sum(new_band[core] ** 2) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 192_000])
def test_a_mask_of_everything_gives_the_new_sound_and_of_the_same_sound_the_old(rate_hz: int) -> None:
    length = rate_hz // 2
    audio_NS = noise(length, 2, dtype=np.float64)
    mask = band_mask(0.0, 0.5, 0.0, rate_hz, feather_s=0.0)
    assert np.allclose(masked_part(audio_NS, rate_hz, mask), audio_NS, atol=1e-12)
    some = band_mask(0.1, 0.4, 300.0, 900.0)
    assert np.allclose(composite(audio_NS, audio_NS, rate_hz, some), audio_NS, atol=1e-12)


def test_polygons_and_brushes_change_something() -> None:
    original_NS, new_NS = noise(48_000, seed=1), noise(48_000, seed=2)
    for shape in (
        PolygonShape(points=((0.2, 500.0), (0.6, 500.0), (0.4, 3000.0))),
        BrushShape(points=((0.3, 1000.0), (0.5, 2000.0)), radius_s=0.05, radius_hz=300.0),
    ):
        mixed_NS = composite(original_NS, new_NS, 48_000, Mask(shapes=(shape,)))
        changed = np.flatnonzero(mixed_NS != original_NS)
        assert changed.size > 1000
        assert changed.min() / 48_000 >= 0.2
        assert changed.max() / 48_000 <= 0.6


def test_a_fade_has_equal_power_and_starts_from_the_original() -> None:
    envelope_S = envelope((TimeSpan(start_s=0.0, end_s=1.0),), 1000, 1000, 0.1)
    ones_1S, zeros_1S = np.ones((1, 1000)), np.zeros((1, 1000))
    out_S = crossfade(ones_1S, zeros_1S, envelope_S)[0]
    in_S = crossfade(zeros_1S, ones_1S, envelope_S)[0]
    assert np.allclose(out_S**2 + in_S**2, 1.0)
    assert out_S[0] > 0.99
    assert np.all(np.diff(in_S[:100]) >= 0)
    assert np.array_equal(in_S[101:899], np.ones(798))
    assert np.allclose(in_S, in_S[::-1])


def test_fades_of_a_short_span_meet_in_the_middle() -> None:
    envelope_S = envelope((TimeSpan(start_s=0.01, end_s=0.02),), 100, 1000, 0.5)
    assert not envelope_S[:10].any()
    assert not envelope_S[20:].any()
    assert 0 < envelope_S[10] < envelope_S[12] < envelope_S[14] <= 1


@given(st.integers(0, 50), st.integers(0, 50))
def test_fit_length_cuts_or_pads(have: int, want: int) -> None:
    fitted_NS = fit_length(np.ones((2, have)), want)
    assert fitted_NS.shape == (2, want)
    assert fitted_NS.sum() == 2 * min(have, want)


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60), st.integers(1, 120))
def test_a_canvas_is_continuous_and_holds_the_whole_region(
    region: int, before: int, after: int, length: int
) -> None:
    file = np.arange(1, 1 + before + region + after, dtype=float)
    length = max(length, region)
    canvas_S, offset = surround(
        file[before : before + region], file[:before], file[before + region :], length
    )
    assert len(canvas_S) == length
    assert np.array_equal(canvas_S[offset : offset + region], file[before : before + region])
    if before + region + after > 1:
        assert np.abs(np.diff(canvas_S)).max(initial=0) <= 1
        assert len(np.unique(canvas_S)) == min(length, before + region + after)


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
    assert np.allclose(level.undo(normal_S), audio_S, atol=1e-12)


def test_silence_is_not_amplified() -> None:
    assert model_level(np.full(100, 1e-7)).gain == 1.0
    assert matching_gain(np.zeros(10), np.ones(10)) == 1.0
    assert channel_gains(np.zeros((2, 10))).tolist() == [1.0, 1.0]


def test_channels_keep_their_share_of_a_mono_result() -> None:
    audio_NS = np.stack([0.8 * noise(5000)[0], 0.2 * noise(5000)[0], np.zeros(5000)])
    new_S = noise(5000, seed=3)[0]
    spread_NS = channel_gains(audio_NS)[:, None] * new_S
    gain = matching_gain(audio_NS, spread_NS)
    for source_S, result_S in zip(audio_NS, gain * spread_NS, strict=True):
        assert rms(result_S) == pytest.approx(rms(source_S), rel=1e-6)


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
    assert safe_gain(np.array([2.0]), 1.0) == 0.5
    assert safe_gain(np.array([0.5]), 1.0) == 1.0
    assert rms(np.zeros(0)) == 0.0


def test_a_whole_region_is_replaced_but_for_its_edges() -> None:
    original_NS, new_NS = noise(48_000, 2, 1), noise(48_000, 2, 2)
    mixed_NS = composite(original_NS, new_NS, 48_000, None)
    assert np.array_equal(mixed_NS[:, 481:-481], new_NS[:, 481:-481])
    assert np.allclose(mixed_NS[:, [0, -1]], original_NS[:, [0, -1]], atol=2e-3)
    timed_NS = composite(original_NS, new_NS, 48_000, time_mask(0.25, 0.75))
    assert np.array_equal(timed_NS[:, 13_000:35_000], new_NS[:, 13_000:35_000])

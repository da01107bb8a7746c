"""The contract of every edit, with noise in place of a model: only what is asked for changes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pyloudnorm import Meter

from engine.audio.grid import LatentGrid, samples_at, spans
from engine.audio.io import AudioClip
from engine.audio.level import decibels, peak, rms
from engine.edit.contract import Contract
from engine.edit.edit import Edit, changed_part, contract, edit_of, finished, placed
from engine.edit.loudness import loudness_lufs, true_peak_db
from engine.edit.patches import masked_spans
from engine.edit.rules import effective_mask
from engine.errors import SpecError
from engine.types import (
    BrushShape,
    Highs,
    Mask,
    MaskOp,
    PolygonShape,
    RectShape,
    Region,
    RenderSpec,
    Stereo,
    Task,
    TimeSpan,
)

RATES_HZ = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)
GRID = LatentGrid(sample_rate_hz=16_000, hop_samples=160, mel_bins=64, low_hz=0.0, high_hz=8000.0, ratio=8)
CANVAS_S = 2.56
SPEC = RenderSpec(task=Task.INPAINT, prompt="rain", region=Region(path="unread"), mask=Mask(
    shapes=(RectShape(span=TimeSpan(start_s=0.0, end_s=1.0)),)
))  # fmt: skip
TRANSFER = replace(SPEC, task=Task.TRANSFER, mask=None)


def clip_of(
    length: int, rate_hz: int = 48_000, channels: int = 2, seed: int = 0, dtype: type = np.float32
) -> AudioClip:
    audio_NS = np.random.default_rng(seed).normal(0, 0.1, (channels, length)).astype(dtype)
    return AudioClip(audio_NS=audio_NS, sample_rate_hz=rate_hz)


def prepared(spec: RenderSpec, clip: AudioClip) -> Edit:
    return edit_of(spec, clip, spec.mask, GRID, CANVAS_S)


def result_of(edit: Edit, made: list[np.ndarray]) -> AudioClip:
    """Return the region with what a model made of its canvases."""
    return finished(edit, placed(edit, made))


def edited(edit: Edit, seed: int = 7) -> AudioClip:
    """Finish an edit with noise, other for each voice, where a model's sound would be."""
    generator = np.random.default_rng(seed)
    return result_of(edit, [generator.normal(0, 0.15, canvas.audio_VS.shape) for canvas in edit.canvases])


def change_of(spec: RenderSpec, clip: AudioClip) -> tuple[np.ndarray, Contract]:
    edit = prepared(spec, clip)
    result = edited(edit)
    return result.audio_NS.astype(np.float64) - clip.audio_NS, contract(edit, result)


def rect(start_s: float, end_s: float, low_hz: float = 0.0, high_hz: float | None = None) -> Mask:
    return Mask(
        shapes=(RectShape(span=TimeSpan(start_s=start_s, end_s=end_s), low_hz=low_hz, high_hz=high_hz),)
    )


@st.composite
def masks(draw: st.DrawFn, duration_s: float, top_hz: float) -> Mask | None:
    """Draw any mask of up to three shapes within a region, or none."""
    if draw(st.booleans()):
        return None

    def point() -> tuple[float, float]:
        return draw(st.floats(0, duration_s)), draw(st.floats(0, top_hz))

    shapes: list[RectShape | PolygonShape | BrushShape] = []
    for _ in range(draw(st.integers(1, 3))):
        (start_s, low_hz), (end_s, high_hz) = sorted([point(), point()])
        low_hz, high_hz = sorted([low_hz, high_hz])
        span = TimeSpan(start_s=start_s, end_s=max(end_s, start_s + 1e-4))
        banded = RectShape(span=span, low_hz=low_hz, high_hz=max(high_hz, low_hz + 1.0))
        others = [
            RectShape(span=span),
            banded,
            replace(banded, op=MaskOp.SUBTRACT) if shapes else banded,
            PolygonShape(points=(point(), point(), (start_s, low_hz))),
            BrushShape(points=(point(), point()), radius_s=0.02 * duration_s + 1e-4, radius_hz=200.0),
        ]
        shapes.append(draw(st.sampled_from(others)))
    return Mask(
        shapes=tuple(shapes),
        feather_s=draw(st.sampled_from([0.0, 0.01, 0.2])),
        feather_hz=draw(st.sampled_from([0.0, 100.0])),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A clip of noise and what is asked of it; without a mask it is a transfer."""

    mask: Mask | None
    length: int
    rate_hz: int
    channels: int = 2
    dtype: type = np.float64
    highs: Highs = Highs.FOLLOW
    stereo: Stereo = Stereo.MID_SIDE

    def edit(self) -> Edit:
        clip = clip_of(self.length, self.rate_hz, self.channels, dtype=self.dtype)
        spec = replace(
            TRANSFER if self.mask is None else replace(SPEC, mask=self.mask),
            highs=self.highs,
            highs_model="wide",
            stereo=self.stereo,
        )
        return edit_of(spec, clip, self.mask, GRID, CANVAS_S)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rate_hz = draw(st.sampled_from(RATES_HZ))
    length = draw(st.one_of(st.integers(1, 200), st.integers(200, rate_hz)))
    mask = draw(masks(length / rate_hz, min(8000.0, rate_hz / 2)))
    assume(mask is None or masked_spans(mask, clip_of(length, rate_hz, channels=1)))
    return Case(
        mask=mask,
        length=length,
        rate_hz=rate_hz,
        channels=draw(st.integers(1, 8)),
        dtype=draw(st.sampled_from([np.float32, np.float64])),
        highs=draw(st.sampled_from(Highs)),
        stereo=draw(st.sampled_from(Stereo)),
    )


def two_rects(first_s: tuple[float, float], second_s: tuple[float, float], *band_hz: float) -> Mask:
    return Mask(shapes=(*rect(*first_s, *band_hz).shapes, *rect(*second_s, *band_hz).shapes))


@settings(max_examples=60, deadline=None)
@given(cases())
# Stretches so near each other that a frame is in both, and would reach out of both in between.
@example(Case(mask=two_rects((0.0, 0.001), (0.00107, 0.00195), 0.0, 1.0), length=32, rate_hz=16_000))
@example(Case(mask=two_rects((0.0, 0.0082), (0.0086, 0.011), 150.0, 330.0), length=90, rate_hz=8_000))
@example(Case(mask=two_rects((0.2, 0.5), (0.502, 0.8), 1500.0, 2500.0), length=48_000, rate_hz=48_000))
def test_whatever_the_file_and_the_mask_only_what_is_masked_changes(case: Case) -> None:
    edit = case.edit()
    result = edited(edit)
    promise = contract(edit, result)
    assert result.audio_NS.shape == edit.clip.audio_NS.shape
    assert result.audio_NS.dtype == edit.clip.audio_NS.dtype
    assert np.isfinite(result.audio_NS).all()
    assert promise.changed_outside == 0
    assert promise.outside_band_db is None or promise.outside_band_db < -120.0
    assert promise.true_peak_dbtp < max(-0.9, decibels(peak(edit.clip.audio_NS)) + 3.0)


@pytest.mark.parametrize("cut_samples", [0, 32, 100, 127, 128, 200])
def test_wherever_a_mask_ends_a_tone_in_a_narrow_band_of_it_does_not_click(cut_samples: int) -> None:
    """One bin of a frame sounds all along it: the frame must end before the mask does."""
    times_s = np.arange(96_000) / 48_000
    clip = replace(clip_of(1), audio_NS=0.5 * np.sin(2 * np.pi * 12.0 * times_s + 0.3)[None])
    edit = prepared(replace(SPEC, mask=rect(0.5, (71_936 - cut_samples) / 48_000, 0.0, 1.0)), clip)
    promise = contract(edit, result_of(edit, [0.5 * np.ones(one.audio_VS.shape) for one in edit.canvases]))
    assert promise.outside_band_db is not None
    assert promise.outside_band_db < -120.0


def test_where_all_bands_are_near_the_masked_ones_none_is_measured() -> None:
    few, many = (
        change_of(replace(SPEC, mask=rect(0.0, length / 16_000, 1000.0, 8000.0)), clip_of(length, 16_000))
        for length in (64, 16_000)
    )
    assert few[0].any() and few[1].outside_band_db is None
    assert many[1].outside_band_db is not None


def test_outside_the_masks_time_every_bit_stays() -> None:
    clip = clip_of(96_000)
    change_NS, _ = change_of(replace(SPEC, mask=rect(0.5, 1.0)), clip)
    changed_S = np.flatnonzero(change_NS.any(axis=0))
    assert (changed_S[0], changed_S[-1]) >= (24_000, 47_000)
    assert changed_S[-1] < 48_000


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 96_000])
def test_inside_only_the_masked_band_changes(rate_hz: int) -> None:
    clip = clip_of(2 * rate_hz, rate_hz, dtype=np.float64)
    change_NS, promise = change_of(replace(SPEC, mask=rect(0.5, 1.5, 1000.0, 3000.0)), clip)
    assert promise.outside_band_db is not None
    assert promise.outside_band_db < -120.0
    spectrum = np.abs(np.fft.rfft(change_NS[0] * np.kaiser(len(change_NS[0]), 30.0)))
    freqs_hz = np.fft.rfftfreq(change_NS.shape[1], 1 / rate_hz)
    inside = (freqs_hz > 1200) & (freqs_hz < 2800)
    outside = (freqs_hz < 700) | (freqs_hz > 3300)
    assert spectrum[outside].max() < 1e-5 * spectrum[inside].max()


def test_after_rounding_to_16_bits_what_is_outside_the_band_is_within_one_step() -> None:
    steps_NS = np.round(clip_of(96_000, dtype=np.float64).audio_NS * 32768)
    clip = replace(clip_of(1), audio_NS=(steps_NS / 32768).astype(np.float32), subtype="PCM_16")
    edit = prepared(replace(SPEC, mask=rect(0.5, 1.5, 1000.0, 3000.0)), clip)
    result_NS = np.round(edited(edit).audio_NS.astype(np.float64) * 32768)
    change_NS = result_NS - steps_NS
    spectrum = np.fft.rfft(change_NS, axis=1)
    freqs_hz = np.fft.rfftfreq(change_NS.shape[1], 1 / 48_000)
    spectrum[:, (freqs_hz > 850) & (freqs_hz < 3150)] = 0
    middle = slice(26_400, 69_600)
    assert np.sqrt(np.mean(np.fft.irfft(spectrum, axis=1)[:, middle] ** 2)) < 1.0


@pytest.mark.parametrize("seconds", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("level", [0.003, 0.05, 0.15])
def test_the_new_part_is_as_loud_as_what_it_replaces(seconds: float, level: float) -> None:
    clip = clip_of(int(seconds * 48_000))
    clip = replace(clip, audio_NS=clip.audio_NS * np.float32(level / 0.1))
    _, promise = change_of(TRANSFER, clip)
    assert promise.loudness_before_lufs is not None
    assert promise.loudness_after_lufs == pytest.approx(promise.loudness_before_lufs, abs=1.0)


def test_without_matching_the_new_part_has_the_models_level() -> None:
    clip = clip_of(48_000)
    edit = prepared(replace(TRANSFER, match_level=False, stereo=Stereo.CHANNELS), clip)
    louder = result_of(edit, [2 * canvas.audio_VS for canvas in edit.canvases])
    inner = slice(4_800, -4_800)
    low_NS = np.stack(
        [np.convolve(c, np.ones(8) / 8, "same") for c in (louder.audio_NS - clip.audio_NS)[:, inner]]
    )
    had_NS = np.stack([np.convolve(c, np.ones(8) / 8, "same") for c in clip.audio_NS[:, inner]])
    assert rms(low_NS) == pytest.approx(rms(had_NS), rel=0.25)


def test_the_models_own_sound_of_a_region_comes_back_in_time() -> None:
    """What the model does not change comes back within a thousandth, so there is no delay at all."""
    clip = clip_of(48_000, dtype=np.float64)
    clip = replace(clip, audio_NS=np.cumsum(clip.audio_NS, axis=1) * 0.02)
    clip = replace(clip, audio_NS=clip.audio_NS - clip.audio_NS.mean(axis=1, keepdims=True))
    edit = prepared(replace(TRANSFER, match_level=False, highs=Highs.KEEP), clip)
    result = result_of(edit, [canvas.audio_VS for canvas in edit.canvases])
    inner = slice(2_000, -2_000)
    assert rms((result.audio_NS - clip.audio_NS)[:, inner]) < 1e-3 * rms(clip.audio_NS)


@pytest.mark.parametrize(("highs", "gain"), [(Highs.KEEP, 1.0), (Highs.DROP, 0.0)])
def test_what_lies_above_the_models_band_is_kept_or_dropped(highs: Highs, gain: float) -> None:
    clip = clip_of(96_000, dtype=np.float64)
    result = edited(prepared(replace(TRANSFER, highs=highs), clip))
    before, after = (above_of(audio_NS, 9_000) for audio_NS in (clip.audio_NS, result.audio_NS))
    inner = slice(9_600, -9_600)
    assert rms(after[:, inner] - gain * before[:, inner]) < 1e-3 * rms(before)


def test_highs_follow_the_new_sounds_envelope() -> None:
    clip = clip_of(96_000, channels=1, dtype=np.float64)
    edit = prepared(replace(TRANSFER, match_level=False), clip)
    (canvas,) = edit.canvases
    faded_VS = canvas.audio_VS.copy()
    later = -canvas.first_sample + 16_000
    faded_VS[:, later:] *= 0.1
    result = result_of(edit, [faded_VS])
    before, after = (above_of(audio_NS, 9_000)[0] for audio_NS in (clip.audio_NS, result.audio_NS))
    assert rms(after[9_600:43_200]) == pytest.approx(rms(before[9_600:43_200]), rel=0.1)
    assert rms(after[52_800:86_400]) == pytest.approx(0.1 * rms(before[52_800:86_400]), rel=0.2)


def above_of(audio_NS: np.ndarray, low_hz: float, rate_hz: int = 48_000) -> np.ndarray:
    spectrum = np.fft.rfft(audio_NS, axis=1)
    spectrum[:, np.fft.rfftfreq(audio_NS.shape[1], 1 / rate_hz) < low_hz] = 0
    return np.fft.irfft(spectrum, audio_NS.shape[1], axis=1)


@pytest.mark.parametrize("share", [-0.9, 0.0, 0.5, 0.95])
def test_the_stereo_image_stays(share: float) -> None:
    """Middle and side keep their balance and their correlation, whatever the model made of them."""
    generator = np.random.default_rng(3)
    middle_S, apart_S = generator.normal(0, 0.1, (2, 96_000))
    side_S = 0.4 * (share * middle_S + np.sqrt(1 - share**2) * apart_S)
    clip = replace(clip_of(1), audio_NS=np.stack([middle_S + side_S, middle_S - side_S]))
    edit = prepared(TRANSFER, clip)
    promise = contract(edit, edited(edit))
    assert promise.correlation_after == pytest.approx(promise.correlation_before, abs=0.05)
    (canvas,) = edit.canvases
    alike = contract(edit, result_of(edit, [np.stack([canvas.audio_VS[0]] * 2)]))
    assert alike.correlation_after == pytest.approx(promise.correlation_before, abs=0.05)


def test_only_the_middle_is_made_anew_when_the_side_is_kept() -> None:
    clip = clip_of(96_000, dtype=np.float64)
    clip = replace(clip, audio_NS=0.3 * clip.audio_NS)
    edit = prepared(replace(TRANSFER, stereo=Stereo.MID, highs=Highs.KEEP), clip)
    assert [canvas.audio_VS.shape[0] for canvas in edit.canvases] == [1]
    result = edited(edit)
    side_S, new_side_S = (audio_NS[0] - audio_NS[1] for audio_NS in (clip.audio_NS, result.audio_NS))
    assert np.abs(new_side_S - side_S).max() < 1e-9
    assert not np.allclose(result.audio_NS, clip.audio_NS, atol=1e-3)


def test_every_channel_keeps_its_level_and_silence_stays_silent() -> None:
    clip = clip_of(48_000, channels=4)
    levels_N = np.array([[1.0], [0.1], [0.0], [0.5]], dtype=np.float32)
    clip = replace(clip, audio_NS=clip.audio_NS * levels_N)
    edit = prepared(TRANSFER, clip)
    assert edit.voices.count == 3
    result = edited(edit)
    assert not result.audio_NS[2].any()
    for before_S, after_S in zip(clip.audio_NS[[0, 1, 3]], result.audio_NS[[0, 1, 3]], strict=True):
        assert decibels(rms(after_S) / rms(before_S)) == pytest.approx(0.0, abs=1.0)


def test_equal_channels_stay_equal_and_cost_nothing() -> None:
    mono_NS = clip_of(48_000, channels=1).audio_NS
    for stereo in Stereo:
        edit = prepared(
            replace(TRANSFER, stereo=stereo), replace(clip_of(1), audio_NS=np.repeat(mono_NS, 2, axis=0))
        )
        assert edit.voices.count == 1
        left_S, right_S = edited(edit).audio_NS
        assert np.array_equal(left_S, right_S)


def test_channels_that_cancel_are_heard_and_still_cancel() -> None:
    mono_NS = clip_of(48_000, channels=1).audio_NS
    edit = prepared(TRANSFER, replace(clip_of(1), audio_NS=np.concatenate([mono_NS, -mono_NS])))
    left_S, right_S = edited(edit).audio_NS
    assert np.array_equal(left_S, -right_S)


def test_the_true_peak_stays_below_the_ceiling_and_what_is_not_too_high_keeps_its_level() -> None:
    clip = clip_of(96_000)
    clip = replace(clip, audio_NS=np.clip(clip.audio_NS, -0.3, 0.3))
    edit = prepared(TRANSFER, clip)
    generator = np.random.default_rng(1)
    (canvas,) = edit.canvases
    spiky_VS = generator.normal(0, 0.1, canvas.audio_VS.shape)
    spiky_VS[:, ::4000] = 3.0
    promise = contract(edit, result_of(edit, [spiky_VS]))
    assert promise.true_peak_dbtp < -0.95


def test_a_loud_original_is_no_reason_to_silence_a_band_of_it() -> None:
    times_s = np.arange(96_000) / 48_000
    loud_NS = np.stack([np.sin(2 * np.pi * 100 * times_s)] * 2) * 0.99
    clip = replace(clip_of(1), audio_NS=loud_NS + clip_of(96_000, dtype=np.float64).audio_NS * 0.1)
    change_NS, promise = change_of(replace(SPEC, mask=rect(0.5, 1.5, 1000.0, 3000.0)), clip)
    assert rms(change_NS[:, 36_000:60_000]) > 1e-4
    assert promise.true_peak_dbtp < decibels(peak(clip.audio_NS)) + 0.5


def test_seams_do_not_click() -> None:
    times_s = np.arange(96_000) / 48_000
    clip = replace(clip_of(1), audio_NS=np.stack([np.sin(2 * np.pi * 220 * times_s)] * 2) * 0.4)
    edit = prepared(replace(SPEC, mask=rect(0.51, 1.23)), clip)
    (canvas,) = edit.canvases
    rendered_VS = 0.4 * np.cos(2 * np.pi * 330 * np.arange(canvas.audio_VS.shape[1]) / 16_000)[None]
    assert contract(edit, result_of(edit, [rendered_VS])).seam_db < 3.0


def test_a_fade_of_unlike_sounds_keeps_their_power() -> None:
    spec = replace(SPEC, mask=replace(rect(0.5, 1.5), feather_s=0.2), highs=Highs.DROP)
    levels = []
    for seed in range(8):
        clip = clip_of(32_000, 16_000, channels=1, seed=seed)
        edit = prepared(spec, clip)
        levels.append(np.square(edited(edit, seed=100 + seed).audio_NS[0, 8_000:12_000]))
    power_S = np.mean(levels, axis=0).reshape(20, -1).mean(axis=1)
    assert power_S.min() > 0.7 * power_S.max()


def test_spans_far_apart_are_rendered_apart_and_near_ones_together() -> None:
    clip = clip_of(16_000 * 60, 16_000, channels=1)
    two = Mask(shapes=(*rect(2.0, 3.0).shapes, *rect(50.0, 51.0).shapes))
    edit = prepared(replace(SPEC, mask=two), clip)
    assert [canvas.audio_VS.shape[1] / 16_000 for canvas in edit.canvases] == pytest.approx(
        [2.56, 2.56], abs=0.1
    )
    near = Mask(shapes=(*rect(2.0, 3.0).shapes, *rect(3.5, 4.5).shapes))
    assert len(prepared(replace(SPEC, mask=near), clip).canvases) == 1
    change_NS, promise = change_of(replace(SPEC, mask=two), clip)
    assert promise.changed_outside == 0
    for span in spans(two):
        middle = samples_at(span.start_s + 0.5, 16_000)
        assert change_NS[:, middle - 800 : middle + 800].any()


def test_the_changed_part_goes_from_the_first_masked_sample_to_the_last() -> None:
    clip = clip_of(96_000)
    two = Mask(shapes=(*rect(0.5, 0.6).shapes, *rect(1.0, 1.1).shapes))
    edit = prepared(replace(SPEC, mask=two), clip)
    assert changed_part(edit, clip).length_samples == samples_at(0.6, 48_000)


@pytest.mark.parametrize("mask", [None, rect(3.0, 27.0), rect(3.0, 27.0, 500.0, 2000.0)])
def test_a_long_region_placed_in_blocks_is_as_if_placed_at_once(
    mask: Mask | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = clip_of(30 * 16_000, 16_000, channels=1, dtype=np.float64)
    edit = edit_of(replace(SPEC, mask=mask or SPEC.mask), clip, mask, GRID, CANVAS_S)
    in_blocks = edited(edit)
    monkeypatch.setattr("engine.edit.placing._BLOCK_S", 100.0)
    assert np.abs(edited(edit).audio_NS - in_blocks.audio_NS).max() < 1e-9


def test_loudness_of_a_long_sound_is_that_of_its_whole() -> None:
    audio_NS = clip_of(16_000 * 75, 16_000).audio_NS * np.repeat([1.0, 0.01, 0.3], 400_000)
    whole_lufs = Meter(16_000).integrated_loudness(audio_NS.T.astype(np.float64))
    assert loudness_lufs(audio_NS, 16_000) == pytest.approx(whole_lufs, abs=0.02)
    tone_NS = np.sin(2 * np.pi * 997 * np.arange(480_000) / 48_000)[None]
    assert loudness_lufs(tone_NS, 48_000) == pytest.approx(-3.01, abs=0.05)
    assert loudness_lufs(np.repeat(tone_NS, 8, axis=0), 48_000) == pytest.approx(-3.01 + 9.03, abs=0.05)
    assert loudness_lufs(np.zeros((2, 480)), 48_000) == -np.inf


def test_a_true_peak_between_two_samples_is_seen() -> None:
    quarter_NS = np.sin(2 * np.pi * 12_000 * np.arange(48_000) / 48_000 + np.pi / 4)[None]
    assert decibels(peak(quarter_NS)) == pytest.approx(-3.01, abs=0.01)
    assert true_peak_db(quarter_NS[:, 1000:-1000]) == pytest.approx(0.0, abs=0.3)


def test_what_is_above_the_model_is_left_out_of_a_mask() -> None:
    clip = clip_of(96_000)
    low, high = rect(0.5, 1.0, 440.0, 900.0).shapes[0], rect(0.5, 1.0, 9_000.0, 9_500.0).shapes[0]
    spec = replace(SPEC, mask=Mask(shapes=(low, high)))
    assert effective_mask(spec, clip, GRID) == Mask(shapes=(low,))
    with pytest.raises(SpecError, match="starts at 9000 Hz, but only 8000 Hz"):
        effective_mask(replace(SPEC, mask=Mask(shapes=(high,))), clip, GRID)

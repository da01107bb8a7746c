"""What an edit does to the sound: defects and attacks go, levels and constants stay, all bands together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.audio.io import AudioClip
from engine.audio.level import peak, rms
from engine.edit.edit import contract
from engine.edit.loudness import loudness_lufs, true_peak_db
from engine.types import Highs, Mask, RectShape, Task, TimeSpan
from tests.unit.test_edit import SPEC, TRANSFER, clip_of, edited, prepared, rect, result_of

RATE_HZ = 48_000
CLICK = RATE_HZ


def soft_music(seconds: float = 2.0) -> AudioClip:
    """Return a low, steady sound of both channels, with nothing sudden in it."""
    time_S = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    voice_S = 0.1 * np.sin(2 * np.pi * 220 * time_S) + 0.05 * np.sin(2 * np.pi * 331 * time_S)
    clip = clip_of(len(time_S), RATE_HZ)
    return replace(clip, audio_NS=np.stack([voice_S, 0.8 * voice_S]).astype(np.float32))


def inpainted(clip: AudioClip, mask: Mask, gain: float = 0.3, *, match_level: bool = True) -> AudioClip:
    edit = prepared(replace(SPEC, mask=mask, match_level=match_level), clip)
    chance = np.random.default_rng(3)
    return result_of(edit, [gain * chance.normal(0, 0.1, one.audio_VS.shape) for one in edit.canvases])


@pytest.mark.parametrize("before_s", [0.001, 0.003, 0.007, 0.015, 0.029, 0.3])
@pytest.mark.parametrize("after_s", [0.004, 0.012, 0.02, 0.2])
def test_a_click_in_the_mask_goes(before_s: float, after_s: float) -> None:
    clip = soft_music()
    clip.audio_NS[:, CLICK : CLICK + 20] = 0.9
    # Not as loud as what was there: that is the click.
    result = inpainted(clip, rect(1.0 - before_s, 1.0 + after_s), match_level=False)
    assert peak(result.audio_NS) < 0.45


def test_where_nothing_stands_out_a_fade_looks_for_quiet() -> None:
    clip = soft_music()
    clip.audio_NS[:, CLICK + 480 : CLICK + 1_200] *= 0.01
    result = inpainted(clip, rect(1.0, 1.6), gain=1.0)
    changed_S = (result.audio_NS != clip.audio_NS).any(axis=0)
    assert CLICK + 400 < int(np.argmax(changed_S)) < CLICK + 1_200


@pytest.mark.parametrize("seed", range(4))
def test_a_loop_that_begins_with_a_hit_begins_anew(seed: int) -> None:
    clip = soft_music()
    decay_S = np.exp(-np.arange(4_800) / 900)
    clip.audio_NS[:, :4_800] += (0.7 * decay_S * np.sin(np.arange(4_800) * 0.01)).astype(np.float32)
    result = edited(prepared(TRANSFER, clip), seed)
    head = slice(48, 480)
    kept = float(
        np.sum(result.audio_NS[:, head] * clip.audio_NS[:, head]) / np.sum(clip.audio_NS[:, head] ** 2)
    )
    assert abs(kept) < 0.5


def test_each_stretch_of_a_mask_gets_the_level_that_was_there() -> None:
    clip = clip_of(4 * RATE_HZ)
    clip.audio_NS[:, RATE_HZ : 2 * RATE_HZ] *= 0.1
    spans = ((0.3, 0.7), (1.2, 1.6), (2.5, 3.5))
    shapes = tuple(RectShape(span=TimeSpan(start_s=start, end_s=end)) for start, end in spans)
    result = edited(prepared(replace(SPEC, mask=Mask(shapes=shapes)), clip))
    for start, end in spans:
        inside = slice(round(start * RATE_HZ), round(end * RATE_HZ))
        before, after = (loudness_lufs(one.audio_NS[:, inside], RATE_HZ) for one in (clip, result))
        assert after == pytest.approx(before, abs=0.7)


@pytest.mark.parametrize("highs", [Highs.KEEP, Highs.FOLLOW, Highs.DROP])
def test_loudness_is_matched_with_all_that_is_above_the_band(highs: Highs) -> None:
    clip = clip_of(2 * RATE_HZ)
    edit = prepared(replace(TRANSFER, highs=highs), clip)
    chance = np.random.default_rng(1)
    dull = [chance.normal(0, 0.1, one.audio_VS.shape) for one in edit.canvases]
    dull = [np.apply_along_axis(np.convolve, 1, one, np.ones(6) / 6, "same") for one in dull]
    promise = contract(edit, result_of(edit, dull))
    assert promise.loudness_before_lufs is not None
    assert promise.loudness_after_lufs == pytest.approx(promise.loudness_before_lufs, abs=1.0)


def test_a_constant_stays_where_something_is_made_anew() -> None:
    clip = soft_music()
    clip.audio_NS[:] += 0.3
    result = inpainted(clip, rect(0.5, 1.5))
    inside = slice(round(0.6 * RATE_HZ), round(1.4 * RATE_HZ))
    assert result.audio_NS[:, inside].mean() == pytest.approx(0.3, abs=0.005)


def test_a_hole_in_silence_is_no_blast() -> None:
    clip = replace(soft_music(), audio_NS=np.zeros((2, 2 * RATE_HZ), dtype=np.float32))
    result = inpainted(clip, rect(0.5, 1.5), gain=5.0)
    inside = result.audio_NS[:, round(0.5 * RATE_HZ) : round(1.5 * RATE_HZ)]
    assert -30 < loudness_lufs(inside, RATE_HZ) < -19


@pytest.mark.parametrize("level", [0.0, 1e-7, 1e-6, 3e-4])
def test_a_transfer_of_what_nobody_hears_is_no_blast(level: float) -> None:
    noise_NS = np.random.default_rng(1).normal(0, level, (2, 2 * RATE_HZ)).astype(np.float32)
    edit = prepared(replace(SPEC, task=Task.TRANSFER, mask=None), replace(soft_music(), audio_NS=noise_NS))
    chance = np.random.default_rng(3)
    result = result_of(edit, [chance.normal(0, 0.5, one.audio_VS.shape) for one in edit.canvases])
    assert -70 < loudness_lufs(result.audio_NS, RATE_HZ) < -19


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_a_true_peak_is_no_lower_than_any_sample(seed: int, clipped: float) -> None:
    audio_NS = np.random.default_rng(seed).normal(0, 0.5, (2, 3_000))
    audio_NS = np.clip(audio_NS, -1.0 + clipped / 2, 1.0 - clipped / 2)
    assert true_peak_db(audio_NS) >= 20 * np.log10(np.abs(audio_NS).max()) - 1e-9


@pytest.mark.parametrize("highs", [Highs.KEEP, Highs.FOLLOW, Highs.DROP])
def test_hot_sources_come_out_below_the_ceiling(highs: Highs) -> None:
    clip = clip_of(2 * RATE_HZ)
    clip = replace(clip, audio_NS=np.clip(20 * clip.audio_NS, -1.0, 1.0))
    result = edited(prepared(replace(TRANSFER, highs=highs, task=Task.TRANSFER), clip))
    inner = result.audio_NS[:, 4_800:-4_800]
    assert rms(inner) > 0.05
    assert true_peak_db(inner) < -0.8
    assert peak(inner) <= 10 ** (-1.0 / 20) + 1e-4

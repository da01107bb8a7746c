from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import ClapFeatureExtractor

from engine.models.clap_features import CLAP_WINDOW_SAMPLES, ClapFeatures, even_windows, fit_window


def noise(samples: int, clips: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(clips, samples, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize("samples", [1, 48_000, 170_001, CLAP_WINDOW_SAMPLES])
def test_features_equal_the_transformers_extractor(samples: int) -> None:
    reference = ClapFeatureExtractor(truncation="rand_trunc", frequency_min=50, padding="repeatpad")
    audio_BS = noise(samples)
    expected = reference(audio_BS[0].numpy(), sampling_rate=48_000, return_tensors="pt")["input_features"]
    features = ClapFeatures()(audio_BS)
    assert features.shape == (1, 1, 1001, 64)
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=0)


def test_a_batch_is_its_clips_one_by_one() -> None:
    audio_BS = noise(60_000, clips=3)
    front_end = ClapFeatures()
    torch.testing.assert_close(front_end(audio_BS), torch.cat([front_end(clip[None]) for clip in audio_BS]))


def test_silence_is_the_floor() -> None:
    assert torch.equal(ClapFeatures()(torch.zeros(1, 9000)), torch.full((1, 1, 1001, 64), -100.0))


def test_a_gain_is_a_shift_in_decibels() -> None:
    front_end, audio_BS = ClapFeatures(), noise(CLAP_WINDOW_SAMPLES)
    shift = front_end(3.0 * audio_BS) - front_end(audio_BS)
    torch.testing.assert_close(shift, torch.full_like(shift, 20 * math.log10(3.0)), atol=1e-4, rtol=0)


def test_a_short_clip_is_repeated_whole_then_silent() -> None:
    fitted_S = fit_window(torch.arange(1.0, 200_001.0)[None])[0]
    assert torch.equal(fitted_S[200_000:400_000], fitted_S[:200_000])
    assert not fitted_S[400_000:].any()


def test_of_a_long_clip_features_see_the_middle() -> None:
    fitted_S = fit_window(torch.arange(CLAP_WINDOW_SAMPLES + 1000)[None])[0]
    assert fitted_S[0] == 500 and fitted_S[-1] == CLAP_WINDOW_SAMPLES + 499


@settings(max_examples=15, deadline=None)
@given(st.integers(CLAP_WINDOW_SAMPLES, 4 * CLAP_WINDOW_SAMPLES))
def test_windows_are_the_fewest_that_cover_a_long_clip_evenly(samples: int) -> None:
    windows_KS = even_windows(torch.arange(samples)[None])[0]
    starts = windows_KS[:, 0].tolist()
    assert len(starts) == math.ceil(samples / CLAP_WINDOW_SAMPLES)
    assert starts[0] == 0 and windows_KS[-1, -1] == samples - 1
    steps = [later - earlier for earlier, later in pairwise(starts)]
    assert all(step <= CLAP_WINDOW_SAMPLES for step in steps)
    assert not steps or max(steps) - min(steps) <= 1


def test_reduced_precision_around_does_not_reach_the_features() -> None:
    audio_BS, front_end = noise(48_000), ClapFeatures()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = front_end(audio_BS)
    assert torch.equal(inside, front_end(audio_BS))


def test_the_front_end_adds_nothing_to_a_checkpoint() -> None:
    assert not ClapFeatures().state_dict()

"""Generations at the rate of a session."""

from __future__ import annotations

import numpy as np
import pytest

from engine.edit.generation import FADE_OUT_S, generated_clip
from engine.spec_json import spec_from_dict, spec_to_dict
from engine.types import RenderSpec, Task

MODEL_HZ = 16_000
EDGE_S = 0.02


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000, 192_000])
def test_a_generation_is_the_same_sound_at_any_rate(rate_hz: int) -> None:
    made_S = 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(MODEL_HZ) / MODEL_HZ).astype(np.float32)
    clip = generated_clip(made_S, 0.75, MODEL_HZ, rate_hz)
    assert (clip.sample_rate_hz, clip.length_samples) == (rate_hz, round(0.75 * rate_hz))
    wanted_S = 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(clip.length_samples) / rate_hz)
    inner = slice(round(EDGE_S * rate_hz), -round((EDGE_S + FADE_OUT_S) * rate_hz))
    assert np.max(np.abs(clip.audio_NS[0] - wanted_S)[inner]) < 1e-4


def test_without_a_rate_it_is_the_models_to_the_bit() -> None:
    made_S = np.random.default_rng(0).normal(0, 0.1, MODEL_HZ).astype(np.float32)
    asked, unasked = generated_clip(made_S, 0.5, MODEL_HZ, MODEL_HZ), generated_clip(made_S, 0.5, MODEL_HZ)
    assert np.array_equal(asked.audio_NS, unasked.audio_NS) and unasked.sample_rate_hz == MODEL_HZ


def test_the_rate_is_part_of_the_spec() -> None:
    spec = RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=1.0, sample_rate_hz=48_000)
    assert spec_from_dict(spec_to_dict(spec)) == spec


@pytest.mark.parametrize("rate_hz", [7_999, 192_001])
def test_a_rate_that_no_file_may_have_is_refused(rate_hz: int) -> None:
    with pytest.raises(ValueError, match="sample_rate_hz must be from 8000 to 192000"):
        RenderSpec(task=Task.GENERATE, prompt="rain", duration_s=1.0, sample_rate_hz=rate_hz)


def test_an_edit_keeps_the_rate_of_its_region() -> None:
    with pytest.raises(ValueError, match="transfer keeps the rate of its region"):
        spec_from_dict(
            {"task": "transfer", "prompt": "rain", "region": {"path": "a.wav"}, "sample_rate_hz": 48_000}
        )

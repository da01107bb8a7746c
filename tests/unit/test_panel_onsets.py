"""Onsets found where they were put. Legend: N channels, S samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sound_sources import HeldSound
from ui.sound.onsets import TILE_S, onsets_s

RATE_HZ = 48_000


def clicks(times_s: list[float], duration_s: float, rate_hz: int = RATE_HZ, level: float = 0.5) -> HeldSound:
    sound_S = np.zeros(round(duration_s * rate_hz), np.float32)
    decay_S = np.exp(-np.arange(round(0.02 * rate_hz)) / (0.004 * rate_hz))
    for time_s in times_s:
        at = round(time_s * rate_hz)
        room = min(len(decay_S), len(sound_S) - at)
        sound_S[at : at + room] += level * (decay_S * np.sin(np.arange(len(decay_S)) * 0.7 + 1))[:room]
    return HeldSound(sound_S[None], rate_hz)


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 48), min_size=1, max_size=12, unique=True),
    st.sampled_from([16_000, 44_100, 96_000]),
    st.floats(0.02, 0.9),
)
def test_clicks_are_found_to_two_milliseconds(tenths: list[int], rate_hz: int, level: float) -> None:
    times_s = sorted(tenth / 10 + 0.0137 for tenth in tenths)
    found_s = onsets_s(clicks(times_s, 5.0, rate_hz, level), 0)
    assert len(found_s) == len(times_s)
    np.testing.assert_allclose(found_s, times_s, atol=0.002)


def test_each_onset_belongs_to_one_stretch() -> None:
    times_s = [0.5, 4.9, 5.2, 9.99, 12.0]
    sound = clicks(times_s, 13.0)
    found_s = [time_s for tile in range(3) for time_s in onsets_s(sound, tile)]
    np.testing.assert_allclose(found_s, times_s, atol=0.002)
    assert all(TILE_S <= time_s < 2 * TILE_S for time_s in onsets_s(sound, 1))


def test_clicks_in_noise_are_found() -> None:
    sound = clicks([1.0, 2.0, 3.0], 5.0)
    rng = np.random.default_rng(0)
    sound.audio_NS = sound.audio_NS + 0.002 * rng.standard_normal(sound.audio_NS.shape).astype(np.float32)
    found_s = np.array(onsets_s(sound, 0))
    for time_s in (1.0, 2.0, 3.0):
        assert np.abs(found_s - time_s).min() < 0.002
    assert len(found_s) <= 4


@pytest.mark.parametrize("sound", [np.zeros((2, 1000)), np.full((1, 240_000), 0.5), np.zeros((1, 1))])
def test_silence_has_no_onsets(sound: np.ndarray) -> None:
    assert onsets_s(HeldSound(sound.astype(np.float32)), 1) == ()


def test_a_steady_tone_has_none_but_its_beginning() -> None:
    time_S = np.arange(5 * RATE_HZ) / RATE_HZ
    tone_S = 0.5 * np.sin(2 * np.pi * 55.0 * time_S) * (time_S >= 1.0)
    found_s = onsets_s(HeldSound(tone_S[None].astype(np.float32)), 0)
    assert len(found_s) == 1 and found_s[0] == pytest.approx(1.0, abs=0.006)

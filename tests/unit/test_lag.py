"""How far apart the onsets of two sounds are."""

from __future__ import annotations

import numpy as np
import pytest

from engine.audio.lag import onset_lag_s
from engine.audio.resample import resample


def hits(rate_hz: int, later_s: float = 0.0, seed: int = 0, seconds: float = 3.0) -> np.ndarray:
    """Return bursts of noise that die away, at times that the seed alone tells."""
    chance = np.random.default_rng(seed)
    audio_1S = np.zeros((1, round(seconds * rate_hz)))
    burst_S = chance.normal(0, 0.3, rate_hz // 10) * np.exp(-np.arange(rate_hz // 10) / (0.02 * rate_hz))
    for begin_s in np.sort(chance.uniform(0.1, seconds - 0.3, 8)):
        start = round((begin_s + later_s) * rate_hz)
        audio_1S[:, start : start + len(burst_S)] += burst_S
    return audio_1S


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("lag_ms", [-12.3, -1.0, -0.4, 0.0, 0.6, 5.0])
def test_a_known_lag_is_found(rate_hz: int, lag_ms: float) -> None:
    found_s = onset_lag_s(hits(rate_hz), hits(rate_hz, lag_ms / 1000), rate_hz)
    assert found_s is not None
    assert 1000 * found_s == pytest.approx(lag_ms, abs=0.35)


def test_other_levels_bands_and_decays_make_no_lag() -> None:
    before_1S = hits(48_000)
    duller_1S = 0.1 * resample(resample(before_1S, 48_000, 16_000), 16_000, 48_000)
    found_s = onset_lag_s(before_1S, duller_1S, 48_000)
    assert found_s is not None and abs(found_s) < 0.0005


@pytest.mark.parametrize(
    "after_1S",
    [hits(48_000, seed=9), np.zeros((1, 144_000)), np.full((1, 144_000), 0.1), hits(48_000, 0.08)],
    ids=["other hits", "silence", "a constant", "too far"],
)
def test_what_is_not_alike_has_no_lag(after_1S: np.ndarray) -> None:
    assert onset_lag_s(hits(48_000), after_1S, 48_000) is None


def test_what_is_too_short_has_no_lag() -> None:
    for samples in (0, 1, 2, 100, 2_000):
        assert onset_lag_s(np.ones((2, samples)), np.ones((2, samples)), 48_000) is None

"""Differentiable twins of built-in effects, beside pedalboard's own.

N channels, S samples, P parameters.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.audio.level import mono
from engine.audio.resample import resample
from engine.chains import Chain, Effect
from engine.edit.loudness import loudness_lufs
from engine.fx.text_to_effect.compressor import compressed
from engine.fx.text_to_effect.grid import Grid
from engine.fx.text_to_effect.loudness import MatchedHearing
from engine.fx.text_to_effect.rendering import going_on, render_here
from engine.fx.text_to_effect.reverb import Reverb
from engine.fx.text_to_effect.space import SearchedEffect, Template
from engine.fx.text_to_effect.templates import DEFAULT_ORDER, SEARCHED, template_of
from engine.fx.text_to_effect.twin import Twin, has_twin

LINEAR = ("highpass_filter", "lowpass_filter", "low_shelf_filter", "peak_filter", "high_shelf_filter")
ALL = (*LINEAR, "compressor", "distortion", "reverb")
ATTACK_MS, RELEASE_MS, THRESHOLD_DB, RATIO = 8.0, 120.0, -30.0, 4.0


def bursts(rate_hz: int, channels: int = 1, seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    """Return noise that comes and goes, different in each channel, float32 (N, S)."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * rate_hz)
    envelope_S = 0.02 + 0.3 * (np.sin(np.arange(samples) * 2 * math.pi * 3 / rate_hz) > 0.3)
    return (rng.standard_normal((channels, samples)) * envelope_S).astype(np.float32)


def difference_db(ours_S: np.ndarray, theirs_S: np.ndarray) -> float:
    error = np.mean((ours_S.astype(np.float64) - theirs_S) ** 2)
    return float(10 * np.log10(error / np.mean(theirs_S.astype(np.float64) ** 2) + 1e-30))


def rendered(chain: Chain, audio_NS: np.ndarray, rate_hz: int) -> np.ndarray:
    return render_here(going_on(chain), audio_NS, rate_hz)


def unrounded_chain(template: Template, shares_P: np.ndarray) -> Chain:
    """Return the chain at a point; a chain for people has four digits of each number."""
    parts = zip(template.effects, template.split(shares_P), strict=True)
    return Chain(
        effects=tuple(
            replace(
                effect.base, parameters={**effect.base.parameters, **{k: float(v) for k, v in values.items()}}
            )
            for effect, values in parts
        )
    )


def twin_difference_db(
    names: tuple[str, ...], shares_P: np.ndarray, audio_NS: np.ndarray, rate_hz: int
) -> float:
    template = template_of(names).for_rate(rate_hz)
    twin_S = Twin(template, audio_NS, rate_hz).processed(torch.tensor(shares_P)).numpy()
    real_NS = rendered(unrounded_chain(template, shares_P), audio_NS, rate_hz)
    return difference_db(twin_S, mono(real_NS))


def points(name: str, seed: int = 0, count: int = 3) -> np.ndarray:
    """Return points of an effect's space: random ones, and both ends of all ranges."""
    size = len(SEARCHED[name].ranges)
    drawn = np.random.default_rng(seed).uniform(size=(count, size))
    return np.concatenate([drawn, np.zeros((1, size)), np.ones((1, size))])


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("name", LINEAR)
def test_filters_are_pedalboards(name: str, rate_hz: int) -> None:
    audio_NS = bursts(rate_hz, seconds=0.5)
    found = [twin_difference_db((name,), point_P, audio_NS, rate_hz) for point_P in points(name)]
    assert max(found) < -70.0


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_reverb_is_pedalboards(rate_hz: int, channels: int) -> None:
    audio_NS = bursts(rate_hz, channels)
    for point_P in points("reverb"):
        assert twin_difference_db(("reverb",), point_P, audio_NS, rate_hz) < -55.0


def test_a_mono_reverb_depends_on_its_width() -> None:
    rate_hz, audio_NS = 16_000, bursts(16_000)
    base = Effect(effect="reverb", parameters={"width": 0.3})
    template = Template(effects=(SearchedEffect(base=base, ranges=SEARCHED["reverb"].ranges),))
    shares_P = np.full(len(template.ranges), 0.6)
    twin_S = Twin(template, audio_NS, rate_hz).processed(torch.tensor(shares_P)).numpy()
    real_NS = rendered(unrounded_chain(template, shares_P), audio_NS, rate_hz)
    assert difference_db(twin_S, real_NS[0]) < -55.0


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000, 96_000])
def test_the_compressor_is_pedalboards(rate_hz: int) -> None:
    audio_NS = bursts(rate_hz)
    for point_P in points("compressor"):
        assert twin_difference_db(("compressor",), point_P, audio_NS, rate_hz) < -90.0


def test_a_distortion_is_pedalboards() -> None:
    for point_P in points("distortion"):
        assert twin_difference_db(("distortion",), point_P, bursts(16_000), 16_000) < -90.0


@pytest.mark.parametrize("channels", [1, 2])
def test_a_whole_chain_of_linear_effects_is_pedalboards(channels: int) -> None:
    names = (*LINEAR, "reverb")
    size = len(template_of(names).ranges)
    shares_P = np.random.default_rng(3).uniform(0.1, 0.9, size)
    assert twin_difference_db(names, shares_P, bursts(48_000, channels), 48_000) < -50.0


def test_a_mono_chain_with_a_compressor_is_pedalboards() -> None:
    size = len(template_of(DEFAULT_ORDER).ranges)
    shares_P = np.random.default_rng(4).uniform(0.1, 0.9, size)
    assert twin_difference_db(DEFAULT_ORDER, shares_P, bursts(44_100), 44_100) < -45.0


def test_mix_and_bypass_are_followed() -> None:
    audio_NS, rate_hz = bursts(16_000), 16_000
    halves = Effect(effect="compressor", mix=0.5)
    off = Effect(effect="distortion", bypass=True, parameters={"drive_db": 30.0})
    shelf = Effect(effect="low_shelf_filter", mix=0.25)
    effects = (
        SearchedEffect(base=halves, ranges=SEARCHED["compressor"].ranges),
        SearchedEffect(base=off),
        SearchedEffect(base=shelf, ranges=SEARCHED["low_shelf_filter"].ranges),
    )
    template = Template(effects=effects)
    shares_P = np.full(len(template.ranges), 0.3)
    twin_S = Twin(template, audio_NS, rate_hz).processed(torch.tensor(shares_P)).numpy()
    assert difference_db(twin_S, rendered(unrounded_chain(template, shares_P), audio_NS, rate_hz)[0]) < -70.0


def test_what_has_no_twin_is_known() -> None:
    assert has_twin(template_of(ALL))
    chorus = SearchedEffect(base=Effect(effect="chorus"))
    frozen = SearchedEffect(base=Effect(effect="reverb", parameters={"freeze_mode": 1.0}))
    plugin = SearchedEffect(base=Effect(plugin="some.vst3"))
    for without in (chorus, frozen, plugin):
        assert not has_twin(Template(effects=(SEARCHED["peak_filter"], without)))


def naive_compressor(audio_S: np.ndarray, rate_hz: int) -> np.ndarray:
    attack, release = (math.exp(-2000 * math.pi / rate_hz / ms) for ms in (ATTACK_MS, RELEASE_MS))
    threshold, envelope, found = 10 ** (THRESHOLD_DB / 20), 0.0, []
    for sample in audio_S:
        level = abs(float(sample))
        envelope = level + (attack if level > envelope else release) * (envelope - level)
        gain = 1.0 if envelope < threshold else (envelope / threshold) ** (1 / RATIO - 1)
        found.append(gain * float(sample))
    return np.array(found)


def compressor_values(*, requires_grad: bool = False) -> dict[str, torch.Tensor]:
    names = ("threshold_db", "ratio", "attack_ms", "release_ms")
    numbers = (THRESHOLD_DB, RATIO, ATTACK_MS, RELEASE_MS)
    return {
        name: torch.tensor(number, dtype=torch.float64, requires_grad=requires_grad)
        for name, number in zip(names, numbers, strict=True)
    }


@given(seed=st.integers(0, 2**16), samples=st.integers(1, 400))
@settings(max_examples=25)
def test_the_envelope_is_that_of_the_recursion(seed: int, samples: int) -> None:
    audio_S = np.random.default_rng(seed).standard_normal(samples) * 0.2
    found_S = compressed(torch.from_numpy(audio_S), compressor_values(), 8000)
    np.testing.assert_allclose(found_S.numpy(), naive_compressor(audio_S, 8000), rtol=1e-9, atol=1e-12)


def test_an_attack_slower_than_the_release_is_followed() -> None:
    audio_NS, rate_hz = bursts(16_000), 16_000
    values = compressor_values() | {"attack_ms": torch.tensor(90.0), "release_ms": torch.tensor(20.0)}
    numbers = {name: float(value) for name, value in values.items()}
    real_NS = rendered(
        Chain(effects=(Effect(effect="compressor", parameters=dict(numbers)),)), audio_NS, rate_hz
    )
    found_S = compressed(torch.from_numpy(audio_NS[0]), values, rate_hz)
    assert difference_db(found_S.numpy(), real_NS[0]) < -90.0


def test_gradients_of_the_compressor() -> None:
    audio_S = torch.from_numpy(bursts(2000, seconds=0.1)[0].astype(np.float64)).requires_grad_()
    values = compressor_values(requires_grad=True)

    def loss(audio_S: torch.Tensor, *numbers: torch.Tensor) -> torch.Tensor:
        return compressed(audio_S, dict(zip(values, numbers, strict=True)), 2000)

    assert torch.autograd.gradcheck(loss, (audio_S, *values.values()), eps=1e-7, atol=1e-4, rtol=1e-3)


def test_gradients_of_a_whole_chain_point_uphill() -> None:
    rate_hz, audio_NS = 16_000, bursts(16_000, seconds=0.4)
    template = template_of(ALL).for_rate(rate_hz)
    twin = Twin(template, audio_NS, rate_hz)
    rng = np.random.default_rng(5)
    shares_P = torch.tensor(
        rng.uniform(0.2, 0.8, len(template.ranges)), dtype=torch.float32, requires_grad=True
    )
    weights_S = torch.from_numpy(bursts(48_000, seconds=0.4, seed=6)[0])
    (gradient_P,) = torch.autograd.grad((twin.heard(shares_P) * weights_S).sum(), shares_P)
    with torch.no_grad():
        for index in range(len(template.ranges)):
            step_P = torch.zeros_like(shares_P)
            step_P[index] = 2e-3
            ahead, behind = twin.heard(shares_P + step_P), twin.heard(shares_P - step_P)
            slope = float(((ahead.double() - behind.double()) * weights_S).sum()) / 4e-3
            assert math.isclose(float(gradient_P[index]), slope, rel_tol=0.05, abs_tol=0.02), index


def test_a_long_tail_does_not_wrap_around() -> None:
    grid = Grid.of(4000, 16_000)
    values = {name: torch.tensor(1.0) for name in ("room_size", "wet_level", "dry_level", "width")}
    response_F = Reverb(grid=grid, is_stereo=False).response(values | {"damping": torch.tensor(0.0)})
    click_S = torch.zeros(4000)
    click_S[3000] = 1.0
    found_S = grid.filtered(click_S, response_F)
    assert found_S[:3000].abs().max() < 3e-3 * found_S[3001:].abs().max()


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100, 48_000, 96_000])
def test_clap_hears_the_twin_as_resampled_by_the_engine(rate_hz: int) -> None:
    audio_1S = bursts(rate_hz, seconds=0.7)
    heard_S = MatchedHearing(torch.from_numpy(audio_1S[0]), rate_hz)(torch.from_numpy(audio_1S[0])).numpy()
    expected_S = resample(audio_1S, rate_hz, 48_000)[0]
    assert heard_S.shape == expected_S.shape
    inner = slice(500, -500)
    assert difference_db(heard_S[inner], expected_S[inner]) < -55.0


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("corner_hz", [100.0, 4000.0])
def test_what_clap_hears_is_equally_loud(rate_hz: int, corner_hz: float) -> None:
    rng = np.random.default_rng(0)
    audio_1S = (0.1 * rng.standard_normal((1, rate_hz * 2))).astype(np.float32)
    darker = Effect(effect="low_shelf_filter", parameters={"cutoff_frequency_hz": corner_hz, "gain_db": 15.0})
    darker_1S = rendered(Chain(effects=(darker,)), audio_1S, rate_hz)
    heard_S = MatchedHearing(torch.from_numpy(audio_1S[0]), rate_hz)(torch.from_numpy(darker_1S[0])).numpy()
    gain = np.float32(np.std(heard_S) / np.std(resample(darker_1S, rate_hz, 48_000)))
    change_lu = loudness_lufs(darker_1S * gain, rate_hz) - loudness_lufs(audio_1S, rate_hz)
    assert abs(change_lu) < 0.1

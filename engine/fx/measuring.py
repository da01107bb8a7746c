"""How an effect keeps time, measured. Legend: N channels, S samples."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from engine.fx.streaming import BLOCK_SAMPLES, Passage, send
from engine.fx.values import NO_DIFFERENCE_DB, Timing

BLOCKS_SAMPLES = (64, BLOCK_SAMPLES, 8_192)
_BEFORE_S, _AFTER_S, _BURST_S = 0.1, 0.4, 0.05
_LEVEL = 0.5
# Below the loudest sample: what is nothing at all, and what no echo ahead of a linear-phase filter reaches.
_NOTHING, _CLEAR = 1e-4, 0.1
_SEED = 20_230_129


def timing(plugin: Any, channels: int, rate_hz: int, title: str) -> Timing:
    """Measure an effect with its present parameters; raises PluginCrash as `send`."""
    difference_db, is_repeatable = block_difference(plugin, channels, rate_hz, title)
    return Timing(
        extra_samples=extra_latency(plugin, channels, rate_hz, title),
        block_difference_db=difference_db,
        is_repeatable=is_repeatable,
    )


def extra_latency(plugin: Any, channels: int, rate_hz: int, title: str) -> int | None:
    """Return how many samples too late an impulse comes out, after what pedalboard takes away.

    Below zero it comes too early: the plug-in tells more latency than it has. What has a gate hears a burst
    of noise instead; what gives no sound at all gives None.
    """
    start, passage = round(_BEFORE_S * rate_hz), Passage(title=title, rate_hz=rate_hz)
    floor = _floor(plugin, channels, passage)
    for probe_S in (_impulse(rate_hz), _burst(rate_hz)):
        heard_S = _heard(plugin, channels, probe_S, passage)
        loudest = float(heard_S.max())
        if loudest > max(1e-5, 8.0 * floor):
            early = _first(heard_S, max(_CLEAR * loudest, 4.0 * floor)) - start
            return (
                early if early < 0 else _first(heard_S, max(_NOTHING * loudest, 4.0 * floor), start) - start
            )
    return None


def centre_shift(plugin: Any, rate_hz: int, title: str) -> int:
    """Return how many samples later short bursts of noise come out, by the centre of their energy.

    For what smears an impulse in both directions, such as a pitch shift.
    """
    rng = np.random.default_rng(_SEED)
    window_S = np.hanning(round(0.1 * rate_hz))
    sound_NS, starts = (
        np.zeros((1, 4 * rate_hz), np.float32),
        (np.arange(0.3, 3.4, 0.5) * rate_hz).astype(int),
    )
    for start in starts:
        noise_S = rng.standard_normal(window_S.size) * window_S
        sound_NS[0, start : start + window_S.size] = _LEVEL * noise_S / np.abs(noise_S).max()
    wet_NS = sound_NS.copy()
    send(plugin, wet_NS, Passage(title=title, rate_hz=rate_hz, streams=False))
    # Each by itself: their levels differ, and that would move the centre of them all.
    around = [slice(start - rate_hz // 5, start + 3 * rate_hz // 10) for start in starts]
    return round(float(np.mean([_centre(wet_NS[0, one]) - _centre(sound_NS[0, one]) for one in around])))


def block_difference(
    plugin: Any,
    channels: int,
    rate_hz: int,
    title: str,
    blocks: tuple[int, ...] = BLOCKS_SAMPLES,
    *,
    streams: bool = True,
) -> tuple[float, bool]:
    """Return the largest difference between block sizes, in dB beside the loudest sample, and repeatability.

    Where two runs with the same size are not alike, the difference tells nothing.
    """
    noise_NS = np.tile(_sweep_and_noise(rate_hz), (channels, 1))
    passage = Passage(title=title, rate_hz=rate_hz, streams=streams)
    first_NS, again_NS = _sent(plugin, noise_NS, passage), _sent(plugin, noise_NS, passage)
    others = [
        _sent(plugin, noise_NS, replace(passage, block_samples=block))
        for block in blocks
        if block != BLOCK_SAMPLES
    ]
    loudest = float(np.abs(first_NS).max())
    difference = max((float(np.abs(other_NS - first_NS).max()) for other_NS in others), default=0.0)
    return _db(difference, loudest), bool(np.array_equal(first_NS, again_NS))


def _db(difference: float, loudest: float) -> float:
    if difference == 0.0 or loudest == 0.0:
        return NO_DIFFERENCE_DB
    return max(NO_DIFFERENCE_DB, 20.0 * math.log10(difference / loudest))


def _impulse(rate_hz: int) -> np.ndarray:
    return np.array([_LEVEL], np.float32)


def _burst(rate_hz: int) -> np.ndarray:
    rng = np.random.default_rng(_SEED)
    return (_LEVEL * rng.uniform(-1.0, 1.0, round(_BURST_S * rate_hz))).astype(np.float32)


def _sweep_and_noise(rate_hz: int) -> np.ndarray:
    """Return a quarter of a second from 50 Hz up to a fifth of the rate, then noise."""
    length = rate_hz // 4
    time_S, low_hz, high_hz = np.arange(length) / rate_hz, 50.0, 0.2 * rate_hz
    octaves = math.log(high_hz / low_hz)
    span_s = length / rate_hz
    sweep_S = np.sin(2 * math.pi * low_hz * span_s / octaves * np.expm1(time_S / span_s * octaves))
    return np.concatenate([0.3 * sweep_S.astype(np.float32), 0.6 * _burst(rate_hz)])


def _floor(plugin: Any, channels: int, passage: Passage) -> float:
    """Return the largest sample that the effect makes of silence."""
    return float(_heard(plugin, channels, np.zeros(1, np.float32), passage).max())


def _heard(plugin: Any, channels: int, probe_S: np.ndarray, passage: Passage) -> np.ndarray:
    """Return the absolute of what comes out for a probe on all channels, the loudest channel at each time."""
    before, after = round(_BEFORE_S * passage.rate_hz), round(_AFTER_S * passage.rate_hz)
    silence_NS = np.zeros((channels, before + probe_S.size + after), np.float32)
    silence_NS[:, before : before + probe_S.size] = probe_S
    heard_S: np.ndarray = np.abs(_sent(plugin, silence_NS, passage)).max(axis=0)
    return heard_S


def _sent(plugin: Any, audio_NS: np.ndarray, passage: Passage) -> np.ndarray:
    wet_NS = audio_NS.copy()
    send(plugin, wet_NS, passage, may_be_silent=True)
    return wet_NS


def _first(heard_S: np.ndarray, threshold: float, start: int = 0) -> int:
    return start + int(np.argmax(heard_S[start:] > threshold))


def _centre(sound_S: np.ndarray) -> float:
    energy_S = sound_S.astype(np.float64) ** 2
    return float((energy_S * np.arange(energy_S.size)).sum() / energy_S.sum())

"""Sounds to measure effects with. Legend: N channels, S samples."""

from __future__ import annotations

import numpy as np

RATE_HZ = 48_000


def sine(frequency_hz: float, amplitude: float = 0.1, duration_s: float = 1.0) -> np.ndarray:
    time_S = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time_S))[None].astype(np.float32)


def square(amplitude: float, duration_s: float = 1.0) -> np.ndarray:
    """Return a square wave, whose every sample is as far from zero: level detectors settle exactly."""
    return (amplitude * np.sign(sine(100.3, 1.0, duration_s) + 1e-9)).astype(np.float32)


def noise(channels: int = 2, duration_s: float = 1.0, rate_hz: int = RATE_HZ, seed: int = 0) -> np.ndarray:
    shape = (channels, round(duration_s * rate_hz))
    return (0.1 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def impulse(at: int, length: int = RATE_HZ, channels: int = 1, amplitude: float = 0.5) -> np.ndarray:
    sound_NS = np.zeros((channels, length), np.float32)
    sound_NS[:, at] = amplitude
    return sound_NS


def sweep(duration_s: float = 2.0) -> np.ndarray:
    """Return an exponential sweep from 20 Hz to 20 kHz, faded at its ends."""
    time_S = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    octaves = np.log(1_000.0)
    phase_S = 2 * np.pi * 20.0 * duration_s / octaves * np.expm1(time_S / duration_s * octaves)
    fade_S = np.clip(np.minimum(time_S, time_S[::-1]) / 0.05, 0.0, 1.0)
    return (0.1 * fade_S * np.sin(phase_S))[None].astype(np.float32)


def response_db(dry_NS: np.ndarray, wet_NS: np.ndarray, frequencies_hz: np.ndarray) -> np.ndarray:
    """Return the gain at some frequencies from a sweep and what an effect made of it."""
    bins = np.round(frequencies_hz * dry_NS.shape[1] / RATE_HZ).astype(int)
    ratio = np.abs(np.fft.rfft(wet_NS[0])[bins]) / np.abs(np.fft.rfft(dry_NS[0])[bins])
    return np.asarray(20 * np.log10(ratio))


def db(ratio: float) -> float:
    return float(20 * np.log10(ratio))

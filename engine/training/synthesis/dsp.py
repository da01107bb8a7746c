"""Building blocks of synthesis, all vectorised and free of aliasing at any sample rate.

S samples, P partials, T frames, F frequency bins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, signal

Signal = NDArray[np.floating]

HIGHEST_SHARE = 0.47  # of the sample rate: nothing is synthesised above it
TABLE_SAMPLES = 4096


def seconds(length_samples: int, rate_hz: int) -> Signal:
    """Return the time of each sample."""
    return np.arange(length_samples) / rate_hz


def sine(frequency_hz_S: Signal, rate_hz: int, phase: float = 0.0) -> Signal:
    """Return a sine of varying frequency, silent wherever that is beyond the band."""
    phase_S = np.cumsum(frequency_hz_S) * (2 * np.pi / rate_hz) + phase
    return np.sin(phase_S) * (frequency_hz_S < HIGHEST_SHARE * rate_hz)


def oscillate(frequency_hz_S: Signal, harmonics_P: Signal, rate_hz: int) -> Signal:
    """Return a periodic wave of given harmonic amplitudes, band-limited by quarters of an octave."""
    phase_S = np.cumsum(frequency_hz_S) / rate_hz
    index_S = ((phase_S % 1.0) * TABLE_SAMPLES).astype(np.int32)
    zone_S = np.ceil(4 * np.log2(np.maximum(frequency_hz_S, 1.0))).astype(np.int32)
    out_S = np.zeros(len(frequency_hz_S))
    for zone in range(zone_S.min(), zone_S.max() + 1):
        within_S = zone_S == zone
        table = _wavetable(harmonics_P, int(HIGHEST_SHARE * rate_hz / 2.0 ** (zone / 4)))
        out_S[within_S] = table[index_S[within_S]]
    return out_S


def _wavetable(harmonics_P: Signal, most: int) -> Signal:
    count = min(len(harmonics_P), most, TABLE_SAMPLES // 8)
    spectrum = np.zeros(TABLE_SAMPLES // 2 + 1, np.complex128)
    spectrum[1 : count + 1] = -0.5j * TABLE_SAMPLES * np.asarray(harmonics_P)[:count]
    return fft.irfft(spectrum)


def saw_harmonics(count: int = 400, tilt: float = 1.0) -> Signal:
    """Return amplitudes 1 / k**tilt: a saw, or duller with a larger tilt."""
    return 1.0 / np.arange(1, count + 1) ** tilt


def pulse_harmonics(width: float = 0.5, count: int = 400) -> Signal:
    """Return the amplitudes of a pulse wave; width 0.5 is a square."""
    k = np.arange(1, count + 1)
    return np.sin(np.pi * k * width) / k


def saturate(audio_S: Signal, drive: float, rate_hz: int) -> Signal:
    """Return tanh(drive * audio), computed well above the band so that little of it folds back."""
    times = max(1, round(64_000 / rate_hz))
    driven_S = np.tanh(drive * signal.resample_poly(audio_S, times, 1))
    return signal.resample_poly(driven_S, 1, times)[: len(audio_S)]


def ring(
    excitation_S: Signal, freqs_hz: ArrayLike, gains: ArrayLike, taus_s: ArrayLike, rate_hz: int
) -> Signal:
    """Return the sum of exponentially decaying modes that an excitation sets ringing."""
    out_S = np.zeros(len(excitation_S))
    for freq_hz, gain, tau_s in np.broadcast(freqs_hz, gains, taus_s):
        if freq_hz < HIGHEST_SHARE * rate_hz:
            radius = np.exp(-1 / (tau_s * rate_hz))
            angle = 2 * np.pi * freq_hz / rate_hz
            poles = [1.0, -2 * radius * np.cos(angle), radius**2]
            out_S += gain * signal.lfilter([0.0, radius * np.sin(angle)], poles, excitation_S)
    return out_S


def modes(
    length_samples: int, freqs_hz: ArrayLike, gains: ArrayLike, taus_s: ArrayLike, rate_hz: int
) -> Signal:
    """Return the modes of a body struck once."""
    strike_S = np.zeros(length_samples)
    strike_S[0] = 1.0
    return ring(strike_S, freqs_hz, gains, taus_s, rate_hz)


def band(
    audio_S: Signal, low_hz: float | None, high_hz: float | None, rate_hz: int, order: int = 2
) -> Signal:
    """Keep what lies between two corners (Butterworth); a missing corner is open."""
    limit_hz = HIGHEST_SHARE * rate_hz
    if low_hz is not None:
        corner_hz = min(low_hz, 0.8 * limit_hz)
        audio_S = signal.sosfilt(signal.butter(order, corner_hz, "high", fs=rate_hz, output="sos"), audio_S)
    if high_hz is not None and high_hz < limit_hz:
        audio_S = signal.sosfilt(signal.butter(order, high_hz, "low", fs=rate_hz, output="sos"), audio_S)
    return audio_S


def shaped_noise(
    rng: np.random.Generator, length_samples: int, rate_hz: int, gain: Callable[[Signal], Signal]
) -> Signal:
    """Return Gaussian noise whose spectrum follows gain(frequencies in hz), at unit RMS."""
    fast = fft.next_fast_len(length_samples, real=True)
    spectrum = fft.rfft(rng.standard_normal(fast, np.float32))
    noise_S = fft.irfft(spectrum * gain(fft.rfftfreq(fast, 1 / rate_hz)), fast)[:length_samples]
    return noise_S / max(float(np.sqrt(np.mean(noise_S**2))), 1e-9)


def tilted(exponent: float, low_hz: float = 20.0, high_hz: float = 22_000.0) -> Callable[[Signal], Signal]:
    """Return the gain 1 / f**exponent between two soft corners (0.5 is pink, 1 is brown)."""

    def gain(freqs_hz: Signal) -> Signal:
        f = np.maximum(freqs_hz, 1.0)
        edges = 1 / np.sqrt((1 + (low_hz / f) ** 4) * (1 + (f / high_hz) ** 4))
        return edges * (f / 1000.0) ** -exponent

    return gain


def sweep_filter(audio_S: Signal, rate_hz: int, gain: Callable[[Signal, Signal], Signal]) -> Signal:
    """Filter with a gain that changes in time: gain(times (T, 1) in s, freqs (1, F) in hz) -> (T, F)."""
    half = rate_hz // 62
    window = np.sin(np.pi * (np.arange(2 * half) + 0.5) / (2 * half))
    frames = -(-len(audio_S) // half) + 1
    padded_S = np.zeros((frames + 1) * half)
    padded_S[half : half + len(audio_S)] = audio_S
    frames_TS = np.lib.stride_tricks.sliding_window_view(padded_S, 2 * half)[::half] * window
    gain_TF = gain(
        (np.arange(len(frames_TS)) * half / rate_hz)[:, None], fft.rfftfreq(2 * half, 1 / rate_hz)[None]
    )
    frames_TS = fft.irfft(fft.rfft(frames_TS) * gain_TF, 2 * half) * window
    out_S = np.zeros_like(padded_S)
    out_S[:-half].reshape(-1, half)[:] += frames_TS[:, :half]
    out_S[half:].reshape(-1, half)[:] += frames_TS[:, half:]
    return out_S[half : half + len(audio_S)]


def lowpass_gain(cutoff_hz: Signal, freqs_hz: Signal, resonance: float = 0.0) -> Signal:
    """Return the magnitude of a fourth-order low-pass with a peak of (1 + resonance) at its cutoff."""
    ratio = freqs_hz / cutoff_hz
    peak = resonance * np.exp(-0.5 * (np.log2(np.maximum(ratio, 1e-3)) / 0.12) ** 2)
    return 1 / np.sqrt(1 + ratio**8) + peak


def formant_gain(centres_hz: Sequence[Signal], gains: Sequence[float], freqs_hz: Signal) -> Signal:
    """Return a sum of vocal resonances, each about an eighth of its centre plus 60 Hz wide."""
    total = np.full(np.broadcast_shapes(np.shape(centres_hz[0]), freqs_hz.shape), 0.02)
    for centre_hz, gain in zip(centres_hz, gains, strict=True):
        width_hz = 60 + centre_hz / 8
        total = total + gain / (1 + ((freqs_hz - centre_hz) / width_hz) ** 2)
    return total


def breakpoints(length_samples: int, rate_hz: int, points: Sequence[tuple[float, float]]) -> Signal:
    """Return straight lines through (time in s, value) points."""
    times, values = zip(*points, strict=True)
    return np.interp(seconds(length_samples, rate_hz), times, values)


def gate(length_samples: int, rate_hz: int, ramp_s: float = 0.005) -> Signal:
    """Return an envelope that is one except for short ramps at both ends."""
    edge_S = np.minimum(np.arange(length_samples), np.arange(length_samples)[::-1]) / (ramp_s * rate_hz)
    return np.minimum(edge_S, 1.0)


def wander(rng: np.random.Generator, length_samples: int, rate_hz: int, per_second: float) -> Signal:
    """Return a smooth random curve between -1 and 1 with about so many turns a second."""
    span_s = length_samples / rate_hz
    turns = int(np.ceil(span_s * per_second)) + 3
    at_S = seconds(length_samples, rate_hz) * per_second + rng.uniform()
    whole_S = at_S.astype(np.int64)
    ease_S = 0.5 - 0.5 * np.cos(np.pi * (at_S - whole_S))
    values = rng.uniform(-1, 1, turns)
    return values[whole_S] * (1 - ease_S) + values[whole_S + 1] * ease_S


def place(length_samples: int, rate_hz: int, times_s: Iterable[float], grains: Iterable[Signal]) -> Signal:
    """Return grains laid over each other at their times; what lies beyond the end is cut."""
    out_S = np.zeros(length_samples)
    for time_s, grain_S in zip(times_s, grains, strict=True):
        start = round(time_s * rate_hz)
        room = length_samples - start
        if room > 0:
            out_S[start : start + len(grain_S)] += grain_S[:room]
    return out_S


def clicks(length_samples: int, rate_hz: int, times_s: ArrayLike, gains: ArrayLike) -> Signal:
    """Return single-sample impulses, gains summed where several coincide."""
    index = np.round(np.asarray(times_s) * rate_hz).astype(np.int64)
    inside = index < length_samples
    gains = np.broadcast_to(gains, index.shape)
    return np.bincount(index[inside], gains[inside], length_samples).astype(np.float64)

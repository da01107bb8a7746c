"""Single strokes of a drum kit, shared by drum concepts and drum loops.

P partials, S samples.
"""

from __future__ import annotations

import numpy as np

from engine.training.synthesis.draws import Draws
from engine.training.synthesis.dsp import Signal, band, modes, sine, sweep_filter


def kick_hit(draws: Draws, base_hz: float, tau_s: float) -> Signal:
    """Return a sine that falls to its base within some tens of milliseconds, and a click."""
    n = draws.samples(min(6 * tau_s, 1.5))
    t = draws.time(n)
    fall = draws.between(2.0, 5.0) * np.exp(-t / draws.between(0.015, 0.035))
    body_S = sine(base_hz * (1 + fall), draws.rate_hz) * np.exp(-t / tau_s)
    click_S = band(draws.noise(n) * np.exp(-t / 0.004), 800, 4500, draws.rate_hz)
    drive = draws.between(1.0, 2.5)
    return np.tanh(drive * body_S) / np.tanh(drive) + draws.between(0.1, 0.4) * click_S


def snare_hit(draws: Draws, base_hz: float, tau_s: float, bright_hz: float) -> Signal:
    """Return a drum head's modes and the rattle of the wires."""
    n = draws.samples(min(6 * tau_s, 1.0))
    head_S = modes(n, base_hz * np.array([1.0, 1.59, 2.3]), [1, 0.6, 0.3], [0.07, 0.05, 0.04], draws.rate_hz)
    envelope_S = np.exp(-draws.time(n) / tau_s)
    wires_S = band(draws.noise(n) * envelope_S, 900, bright_hz, draws.rate_hz)
    return draws.between(0.4, 0.8) * head_S + draws.between(0.5, 0.8) * wires_S


def hat_hit(draws: Draws, tau_s: float) -> Signal:
    """Return two small cymbals: dense high modes and hiss, nothing below some 5 kHz."""
    n = draws.samples(min(7 * tau_s, 1.5))
    freqs_hz = draws.fork().uniform(4800, 15000, 18)
    metal_S = modes(n, freqs_hz, 0.25, tau_s, draws.rate_hz)
    hiss_S = draws.noise(n) * np.exp(-draws.time(n) / tau_s)
    return band(metal_S + 0.6 * hiss_S, draws.between(5000, 6500), None, draws.rate_hz, 4)


def crash_hit(draws: Draws, tau_s: float, length_samples: int) -> Signal:
    """Return a large cymbal: noise over the whole band whose top fades first, and some modes."""

    def fading(times_s: Signal, freqs_hz: Signal) -> Signal:
        tau = tau_s / (0.5 + freqs_hz / 9000)
        return np.exp(-times_s / tau) * freqs_hz**2 / (freqs_hz**2 + 700**2)

    n = length_samples
    wash_S = sweep_filter(draws.noise(n), draws.rate_hz, fading)
    freqs_hz = draws.fork().uniform(300, 9000, 14)
    metal_S = modes(n, freqs_hz, 0.2, tau_s * draws.fork().uniform(0.4, 1.0, 14), draws.rate_hz)
    attack_S = 1 - 0.6 * np.exp(-draws.time(n) / 0.01)
    return attack_S * wash_S + metal_S


def ride_hit(draws: Draws, tau_s: float) -> Signal:
    """Return a stick on a heavy cymbal: a clear ping over a thin wash."""
    n = draws.samples(min(5 * tau_s, 1.5))
    freqs_hz = draws.between(0.85, 1.2) * np.array([520, 1180, 1730, 2420, 3150, 4100, 5300, 6700, 9100])
    ping_S = modes(n, freqs_hz, [0.2, 0.3, 0.4, 0.6, 1, 1, 1, 0.8, 0.6], tau_s, draws.rate_hz)
    tick_S = band(draws.noise(n) * np.exp(-draws.time(n) / 0.006), 3000, None, draws.rate_hz)
    return ping_S * 0.3 + 0.5 * tick_S


def tom_hit(draws: Draws, base_hz: float, tau_s: float) -> Signal:
    """Return a tuned drum: a sine with a slight glide and two membrane modes."""
    n = draws.samples(min(6 * tau_s, 1.5))
    t = draws.time(n)
    body_S = sine(base_hz * (1 + 0.25 * np.exp(-t / 0.05)), draws.rate_hz) * np.exp(-t / tau_s)
    head_S = modes(n, base_hz * np.array([1.59, 2.14, 2.65]), [0.5, 0.3, 0.2], tau_s * 0.4, draws.rate_hz)
    stick_S = band(draws.noise(n) * np.exp(-t / 0.005), 500, 3000, draws.rate_hz)
    return body_S + head_S + 0.35 * stick_S


def clap_hit(draws: Draws, bright_hz: float, tau_s: float) -> Signal:
    """Return a drum machine's clap: three bursts some 10 ms apart, the last one with a tail."""
    n = draws.samples(0.04 + 6 * tau_s)
    t = draws.time(n)
    gap_s = draws.between(0.008, 0.013)
    envelope_S = sum((t >= k * gap_s) * np.exp(-np.maximum(t - k * gap_s, 0) / 0.003) for k in range(3))
    last_s = 3 * gap_s
    envelope_S = envelope_S + (t >= last_s) * np.exp(-np.maximum(t - last_s, 0) / tau_s)
    centre_hz = draws.between(1000, 1400)
    return band(draws.noise(n) * envelope_S, centre_hz * 0.75, min(bright_hz, centre_hz * 2), draws.rate_hz)


def shaker_hit(draws: Draws, low_hz: float, tau_s: float) -> Signal:
    """Return one push of a shaker: a soft swell of grains."""
    n = draws.samples(8 * tau_s)
    t = draws.time(n)
    grains_S = draws.noise(n) * (draws.fork().uniform(size=n) < 0.3)
    swell_S = (t / tau_s) ** 2 * np.exp(-2 * t / tau_s)
    return band(grains_S * swell_S, low_hz, low_hz * 2.6, draws.rate_hz, 3)

"""Single drums and percussion, struck once or in a plain rhythm.

P partials.
"""

from __future__ import annotations

import numpy as np

from engine.training.synthesis.concept import Concept, RenderContext, Sound
from engine.training.synthesis.draws import Draws
from engine.training.synthesis.dsp import Signal, band, clicks, modes, oscillate, pulse_harmonics, ring
from engine.training.synthesis.kit import (
    clap_hit,
    crash_hit,
    hat_hit,
    kick_hit,
    ride_hit,
    shaker_hit,
    snare_hit,
    tom_hit,
)


def _kick(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, tau_s = draws.pitch_hz(40, 68), draws.ringing_s(0.07, 0.3)
    return draws.sound(draws.repeat(lambda: kick_hit(draws, base_hz, tau_s), 1.0, 4.0))


def _snare(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, bright_hz = draws.pitch_hz(150, 270), draws.brightness(3500, 11000)
    tau_s = draws.ratio(0.06, 0.16)
    return draws.sound(draws.repeat(lambda: snare_hit(draws, base_hz, tau_s, bright_hz), 1.0, 5.0))


def _snare_roll(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, bright_hz = draws.pitch_hz(160, 260), draws.brightness(4000, 11000)
    times_s = draws.beats(draws.between(16, 24), 0.12)
    swell = 1 + draws.between(0.0, 1.5) * times_s / draws.duration_s
    grains = [snare_hit(draws, base_hz, 0.08, bright_hz) for _ in range(3)]
    choice = draws.fork().integers(3, size=len(times_s))
    return draws.sound(draws.lay(times_s, [grains[c] * s for c, s in zip(choice, swell, strict=True)]))


def _closed_hat(context: RenderContext) -> Sound:
    draws = Draws(context)
    tau_s = draws.ratio(0.012, 0.035)
    return draws.sound(draws.repeat(lambda: hat_hit(draws, tau_s), 2.5, 9.0, single=0.05))


def _open_hat(context: RenderContext) -> Sound:
    draws = Draws(context)
    tau_s = draws.ratio(0.16, 0.3)
    return draws.sound(draws.repeat(lambda: hat_hit(draws, tau_s), 1.0, 2.6, single=0.2))


def _crash(context: RenderContext) -> Sound:
    draws = Draws(context)
    tau_s = draws.ringing_s(0.5, 1.8)
    return draws.sound(draws.lay(draws.beats(1e-3), [crash_hit(draws, tau_s, draws.length)]))


def _ride(context: RenderContext) -> Sound:
    draws = Draws(context)
    tau_s = draws.ratio(0.25, 0.6)
    return draws.sound(draws.repeat(lambda: ride_hit(draws, tau_s), 1.8, 5.0, single=0.05))


def _tom(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, tau_s = draws.pitch_hz(85, 220), draws.ratio(0.14, 0.32)
    return draws.sound(draws.repeat(lambda: tom_hit(draws, base_hz, tau_s), 1.2, 6.0))


def _clap(context: RenderContext) -> Sound:
    draws = Draws(context)
    bright_hz, tau_s = draws.brightness(1800, 5000), draws.ratio(0.05, 0.12)
    return draws.sound(draws.repeat(lambda: clap_hit(draws, bright_hz, tau_s), 1.0, 4.0))


def _cowbell_hit(draws: Draws, base_hz: float, tau_s: float) -> Signal:
    n = draws.samples(6 * tau_s)
    tones_S = sum(
        oscillate(np.full(n, base_hz * r), pulse_harmonics(count=15), draws.rate_hz) for r in (1.0, 1.48)
    )
    t = draws.time(n)
    envelope_S = 0.6 * np.exp(-t / 0.015) + 0.4 * np.exp(-t / tau_s)
    return band(tones_S * envelope_S, 500, 7000, draws.rate_hz)


def _cowbell(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, tau_s = draws.pitch_hz(440, 720), draws.ratio(0.06, 0.2)
    return draws.sound(draws.repeat(lambda: _cowbell_hit(draws, base_hz, tau_s), 1.5, 6.0))


def _shaker(context: RenderContext) -> Sound:
    draws = Draws(context)
    low_hz, tau_s = draws.ratio(2800, 4200), draws.between(0.02, 0.035)
    times_s = draws.beats(draws.tempo(5, 12), 0.04)
    push, pull = (shaker_hit(draws, low_hz * r, tau_s) for r in (1.0, 1.1))
    grains = [pull * 0.5 if k % 2 else push for k in range(len(times_s))]
    return draws.sound(draws.lay(times_s, grains))


def _tambourine_hit(draws: Draws, freqs_hz: Signal, taus_s: Signal) -> Signal:
    n = draws.samples(0.6)
    rng = draws.fork()
    times_s = rng.exponential(0.02, 14)
    rattle_S = clicks(n, draws.rate_hz, times_s, rng.uniform(0.3, 1, 14) * np.exp(-times_s / 0.05))
    jingles_S = ring(rattle_S, freqs_hz, 0.3, taus_s, draws.rate_hz)
    skin_S = modes(n, [210, 340], 0.5, [0.03, 0.02], draws.rate_hz)
    return jingles_S + 0.5 * skin_S


def _tambourine(context: RenderContext) -> Sound:
    draws = Draws(context)
    rng = draws.fork()
    freqs_hz = draws.brightness(3300, 4700) * rng.uniform(1.0, 3.0, 14)
    taus_s = rng.uniform(0.04, 0.14, 14)
    return draws.sound(draws.repeat(lambda: _tambourine_hit(draws, freqs_hz, taus_s), 1.5, 6.0, single=0.1))


def _woodblock(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, tau_s = draws.pitch_hz(900, 2000), draws.ratio(0.012, 0.03)

    def hit() -> Signal:
        freqs_hz = base_hz * np.array([1.0, 1.52, 2.4])
        return modes(draws.samples(0.3), freqs_hz, [1, 0.5, 0.3], [tau_s, 0.6 * tau_s, 0.008], draws.rate_hz)

    return draws.sound(draws.repeat(hit, 1.5, 6.0, single=0.1))


def _triangle(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, tau_s = draws.pitch_hz(1100, 1700), draws.ratio(0.5, 1.2)

    def hit() -> Signal:
        freqs_hz = base_hz * np.array([1.0, 2.32, 3.05, 4.24, 4.98, 6.1, 7.9])
        gains = [0.3, 0.7, 0.5, 1, 0.8, 0.6, 0.4]
        return modes(draws.samples(2.5), freqs_hz, gains, tau_s, draws.rate_hz)

    return draws.sound(draws.repeat(hit, 0.8, 3.0))


CONCEPTS: tuple[Concept, ...] = (
    Concept(name="kick drum", group="drums", render=_kick, synonyms=("bass drum", "kick")),
    Concept(name="snare drum", group="drums", render=_snare, synonyms=("snare",)),
    Concept(name="snare drum roll", group="drums", render=_snare_roll, synonyms=("drum roll",)),
    Concept(
        name="closed hi-hat", group="drums", render=_closed_hat, synonyms=("hi-hat pattern", "closed hat")
    ),
    Concept(name="open hi-hat", group="drums", render=_open_hat, synonyms=("open hat",)),
    Concept(name="crash cymbal", group="drums", render=_crash, synonyms=("cymbal crash", "cymbal")),
    Concept(name="ride cymbal", group="drums", render=_ride, synonyms=("ride cymbal pattern",)),
    Concept(name="tom drum", group="drums", render=_tom, synonyms=("tom-tom", "tom")),
    Concept(name="hand clap", group="drums", render=_clap, synonyms=("drum machine clap", "clap")),
    Concept(name="cowbell", group="drums", render=_cowbell, synonyms=("cowbell pattern",)),
    Concept(name="shaker", group="drums", render=_shaker, synonyms=("egg shaker", "maraca")),
    Concept(name="tambourine", group="drums", render=_tambourine, synonyms=("jingling tambourine",)),
    Concept(name="woodblock", group="drums", render=_woodblock, synonyms=("wood block", "claves hit")),
    Concept(name="triangle", group="drums", render=_triangle, synonyms=("percussion triangle",)),
)

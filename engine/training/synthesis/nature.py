"""Weather, water and fire: noise shaped in time and frequency, and showers of small events.

S samples.
"""

from __future__ import annotations

import numpy as np

from engine.training.synthesis.concept import Concept, RenderContext, Sound
from engine.training.synthesis.draws import Draws
from engine.training.synthesis.dsp import (
    Signal,
    band,
    breakpoints,
    clicks,
    shaped_noise,
    sine,
    sweep_filter,
    tilted,
    wander,
)


def _rain(context: RenderContext) -> Sound:
    draws = Draws(context)
    drops_s, rng = draws.scatter(draws.force(120, 900)), draws.fork()
    gains = np.minimum(rng.pareto(1.8, len(drops_s)) + 0.3, 6.0)
    drops_S = band(clicks(draws.length, draws.rate_hz, drops_s, gains), 1800, 7000, draws.rate_hz, 1)
    wash_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(-0.25, 400, 9000))
    return draws.sound(drops_S / np.sqrt(np.mean(drops_S**2)) + draws.between(0.5, 0.9) * wash_S)


def _thunder(context: RenderContext) -> Sound:
    """Render a crack and the rumble that rolls after it, over distant rain."""
    draws = Draws(context)
    crack_s, corner_hz = draws.between(0.05, 0.25), draws.ratio(1500, 4000)
    roll_S = 0.6 + 0.4 * wander(draws.fork(), draws.length, draws.rate_hz, 7.0)

    def darkening(times_s: Signal, freqs_hz: Signal) -> Signal:
        cutoff_hz = 120 + corner_hz * np.exp(-times_s / crack_s)
        return 1 / (1 + (freqs_hz / cutoff_hz) ** 3) * (freqs_hz / (freqs_hz + 30))

    rumble_S = sweep_filter(draws.noise(), draws.rate_hz, darkening) * roll_S
    rumble_S *= np.exp(-draws.time() / draws.between(1.2, 3.0))
    rain_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(0.0, 1500, 8000))
    return draws.sound(rumble_S / np.abs(rumble_S).max() + draws.between(0.005, 0.02) * rain_S)


def _wind(context: RenderContext) -> Sound:
    """Render gusts: a narrow whistle of noise that rises in pitch and loudness together."""
    draws = Draws(context)
    centre_hz, strength = draws.pitch_hz(280, 800), draws.between(0.4, 0.9)
    gust_rng = draws.fork()
    points = gust_rng.uniform(-1, 1, int(draws.duration_s * 1.6) + 4)

    def gust(times_s: Signal) -> Signal:
        return np.interp(times_s * 1.6, np.arange(len(points)), points)

    def howl(times_s: Signal, freqs_hz: Signal) -> Signal:
        at_hz = centre_hz * 2 ** (strength * gust(times_s))
        narrow = np.exp(-0.5 * ((freqs_hz - at_hz) / (0.13 * at_hz)) ** 2)
        return narrow + 0.12 / (1 + (freqs_hz / 500) ** 2)

    wind_S = sweep_filter(draws.noise(), draws.rate_hz, howl)
    return draws.sound(wind_S * (1.2 + gust(draws.time())))


def _surf(context: RenderContext) -> Sound:
    """Render waves that swell, break bright and draw back."""
    draws = Draws(context)
    period_s, phase = draws.ratio(1.8, 4.5), draws.between(0.0, 1.0)

    def swell(times_s: Signal) -> Signal:
        position = (times_s / period_s + phase) % 1.0
        rise = 0.05 + 0.95 * (position / 0.35) ** 2
        return np.where(position < 0.35, rise, np.exp(-(position - 0.35) / 0.22))

    def breaking(times_s: Signal, freqs_hz: Signal) -> Signal:
        height = swell(times_s)
        cutoff_hz = 600 + 5200 * height**1.5
        return (0.06 + height) * np.maximum(freqs_hz, 60) ** -0.45 / (1 + (freqs_hz / cutoff_hz) ** 2)

    return draws.sound(sweep_filter(draws.noise(), draws.rate_hz, breaking))


def _bubble(draws: Draws, rng: np.random.Generator, low_hz: float, high_hz: float, tau_s: float) -> Signal:
    """Return one air bubble: a decaying sine whose pitch creeps up."""
    tau_s = tau_s * rng.uniform(0.6, 1.4)
    t = draws.time(draws.samples(5 * tau_s))
    freq_hz = low_hz * (high_hz / low_hz) ** rng.uniform() * (1 + rng.uniform(0.1, 0.5) * t / tau_s)
    return sine(freq_hz, draws.rate_hz) * np.exp(-t / tau_s) * np.minimum(t / 0.001, 1.0)


def _stream(context: RenderContext) -> Sound:
    draws = Draws(context)
    times_s, rng = draws.scatter(draws.tempo(35, 110)), draws.fork()
    low_hz = draws.ratio(350, 600)
    grains = [_bubble(draws, rng, low_hz, 5 * low_hz, 0.02) * rng.uniform(0.2, 1) for _ in times_s]
    flow_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(0.5, 200, 3000))
    return draws.sound(draws.lay(times_s, grains) + draws.between(0.03, 0.1) * flow_S)


def _drips(context: RenderContext) -> Sound:
    draws = Draws(context)
    times_s, rng = draws.beats(draws.tempo(0.9, 4.0), 0.25), draws.fork()
    low_hz = draws.pitch_hz(600, 1300)
    grains = [_bubble(draws, rng, low_hz, 1.5 * low_hz, 0.03) for _ in times_s]
    ticks_S = clicks(draws.length, draws.rate_hz, times_s, 1.0)
    return draws.sound(draws.lay(times_s, grains) + 0.5 * band(ticks_S, 2000, 6000, draws.rate_hz, 1))


def _crack(draws: Draws, rng: np.random.Generator) -> Signal:
    tau_s = rng.uniform(0.001, 0.006)
    n = draws.samples(6 * tau_s)
    return rng.standard_normal(n) * np.exp(-draws.time(n) / tau_s)


def _fire(context: RenderContext) -> Sound:
    """Render snaps in clusters over a breathing low roar."""
    draws = Draws(context)
    times_s, rng = draws.scatter(draws.tempo(14, 45)), draws.fork()
    grains = [_crack(draws, rng) * min(rng.pareto(1.6) + 0.15, 3.0) for _ in times_s]
    snaps_S = band(draws.lay(times_s, grains), 700, 5000, draws.rate_hz, 1)
    roar_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(1.0, 60, 700))
    flicker_S = 1 + 0.5 * wander(draws.fork(), draws.length, draws.rate_hz, 6.0)
    return draws.sound(snaps_S + draws.between(0.15, 0.3) * roar_S * flicker_S)


def _waterfall(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_S = shaped_noise(
        draws.fork(), draws.length, draws.rate_hz, tilted(draws.between(0.65, 0.85), 120, 5000)
    )
    churn_S = 1 + 0.15 * wander(draws.fork(), draws.length, draws.rate_hz, 12.0)
    return draws.sound(base_S * churn_S)


def _steam(context: RenderContext) -> Sound:
    """Render a burst of pressure: hiss that shoots up at once and dies away."""
    draws = Draws(context)
    tau_s = draws.ringing_s(0.12, 0.7)
    puffs_s = draws.beats(draws.tempo(0.5, 1.4), 0.1)
    n = draws.samples(4 * tau_s)
    hiss_S = band(draws.noise(n), draws.between(2500, 3500), None, draws.rate_hz)
    envelope_S = breakpoints(n, draws.rate_hz, [(0, 0), (0.01, 1), (10, 1)]) * np.exp(-draws.time(n) / tau_s)
    return draws.sound(draws.lay(puffs_s, [hiss_S * envelope_S for _ in puffs_s]))


CONCEPTS: tuple[Concept, ...] = (
    Concept(
        name="rain", group="nature", render=_rain, synonyms=("rainfall", "falling rain"), countable=False
    ),
    Concept(
        name="thunder",
        group="nature",
        render=_thunder,
        synonyms=("rolling thunder", "thunderclap"),
        countable=False,
    ),
    Concept(
        name="wind", group="nature", render=_wind, synonyms=("howling wind", "wind gusts"), countable=False
    ),
    Concept(
        name="ocean waves",
        group="nature",
        render=_surf,
        synonyms=("surf", "waves breaking on a beach", "sea waves"),
        countable=False,
    ),
    Concept(
        name="waterfall", group="nature", render=_waterfall, synonyms=("roaring waterfall", "river rapids")
    ),
    Concept(
        name="bubbling stream", group="nature", render=_stream, synonyms=("babbling brook", "gurgling stream")
    ),
    Concept(
        name="dripping water",
        group="nature",
        render=_drips,
        synonyms=("water drops", "dripping tap water"),
        countable=False,
    ),
    Concept(name="crackling fire", group="nature", render=_fire, synonyms=("campfire", "fireplace crackle")),
    Concept(
        name="steam hiss", group="machines", render=_steam, synonyms=("burst of steam", "hydraulic hiss")
    ),
)

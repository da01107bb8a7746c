"""Engines, aircraft, trains and tools.

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
    formant_gain,
    gate,
    oscillate,
    ring,
    saturate,
    saw_harmonics,
    shaped_noise,
    sine,
    sweep_filter,
    tilted,
    wander,
)


def _idle(context: RenderContext) -> Sound:
    """Render single explosions, each ringing in the exhaust, with the unevenness of the cylinders."""
    draws = Draws(context)
    firings_s = draws.beats(draws.tempo(14, 30), 0.06)
    uneven = draws.fork().uniform(0.55, 1.0, 4)
    gains = uneven[np.arange(len(firings_s)) % 4] * draws.fork().uniform(0.85, 1.0, len(firings_s))
    n = draws.samples(0.03)
    puff_S = draws.noise(n) * np.exp(-draws.time(n) / 0.006)
    puffs_S = draws.lay(firings_s, [puff_S * gain for gain in gains])
    pipe_hz = draws.between(70, 110)
    exhaust_S = ring(
        puffs_S, pipe_hz * np.array([1, 2.1, 3.3, 5.2]), [1, 0.6, 0.4, 0.2], 0.025, draws.rate_hz
    )
    return draws.sound(exhaust_S + 0.1 * band(puffs_S, None, 1500, draws.rate_hz))


def _revving(context: RenderContext) -> Sound:
    draws = Draws(context)
    idle_hz, peak_hz = draws.between(45, 65), draws.between(170, 300)
    points = [(0.0, idle_hz * draws.between(1.0, 2.0))]
    while points[-1][0] < draws.duration_s:
        up_s = points[-1][0] + draws.between(0.25, 0.6)
        top_hz = peak_hz * draws.between(0.7, 1.0)
        points += [(up_s, top_hz), (up_s + draws.between(0.3, 0.6), idle_hz * draws.between(1.0, 1.6))]
    speed_S = breakpoints(draws.length, draws.rate_hz, points)
    rough_S = 1 + 0.02 * wander(draws.fork(), draws.length, draws.rate_hz, 90.0)
    harmonics = saw_harmonics(80, 0.7) * draws.fork().uniform(0.4, 1.0, 80)
    engine_S = oscillate(speed_S * rough_S, harmonics, draws.rate_hz)
    engine_S = saturate(engine_S, 1.5, draws.rate_hz) * (0.35 + 0.65 * speed_S / peak_hz)
    centres = [np.array(c * draws.between(0.9, 1.1)) for c in (220.0, 620.0, 1500.0)]
    return draws.sound(
        sweep_filter(engine_S, draws.rate_hz, lambda _, f: formant_gain(centres, (1, 0.8, 0.6), f))
    )


def _helicopter(context: RenderContext) -> Sound:
    draws = Draws(context)
    blades_s = draws.beats(draws.tempo(7, 14), 0.01)
    n = draws.samples(0.09)
    thump_S = band(
        draws.noise(n) * np.sin(np.pi * np.linspace(0, 1, n)) ** 2, 40, draws.ratio(350, 700), draws.rate_hz
    )
    rotor_S = draws.lay(blades_s, [thump_S * draws.between(0.85, 1.0) for _ in blades_s])
    turbine_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(0.4, 400, 4000))
    whine_S = sine(np.full(draws.length, draws.ratio(1800, 3200)), draws.rate_hz)
    rotor_S /= np.abs(rotor_S).max()
    return draws.sound(rotor_S + draws.between(0.03, 0.06) * turbine_S + 0.012 * whine_S)


def _jet(context: RenderContext) -> Sound:
    """Render a fly-by: a roar that swells and fades while its whine and its comb of reflections fall."""
    draws = Draws(context)
    pass_s, width_s = draws.duration_s * draws.between(0.3, 0.6), draws.between(0.5, 0.9)
    whine_hz = draws.pitch_hz(1100, 2300)

    def doppler(times_s: Signal) -> Signal:
        return 1 - 0.28 * np.tanh((times_s - pass_s) / width_s)

    def roar(times_s: Signal, freqs_hz: Signal) -> Signal:
        near = 1 / (1 + ((times_s - pass_s) / width_s) ** 2)
        comb = 1 + 0.7 * np.cos(2 * np.pi * freqs_hz * 0.0012 / doppler(times_s))
        return near * comb * np.maximum(freqs_hz, 80) ** -0.7 / (1 + (freqs_hz / (800 + 5000 * near)) ** 2)

    noise_S = sweep_filter(draws.noise(), draws.rate_hz, roar)
    noise_S /= np.abs(noise_S).max()
    t = draws.time()
    near_S = 1 / (1 + ((t - pass_s) / width_s) ** 2)
    whine_S = sine(whine_hz * doppler(t), draws.rate_hz) + 0.5 * sine(
        1.51 * whine_hz * doppler(t), draws.rate_hz
    )
    return draws.sound(noise_S + draws.between(0.05, 0.12) * whine_S * near_S)


def _propeller(context: RenderContext) -> Sound:
    """Render a light aircraft: a steady drone of blade harmonics, two engines slightly apart."""
    draws = Draws(context)
    blade_hz, total_S = draws.pitch_hz(70, 120), np.zeros(draws.length)
    for detune in (1.0, 1.0 + draws.between(0.008, 0.03)):
        drift_S = 1 + 0.004 * wander(draws.fork(), draws.length, draws.rate_hz, 2.0)
        harmonics = saw_harmonics(40, 1.0) * draws.fork().uniform(0.5, 1, 40)
        total_S += oscillate(blade_hz * detune * drift_S, harmonics, draws.rate_hz)
    air_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(0.8, 100, 2000))
    return draws.sound(band(total_S, None, 2500, draws.rate_hz) + 0.3 * air_S)


def _steam_train(context: RenderContext) -> Sound:
    draws = Draws(context)
    chuffs_s = draws.beats(draws.tempo(2.4, 7.0), 0.03)
    n = draws.samples(min(0.3, 0.9 * draws.duration_s / len(chuffs_s)))
    envelope_S = np.sin(np.pi * np.linspace(0, 1, n) ** 0.5) ** 2
    chuff_S = shaped_noise(draws.fork(), n, draws.rate_hz, tilted(0.35, 200, 4000)) * envelope_S
    accents = (1.0, 0.55, 0.75, 0.55)
    audio_S = draws.lay(chuffs_s, [chuff_S * accents[k % 4] for k in range(len(chuffs_s))])
    rumble_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(1.0, 40, 250))
    audio_S = audio_S + 0.15 * rumble_S
    if draws.chance(0.65):
        audio_S = audio_S + draws.between(0.8, 1.5) * _whistle(draws)
    return draws.sound(audio_S)


def _whistle(draws: Draws) -> Signal:
    base_hz, span_s = draws.between(330, 480), draws.between(0.5, 1.1)
    n = draws.samples(span_s)
    rise_S = 1 - 0.06 * np.exp(-draws.time(n) / 0.06)
    chord_S = sum(sine(base_hz * r * rise_S, draws.rate_hz) for r in (1.0, 1.19, 1.5, 1.78))
    steam_S = 0.5 * band(draws.noise(n), 600, 5000, draws.rate_hz)
    start_s = draws.between(0.0, max(0.0, draws.duration_s - span_s) * 0.6)
    return draws.lay(np.array([start_s]), [(chord_S + steam_S) * gate(n, draws.rate_hz, 0.05)])


def _vacuum(context: RenderContext) -> Sound:
    draws = Draws(context)
    motor_hz = draws.pitch_hz(240, 420)
    noise_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(0.35, 250, 6000))
    drift_S = 1 + 0.006 * wander(draws.fork(), draws.length, draws.rate_hz, 3.0)
    harmonics = np.array([0.4, 1.0, 0.3, 0.5, 0.2, 0.3, 0.1, 0.2])
    motor_S = oscillate(motor_hz * drift_S, harmonics, draws.rate_hz)
    return draws.sound(noise_S + draws.between(0.8, 1.6) * motor_S)


def _drill(context: RenderContext) -> Sound:
    """Render an electric drill that spins up, bites (lower, louder) and is let go."""
    draws = Draws(context)
    speed_hz, bite_s = draws.pitch_hz(330, 620), draws.between(0.5, 0.9)
    points = [(0.0, speed_hz * 0.5)]
    for k in range(int(draws.duration_s / bite_s) + 1):
        start_s = k * bite_s
        points += [(start_s + 0.15, speed_hz), (start_s + 0.5 * bite_s, speed_hz * draws.between(0.7, 0.85))]
        points.append((start_s + 0.97 * bite_s, speed_hz * draws.between(0.8, 1.05)))
    points = sorted(points)
    speed_S = breakpoints(draws.length, draws.rate_hz, points)
    gears_S = oscillate(speed_S, saw_harmonics(60, 0.5), draws.rate_hz)
    load_S = 0.5 + np.clip(1 - speed_S / speed_hz, 0, 0.3) * 2
    grind_S = band(draws.noise() * (1 + gears_S), 1500, None, draws.rate_hz)
    return draws.sound(load_S * (gears_S + draws.between(0.1, 0.3) * grind_S))


def _horn(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz = draws.pitch_hz(300, 480)
    n = draws.samples(draws.ringing_s(0.15, 1.1))
    harmonics = saw_harmonics(40, 0.5)
    centres = [np.array(base_hz * 3), np.array(2400.0)]
    reeds = [oscillate(np.full(n, base_hz * ratio), harmonics, draws.rate_hz) for ratio in (1.0, 1.26)]
    tone_S = reeds[0] + reeds[1]
    blast_S = sweep_filter(tone_S, draws.rate_hz, lambda _, f: formant_gain(centres, (0.7, 1.0), f) + 0.1)
    blast_S = blast_S * gate(n, draws.rate_hz, 0.012)
    times_s = draws.beats(1 / (n / draws.rate_hz + draws.between(0.12, 0.4)), 0.05)
    return draws.sound(draws.lay(times_s, [blast_S] * len(times_s)))


def _railway(context: RenderContext) -> Sound:
    """Render a passenger train on jointed track: pairs of clacks over a rumble."""
    draws = Draws(context)
    pairs_s, gap_s = draws.beats(draws.tempo(1.1, 2.6), 0.01), draws.between(0.09, 0.14)
    joints_s = np.concatenate([pairs_s, pairs_s + gap_s])
    strikes_S = clicks(draws.length, draws.rate_hz, joints_s, np.repeat([1.0, 0.75], len(pairs_s)))
    wheel_hz = draws.between(0.85, 1.2) * np.array([95, 240, 410, 700, 1150])
    clacks_S = ring(
        strikes_S, wheel_hz, [1, 1, 0.8, 0.5, 0.4], [0.05, 0.03, 0.025, 0.02, 0.015], draws.rate_hz
    )
    rumble_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(0.9, 50, 600))
    return draws.sound(clacks_S + draws.between(0.1, 0.22) * rumble_S)


CONCEPTS: tuple[Concept, ...] = (
    Concept(
        name="car engine idling",
        group="machines",
        render=_idle,
        synonyms=("idling car engine", "engine idle"),
    ),
    Concept(
        name="motorcycle revving",
        group="machines",
        render=_revving,
        synonyms=("revving engine", "racing motorcycle"),
    ),
    Concept(
        name="helicopter", group="machines", render=_helicopter, synonyms=("hovering helicopter", "chopper")
    ),
    Concept(
        name="jet passing by", group="machines", render=_jet, synonyms=("jet airplane", "jet plane flyover")
    ),
    Concept(
        name="propeller plane", group="machines", render=_propeller, synonyms=("propeller aircraft drone",)
    ),
    Concept(name="steam train", group="machines", render=_steam_train, synonyms=("steam locomotive",)),
    Concept(
        name="train on tracks",
        group="machines",
        render=_railway,
        synonyms=("railway train", "clattering train"),
    ),
    Concept(name="vacuum cleaner", group="machines", render=_vacuum, synonyms=("hoover",)),
    Concept(name="power drill", group="machines", render=_drill, synonyms=("electric drill", "drill")),
    Concept(name="car horn", group="machines", render=_horn, synonyms=("honking car", "honking horn")),
)

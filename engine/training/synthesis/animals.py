"""Animal voices: chirps, pulse trains, and larynx-like sources through formants.

S samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.training.synthesis.concept import Concept, RenderContext, Sound
from engine.training.synthesis.draws import Draws
from engine.training.synthesis.dsp import (
    Signal,
    band,
    breakpoints,
    formant_gain,
    gate,
    oscillate,
    saturate,
    saw_harmonics,
    sine,
    sweep_filter,
    wander,
)

Points = Sequence[tuple[float, float]]


def _columns(points: Points) -> tuple[list[float], list[float]]:
    return [at for at, _ in points], [value for _, value in points]


def _voice(draws: Draws, span_s: float, pitch: Points, formants: Sequence[Points], breath: float) -> Signal:
    """Return a cry: pitch and formants follow (share of the span, hz) points."""
    n = draws.samples(span_s)
    pitch_S = np.interp(np.linspace(0, 1, n), *_columns(pitch))
    rough_S = 1 + 0.01 * wander(draws.fork(), n, draws.rate_hz, 60.0)
    source_S = oscillate(pitch_S * rough_S, saw_harmonics(120, 0.8), draws.rate_hz)
    source_S = source_S + breath * draws.noise(n)

    def tract(times_s: Signal, freqs_hz: Signal) -> Signal:
        share = np.clip(times_s / span_s, 0, 1)
        centres_hz = [np.interp(share, *_columns(points)) for points in formants]
        return formant_gain(centres_hz, (1.0, 0.7, 0.4)[: len(centres_hz)], freqs_hz)

    return sweep_filter(source_S, draws.rate_hz, tract)


def _syllable(draws: Draws, from_hz: float, to_hz: float, span_s: float, trill_hz: float) -> Signal:
    n = draws.samples(span_s)
    t = draws.time(n)
    glide_S = from_hz * (to_hz / from_hz) ** (t / span_s) * (1 + 0.08 * np.sin(2 * np.pi * trill_hz * t))
    return sine(glide_S, draws.rate_hz) * np.sin(np.pi * t / span_s) ** 0.7


def _birds(context: RenderContext) -> Sound:
    draws = Draws(context)
    tempo, home_hz = draws.tempo(4, 11), draws.pitch_hz(2600, 4600)
    total_S = np.zeros(draws.length)
    for bird in range(1 + int(draws.rng.integers(3))):
        times_s = draws.beats(tempo * draws.between(0.7, 1.2), 0.2)
        phrase = draws.one_of(((1, 1, 1, 0), (1, 1, 0, 1, 0), (1, 0, 1), (1, 1, 1, 1, 0, 0)))
        kinds = [_random_syllable(draws, home_hz) for _ in range(3)]
        order = np.repeat(draws.fork().integers(3, size=len(times_s)), 2)
        sung = [(t, kinds[order[k]]) for k, t in enumerate(times_s) if phrase[k % len(phrase)]]
        song_S = draws.lay(np.array([t for t, _ in sung]), [grain for _, grain in sung])
        total_S += song_S * (1.0 if bird == 0 else draws.between(0.2, 0.6))
    return draws.sound(total_S)


def _random_syllable(draws: Draws, home_hz: float) -> Signal:
    bend = draws.one_of((1.0, -1.0))
    from_hz = home_hz * draws.ratio(0.8, 1.25)
    return _syllable(
        draws,
        from_hz,
        from_hz * draws.ratio(1.3, 1.8) ** bend,
        draws.between(0.05, 0.14),
        draws.between(15, 70),
    )


def _crickets(context: RenderContext) -> Sound:
    """Render several insects, each a carrier above 4 kHz pulsed in chirps of a few."""
    draws = Draws(context)
    tempo, home_hz = draws.tempo(2.0, 6.0), draws.between(4200, 5200)
    total_S = np.zeros(draws.length)
    t = draws.time()
    for _ in range(2 + int(draws.rng.integers(3))):
        pulses_hz, rate = draws.between(30, 50), tempo * draws.between(0.9, 1.1)
        turn_S = np.sin(2 * np.pi * (t * rate + draws.between(0, 1)))
        chirping_S = np.clip(4 * (turn_S - draws.between(-0.3, 0.4)), 0, 1)
        pulsing_S = np.maximum(np.sin(2 * np.pi * pulses_hz * t), 0) ** 0.7
        freq_hz = home_hz * draws.between(0.96, 1.04)
        carrier_S = sine(np.full(draws.length, freq_hz), draws.rate_hz, draws.between(0, 6))
        total_S += carrier_S * pulsing_S * chirping_S * draws.between(0.3, 1.0)
    return draws.sound(total_S + 0.004 * draws.noise())


def _frog(context: RenderContext) -> Sound:
    draws = Draws(context)
    pulses_hz, size = draws.pitch_hz(32, 75), draws.between(0.8, 1.3)

    def croak() -> Signal:
        span_s = draws.between(0.18, 0.4)
        rise: Points = [(0, pulses_hz * 0.85), (1, pulses_hz * 1.2)]
        tract: list[Points] = [[(0, 450 * size), (1, 700 * size)], [(0, 1500 * size), (1, 1900 * size)]]
        croak_S = _voice(draws, span_s, rise, tract, 0.1)
        return croak_S * gate(len(croak_S), draws.rate_hz, 0.03)

    return draws.sound(draws.repeat(croak, 1.2, 3.0, single=0.1))


def _dog(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz = draws.pitch_hz(160, 420)
    size = (base_hz / 260) ** 0.4

    def bark() -> Signal:
        span_s = draws.between(0.13, 0.22)
        pitch: Points = [(0, base_hz), (0.3, base_hz * 1.9), (1, base_hz * 0.8)]
        jaw: Points = [(0, 500 * size), (0.35, 1050 * size), (1, 550 * size)]
        tract = [jaw, [(0, 1500 * size), (1, 1300 * size)], [(0, 2700 * size), (1, 2600 * size)]]
        bark_S = saturate(_voice(draws, span_s, pitch, tract, 0.8), 1.5, draws.rate_hz)
        return bark_S * np.sin(np.pi * np.linspace(0, 1, len(bark_S)) ** 0.6)

    return draws.sound(draws.repeat(bark, 1.3, 4.0, single=0.1))


def _cat(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz = draws.pitch_hz(420, 800)

    def meow() -> Signal:
        span_s = draws.between(0.55, 1.0)
        pitch: Points = [(0, base_hz * 0.8), (0.3, base_hz * 1.2), (0.7, base_hz), (1, base_hz * 0.7)]
        tract: list[Points] = [
            [(0, 450), (0.3, 1100), (0.7, 1000), (1, 500)],
            [(0, 2600), (0.3, 2000), (0.7, 1500), (1, 900)],
            [(0, 3600), (1, 3200)],
        ]
        meow_S = _voice(draws, span_s, pitch, tract, 0.03)
        return meow_S * np.sin(np.pi * np.linspace(0, 1, len(meow_S)) ** 0.7)

    return draws.sound(draws.repeat(meow, 0.7, 1.3, single=0.3))


def _owl(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, tempo = draws.pitch_hz(270, 480), draws.between(0.8, 1.25)
    rhythm = draws.one_of(
        (((0.0, 0.45), (0.7, 0.14), (0.95, 0.5), (1.7, 0.4)), ((0.0, 0.6), (0.9, 0.6), (1.8, 0.6)))
    )
    times_s = np.array([start for start, _ in rhythm]) / tempo + draws.between(0, 0.02)
    return draws.sound(draws.lay(times_s, [_hoot(draws, base_hz, span_s / tempo) for _, span_s in rhythm]))


def _hoot(draws: Draws, base_hz: float, span_s: float) -> Signal:
    n = draws.samples(span_s)
    arch_S = np.sin(np.pi * np.linspace(0, 1, n) ** 0.8)
    tone_S = oscillate(base_hz * (0.93 + 0.07 * arch_S), np.array([1.0, 0.06, 0.03]), draws.rate_hz)
    breath_S = band(draws.noise(n), base_hz * 0.8, base_hz * 2.5, draws.rate_hz)
    return (tone_S + 0.12 * breath_S) * arch_S


def _cow(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, span_s = draws.pitch_hz(90, 160), draws.ringing_s(0.9, 2.0)
    pitch: Points = [(0, base_hz * 0.8), (0.25, base_hz * 1.15), (0.75, base_hz * 1.1), (1, base_hz * 0.75)]
    tract: list[Points] = [
        [(0, 260), (0.25, 280), (0.5, 620), (1, 480)],
        [(0, 900), (0.25, 800), (0.5, 1150), (1, 950)],
        [(0, 2300), (1, 2400)],
    ]
    moo_S = _voice(draws, span_s, pitch, tract, 0.05)
    moo_S = moo_S * gate(len(moo_S), draws.rate_hz, 0.12)
    times_s = draws.beats(1 / (span_s + 0.4))
    return draws.sound(draws.lay(times_s, [moo_S] * len(times_s)))


def _rooster(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, tempo = draws.pitch_hz(480, 800), draws.between(0.85, 1.2)
    calls = ((0.0, 0.16, 0.75, 0.8), (0.24, 0.14, 0.85, 0.9), (0.44, 0.3, 0.95, 1.25), (0.82, 0.9, 1.25, 0.8))
    grains = [_crow(draws, base_hz * a, base_hz * b, span_s / tempo) for _, span_s, a, b in calls]
    return draws.sound(draws.lay(np.array([start for start, *_ in calls]) / tempo + 0.01, grains))


def _crow(draws: Draws, from_hz: float, to_hz: float, span_s: float) -> Signal:
    tract: list[Points] = [[(0, 1100), (1, 1300)], [(0, 2300), (1, 2500)], [(0, 3800), (1, 3600)]]
    crow_S = _voice(draws, span_s, [(0, from_hz * 0.9), (0.2, from_hz), (1, to_hz)], tract, 0.15)
    return saturate(crow_S, 2.0, draws.rate_hz) * gate(len(crow_S), draws.rate_hz, 0.03)


def _duck(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz = draws.pitch_hz(170, 300)

    def quack() -> Signal:
        span_s = draws.between(0.12, 0.2)
        tract: list[Points] = [
            [(0, 1000), (0.3, 1350), (1, 1150)],
            [(0, 2200), (1, 2500)],
            [(0, 3400), (1, 3300)],
        ]
        quack_S = _voice(draws, span_s, [(0, base_hz * 1.05), (1, base_hz * 0.9)], tract, 0.1)
        return quack_S * np.sin(np.pi * np.linspace(0, 1, len(quack_S)) ** 0.5)

    return draws.sound(draws.repeat(quack, 2.0, 5.0, single=0.05))


def _bee(context: RenderContext) -> Sound:
    """Render wings: a nasal buzz that wavers in pitch and distance."""
    draws = Draws(context)
    base_hz = draws.pitch_hz(170, 330)
    waver_S = wander(draws.fork(), draws.length, draws.rate_hz, 5.0)
    flutter_S = wander(draws.fork(), draws.length, draws.rate_hz, 40.0)
    buzz_S = oscillate(
        base_hz * (1 + 0.06 * waver_S + 0.015 * flutter_S), saw_harmonics(60, 0.9), draws.rate_hz
    )
    near_S = 0.55 + 0.45 * wander(draws.fork(), draws.length, draws.rate_hz, 1.5)
    return draws.sound(band(buzz_S, 150, 4000, draws.rate_hz, 1) * near_S)


def _sheep(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz = draws.pitch_hz(190, 360)

    def bleat() -> Signal:
        span_s = draws.between(0.6, 1.0)
        tract: list[Points] = [
            [(0, 500), (0.15, 750), (1, 650)],
            [(0, 1500), (0.15, 1800), (1, 1700)],
            [(0, 2700)],
        ]
        bleat_S = _voice(draws, span_s, [(0, base_hz), (1, base_hz * 0.85)], tract, 0.1)
        shiver_S = 0.6 + 0.4 * np.sin(2 * np.pi * draws.between(7, 10) * draws.time(len(bleat_S)))
        return bleat_S * shiver_S * gate(len(bleat_S), draws.rate_hz, 0.05)

    return draws.sound(draws.repeat(bleat, 0.7, 1.2, single=0.3))


def _cicadas(context: RenderContext) -> Sound:
    """Render cicadas: a dense rattle of noise pulses in a narrow high band."""
    draws = Draws(context)
    centre_hz, pulses_hz = draws.between(5000, 6200), draws.tempo(14, 40)
    rattle_S = np.abs(np.sin(np.pi * pulses_hz * draws.time())) ** 4
    swell_S = breakpoints(
        draws.length, draws.rate_hz, [(0, 0.5), (draws.duration_s * draws.between(0.3, 0.8), 1), (9, 0.6)]
    )
    song_S = band(draws.noise(), centre_hz * 0.85, centre_hz * 1.15, draws.rate_hz, 4)
    return draws.sound(song_S * (0.15 + rattle_S) * swell_S)


CONCEPTS: tuple[Concept, ...] = (
    Concept(
        name="birds chirping",
        group="animals",
        render=_birds,
        synonyms=("birdsong", "chirping birds"),
        countable=False,
    ),
    Concept(
        name="crickets",
        group="animals",
        render=_crickets,
        synonyms=("crickets chirping", "night crickets"),
        countable=False,
    ),
    Concept(
        name="cicadas",
        group="animals",
        render=_cicadas,
        synonyms=("cicada song", "buzzing cicadas"),
        countable=False,
    ),
    Concept(name="frog croak", group="animals", render=_frog, synonyms=("frog", "croaking frog")),
    Concept(name="dog bark", group="animals", render=_dog, synonyms=("barking dog", "dog")),
    Concept(name="cat meow", group="animals", render=_cat, synonyms=("meowing cat", "cat")),
    Concept(name="owl hoot", group="animals", render=_owl, synonyms=("hooting owl", "owl")),
    Concept(name="cow moo", group="animals", render=_cow, synonyms=("mooing cow", "cow")),
    Concept(name="rooster crow", group="animals", render=_rooster, synonyms=("crowing rooster", "cockerel")),
    Concept(name="duck quack", group="animals", render=_duck, synonyms=("quacking duck", "duck")),
    Concept(name="sheep bleat", group="animals", render=_sheep, synonyms=("bleating sheep", "bleating goat")),
    Concept(name="bee buzzing", group="animals", render=_bee, synonyms=("buzzing bee", "buzzing insect")),
)

"""Electronic sounds: basses, pads, sweeps and plain noise.

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
    gate,
    lowpass_gain,
    oscillate,
    pulse_harmonics,
    saturate,
    saw_harmonics,
    shaped_noise,
    sine,
    sweep_filter,
    tilted,
    wander,
)

MINOR_STEPS = (0, 0, 0, 3, 5, 7, 10, 12, -2)
CHORDS = ((0, 4, 7, 12), (0, 3, 7, 12), (0, 3, 7, 10), (0, 4, 7, 11), (0, 5, 7, 12))


def _semitones(steps: float) -> float:
    return float(2.0 ** (steps / 12))


def _sub_bass(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, tempo = draws.pitch_hz(36, 64), draws.tempo(0.8, 3.0)
    harmonics = np.array([1.0, draws.between(0.05, 0.3), draws.between(0.0, 0.12)])
    times_s = draws.beats(tempo)
    n = draws.samples(draws.between(0.75, 0.98) / tempo)
    envelope_S = gate(n, draws.rate_hz, 0.012)
    notes = [base_hz * _semitones(draws.one_of((0, 0, 3, 5, -2))) for _ in times_s]
    grains = [oscillate(np.full(n, note), harmonics, draws.rate_hz) * envelope_S for note in notes]
    return draws.sound(draws.lay(times_s, grains))


def _acid_bass(context: RenderContext) -> Sound:
    """Render sixteenths of a saw through a resonant filter that each note reopens."""
    draws = Draws(context)
    base_hz, per_second = draws.pitch_hz(50, 100), draws.tempo(6.5, 10.5)
    step = (draws.time() * per_second).astype(int)
    notes = base_hz * np.array([_semitones(draws.one_of(MINOR_STEPS)) for _ in range(8)])
    accents = draws.fork().uniform(0.4, 1.0, 8)
    wave_S = oscillate(notes[step % 8], saw_harmonics(), draws.rate_hz)
    into_s = draws.time() - step / per_second
    floor_hz, resonance = draws.ratio(150, 400), draws.between(2.0, 4.5)

    def squelch(times_s: Signal, freqs_hz: Signal) -> Signal:
        position = times_s * per_second
        accent = accents[position.astype(int) % 8]
        cutoff_hz = floor_hz * (1 + 10 * accent * np.exp(-(position % 1.0) * 3))
        return lowpass_gain(cutoff_hz, freqs_hz, resonance)

    loud_S = np.minimum(into_s / 0.004, 1) * np.clip((0.85 / per_second - into_s) / 0.01, 0.0, 1.0)
    return draws.sound(saturate(sweep_filter(wave_S * loud_S, draws.rate_hz, squelch), 2.0, draws.rate_hz))


def _pad(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, cutoff_hz = draws.pitch_hz(98, 262), draws.brightness(500, 4000)
    total_S = np.zeros(draws.length)
    for step in draws.one_of(CHORDS):
        for detune in (-0.07, 0.06):
            drift_S = 1 + 0.003 * wander(draws.fork(), draws.length, draws.rate_hz, 1.0)
            note_hz = base_hz * _semitones(step + detune * draws.between(0.5, 1.5))
            total_S += oscillate(note_hz * drift_S, saw_harmonics(80, 1.2), draws.rate_hz)
    attack_s = draws.between(0.15, 0.6)
    loud_S = breakpoints(draws.length, draws.rate_hz, [(0.0, 0.12), (attack_s, 1.0), (draws.duration_s, 0.8)])
    return draws.sound(band(total_S * loud_S, None, cutoff_hz, draws.rate_hz))


def _sweep(draws: Draws, from_hz: float, to_hz: float) -> Signal:
    """Return noise and saws that glide together, as between the parts of a dance track."""
    glide_S = from_hz * (to_hz / from_hz) ** (draws.time() / draws.duration_s)
    glide_TF = (from_hz, to_hz / from_hz)

    def follow(times_s: Signal, freqs_hz: Signal) -> Signal:
        centre_hz = 4 * glide_TF[0] * glide_TF[1] ** (times_s / draws.duration_s)
        return np.exp(-0.5 * (np.log2(np.maximum(freqs_hz, 1) / centre_hz) / 0.8) ** 2)

    noise_S = sweep_filter(draws.noise(), draws.rate_hz, follow)
    tone_S = oscillate(glide_S, saw_harmonics(60, 1.2), draws.rate_hz)
    tone_S = tone_S + oscillate(glide_S * draws.between(1.005, 1.5), saw_harmonics(60, 1.2), draws.rate_hz)
    return draws.between(0.5, 1.0) * noise_S + draws.between(0.1, 0.5) * tone_S


def _riser(context: RenderContext) -> Sound:
    draws = Draws(context)
    sweep_S = _sweep(draws, draws.ratio(90, 180), draws.ratio(900, 1800))
    return draws.sound(sweep_S * (0.12 + 0.88 * (draws.time() / draws.duration_s) ** draws.between(0.8, 1.8)))


def _downlifter(context: RenderContext) -> Sound:
    draws = Draws(context)
    sweep_S = _sweep(draws, draws.ratio(900, 1800), draws.ratio(70, 140))
    return draws.sound(sweep_S * (1.05 - draws.time() / draws.duration_s) ** draws.between(0.6, 1.4))


def _laser(context: RenderContext) -> Sound:
    draws = Draws(context)
    top_hz, bottom_hz = draws.ratio(2500, 5500), draws.ratio(120, 400)
    fall_s = draws.ratio(0.04, 0.11)

    def zap() -> Signal:
        t = draws.time(draws.samples(5 * fall_s))
        harmonics = pulse_harmonics(0.5, 7)
        tone_S = oscillate(bottom_hz + top_hz * np.exp(-t / fall_s), harmonics, draws.rate_hz)
        return tone_S * np.minimum((5 * fall_s - t) / 0.02, 1.0)

    return draws.sound(draws.repeat(zap, 1.5, 6.0, single=0.1))


def _white_noise(context: RenderContext) -> Sound:
    draws = Draws(context)
    gain = tilted(draws.between(-0.05, 0.12))
    return draws.sound(shaped_noise(draws.fork(), draws.length, draws.rate_hz, gain))


def _vinyl(context: RenderContext) -> Sound:
    draws = Draws(context)
    ticks_s, rng = draws.scatter(draws.tempo(15, 60)), draws.fork()
    gains = rng.pareto(2.0, len(ticks_s)) + 0.2
    ticks_S = clicks(
        draws.length, draws.rate_hz, ticks_s, np.minimum(gains, 4) * rng.choice((-1, 1), len(gains))
    )
    surface_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(0.5, 40))
    rumble_S = sine(np.full(draws.length, draws.between(24, 33)), draws.rate_hz)
    return draws.sound(band(ticks_S, 500, 6500, draws.rate_hz, 1) + 0.02 * surface_S + 0.02 * rumble_S)


def _hum(context: RenderContext) -> Sound:
    draws = Draws(context)
    mains_hz = draws.one_of((50.0, 60.0))
    gains = draws.fork().uniform(0.2, 1.0, 24) / np.arange(1, 25) ** draws.between(0.6, 1.2)
    gains[0::2] *= draws.between(0.15, 0.4)
    steady_S = oscillate(np.full(draws.length, mains_hz), gains, draws.rate_hz)
    hiss_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(0.0, 2000))
    return draws.sound(steady_S + draws.between(0.002, 0.01) * hiss_S)


CONCEPTS: tuple[Concept, ...] = (
    Concept(name="sub bass", group="synths", render=_sub_bass, synonyms=("synth sub bass", "808 bass line")),
    Concept(
        name="acid bass", group="synths", render=_acid_bass, synonyms=("303 acid line", "squelchy acid bass")
    ),
    Concept(name="synth pad", group="synths", render=_pad, synonyms=("ambient pad", "synthesizer chord")),
    Concept(name="riser", group="synths", render=_riser, synonyms=("rising sweep", "build-up riser")),
    Concept(
        name="downlifter", group="synths", render=_downlifter, synonyms=("falling sweep", "downward sweep")
    ),
    Concept(name="laser zap", group="synths", render=_laser, synonyms=("laser gun", "sci-fi zap")),
    Concept(
        name="white noise",
        group="synths",
        render=_white_noise,
        synonyms=("noise hiss", "hissing white noise"),
        countable=False,
    ),
    Concept(
        name="vinyl crackle",
        group="synths",
        render=_vinyl,
        synonyms=("record crackle", "crackle of an old record"),
        countable=False,
    ),
    Concept(
        name="electric hum",
        group="machines",
        render=_hum,
        synonyms=("mains hum", "transformer buzz"),
        countable=False,
    ),
)

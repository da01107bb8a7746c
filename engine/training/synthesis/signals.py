"""Sounds made to be noticed: sirens, phones, bells, clocks and bleeps.

S samples.
"""

from __future__ import annotations

import numpy as np

from engine.training.synthesis.concept import Concept, RenderContext, Sound
from engine.training.synthesis.draws import LATEST_START_S, Draws
from engine.training.synthesis.dsp import (
    Signal,
    band,
    gate,
    modes,
    oscillate,
    pulse_harmonics,
    ring,
    shaped_noise,
    sine,
    tilted,
    wander,
)

DTMF_ROWS_HZ = (697.0, 770.0, 852.0, 941.0)
DTMF_COLUMNS_HZ = (1209.0, 1336.0, 1477.0)
BELL_RATIOS = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.51, 2.66, 3.01, 4.17, 5.43])
BELL_GAINS = np.array([0.6, 0.7, 0.8, 0.3, 1.0, 0.4, 0.5, 0.4, 0.3, 0.2])
MORSE = ("...---...", "-.-.--.-", ".-..-.", "--.-..", "-.-..-", "..-.--..")


def _siren(context: RenderContext) -> Sound:
    draws = Draws(context)
    low_hz, sweeps = draws.between(550, 700), draws.tempo(0.35, 4.0)
    high_hz = low_hz * draws.between(1.9, 2.4)
    position_S = (draws.time() * sweeps + draws.between(0, 1)) % 1.0
    height_S = np.where(position_S < 0.45, position_S / 0.45, (1 - position_S) / 0.55)
    sweep_S = low_hz * (high_hz / low_hz) ** height_S
    return draws.sound(oscillate(sweep_S, np.array([1, 0.35, 0.35, 0.15, 0.15, 0.08]), draws.rate_hz))


def _two_tone(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, swaps = draws.between(400, 480), draws.tempo(1.0, 3.2)
    high_S = ((draws.time() * swaps + draws.between(0, 1)) % 2.0) < 1.0
    sweep_S = base_hz * np.where(high_S, 1.334, 1.0)
    return draws.sound(oscillate(sweep_S, 1 / np.arange(1, 12) ** 0.7, draws.rate_hz))


def _beeps(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, per_second = draws.pitch_hz(1500, 3300), draws.tempo(2.0, 8.0)
    n = draws.samples(draws.between(0.4, 0.6) / per_second)
    harmonics = pulse_harmonics(0.5, draws.one_of((1, 3, 5)))
    beep_S = oscillate(np.full(n, base_hz), harmonics, draws.rate_hz) * gate(n, draws.rate_hz, 0.003)
    group = draws.one_of((99, 99, 3, 4))
    times_s = [t for k, t in enumerate(draws.beats(per_second)) if k % (group + 1) < group]
    return draws.sound(draws.lay(np.array(times_s), [beep_S] * len(times_s)))


def _fire_bell(context: RenderContext) -> Sound:
    """Render a school or fire alarm bell: one gong struck without pause."""
    draws = Draws(context)
    base_hz, per_second = draws.pitch_hz(620, 1100), draws.between(12, 18)
    strikes_s = draws.beats(per_second, 0.03)
    n = draws.samples(0.6)
    gains = [0.6, 1.0, 0.8, 0.6, 0.5, 0.3]
    gong_S = modes(n, base_hz * np.array([1.0, 1.71, 2.64, 3.83, 5.1, 6.6]), gains, 0.25, draws.rate_hz)
    return draws.sound(draws.lay(strikes_s, [gong_S * draws.between(0.8, 1.0) for _ in strikes_s]))


def _phone_ring(context: RenderContext) -> Sound:
    """Render an old telephone: a clapper between two bells, one ring after another."""
    draws = Draws(context)
    base_hz = draws.pitch_hz(1150, 1800)
    strikes_s = draws.beats(draws.between(20, 26))
    ring_s, pause_s = draws.between(0.45, 1.2), draws.between(0.3, 0.7)
    strikes_s = strikes_s[(strikes_s % (ring_s + pause_s)) < ring_s]
    bells = [
        modes(
            draws.samples(0.5),
            base_hz * ratio * np.array([1.0, 2.3, 3.9]),
            [1, 0.6, 0.3],
            0.12,
            draws.rate_hz,
        )
        for ratio in (1.0, 1.19)
    ]
    return draws.sound(draws.lay(strikes_s, [bells[k % 2] for k in range(len(strikes_s))]))


def _dialling(context: RenderContext) -> Sound:
    draws = Draws(context)
    per_second = draws.tempo(2.2, 7.0)
    times_s = draws.beats(per_second, 0.05)
    n = draws.samples(draws.between(0.5, 0.75) / per_second)
    edge_S = gate(n, draws.rate_hz, 0.004)
    grains = []
    for _ in times_s:
        row_hz, column_hz = draws.one_of(DTMF_ROWS_HZ), draws.one_of(DTMF_COLUMNS_HZ)
        pair_S = sine(np.full(n, row_hz), draws.rate_hz) + sine(np.full(n, column_hz), draws.rate_hz)
        grains.append(pair_S * edge_S)
    return draws.sound(draws.lay(times_s, grains))


def _clock(context: RenderContext) -> Sound:
    draws = Draws(context)
    times_s = draws.beats(draws.tempo(1.2, 4.0), 0.01)
    freqs_hz, case_hz = draws.between(2500, 3700) * np.array([1.0, 1.37, 1.9, 2.4]), draws.between(400, 800)
    grains = []
    for tock in (1.0, draws.between(0.75, 0.9)):
        n = draws.samples(0.08)
        tick_S = modes(n, freqs_hz * tock, [1, 0.7, 0.7, 0.5], [0.016, 0.012, 0.01, 0.007], draws.rate_hz)
        grains.append(tick_S + modes(n, [case_hz * tock], [0.12], [0.01], draws.rate_hz))
    return draws.sound(draws.lay(times_s, [grains[k % 2] for k in range(len(times_s))]))


def _church_bell(context: RenderContext) -> Sound:
    draws = Draws(context)
    strike_hz = draws.pitch_hz(160, 480)
    spread = draws.fork().uniform(0.99, 1.01, len(BELL_RATIOS))
    taus_s = draws.between(2.0, 4.0) / np.sqrt(BELL_RATIOS / 0.5) * np.where(BELL_RATIOS > 2.2, 0.5, 1.0)

    def toll() -> Signal:
        bell_S = modes(draws.length, strike_hz * BELL_RATIOS * spread, BELL_GAINS, taus_s, draws.rate_hz)
        clank_S = band(draws.noise(draws.length) * np.exp(-draws.time() / 0.01), 1000, 5000, draws.rate_hz)
        return bell_S + 0.5 * clank_S

    return draws.sound(draws.repeat(toll, 0.5, 1.3, single=0.3))


def _door_chime(context: RenderContext) -> Sound:
    draws = Draws(context)
    base_hz, gap_s = draws.pitch_hz(440, 760), draws.between(0.45, 0.8)
    notes = draws.one_of(((1.26, 1.0), (1.335, 1.0), (1.498, 1.0)))
    n, tau_s = draws.length, draws.between(0.5, 1.0)
    bars = [
        modes(n, base_hz * note * np.array([1, 2.76, 5.4]), [1, 0.25, 0.1], [tau_s, 0.2, 0.07], draws.rate_hz)
        for note in notes
    ]
    times_s = np.arange(0, draws.duration_s, gap_s) + draws.between(0, LATEST_START_S)
    again = 2 if draws.chance(0.5) else 1
    rhythm = [k for k in range(len(times_s)) if k // 3 < again and k % 3 < 2]
    return draws.sound(draws.lay(times_s[rhythm], [bars[k % 3] for k in rhythm]))


def _hand_bell(context: RenderContext) -> Sound:
    """Render a small bell shaken by hand: bright strokes of uneven strength."""
    draws = Draws(context)
    base_hz, strikes_s = draws.pitch_hz(1900, 3000), draws.beats(draws.tempo(3.0, 9.0), 0.15)
    strikes_S = draws.lay(strikes_s, [np.array([draws.between(0.3, 1.0)]) for _ in strikes_s])
    freqs_hz = base_hz * np.array([1.0, 1.006, 2.07, 3.2])
    return draws.sound(ring(strikes_S, freqs_hz, [1, 0.8, 0.5, 0.3], [0.35, 0.33, 0.2, 0.1], draws.rate_hz))


def _bleeps(context: RenderContext) -> Sound:
    """Render an arcade machine: square-wave notes that leap and slide."""
    draws = Draws(context)
    per_second, root_hz = draws.tempo(7, 16), draws.between(220, 440)
    slots = int(draws.duration_s * per_second) + 1
    rng = draws.fork()
    steps = rng.choice((0, 4, 7, 12, 16, 19, 24, 28), slots)
    slides = np.where(rng.uniform(size=slots) < 0.3, rng.uniform(-1.5, 1.5, slots), 0.0)
    slot_S = np.minimum((draws.time() * per_second).astype(int), slots - 1)
    into_S = draws.time() * per_second - slot_S
    pitch_S = root_hz * 2.0 ** (steps[slot_S] / 12 + slides[slot_S] * into_S)
    sounding_S = (into_S < draws.between(0.6, 0.95)) & (
        (slot_S == 0) | (rng.uniform(size=slots)[slot_S] < 0.88)
    )
    return draws.sound(
        oscillate(pitch_S, pulse_harmonics(draws.one_of((0.5, 0.25)), 60), draws.rate_hz) * sounding_S
    )


def _heartbeat(context: RenderContext) -> Sound:
    draws = Draws(context)
    beats_s, base_hz = draws.beats(draws.tempo(0.9, 2.2), 0.02), draws.between(38, 55)
    t = draws.time(draws.samples(0.25))
    thumps = [
        sine(base_hz * pitch * (1 + 0.3 * np.exp(-t / 0.02)), draws.rate_hz)
        * np.exp(-t / 0.045)
        * np.minimum(t / 0.012, 1)
        for pitch in (1.0, 1.25)
    ]
    gap_s = draws.between(0.18, 0.28) / max(1.0, len(beats_s) / draws.duration_s / 1.3)
    times_s = np.concatenate([beats_s, beats_s + gap_s])
    grains = [thumps[0]] * len(beats_s) + [thumps[1] * 0.6] * len(beats_s)
    muffled_S = band(draws.noise(), 30, 130, draws.rate_hz) * 0.03
    return draws.sound(draws.lay(times_s, grains) + muffled_S)


def _radio(context: RenderContext) -> Sound:
    """Render a receiver between stations: band-limited noise that fades, and a whistle that drifts."""
    draws = Draws(context)
    noise_S = band(
        shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(0.3)), 350, 3200, draws.rate_hz, 4
    )
    fading_S = 0.65 + 0.35 * wander(draws.fork(), draws.length, draws.rate_hz, draws.between(3, 12))
    drift_S = 2.0 ** (0.9 * wander(draws.fork(), draws.length, draws.rate_hz, 2.5))
    whistle_S = sine(draws.ratio(700, 1500) * drift_S, draws.rate_hz)
    ghost_S = np.maximum(wander(draws.fork(), draws.length, draws.rate_hz, 2.0), 0)
    return draws.sound(noise_S * fading_S + draws.between(0.4, 0.9) * whistle_S * ghost_S)


def _morse(context: RenderContext) -> Sound:
    draws = Draws(context)
    pitch_hz, dot_s = draws.pitch_hz(520, 950), 1.0 / draws.tempo(9, 19)
    at_s, times_s, grains = draws.between(0, LATEST_START_S), [], []
    while at_s < draws.duration_s:
        for mark in draws.one_of(MORSE):
            n = draws.samples(dot_s * (3 if mark == "-" else 1))
            times_s.append(at_s)
            grains.append(sine(np.full(n, pitch_hz), draws.rate_hz) * gate(n, draws.rate_hz, 0.004))
            at_s += n / draws.rate_hz + dot_s
        at_s += 2 * dot_s
    return draws.sound(draws.lay(np.array(times_s), grains))


def _referee(context: RenderContext) -> Sound:
    """Render a pea whistle: the ball interrupts the tone some thirty times a second."""
    draws = Draws(context)
    base_hz, pea_hz = draws.pitch_hz(2200, 3300), draws.between(28, 42)
    n = draws.samples(draws.ringing_s(0.2, 1.2))
    pea_S = np.sin(2 * np.pi * pea_hz * draws.time(n))
    tone_S = sine(base_hz * (1 + 0.025 * pea_S), draws.rate_hz) + 0.6 * sine(
        base_hz * 1.1 * (1 + 0.02 * pea_S), draws.rate_hz
    )
    breath_S = 0.25 * band(draws.noise(n), base_hz * 0.7, base_hz * 2, draws.rate_hz)
    blow_S = (tone_S + breath_S) * (0.6 + 0.4 * pea_S) * gate(n, draws.rate_hz, 0.015)
    times_s = draws.beats(1 / (n / draws.rate_hz + draws.between(0.15, 0.5)), 0.05)
    return draws.sound(draws.lay(times_s, [blow_S] * len(times_s)))


def _engaged(context: RenderContext) -> Sound:
    draws = Draws(context)
    low_hz = draws.between(340, 440)
    on_S = ((draws.time() * draws.tempo(0.9, 2.4)) % 1.0) < 0.5
    pair_S = sum(sine(np.full(draws.length, f), draws.rate_hz) for f in (low_hz, low_hz * 1.27))
    return draws.sound(pair_S * np.convolve(on_S, np.ones(64) / 64, "same") + 0.002 * draws.noise())


CONCEPTS: tuple[Concept, ...] = (
    Concept(name="police siren", group="signals", render=_siren, synonyms=("siren", "wailing siren")),
    Concept(
        name="two-tone ambulance horn",
        group="signals",
        render=_two_tone,
        synonyms=("ambulance two-tone siren",),
    ),
    Concept(
        name="alarm beeps",
        group="signals",
        render=_beeps,
        synonyms=("beeping alarm clock", "electronic alarm"),
        countable=False,
    ),
    Concept(
        name="fire alarm bell", group="signals", render=_fire_bell, synonyms=("school bell", "alarm bell")
    ),
    Concept(
        name="telephone ring",
        group="signals",
        render=_phone_ring,
        synonyms=("ringing telephone", "old phone ringing"),
    ),
    Concept(
        name="telephone dial tones",
        group="signals",
        render=_dialling,
        synonyms=("touch-tone dialing", "phone keypad tones"),
        countable=False,
    ),
    Concept(
        name="telephone busy signal",
        group="signals",
        render=_engaged,
        synonyms=("busy tone", "engaged phone tone"),
    ),
    Concept(name="ticking clock", group="signals", render=_clock, synonyms=("clock ticking", "clock")),
    Concept(
        name="church bell", group="signals", render=_church_bell, synonyms=("tolling bell", "bell tower")
    ),
    Concept(
        name="door chime", group="signals", render=_door_chime, synonyms=("doorbell", "ding-dong doorbell")
    ),
    Concept(
        name="hand bell", group="signals", render=_hand_bell, synonyms=("ringing hand bell", "jingling bell")
    ),
    Concept(
        name="arcade bleeps",
        group="signals",
        render=_bleeps,
        synonyms=("8-bit video game", "chiptune bleeps"),
        countable=False,
    ),
    Concept(name="heartbeat", group="signals", render=_heartbeat, synonyms=("beating heart", "heart beat")),
    Concept(
        name="radio static",
        group="signals",
        render=_radio,
        synonyms=("radio between stations", "shortwave radio tuning"),
        countable=False,
    ),
    Concept(
        name="morse code",
        group="signals",
        render=_morse,
        synonyms=("telegraph signal", "morse beeping"),
        countable=False,
    ),
    Concept(
        name="referee whistle", group="signals", render=_referee, synonyms=("whistle blow", "sports whistle")
    ),
)

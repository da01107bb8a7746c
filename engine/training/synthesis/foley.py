"""What people do with their hands, feet and tools.

S samples.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from engine.training.synthesis.concept import Concept, RenderContext, Sound
from engine.training.synthesis.draws import LATEST_START_S, Draws
from engine.training.synthesis.dsp import (
    Signal,
    band,
    clicks,
    modes,
    ring,
    shaped_noise,
    sweep_filter,
    tilted,
)


def _glass(context: RenderContext) -> Sound:
    """Render the blow, then shards that ring and fall."""
    draws = Draws(context)
    rng = draws.fork()
    shards = 60 + int(draws.rng.integers(60))
    times_s = np.concatenate([np.zeros(12), rng.exponential(draws.between(0.12, 0.3), shards)])
    times_s = times_s + draws.between(0, LATEST_START_S)
    gains = rng.uniform(0.2, 1.0, len(times_s)) * np.exp(-times_s / 0.5)
    voices = rng.integers(24, size=len(times_s))
    freqs_hz, taus_s = 2200 * 5.5 ** rng.uniform(size=24), rng.uniform(0.02, 0.09, 24)
    ringing_S = np.zeros(draws.length)
    for voice in range(24):
        mine = voices == voice
        hits_S = clicks(draws.length, draws.rate_hz, times_s[mine], gains[mine])
        ringing_S += ring(hits_S, freqs_hz[voice], 1.0, taus_s[voice], draws.rate_hz)
    blow_S = band(draws.noise() * np.exp(-draws.time() / 0.03), 1200, None, draws.rate_hz)
    return draws.sound(ringing_S + 0.7 * blow_S)


def _footsteps(context: RenderContext) -> Sound:
    """Render a heel and a softer toe per step, on a floor that is hollow or gritty."""
    draws = Draws(context)
    steps_s, gap_s = draws.beats(draws.tempo(1.3, 3.6), 0.05), draws.between(0.05, 0.11)
    body_hz, grit = draws.between(75, 130), draws.between(0.1, 0.9)
    n = draws.samples(0.16)
    heel_S = modes(n, body_hz * np.array([1, 2.3, 4.1]), [1, 0.5, 0.3], [0.03, 0.015, 0.008], draws.rate_hz)
    scuff_S = band(draws.noise(n) * np.exp(-draws.time(n) / 0.025), 700, 4000, draws.rate_hz)
    heels = [heel_S * draws.between(0.75, 1) + 0.25 * grit * scuff_S for _ in steps_s]
    toes = [0.35 * heel_S + grit * draws.between(0.25, 0.4) * scuff_S for _ in steps_s]
    return draws.sound(draws.lay(steps_s, heels) + draws.lay(steps_s + gap_s, toes))


def _knocking(context: RenderContext) -> Sound:
    draws = Draws(context)
    body_hz, gap_s = draws.pitch_hz(180, 380), 1 / draws.tempo(3.5, 8.0)
    group, pause_s = 2 + int(draws.rng.integers(4)), draws.between(0.4, 0.7)
    n = draws.samples(0.2)
    panel_S = modes(
        n,
        body_hz * np.array([1, 1.62, 2.45, 3.7]),
        [1, 0.8, 0.5, 0.4],
        [0.025, 0.02, 0.015, 0.008],
        draws.rate_hz,
    )
    slap_S = band(draws.noise(n) * np.exp(-draws.time(n) / 0.004), 800, 3500, draws.rate_hz)
    k = np.arange(int(draws.duration_s / gap_s) + 1)
    times_s = k * gap_s + k // group * pause_s + draws.between(0, LATEST_START_S)
    return draws.sound(
        draws.lay(times_s, [(panel_S + 0.3 * slap_S) * draws.between(0.7, 1) for _ in times_s])
    )


def _key(draws: Draws) -> Signal:
    """Return a key pressed and let go: two clicks, the second softer and higher."""
    n = draws.samples(0.14)
    base_hz = draws.between(1500, 2600)
    freqs_hz = base_hz * np.array([0.22, 1.0, 1.6, 2.3])
    thud_S = band(draws.noise(n) * np.exp(-draws.time(n) / 0.007), 180, 1200, draws.rate_hz)
    down_S = 0.5 * thud_S + modes(
        n, freqs_hz, [0.5, 1, 0.8, 0.6], [0.008, 0.005, 0.004, 0.003], draws.rate_hz
    )
    up_S = 0.4 * modes(n, freqs_hz * 1.25, [0.1, 1, 0.8, 0.6], [0.006, 0.004, 0.003, 0.003], draws.rate_hz)
    late = draws.samples(draws.between(0.05, 0.1))
    down_S[late:] += up_S[: n - late]
    return down_S * draws.between(0.5, 1.0)


def _typing(context: RenderContext) -> Sound:
    draws = Draws(context)
    per_second = draws.tempo(6, 13)
    times_s = draws.beats(per_second, 0.45)
    kept = draws.fork().uniform(size=len(times_s)) < 0.85
    kept[0] = True
    keys = [_key(draws) for _ in range(6)]
    choice = draws.fork().integers(6, size=int(kept.sum()))
    return draws.sound(draws.lay(times_s[kept], [keys[c] for c in choice]))


def _applause(context: RenderContext) -> Sound:
    """Render a crowd: many hands, each clapping at its own pace through its own pair of palms."""
    draws = Draws(context)
    claps_s, rng = draws.scatter(draws.force(60, 400)), draws.fork()
    hands = rng.integers(6, size=len(claps_s))
    gains = np.minimum(rng.pareto(2.5, len(claps_s)) + 0.3, 2.5)
    tail = draws.samples(0.02)
    total_S = np.zeros(draws.length)
    for hand in range(6):
        mine = hands == hand
        strikes_S = clicks(draws.length, draws.rate_hz, claps_s[mine], gains[mine])
        palms_S = draws.noise(tail) * np.exp(-draws.time(tail) / 0.005)
        clap_S = signal.oaconvolve(strikes_S, palms_S)[: draws.length]
        centre_hz = draws.between(750, 1600)
        total_S += band(clap_S, centre_hz * 0.7, centre_hz * 1.6, draws.rate_hz)
    murmur_S = shaped_noise(draws.fork(), draws.length, draws.rate_hz, tilted(0.6, 300, 3000))
    return draws.sound(total_S / np.sqrt(np.mean(total_S**2)) + 0.15 * murmur_S)


def _sawing(context: RenderContext) -> Sound:
    """Render strokes to and fro: the push rasps higher and louder than the pull."""
    draws = Draws(context)
    strokes, teeth_hz = draws.tempo(1.2, 3.2), draws.between(90, 160)
    position_S = (draws.time() * strokes) % 1.0
    push_S = position_S < 0.55
    within_S = np.where(push_S, position_S / 0.55, (position_S - 0.55) / 0.45)
    speed_S = np.sin(np.pi * within_S) ** 0.6 * np.where(push_S, 1.0, 0.5)
    teeth_S = np.abs(np.sin(np.pi * np.cumsum(teeth_hz * speed_S) / draws.rate_hz))

    def rasp(times_s: Signal, freqs_hz: Signal) -> Signal:
        pushing = (times_s * strokes) % 1.0 < 0.55
        centre_hz = np.where(pushing, 2200, 1500)
        return 1 / (1 + ((freqs_hz - centre_hz) / 900) ** 2) + 0.25 / (1 + ((freqs_hz - 500) / 150) ** 2)

    return draws.sound(sweep_filter(draws.noise() * speed_S * (0.2 + teeth_S**3), draws.rate_hz, rasp))


def _hammering(context: RenderContext) -> Sound:
    """Render a hammer on a nail: a hard metallic ring over the thud of the plank."""
    draws = Draws(context)
    nail_hz = draws.pitch_hz(1500, 2600)
    n = draws.samples(0.4)
    freqs_hz = nail_hz * np.array([1, 1.43, 2.1, 2.9, 3.6])
    nail_S = modes(n, freqs_hz, [0.8, 1, 0.7, 0.5, 0.4], draws.between(0.03, 0.07), draws.rate_hz)
    plank_S = modes(n, [130, 290, 460], [0.9, 0.6, 0.4], 0.025, draws.rate_hz)
    return draws.sound(draws.repeat(lambda: nail_S + plank_S, 1.4, 4.0, single=0.0))


def _coins(context: RenderContext) -> Sound:
    """Render coins that drop and bounce faster and faster until they rest."""
    draws = Draws(context)
    total_S = np.zeros(draws.length)
    for drop in range(1 + int(draws.rng.integers(3))):
        first_s = (
            draws.between(0, LATEST_START_S) if drop == 0 else draws.between(0.2, 0.6) * draws.duration_s
        )
        bounces = np.arange(14)
        times_s = first_s + draws.between(0.2, 0.35) * (1 - 0.78**bounces) / 0.22
        hits_S = clicks(draws.length, draws.rate_hz, times_s, 0.8**bounces)
        freqs_hz = draws.between(2600, 3600) * np.array([1, 1.56, 2.1, 3.3, 4.4])
        total_S += ring(
            hits_S, freqs_hz, [0.7, 1, 0.7, 0.5, 0.4], [0.07, 0.05, 0.05, 0.03, 0.03], draws.rate_hz
        )
    return draws.sound(total_S)


def _scratch(context: RenderContext) -> Sound:
    """Render a record dragged to and fro under the needle."""
    draws = Draws(context)
    strokes = draws.tempo(2.5, 7.0)
    position_S = draws.time() * strokes
    speed_S = np.abs(np.sin(np.pi * position_S)) ** 0.7 * (1 + 0.5 * np.sin(2.1 * position_S))
    peak_hz = draws.between(900, 1600)

    def needle(times_s: Signal, freqs_hz: Signal) -> Signal:
        at = times_s * strokes
        centre_hz = 150 + peak_hz * np.abs(np.sin(np.pi * at)) ** 0.7 * (1 + 0.5 * np.sin(2.1 * at))
        comb = sum(
            np.exp(-0.5 * ((freqs_hz - k * centre_hz) / (0.09 * centre_hz)) ** 2) / k for k in (1, 2, 3)
        )
        return comb + 0.05 / (1 + (freqs_hz / 3000) ** 2)

    return draws.sound(sweep_filter(draws.noise(), draws.rate_hz, needle) * (0.05 + speed_S))


def _tearing(context: RenderContext) -> Sound:
    """Render cloth or paper torn: a rip of fine cracks that speeds up."""
    draws = Draws(context)
    span_s = draws.ringing_s(0.3, 1.2)
    n = draws.samples(span_s)
    rng = draws.fork()
    share = np.linspace(0, 1, n)
    fibres_S = (rng.uniform(size=n) * draws.rate_hz < 250 + 2500 * share**2) * rng.standard_normal(n)
    rip_S = band(fibres_S, 1500, 8000, draws.rate_hz, 1) * (0.4 + 0.6 * share)
    times_s = draws.beats(1 / (span_s + draws.between(0.25, 0.5)))
    return draws.sound(draws.lay(times_s, [rip_S] * len(times_s)))


CONCEPTS: tuple[Concept, ...] = (
    Concept(
        name="glass breaking",
        group="actions",
        render=_glass,
        synonyms=("breaking glass", "shattering glass"),
        countable=False,
    ),
    Concept(
        name="footsteps",
        group="actions",
        render=_footsteps,
        synonyms=("walking footsteps", "steps on a floor"),
        countable=False,
    ),
    Concept(
        name="knocking on wood",
        group="actions",
        render=_knocking,
        synonyms=("knock on a door", "door knocking"),
        countable=False,
    ),
    Concept(
        name="keyboard typing",
        group="actions",
        render=_typing,
        synonyms=("typing on a keyboard", "computer keyboard clicks"),
        countable=False,
    ),
    Concept(
        name="applause",
        group="actions",
        render=_applause,
        synonyms=("clapping audience", "crowd clapping"),
        countable=False,
    ),
    Concept(
        name="sawing wood",
        group="actions",
        render=_sawing,
        synonyms=("hand saw cutting wood", "wood saw"),
        countable=False,
    ),
    Concept(
        name="hammering nails",
        group="actions",
        render=_hammering,
        synonyms=("hammer hitting a nail", "hammer blows"),
        countable=False,
    ),
    Concept(
        name="coins dropping",
        group="actions",
        render=_coins,
        synonyms=("falling coins", "coin bounce"),
        countable=False,
    ),
    Concept(
        name="record scratching",
        group="actions",
        render=_scratch,
        synonyms=("turntable scratch", "DJ scratching"),
        countable=False,
    ),
    Concept(
        name="paper tearing",
        group="actions",
        render=_tearing,
        synonyms=("ripping paper", "tearing cloth"),
        countable=False,
    ),
)

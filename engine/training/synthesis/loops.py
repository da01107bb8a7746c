"""Drum loops: patterns of sixteen steps played by the strokes of the kit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.training.synthesis.concept import Concept, RenderContext, Sound
from engine.training.synthesis.draws import LATEST_START_S, Draws
from engine.training.synthesis.dsp import Signal
from engine.training.synthesis.kit import (
    clap_hit,
    crash_hit,
    hat_hit,
    kick_hit,
    shaker_hit,
    snare_hit,
)

STEPS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class _Voice:
    """One instrument of a loop: x loud, o soft, anything else a rest."""

    pattern: str
    grain: Signal
    gain: float = 1.0


def _play(draws: Draws, bpm: float, voices: list[_Voice], swing: float = 0.0) -> Signal:
    step_s = 15.0 / bpm
    first = 4 * int(draws.rng.integers(4))
    start_s = draws.between(0.0, LATEST_START_S)
    steps = np.arange(int(draws.duration_s / step_s) + 1)
    times_s = start_s + (steps + swing * (steps % 2)) * step_s
    out_S = np.zeros(draws.length)
    for voice in voices:
        levels = [_level(draws, voice.pattern[(first + k) % STEPS]) * voice.gain for k in steps]
        out_S += draws.lay(times_s, [voice.grain * level for level in levels])
    return out_S


def _level(draws: Draws, mark: str) -> float:
    loudness = {"x": 1.0, "o": 0.35}.get(mark, 0.0)
    return loudness * draws.between(0.85, 1.0)


def _rock(context: RenderContext) -> Sound:
    draws = Draws(context)
    bpm = draws.tempo(80, 132)
    kick = draws.one_of(("x.......x.x.....", "x.....x.x.......", "x..x....x.x.....", "x.......xx......"))
    hats = draws.one_of(("x.x.x.x.x.x.x.x.", "x.o.x.o.x.o.x.o."))
    voices = [
        _Voice(pattern=kick, grain=kick_hit(draws, draws.between(50, 65), 0.12)),
        _Voice(pattern="....x.......x...", grain=snare_hit(draws, draws.between(170, 220), 0.14, 8000)),
        _Voice(pattern=hats, grain=hat_hit(draws, draws.between(0.03, 0.07)), gain=0.4),
    ]
    if draws.chance(0.3):
        voices.append(
            _Voice(pattern="x" + "." * 15, grain=crash_hit(draws, 0.6, draws.samples(1.5)), gain=0.3)
        )
    return draws.sound(_play(draws, bpm, voices))


def _house(context: RenderContext) -> Sound:
    draws = Draws(context)
    bpm = draws.tempo(112, 142)
    voices = [
        _Voice(pattern="x...x...x...x...", grain=kick_hit(draws, draws.between(44, 56), 0.16)),
        _Voice(pattern="..x...x...x...x.", grain=hat_hit(draws, draws.between(0.08, 0.13)), gain=0.55),
    ]
    if draws.chance(0.7):
        voices.append(_Voice(pattern="....x.......x...", grain=clap_hit(draws, 3000, 0.09), gain=0.6))
    if draws.chance(0.6):
        shaker_S = shaker_hit(draws, 4500, 0.015)
        voices.append(_Voice(pattern="xoxoxoxoxoxoxoxo", grain=shaker_S, gain=0.8))
    return draws.sound(_play(draws, bpm, voices))


def _breakbeat(context: RenderContext) -> Sound:
    draws = Draws(context)
    bpm = draws.tempo(160, 182)
    kick = draws.one_of(("x.x.......x.....", "x.........x.....", "x.x.......xx...."))
    snare = draws.one_of(("....x..o.o..x..o", "....x..o.o..x...", "....x..o....x.ox"))
    snare_S = snare_hit(draws, draws.between(210, 270), 0.09, 10000)
    voices = [
        _Voice(pattern=kick, grain=kick_hit(draws, draws.between(58, 72), 0.08)),
        _Voice(pattern=snare, grain=snare_S),
        _Voice(pattern="x.x.x.x.x.x.x.x.", grain=hat_hit(draws, 0.04), gain=0.45),
        _Voice(pattern="xoxoxoxoxoxoxoxo", grain=shaker_hit(draws, 3500, 0.018), gain=0.5),
    ]
    return draws.sound(_play(draws, bpm, voices, draws.between(0.0, 0.12)))


def _trap(context: RenderContext) -> Sound:
    """Render a beat at half time: a long tuned kick, one clap a bar, rolling hats."""
    draws = Draws(context)
    bpm = draws.tempo(120, 160)
    hats = draws.one_of(("x.x.x.xxx.x.xxxx", "x.x.xxx.x.x.x.xx", "xxx.x.x.xxxxx.x."))
    kick = draws.one_of(("x.....x...x.....", "x..x......x.....", "x.........x..x.."))
    voices = [
        _Voice(pattern=kick, grain=kick_hit(draws, draws.between(36, 48), draws.between(0.45, 0.8))),
        _Voice(pattern="........x.......", grain=clap_hit(draws, 3500, 0.12), gain=0.8),
        _Voice(pattern=hats, grain=hat_hit(draws, draws.between(0.012, 0.025)), gain=0.5),
    ]
    return draws.sound(_play(draws, bpm, voices))


CONCEPTS: tuple[Concept, ...] = (
    Concept(
        name="rock drum loop", group="drum loops", render=_rock, synonyms=("rock beat", "rock drums groove")
    ),
    Concept(
        name="house drum loop",
        group="drum loops",
        render=_house,
        synonyms=("techno beat", "four-on-the-floor beat", "house beat"),
    ),
    Concept(
        name="drum and bass breakbeat",
        group="drum loops",
        render=_breakbeat,
        synonyms=("breakbeat", "jungle drum loop"),
    ),
    Concept(name="trap beat", group="drum loops", render=_trap, synonyms=("trap drum loop", "808 beat")),
)

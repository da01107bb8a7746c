"""Random phrases for a pitched instrument: melody, chords, arpeggio, one repeated note, held notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import numpy as np

from engine.training.synthesis.concept import Attribute
from engine.training.synthesis.fluidsynth import Note

Choice = TypeVar("Choice")
SLOW_BELOW_PER_S, FAST_ABOVE_PER_S = 1.6, 6.0
_LATEST_START_S = 0.02
_SCALES = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 3, 5, 7, 9, 10),
    (0, 2, 4, 7, 9),
    (0, 3, 5, 7, 10),
)
_MELODY_STEPS = (-3, -2, -1, -1, 0, 1, 1, 2, 3, 4)


class Style(Enum):
    MELODY = "melody"
    CHORDS = "chords"
    ARPEGGIO = "arpeggio"
    REPEATED = "repeated"
    HELD = "held"


class Register(Enum):
    LOW = "low"
    MIDDLE = "middle"
    HIGH = "high"


class Pace(Enum):
    SLOW = "slow"
    MEDIUM = "medium"
    FAST = "fast"


class Touch(Enum):
    SOFT = "soft"
    NORMAL = "normal"
    HARD = "hard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compass:
    """What an instrument can play: its lowest and highest MIDI key, styles and paces."""

    low_key: int
    high_key: int
    styles: tuple[Style, ...]
    paces: tuple[Pace, ...] = tuple(Pace)

    def window(self, register: Register) -> tuple[int, int]:
        """Return the lowest and highest key of a register, at least seven keys wide."""
        third = max(7, (self.high_key - self.low_key) // 3)
        if register is Register.LOW:
            return self.low_key, self.low_key + third
        if register is Register.HIGH:
            return self.high_key - third, self.high_key
        middle = (self.low_key + self.high_key) // 2
        return middle - third // 2, middle + third // 2 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Notes, and the attributes that hold for them."""

    notes: tuple[Note, ...]
    attributes: frozenset[Attribute]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    keys: tuple[int, ...]
    interval_s: float
    gate: float
    velocity: int
    chordal: bool


def draw_phrase(rng: np.random.Generator, compass: Compass, duration_s: float) -> Phrase:
    """Draw a phrase that starts at once and fills duration_s."""
    style = _pick(rng, compass.styles)
    pace = _pick(rng, compass.paces) if style is not Style.HELD else Pace.SLOW
    register, touch = _pick(rng, tuple(Register)), _pick(rng, tuple(Touch))
    plan = _Plan(
        keys=_scale_keys(rng, compass.window(register)),
        interval_s=_interval_s(rng, pace),
        gate=float(rng.choice((0.45, 0.85, 1.0))),
        velocity=_velocity(rng, touch),
        chordal=Style.CHORDS in compass.styles,
    )
    notes = _WRITERS[style](rng, plan, duration_s)
    return Phrase(notes=notes, attributes=_attributes(notes, register, touch, duration_s))


def _pick(rng: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    return choices[int(rng.integers(len(choices)))]


def _scale_keys(rng: np.random.Generator, window: tuple[int, int]) -> tuple[int, ...]:
    """Return the keys of a random scale within the window."""
    tonic, scale = int(rng.integers(12)), _pick(rng, _SCALES)
    return tuple(key for key in range(window[0], window[1] + 1) if (key - tonic) % 12 in scale)


def _interval_s(rng: np.random.Generator, pace: Pace) -> float:
    low_s, high_s = {
        Pace.SLOW: (0.75, 1.4),
        Pace.MEDIUM: (0.22, 0.5),
        Pace.FAST: (0.09, 0.14),
    }[pace]
    return float(np.exp(rng.uniform(np.log(low_s), np.log(high_s))))


def _velocity(rng: np.random.Generator, touch: Touch) -> int:
    low, high = {Touch.SOFT: (28, 45), Touch.NORMAL: (70, 105), Touch.HARD: (118, 127)}[touch]
    return int(rng.integers(low, high + 1))


def _onsets_s(rng: np.random.Generator, plan: _Plan, duration_s: float) -> list[float]:
    """Return even onsets of which some are left out, never the first."""
    start_s = rng.uniform(0, _LATEST_START_S)
    grid_s = np.arange(start_s, duration_s, plan.interval_s)
    kept = rng.random(len(grid_s)) > (0.12 if rng.random() < 0.5 else 0.0)
    kept[0] = True
    return [float(onset_s) for onset_s in grid_s[kept]]


def _note(rng: np.random.Generator, plan: _Plan, key: int, start_s: float, length_s: float) -> Note:
    velocity = int(np.clip(plan.velocity + rng.integers(-6, 7), 1, 127))
    return Note(key=key, start_s=start_s, duration_s=length_s, velocity=velocity)


def _melody(rng: np.random.Generator, plan: _Plan, duration_s: float) -> tuple[Note, ...]:
    notes, place = [], int(rng.integers(len(plan.keys)))
    for start_s in _onsets_s(rng, plan, duration_s):
        notes.append(_note(rng, plan, plan.keys[place], start_s, plan.interval_s * plan.gate))
        place = _reflect(place + _pick(rng, _MELODY_STEPS), len(plan.keys))
    return tuple(notes)


def _reflect(place: int, count: int) -> int:
    """Fold a place that ran over either end back into 0..count-1."""
    turned = abs(place)
    return turned if turned < count else max(0, 2 * (count - 1) - turned)


def _chord_keys(rng: np.random.Generator, keys: Sequence[int]) -> list[int]:
    root, step = int(rng.integers(len(keys))), 2 if len(keys) >= 5 else 1
    places = sorted({(root + step * index) % len(keys) for index in range(3)})
    return [keys[place] for place in places]


def _chords(rng: np.random.Generator, plan: _Plan, duration_s: float) -> tuple[Note, ...]:
    notes, chord = [], _chord_keys(rng, plan.keys)
    for index, start_s in enumerate(_onsets_s(rng, plan, duration_s)):
        if index % 2 == 0 or plan.interval_s > SLOW_BELOW_PER_S**-1:
            chord = _chord_keys(rng, plan.keys)
        notes += [_note(rng, plan, key, start_s, plan.interval_s * plan.gate) for key in chord]
    return tuple(notes)


def _arpeggio(rng: np.random.Generator, plan: _Plan, duration_s: float) -> tuple[Note, ...]:
    chord = _chord_keys(rng, plan.keys)
    cycle = chord + chord[-2:0:-1] if rng.random() < 0.5 else chord[:: _pick(rng, (-1, 1))]
    onsets_s = _onsets_s(rng, plan, duration_s)
    return tuple(
        _note(rng, plan, cycle[index % len(cycle)], start_s, plan.interval_s * plan.gate)
        for index, start_s in enumerate(onsets_s)
    )


def _repeated(rng: np.random.Generator, plan: _Plan, duration_s: float) -> tuple[Note, ...]:
    key = _pick(rng, plan.keys)
    onsets_s = _onsets_s(rng, plan, duration_s)
    return tuple(_note(rng, plan, key, start_s, plan.interval_s * plan.gate) for start_s in onsets_s)


def _held(rng: np.random.Generator, plan: _Plan, duration_s: float) -> tuple[Note, ...]:
    keys = _chord_keys(rng, plan.keys)[: _pick(rng, (1, 2, 3)) if plan.chordal else 1]
    return tuple(_note(rng, plan, key, 0.0, duration_s) for key in keys)


_Writer = Callable[[np.random.Generator, _Plan, float], tuple[Note, ...]]
_WRITERS: dict[Style, _Writer] = {
    Style.MELODY: _melody,
    Style.CHORDS: _chords,
    Style.ARPEGGIO: _arpeggio,
    Style.REPEATED: _repeated,
    Style.HELD: _held,
}


def _attributes(
    notes: Sequence[Note], register: Register, touch: Touch, duration_s: float
) -> frozenset[Attribute]:
    found = {
        Register.LOW: {Attribute.LOW},
        Register.MIDDLE: set[Attribute](),
        Register.HIGH: {Attribute.HIGH},
    }[register]
    found |= _pace_attributes(notes, duration_s)
    if touch is not Touch.NORMAL:
        found.add(Attribute.SOFT if touch is Touch.SOFT else Attribute.HARD)
    return frozenset(found)


def _pace_attributes(notes: Sequence[Note], duration_s: float) -> set[Attribute]:
    """Judge the pace by what is heard: onsets per second; one onset has no pace."""
    onsets = len({note.start_s for note in notes})
    if onsets == 1:
        return {Attribute.LONG} if notes[0].duration_s >= duration_s else set()
    if onsets / duration_s > FAST_ABOVE_PER_S:
        return {Attribute.FAST}
    return {Attribute.SLOW} if onsets / duration_s < SLOW_BELOW_PER_S else set()

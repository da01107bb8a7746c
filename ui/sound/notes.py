"""Frequencies as notes of equal temperament, A4 = 440 Hz, C4 the middle C."""

from __future__ import annotations

import math
import re

_A4_HZ = 440.0
_A4 = 69
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_WITHIN_OCTAVE = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SHIFTS = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
_NOTE = re.compile(r"\s*([A-Ga-g])([#♯b♭]?)(-?\d{1,2})\s*(?:([+-]\d{1,4}(?:\.\d+)?)\s*c(?:ents?)?)?\s*")


def note_name(frequency_hz: float) -> str:
    """Return the nearest note and what is missing in cents, as "A3+20c"; "" for what is no pitch."""
    if not 1.0 <= frequency_hz < math.inf:
        return ""
    semitones = _A4 + 12.0 * math.log2(frequency_hz / _A4_HZ)
    note = round(semitones)
    cents = round(100.0 * (semitones - note))
    return f"{_NAMES[note % 12]}{note // 12 - 1}" + (f"{cents:+d}c" if cents else "")


def note_hz(text: str) -> float:
    """Return the frequency of a note written as "A3", "Bb2" or "C#4-15c"; ValueError for anything else."""
    found = _NOTE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r:.40} is not a note as A3, Bb2 or C#4-15c")
    letter, shift, octave, cents = found.groups()
    note = 12 * (int(octave) + 1) + _WITHIN_OCTAVE[letter.upper()] + _SHIFTS[shift]
    return float(_A4_HZ * 2.0 ** ((note - _A4 + float(cents or 0.0) / 100.0) / 12.0))

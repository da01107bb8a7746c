"""The example clip that ships with the presets: a short groove in A minor.

N channels (left, right), S samples.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engine.training.synthesis.fluidsynth import DRUM_BANK, Note, Part, render_parts

SAMPLE_RATE_HZ = 48000
DURATION_S = 6.0
TEMPO_BPM = 100.0
_BEAT_S = 60.0 / TEMPO_BPM
_PEAK = 0.7
_FADE_S = 0.4
_REVERB_LEVEL = 0.35
_PIANO, _BASS, _VIBRAPHONE, _DRUM_KIT = 0, 33, 11, 0
_KICK, _SIDE_STICK, _CLOSED_HAT, _OPEN_HAT = 36, 37, 42, 46
# Am7, Fmaj7, Cmaj7, Gadd9 for two beats each, then Am9 to end on.
_CHORDS = ((57, 60, 64, 67), (57, 60, 64, 65), (55, 59, 60, 64), (55, 57, 59, 62), (57, 59, 60, 64))
_ROOTS = (33, 29, 36, 31, 33)
_TUNE = ((1.0, 76), (1.5, 79), (2.0, 81), (3.5, 79), (4.0, 76), (5.5, 74), (6.0, 71), (7.0, 74), (8.0, 76))


def render_example() -> tuple[np.ndarray, int]:
    """Return six seconds of piano, bass, vibraphone and drums as float32 audio_NS, and the rate in Hz."""
    parts = (
        Part(program=_PIANO, notes=_piano(), pan=-0.35),
        Part(program=_BASS, notes=_bass()),
        Part(program=_VIBRAPHONE, notes=_tune(), pan=0.4),
        Part(program=_DRUM_KIT, bank=DRUM_BANK, notes=_drums(), pan=0.1),
    )
    audio_NS = render_parts(
        parts, sample_rate_hz=SAMPLE_RATE_HZ, duration_s=DURATION_S, reverb_level=_REVERB_LEVEL
    )
    return _faded(audio_NS * (_PEAK / np.abs(audio_NS).max())), SAMPLE_RATE_HZ


def _note(beat: float, key: int, beats: float, velocity: int) -> Note:
    return Note(key=key, start_s=beat * _BEAT_S, duration_s=beats * _BEAT_S, velocity=velocity)


def _piano() -> tuple[Note, ...]:
    notes = []
    for index, chord in enumerate(_CHORDS):
        beat = 2.0 * index
        notes += [_note(beat, key, 1.4 if index < 4 else 4.0, 78) for key in chord]
        if index < 4:
            notes += [_note(beat + 1.5, key, 0.4, 62) for key in chord]
    return tuple(notes)


def _bass() -> tuple[Note, ...]:
    notes = []
    for index, root in enumerate(_ROOTS[:4]):
        beat = 2.0 * index
        notes += [_note(beat, root, 0.9, 105), _note(beat + 1.0, root, 0.4, 88)]
        notes.append(_note(beat + 1.5, root + 12, 0.45, 92))
    return (*notes, _note(8.0, _ROOTS[4], 2.0, 105))


def _tune() -> tuple[Note, ...]:
    return tuple(_note(beat, key, 0.9, 84) for beat, key in _TUNE)


def _drums() -> tuple[Note, ...]:
    hats = ((0.5 * step, _CLOSED_HAT, 64 if step % 2 else 46) for step in range(16))
    kicks = ((beat, _KICK, 96) for beat in (0.0, 2.5, 4.0, 6.5, 8.0))
    sticks = ((beat, _SIDE_STICK, 78) for beat in (1.0, 3.0, 5.0, 7.0))
    return (*_hits(hats), *_hits(kicks), *_hits(sticks), _note(8.0, _OPEN_HAT, 2.0, 44))


def _hits(hits: Iterable[tuple[float, int, int]]) -> list[Note]:
    return [_note(beat, key, 0.3, velocity) for beat, key, velocity in hits]


def _faded(audio_NS: np.ndarray) -> np.ndarray:
    """Fade the last moments out, so that the clip ends in silence."""
    fade_samples = round(_FADE_S * SAMPLE_RATE_HZ)
    audio_NS[:, -fade_samples:] *= np.linspace(1.0, 0.0, fade_samples, dtype=np.float32) ** 2
    return audio_NS

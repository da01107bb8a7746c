"""Offline rendering of notes with libfluidsynth and a General MIDI SoundFont.

A synth that is reset keeps traces of earlier voices, so that the next clip is not bit-identical.
Every render therefore has a synth of its own, which takes a fraction of a millisecond; the
SoundFont is parsed once per process and lent to each of them.

N channels (left, right), S samples.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soxr

from engine.errors import NotFound

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
INSTALL_COMMAND = "apt-get install fluidsynth fluid-soundfont-gm espeak-ng"
DRUM_BANK = 128
# SoundFont samples are 44.1 kHz and the synth's interpolator has no anti-alias filter.
MIN_SYNTH_RATE_HZ = 32000
_PAN, _BEND_CENTRE, _BEND_RANGE_CENTS = 10, 8192, 200
_LOG_LEVELS = (2, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One key pressed at start_s and released duration_s later; key and velocity as in MIDI."""

    key: int
    start_s: float
    duration_s: float
    velocity: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The notes of one instrument; pan goes from -1 (left) to 1 (right).

    Some presets are stereo recordings, of which panning only shifts the balance.
    """

    program: int
    notes: tuple[Note, ...]
    bank: int = 0
    pan: float = 0.0
    tuning_cents: float = 0.0


def render_parts(
    parts: Sequence[Part], *, sample_rate_hz: int, duration_s: float, reverb_level: float = 0.0
) -> np.ndarray:
    """Render up to 16 parts to float32 audio_NS of exactly round(duration_s * sample_rate_hz) samples."""
    assert 1 <= len(parts) <= 16
    length_samples = round(duration_s * sample_rate_hz)
    synth_rate_hz = sample_rate_hz * math.ceil(MIN_SYNTH_RATE_HZ / sample_rate_hz)
    synth_samples = length_samples * (synth_rate_hz // sample_rate_hz)
    with _borrowed_synth(synth_rate_hz, reverb_level) as (synth, font_id):
        for channel, part in enumerate(parts):
            _set_channel(synth, font_id, channel, part)
        audio_SN = _play(synth, _events(parts, synth_rate_hz), synth_samples)
    if synth_rate_hz != sample_rate_hz:
        audio_SN = soxr.resample(audio_SN, synth_rate_hz, sample_rate_hz)
    return np.ascontiguousarray(audio_SN[:length_samples].T)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Event:
    at_samples: int
    press: bool
    channel: int
    key: int
    velocity: int


def _events(parts: Sequence[Part], sample_rate_hz: int) -> list[_Event]:
    """Return all key events in time order, releases before presses."""
    events = []
    for channel, part in enumerate(parts):
        for note in part.notes:
            for press in (True, False):
                at_s = note.start_s if press else note.start_s + note.duration_s
                events.append(
                    _Event(
                        at_samples=round(at_s * sample_rate_hz),
                        press=press,
                        channel=channel,
                        key=note.key,
                        velocity=note.velocity,
                    )
                )
    return sorted(events)


def _play(synth: int, events: Sequence[_Event], length_samples: int) -> np.ndarray:
    audio_SN = np.zeros((length_samples, 2), np.float32)
    position = 0
    for event in events:
        if event.at_samples >= length_samples:
            break
        _write(synth, audio_SN, position, event.at_samples)
        position = event.at_samples
        if event.press:
            _library().fluid_synth_noteon(synth, event.channel, event.key, event.velocity)
        else:
            _library().fluid_synth_noteoff(synth, event.channel, event.key)
    _write(synth, audio_SN, position, length_samples)
    return audio_SN


def _write(synth: int, audio_SN: np.ndarray, start_samples: int, end_samples: int) -> None:
    count = end_samples - start_samples
    if count > 0:
        target = audio_SN.ctypes.data
        left, right = 2 * start_samples, 2 * start_samples + 1
        _library().fluid_synth_write_float(synth, count, target, left, 2, target, right, 2)


def _set_channel(synth: int, font_id: int, channel: int, part: Part) -> None:
    library = _library()
    _pin(SOUNDFONT, part.bank, part.program)
    if library.fluid_synth_program_select(synth, channel, font_id, part.bank, part.program) != 0:
        raise NotFound(f"The SoundFont {SOUNDFONT} has no bank {part.bank} program {part.program}.")
    library.fluid_synth_cc(synth, channel, _PAN, round(64 + 63 * part.pan))
    bend = _BEND_CENTRE * (1 + part.tuning_cents / _BEND_RANGE_CENTS)
    library.fluid_synth_pitch_bend(synth, channel, round(bend))


@contextmanager
def _borrowed_synth(sample_rate_hz: int, reverb_level: float) -> Iterator[tuple[int, int]]:
    """Yield a fresh synth and the id of the shared SoundFont in it."""
    library, font = _library(), _font(SOUNDFONT)
    settings = _settings(sample_rate_hz, reverb_level)
    synth = library.new_fluid_synth(settings)
    try:
        yield synth, library.fluid_synth_add_sfont(synth, font)
    finally:
        library.fluid_synth_remove_sfont(synth, font)
        library.delete_fluid_synth(synth)


@cache
def _settings(sample_rate_hz: int, reverb_level: float) -> int:
    library = _library()
    settings: int = library.new_fluid_settings()
    library.fluid_settings_setnum(settings, b"synth.sample-rate", float(sample_rate_hz))
    library.fluid_settings_setint(settings, b"synth.reverb.active", int(reverb_level > 0))
    library.fluid_settings_setnum(settings, b"synth.reverb.level", reverb_level)
    library.fluid_settings_setint(settings, b"synth.chorus.active", 0)
    library.fluid_settings_setint(settings, b"synth.dynamic-sample-loading", 1)
    library.fluid_settings_setint(settings, b"synth.lock-memory", 0)
    return settings


@cache
def _owner(path: Path) -> tuple[int, int]:
    """Return the synth that owns a SoundFont (it never plays) and the font's id in it."""
    if not path.is_file():
        raise NotFound(f"The SoundFont {path} is missing: run `{INSTALL_COMMAND}`.")
    library = _library()
    synth = library.new_fluid_synth(_settings(48000, 0.0))
    font_id = library.fluid_synth_sfload(synth, str(path).encode(), 0)
    if font_id < 0:
        raise NotFound(f"The SoundFont {path} cannot be read: run `{INSTALL_COMMAND}`.")
    return synth, font_id


@cache
def _font(path: Path) -> int:
    synth, font_id = _owner(path)
    font: int = _library().fluid_synth_get_sfont_by_id(synth, font_id)
    return font


@cache
def _pin(path: Path, bank: int, program: int) -> None:
    """Keep a preset's samples in memory, which are otherwise freed with each synth."""
    synth, font_id = _owner(path)
    _library().fluid_synth_pin_preset(synth, font_id, bank, program)


_POINTER, _INT = ctypes.c_void_p, ctypes.c_int
_PROTOTYPES = {
    "fluid_set_log_function": (_POINTER, _INT, _POINTER, _POINTER),
    "new_fluid_settings": (_POINTER,),
    "fluid_settings_setnum": (_INT, _POINTER, ctypes.c_char_p, ctypes.c_double),
    "fluid_settings_setint": (_INT, _POINTER, ctypes.c_char_p, _INT),
    "new_fluid_synth": (_POINTER, _POINTER),
    "delete_fluid_synth": (None, _POINTER),
    "fluid_synth_sfload": (_INT, _POINTER, ctypes.c_char_p, _INT),
    "fluid_synth_get_sfont_by_id": (_POINTER, _POINTER, _INT),
    "fluid_synth_add_sfont": (_INT, _POINTER, _POINTER),
    "fluid_synth_remove_sfont": (_INT, _POINTER, _POINTER),
    "fluid_synth_pin_preset": (_INT, _POINTER, _INT, _INT, _INT),
    "fluid_synth_program_select": (_INT, _POINTER, _INT, _INT, _INT, _INT),
    "fluid_synth_cc": (_INT, _POINTER, _INT, _INT, _INT),
    "fluid_synth_pitch_bend": (_INT, _POINTER, _INT, _INT),
    "fluid_synth_noteon": (_INT, _POINTER, _INT, _INT, _INT),
    "fluid_synth_noteoff": (_INT, _POINTER, _INT, _INT),
    "fluid_synth_write_float": (_INT, _POINTER, _INT, _POINTER, _INT, _INT, _POINTER, _INT, _INT),
}


@cache
def _library() -> ctypes.CDLL:
    """Load libfluidsynth (2.2 or newer) and silence its remarks about channels without a preset."""
    name = ctypes.util.find_library("fluidsynth")
    if name is None:
        raise NotFound(f"The library fluidsynth is missing: run `{INSTALL_COMMAND}`.")
    library = ctypes.CDLL(name)
    for function, (result, *arguments) in _PROTOTYPES.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    for level in _LOG_LEVELS:
        library.fluid_set_log_function(level, None, None)
    return library

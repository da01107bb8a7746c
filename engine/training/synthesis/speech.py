"""Speech concepts: espeak-ng reads random sentences with random voices.

S samples.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import soundfile
import soxr
from scipy import signal

from engine.errors import NotFound
from engine.training.synthesis.concept import Attribute, Concept, RenderContext, Sound
from engine.training.synthesis.fluidsynth import INSTALL_COMMAND

GROUP = "speech"
_TIMEOUT_S = 30.0
_SLOW_BELOW_WPM, _FAST_ABOVE_WPM = 130, 215
_LEAD_S = 0.01
_AUDIBLE = 0.02
# Plain "en-gb" is an alias under which espeak-ng 1.51 silently drops the voice variant.
_ACCENTS = ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-029")
_SUBJECTS = (
    "the old captain",
    "my neighbour",
    "a tall stranger",
    "the morning train",
    "every child in town",
    "our teacher",
    "the engineer",
    "a small brown dog",
    "the whole village",
    "somebody upstairs",
)
_VERBS = (
    "waits for",
    "never forgets",
    "talks about",
    "is looking at",
    "has found",
    "walks past",
    "remembers",
    "wants to buy",
    "left behind",
    "can hear",
)
_OBJECTS = (
    "the open window",
    "a box of letters",
    "seven green apples",
    "the road to the harbour",
    "an empty house",
    "yesterday's newspaper",
    "the sound of the rain",
    "a cup of hot coffee",
    "the last bus home",
    "his father's garden",
)
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A kind of voice: espeak-ng variants, its pitch and speed ranges, and what it says."""

    name: str
    variants: tuple[str, ...]
    pitch: tuple[int, int]
    speed_wpm: tuple[int, int]
    sentence: Callable[[np.random.Generator], str]
    synonyms: tuple[str, ...] = ()
    metallic: bool = False


def render_speech(speaker: Speaker, context: RenderContext) -> Sound:
    """Read random sentences until the clip is full."""
    rng = context.rng
    speed_wpm = int(rng.integers(speaker.speed_wpm[0], speaker.speed_wpm[1] + 1))
    voice = f"{_pick(rng, _ACCENTS)}+{_pick(rng, speaker.variants)}"
    pitch = int(rng.integers(speaker.pitch[0], speaker.pitch[1] + 1))
    words = 4 + int(context.duration_s * speed_wpm / 60 * 1.5)
    audio_S, rate_hz = _speak(_text(rng, speaker, words), voice, pitch, speed_wpm)
    if speaker.metallic:
        audio_S = _comb(rng, audio_S, rate_hz)
    audio_S = soxr.resample(_trimmed(audio_S, rate_hz), rate_hz, context.sample_rate_hz)
    return Sound(audio_S=_fitted(audio_S, context.length_samples), attributes=_attributes(speed_wpm))


def _pick(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _sentence(rng: np.random.Generator) -> str:
    return f"{_pick(rng, _SUBJECTS)} {_pick(rng, _VERBS)} {_pick(rng, _OBJECTS)}."


def _counting(rng: np.random.Generator) -> str:
    start = int(rng.integers(len(_NUMBERS) - 4))
    return ", ".join(_NUMBERS[start : start + 5]) + "."


def _text(rng: np.random.Generator, speaker: Speaker, words: int) -> str:
    text = speaker.sentence(rng)
    while len(text.split()) < words:
        text += " " + speaker.sentence(rng)
    return text


def _attributes(speed_wpm: int) -> frozenset[Attribute]:
    if speed_wpm > _FAST_ABOVE_WPM:
        return frozenset({Attribute.FAST})
    return frozenset({Attribute.SLOW}) if speed_wpm < _SLOW_BELOW_WPM else frozenset()


def _speak(text: str, voice: str, pitch: int, speed_wpm: int) -> tuple[np.ndarray, int]:
    """Run espeak-ng once; the options come before the text, which is never read as an option."""
    command = [_program(), "--stdout", "-v", voice, "-p", str(pitch), "-s", str(speed_wpm), "--", text]
    done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=True)
    audio_S, rate_hz = soundfile.read(io.BytesIO(_sized(done.stdout)), dtype="float32")
    return audio_S, rate_hz


def _sized(wave: bytes) -> bytes:
    """Write the true lengths into a WAV header that was streamed before they were known."""
    riff_size, data_size = len(wave) - 8, len(wave) - 44
    return (
        wave[:4] + riff_size.to_bytes(4, "little") + wave[8:40] + data_size.to_bytes(4, "little") + wave[44:]
    )


def _program() -> str:
    program = shutil.which("espeak-ng")
    if program is None:
        raise NotFound(f"The program espeak-ng is missing: run `{INSTALL_COMMAND}`.")
    return program


def _trimmed(audio_S: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Drop the silence before the first word, but for a short lead."""
    audible = np.abs(audio_S) > _AUDIBLE * np.abs(audio_S).max(initial=0.0)
    first = int(np.argmax(audible)) - round(_LEAD_S * sample_rate_hz)
    return audio_S[max(0, first) :]


def _comb(rng: np.random.Generator, audio_S: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Pass the voice through a short feedback echo, which colours it as a metal tube would."""
    delay = round(rng.uniform(0.004, 0.009) * sample_rate_hz)
    feedback = np.zeros(delay + 1)
    feedback[0], feedback[delay] = 1.0, -rng.uniform(0.6, 0.75)
    return np.asarray(signal.lfilter([1.0], feedback, audio_S), np.float32)


def _fitted(audio_S: np.ndarray, length_samples: int) -> np.ndarray:
    missing = max(0, length_samples - len(audio_S))
    return np.pad(audio_S[:length_samples], (0, missing)).astype(np.float32, copy=False)


_MALE = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "klatt", "klatt4", "Andy", "Denis")
_FEMALE = ("f1", "f2", "f3", "f4", "f5", "Annie", "linda", "steph")
_ROBOTS = ("UniRobot", "robosoft", "robosoft2", "robosoft3", "robosoft4", "robosoft5")

SPEAKERS = (
    Speaker(
        name="man speaking",
        variants=_MALE,
        pitch=(30, 60),
        speed_wpm=(110, 240),
        sentence=_sentence,
        synonyms=("male voice talking", "man talking", "male speaker"),
    ),
    Speaker(
        name="woman speaking",
        variants=_FEMALE,
        pitch=(40, 65),
        speed_wpm=(110, 240),
        sentence=_sentence,
        synonyms=("female voice talking", "woman talking", "female speaker"),
    ),
    Speaker(
        name="robot voice counting",
        variants=_ROBOTS,
        pitch=(10, 70),
        speed_wpm=(110, 200),
        sentence=_counting,
        synonyms=("robotic voice counting", "robot counting numbers"),
        metallic=True,
    ),
    Speaker(
        name="person whispering",
        variants=("whisper", "whisperf"),
        pitch=(30, 70),
        speed_wpm=(110, 220),
        sentence=_sentence,
        synonyms=("whispering voice", "whisper"),
    ),
)

CONCEPTS: tuple[Concept, ...] = tuple(
    Concept(
        name=speaker.name,
        group=GROUP,
        synonyms=speaker.synonyms,
        render=partial(render_speech, speaker),
    )
    for speaker in SPEAKERS
)

"""Instruments, speech and the example clip: repeatable, sounding at once, and truthful.

N channels, S samples.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.errors import NotFound
from engine.training.synthesis import fluidsynth, instruments, speech
from engine.training.synthesis.concept import Attribute, Concept, RenderContext, Sound
from engine.training.synthesis.example import render_example
from engine.training.synthesis.fluidsynth import Note, Part, render_parts
from engine.training.synthesis.phrases import Compass, Style, draw_phrase

RATE_HZ = 16000
CONCEPTS = instruments.CONCEPTS + speech.CONCEPTS
BY_NAME = {concept.name: concept for concept in CONCEPTS}
COMPASS = Compass(low_key=36, high_key=84, styles=tuple(Style))
GROOVE = Path(__file__).parents[2] / "presets" / "examples" / "groove.flac"


def _render(concept: Concept, seed: int, rate_hz: int = RATE_HZ, duration_s: float = 1.28) -> Sound:
    rng = np.random.default_rng(seed)
    return concept.render(RenderContext(rng=rng, sample_rate_hz=rate_hz, duration_s=duration_s))


def _strongest_hz(audio_S: np.ndarray, rate_hz: int) -> float:
    magnitudes = np.abs(np.fft.rfft(audio_S * np.hanning(len(audio_S))))
    return float(np.argmax(magnitudes) * rate_hz / len(audio_S))


def _centroid_hz(audio_S: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(audio_S)) ** 2
    return float((power * np.fft.rfftfreq(len(audio_S), 1 / RATE_HZ)).sum() / power.sum())


def _pitches_hz(audio_S: np.ndarray) -> list[float]:
    """Return the autocorrelation pitch of every loud frame that has one."""
    found = []
    for start in range(0, len(audio_S) - 800, 320):
        frame = audio_S[start : start + 800] * np.hanning(800)
        if np.sqrt(np.mean(frame**2)) < 0.02:
            continue
        correlation = np.correlate(frame, frame, "full")[799:]
        lag = 35 + int(np.argmax(correlation[35:260]))
        if correlation[lag] > 0.4 * correlation[0]:
            found.append(RATE_HZ / lag)
    return found


@pytest.mark.parametrize("concept", CONCEPTS, ids=lambda concept: concept.name)
@pytest.mark.parametrize("rate_hz", (16000, 48000))
def test_every_concept_fills_its_clip_from_the_start(concept: Concept, rate_hz: int) -> None:
    audio_S = _render(concept, 5, rate_hz).audio_S
    assert audio_S.shape == (round(1.28 * rate_hz),)
    assert audio_S.dtype == np.float32
    assert np.isfinite(audio_S).all()
    peak = np.abs(audio_S).max()
    assert peak > 1e-3
    assert np.abs(audio_S[: round(0.05 * rate_hz)]).max() > 0.01 * peak


def test_a_clip_depends_on_its_seed_and_not_on_what_was_rendered_before() -> None:
    pairs = [(concept, seed) for concept in CONCEPTS for seed in (0, 1)]
    forward = {(concept.name, seed): _render(concept, seed).audio_S for concept, seed in pairs}
    for concept, seed in reversed(pairs):
        np.testing.assert_array_equal(_render(concept, seed).audio_S, forward[concept.name, seed])
    assert all(not np.array_equal(forward[concept.name, 0], forward[concept.name, 1]) for concept in CONCEPTS)


def test_names_are_unique_and_plentiful() -> None:
    names = [name for concept in CONCEPTS for name in (concept.name, *concept.synonyms)]
    assert len(names) == len(set(names))
    assert len(instruments.CONCEPTS) >= 26


@pytest.mark.parametrize("rate_hz", (16000, 22050, 48000))
@pytest.mark.parametrize(("key", "pitch_hz"), ((57, 220.0), (69, 440.0), (81, 880.0)))
def test_a_key_sounds_at_its_pitch_at_every_rate(key: int, pitch_hz: float, rate_hz: int) -> None:
    sine_lead = Part(bank=8, program=80, notes=(Note(key=key, start_s=0.0, duration_s=1.0),), pan=0.0)
    audio_NS = render_parts([sine_lead], sample_rate_hz=rate_hz, duration_s=1.0)
    assert audio_NS.shape == (2, rate_hz)
    assert _strongest_hz(audio_NS[0], rate_hz) == pytest.approx(pitch_hz, abs=pitch_hz * 0.01)


def test_tuning_moves_the_pitch_by_its_cents() -> None:
    notes = (Note(key=81, start_s=0.0, duration_s=2.0),)
    part = Part(bank=8, program=80, notes=notes, tuning_cents=100.0)
    audio_NS = render_parts([part], sample_rate_hz=RATE_HZ, duration_s=2.0)
    assert _strongest_hz(audio_NS[0], RATE_HZ) == pytest.approx(880 * 2 ** (1 / 12), rel=0.005)


def test_a_note_sounds_where_it_is_written() -> None:
    part = Part(program=13, notes=(Note(key=76, start_s=0.5, duration_s=0.2),))
    audio_NS = render_parts([part], sample_rate_hz=48000, duration_s=1.0)
    onset = int(np.argmax(np.abs(audio_NS[0]) > 0.05 * np.abs(audio_NS[0]).max()))
    assert onset / 48000 == pytest.approx(0.5, abs=0.01)


def test_pan_decides_the_side() -> None:
    notes = (Note(key=60, start_s=0.0, duration_s=0.5),)
    part = Part(bank=8, program=80, notes=notes, pan=-1.0)
    left_S, right_S = render_parts([part], sample_rate_hz=RATE_HZ, duration_s=0.5)
    assert np.abs(right_S).max() < 0.02 * np.abs(left_S).max()


@pytest.mark.parametrize("name", ("piano", "flute", "violin", "trumpet", "marimba", "synth lead"))
def test_low_sounds_are_lower_than_high_sounds(name: str) -> None:
    sounds = [_render(BY_NAME[name], seed) for seed in range(24)]
    low_hz = [_centroid_hz(one.audio_S) for one in sounds if Attribute.LOW in one.attributes]
    high_hz = [_centroid_hz(one.audio_S) for one in sounds if Attribute.HIGH in one.attributes]
    assert np.mean(low_hz) * 1.5 < np.mean(high_hz)


@pytest.mark.parametrize("seed", range(40))
def test_the_attributes_of_a_phrase_hold_for_its_notes(seed: int) -> None:
    duration_s = 3.0
    phrase = draw_phrase(np.random.default_rng(seed), COMPASS, duration_s)
    keys = [note.key for note in phrase.notes]
    onsets_per_s = len({note.start_s for note in phrase.notes}) / duration_s
    assert COMPASS.low_key <= min(keys) and max(keys) <= COMPASS.high_key
    assert max(keys) <= 52 if Attribute.LOW in phrase.attributes else max(keys) >= 52
    assert min(keys) >= 68 if Attribute.HIGH in phrase.attributes else min(keys) <= 69
    assert (Attribute.FAST in phrase.attributes) == (onsets_per_s > 6)
    assert Attribute.SLOW not in phrase.attributes or onsets_per_s < 1.6
    assert min(note.start_s for note in phrase.notes) <= 0.02
    velocities = [note.velocity for note in phrase.notes]
    assert Attribute.SOFT not in phrase.attributes or max(velocities) < 60
    assert Attribute.HARD not in phrase.attributes or min(velocities) > 105


def test_a_man_speaks_lower_than_a_woman_and_a_whisper_has_no_pitch() -> None:
    man = [_pitches_hz(_render(BY_NAME["man speaking"], seed).audio_S) for seed in range(6)]
    woman = [_pitches_hz(_render(BY_NAME["woman speaking"], seed).audio_S) for seed in range(6)]
    whisper = [_pitches_hz(_render(BY_NAME["person whispering"], seed).audio_S) for seed in range(6)]
    assert max(np.median(one) for one in man) < 150 < min(np.median(one) for one in woman)
    assert max(len(one) for one in whisper) < 0.25 * min(len(one) for one in man)


def test_a_missing_soundfont_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fluidsynth, "SOUNDFONT", tmp_path / "absent.sf2")
    with pytest.raises(NotFound, match="apt-get install fluidsynth fluid-soundfont-gm"):
        _render(BY_NAME["piano"], 0)


def test_missing_espeak_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech.shutil, "which", lambda name: None)
    with pytest.raises(NotFound, match="apt-get install .* espeak-ng"):
        _render(BY_NAME["man speaking"], 0)


def test_the_shipped_example_is_the_rendered_one() -> None:
    audio_NS, rate_hz = render_example()
    shipped_SN, shipped_rate_hz = soundfile.read(GROOVE)
    assert (shipped_rate_hz, soundfile.info(GROOVE).subtype) == (rate_hz, "PCM_24")
    assert audio_NS.shape == (2, 6 * 48000)
    np.testing.assert_allclose(shipped_SN.T, audio_NS, atol=1e-3)
    assert not np.array_equal(audio_NS[0], audio_NS[1])

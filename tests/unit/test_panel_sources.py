"""Files as the panel reads them: any format, in blocks, and with a sentence when they cannot be read.

Legend: N channels, S samples.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import AudioIOError, AudioMissing, EngineError, SpecError
from engine.types import ErrorCode
from tests.unit.sound_sources import HeldSound
from ui.sound.sources import DifferenceSource, FileSource, PlacedSource, SoundChanged, SoundFacts


def noise(length: int, channels: int = 2, seed: int = 0) -> np.ndarray:
    sound_NS = np.random.default_rng(seed).uniform(-0.5, 0.5, (channels, length))
    return np.round(sound_NS * 2**15).astype(np.float32) / 2**15


@pytest.mark.parametrize(
    ("suffix", "rate_hz", "channels"), [("wav", 8000, 1), ("flac", 44_100, 2), ("aiff", 192_000, 6)]
)
def test_stretches_are_those_of_the_file(tmp_path: Path, suffix: str, rate_hz: int, channels: int) -> None:
    audio_NS = noise(5000, channels)
    path = str(tmp_path / f"sound.{suffix}")
    soundfile.write(path, audio_NS.T, rate_hz, subtype="PCM_16")
    source = FileSource(path)
    assert source.facts == SoundFacts(rate_hz=rate_hz, channels=channels, length_samples=5000)
    np.testing.assert_array_equal(source.read(100, 900), audio_NS[:, 100:900])
    np.testing.assert_array_equal(source.read(-10, 5), np.pad(audio_NS[:, :5], ((0, 0), (10, 0))))
    np.testing.assert_array_equal(source.read(4990, 5010), np.pad(audio_NS[:, 4990:], ((0, 0), (0, 10))))
    assert not source.read(6000, 6010).any()
    source.close()


def test_what_is_no_number_is_silent(tmp_path: Path) -> None:
    path = str(tmp_path / "odd.wav")
    soundfile.write(path, np.array([0.5, np.nan, np.inf, -0.5]), 8000, subtype="FLOAT")
    source = FileSource(path)
    assert source.read(0, 4).tolist() == [[0.5, 0.0, 0.0, -0.5]]
    source.close()


def write_text(path: Path) -> None:
    path.write_text("no sound at all", encoding="utf-8")


def write_empty_sound(path: Path) -> None:
    soundfile.write(str(path), np.zeros((0, 1)), 8000)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, ErrorCode.IO_MISSING),
        (write_text, ErrorCode.IO_FORMAT),
        (write_empty_sound, ErrorCode.IO_FORMAT),
        (Path.mkdir, ErrorCode.IO_FORMAT),
        (Path.touch, ErrorCode.IO_FORMAT),
    ],
)
def test_what_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, make: object, code: ErrorCode) -> None:
    path = tmp_path / "sound.wav"
    make(path)  # type: ignore[operator]
    with pytest.raises(EngineError) as refused:
        FileSource(str(path))
    assert refused.value.info.code is code
    assert str(path) in refused.value.message and refused.value.hint


def test_a_file_that_changes_or_vanishes_says_so(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    soundfile.write(str(path), noise(1000).T, 8000)
    source = FileSource(str(path))
    source.check()
    os.utime(path, ns=(1, 1))
    with pytest.raises(SoundChanged, match="changed by another program"):
        source.check()
    path.unlink()
    with pytest.raises(AudioMissing, match="no longer there"):
        source.check()
    source.close()
    with pytest.raises(AudioIOError, match="no longer be read"):
        source.read(0, 10)


@given(st.integers(1, 300), st.integers(0, 300), st.integers(-50, 400), st.integers(0, 200))
def test_a_take_lies_in_its_place(take_length: int, at: int, start: int, length: int) -> None:
    original_NS, take_NS = noise(at + take_length + 7), noise(take_length, seed=1)
    whole_NS = original_NS.copy()
    whole_NS[:, at : at + take_length] = take_NS
    placed = PlacedSource(HeldSound(original_NS), HeldSound(take_NS), at)
    expected_NS = HeldSound(whole_NS).read(start, start + length)
    np.testing.assert_array_equal(placed.read(start, start + length), expected_NS)
    difference = DifferenceSource(HeldSound(original_NS), placed)
    original = HeldSound(original_NS).read(start, start + length)
    np.testing.assert_array_equal(difference.read(start, start + length), expected_NS - original)


def test_a_mono_take_is_compared_with_both_sides() -> None:
    original_NS, take_NS = noise(100), noise(100, 1, seed=1)
    placed = PlacedSource(HeldSound(original_NS), HeldSound(take_NS))
    difference_NS = DifferenceSource(HeldSound(original_NS), placed).read(0, 100)
    np.testing.assert_array_equal(difference_NS, take_NS - original_NS)


@pytest.mark.parametrize(
    ("take", "at", "reason"),
    [
        (HeldSound(noise(50), 44_100), 0, "44100 Hz and the original 48000 Hz"),
        (HeldSound(noise(101)), 0, "does not fit"),
        (HeldSound(noise(50)), 51, "does not fit"),
        (HeldSound(noise(50)), -1, "does not fit"),
        (HeldSound(noise(50, 6)), 0, "6 channels and the original 2"),
    ],
)
def test_what_cannot_be_compared_is_refused(take: HeldSound, at: int, reason: str) -> None:
    with pytest.raises(SpecError, match=reason) as refused:
        PlacedSource(HeldSound(noise(100)), take, at)
    assert refused.value.hint

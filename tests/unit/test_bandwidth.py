"""Where the highs of a file end: not where its rounding noise does, which reaches as far as the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import firwin, oaconvolve

from engine.audio.grid import LatentGrid
from engine.audio.io import AudioClip, read_clip
from engine.audio.mel_scale import MelConfig
from engine.edit.rules import bandwidth_hz, effective_mask, rounding_step
from engine.errors import SpecError
from engine.types import Region, RenderSpec, Task

RATE_HZ = 44_100
EDGE_HZ = 4000.0
GRID = LatentGrid.of(MelConfig(), 4)
SPEC = RenderSpec(task=Task.SUPERRES, prompt="", region=Region(path="unread"), model="debug")
LOUD, QUIET = 0.15, 10 ** (-75 / 20)
STEPS = {"PCM_U8": 2.0**-7, "PCM_16": 2.0**-15, "PCM_24": 2.0**-23}


def _noise(channels: int = 1, seconds: float = 2.0) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((channels, round(seconds * RATE_HZ)))


def _low_passed(audio_NS: np.ndarray, edge_hz: float = EDGE_HZ) -> np.ndarray:
    """Return what a filter leaves that takes 100 dB of everything above its edge."""
    taps = firwin(801, edge_hz, fs=RATE_HZ, window=("kaiser", 10.0))
    low_NS = oaconvolve(audio_NS, taps[None], mode="same", axes=1)
    return low_NS / low_NS.std()


def _file(path: Path, audio_NS: np.ndarray, subtype: str, dithered: bool) -> AudioClip:
    if subtype in STEPS:
        rng, step = np.random.default_rng(1), STEPS[subtype]
        dither_NS = rng.uniform(-0.5, 0.5, audio_NS.shape) + rng.uniform(-0.5, 0.5, audio_NS.shape)
        audio_NS = step * np.rint(audio_NS / step + (dither_NS if dithered else 0.0))
    soundfile.write(path, audio_NS.T, RATE_HZ, subtype=subtype)
    return read_clip(path)


@pytest.mark.parametrize("dithered", [False, True], ids=["undithered", "dithered"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("subtype", "rms"),
    [
        ("PCM_U8", LOUD),
        *((subtype, rms) for subtype in ("PCM_16", "PCM_24", "FLOAT") for rms in (LOUD, QUIET)),
    ],
)
def test_the_highs_end_where_a_filter_ended_them(
    subtype: str, rms: float, channels: int, dithered: bool, tmp_path: Path
) -> None:
    clip = _file(tmp_path / "a.wav", rms * _low_passed(_noise(channels)), subtype, dithered)
    assert bandwidth_hz(clip) == pytest.approx(EDGE_HZ, rel=0.06)
    mask = effective_mask(SPEC, clip, GRID)
    assert mask is not None and mask.shapes[0].low_hz == bandwidth_hz(clip)


@pytest.mark.parametrize("dithered", [False, True], ids=["undithered", "dithered"])
@pytest.mark.parametrize(
    ("subtype", "rms"),
    [
        ("PCM_U8", LOUD),
        *((subtype, rms) for subtype in ("PCM_16", "PCM_24", "FLOAT") for rms in (LOUD, QUIET)),
    ],
)
def test_of_a_file_with_highs_nothing_is_missing(
    subtype: str, rms: float, dithered: bool, tmp_path: Path
) -> None:
    clip = _file(tmp_path / "a.wav", rms * _noise(), subtype, dithered)
    with pytest.raises(SpecError, match="nothing is missing"):
        effective_mask(SPEC, clip, GRID)


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_rounded_samples_are_known_in_any_file(subtype: str, tmp_path: Path) -> None:
    rounded_NS = np.rint(QUIET * _low_passed(_noise()) * 2**15) / 2**15
    clip = _file(tmp_path / "a.wav", rounded_NS, subtype, dithered=False)
    assert rounding_step(clip) == 2.0**-15
    assert bandwidth_hz(clip) == pytest.approx(EDGE_HZ, rel=0.06)


def test_what_rounding_makes_of_a_faint_tone_is_no_sound(tmp_path: Path) -> None:
    """Without dither it is no noise, but overtones as far as the file reaches."""
    tone_NS = 4 * 2.0**-15 * np.sin(2 * np.pi * 441.0 * np.arange(2 * RATE_HZ) / RATE_HZ)[None]
    assert bandwidth_hz(_file(tmp_path / "a.wav", tone_NS, "PCM_16", dithered=False)) < 700


def test_a_sound_of_few_levels_has_the_highs_it_has() -> None:
    square_NS = 0.5 * np.sign(np.sin(2 * np.pi * 100.0 * (np.arange(RATE_HZ)[None] + 0.5) / RATE_HZ))
    assert bandwidth_hz(AudioClip(audio_NS=square_NS, sample_rate_hz=RATE_HZ)) > 20_000


@given(bits=st.integers(9, 24), seed=st.integers(0, 99))
def test_the_step_is_that_of_the_finest_sample(bits: int, seed: int) -> None:
    levels = 2 * np.random.default_rng(seed).integers(-100, 100, (2, 64)) + 1
    clip = AudioClip(audio_NS=levels * 2.0 ** (1 - bits), sample_rate_hz=RATE_HZ)
    assert rounding_step(clip) == min(2.0**-15, 2.0 ** (1 - bits))


def test_silence_and_samples_between_all_steps_have_none() -> None:
    for audio_NS in (np.zeros((1, 4000)), _noise(seconds=0.1)):
        assert rounding_step(AudioClip(audio_NS=audio_NS, sample_rate_hz=RATE_HZ)) == 0.0
    assert bandwidth_hz(AudioClip(audio_NS=np.zeros((1, 4000)), sample_rate_hz=RATE_HZ)) == 0.0

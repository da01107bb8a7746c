"""Which file formats keep every sample of which others, beside what libsndfile writes and reads again."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.audio.io import AudioClip, encode
from engine.take_format import holds

CONTAINERS = ("WAV", "WAVEX", "FLAC", "AIFF")
CONTAINER_OF = {
    subtype: container for container in CONTAINERS for subtype in soundfile.available_subtypes(container)
}
EXACT = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
# libsndfile reads these, but builds of it cannot write them, or not without faults in memory.
READ_ONLY = {"MPEG_LAYER_III": ("FLOAT", "DOUBLE")} | dict.fromkeys(
    ("DWVW_12", "DWVW_16"), ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
)
READ_ONLY["DWVW_24"] = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")


def samples_of(subtype: str, path: Path) -> np.ndarray:
    """Return samples as a file of the subtype gives them, of all magnitudes where it has such."""
    generator = np.random.default_rng(0)
    values_S = generator.uniform(-1.0, 1.0, 4_608)
    if subtype in ("FLOAT", "DOUBLE"):
        values_S *= 10.0 ** generator.uniform(-9.0, 0.0, 4_608)
    soundfile.write(path, values_S, 16_000, subtype=subtype, format=CONTAINER_OF[subtype])
    read_S: np.ndarray = soundfile.read(path, dtype="float64")[0]
    return read_S


def comes_back(values_S: np.ndarray, subtype: str) -> bool:
    clip = AudioClip(
        audio_NS=values_S[None], sample_rate_hz=16_000, subtype=subtype, container=CONTAINER_OF[subtype]
    )
    return np.array_equal(soundfile.read(BytesIO(encode(clip)), dtype="float64")[0], values_S)


@pytest.mark.parametrize("source", sorted(CONTAINER_OF.keys() - READ_ONLY.keys()))
def test_a_format_holds_what_comes_back_from_it_unchanged(source: str, tmp_path: Path) -> None:
    values_S = samples_of(source, tmp_path / "source")
    unchanged = {subtype for subtype in EXACT if comes_back(values_S, subtype)}
    assert {subtype for subtype in CONTAINER_OF if holds(subtype, source)} == unchanged


@pytest.mark.parametrize("source", READ_ONLY)
def test_what_cannot_be_written_is_held_by_its_bits(source: str) -> None:
    assert {subtype for subtype in CONTAINER_OF if holds(subtype, source)} == set(READ_ONLY[source])

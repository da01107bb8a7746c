"""Small recorded sounds on disk, for the tests of training data. N channels, S samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16_000


def hum(duration_s: float = 0.5, frequency_hz: float = 440.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    time_S = np.arange(round(duration_s * rate_hz)) / rate_hz
    return 0.3 * np.sin(2 * np.pi * frequency_hz * time_S)


def write_sound(path: Path, audio: np.ndarray | None = None, rate_hz: int = RATE_HZ) -> Path:
    """Write a sound, one of half a second where none is given; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, hum() if audio is None else audio.T, rate_hz)
    return path


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path

"""Sound files and models for tests of the panel's view. Legend: N channels, S samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from pytestqt.qtbot import QtBot

from ui.model.region import RegionModel

RATE_HZ = 16_000


def noise(duration_s: float = 4.0, channels: int = 2, seed: int = 0) -> np.ndarray:
    shape = (channels, round(duration_s * RATE_HZ))
    return np.random.default_rng(seed).uniform(-0.3, 0.3, shape)


def written(path: Path, audio_NS: np.ndarray, rate_hz: int = RATE_HZ) -> str:
    soundfile.write(str(path), audio_NS.T, rate_hz, subtype="PCM_16")
    return str(path)


def opened(model: RegionModel, qtbot: QtBot, path: str) -> RegionModel:
    """Open a file and wait until all that is seen of it is there."""
    with qtbot.waitSignal(model.opened):
        model.open(path)
    complete(model, qtbot)
    return model


def complete(model: RegionModel, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: model.pictures.is_complete, timeout=20_000)

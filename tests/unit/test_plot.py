from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.image import imread

from engine.audio.plot import Panel, spectrogram_png
from engine.types import BrushShape, Mask


def pixels(png: bytes) -> np.ndarray:
    return imread(io.BytesIO(png), format="png")


def tone(freq_hz: float, length: int = 16_000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * freq_hz * np.arange(length) / 16_000)[None]


@pytest.mark.parametrize("length", [160, 16_000])
@pytest.mark.parametrize("title", ["rain", "$x^2_", "雨 🎸", "a" * 2000, ""])
def test_any_title_and_length_gives_a_picture(title: str, length: int) -> None:
    picture = pixels(spectrogram_png((Panel(label="after", audio_NS=tone(440, length)),), 16_000, title))
    assert picture.shape[0] > 300
    assert picture.shape[1] > 900


def brightest_row(freq_hz: float) -> int:
    picture = pixels(spectrogram_png((Panel(label="x", audio_NS=tone(freq_hz)),), 16_000, "x"))
    middle = picture[:, picture.shape[1] // 3, :3].sum(axis=1)
    return int(np.argmax(middle * (middle < 2.9)))


def test_higher_tones_lie_higher_by_equal_steps_for_each_octave() -> None:
    rows = [brightest_row(freq_hz) for freq_hz in (250, 500, 1000, 2000)]
    steps = np.diff(rows)
    assert np.all(steps < 0)
    assert np.ptp(steps) <= 4


def test_the_mask_is_outlined() -> None:
    mask = Mask(shapes=(BrushShape(points=((0.5, 1000.0),), radius_s=0.1, radius_hz=300.0),))
    plain, marked = (
        pixels(spectrogram_png((Panel(label="x", audio_NS=tone(300), mask=each),), 16_000, "x"))
        for each in (None, mask)
    )
    changed = np.argwhere((plain != marked).any(axis=2))
    assert 20 < len(changed) < 5_000


def test_silence_is_drawn_too() -> None:
    panels = tuple(Panel(label=label, audio_NS=np.zeros((2, 4_000))) for label in ("before", "after"))
    assert pixels(spectrogram_png(panels, 48_000, "silence")).shape[0] > 500

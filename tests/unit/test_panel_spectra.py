"""Spectrogram tiles against a transform written out here.

Legend: N channels, S samples, R rows, C columns, F frequency bins.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.unit.sound_sources import HeldSound
from ui.sound.scales import FrequencyScale, ScaleKind
from ui.sound.spectra import (
    COLUMNS,
    FLOOR_DB,
    FRAMES_PER_COLUMN,
    STEP_DB,
    TileShape,
    decibels,
    level_for,
    rows_for,
    tile_levels,
    whole_level,
)

RATE_HZ = 48_000


def noise(length: int, channels: int = 1, seed: int = 0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal((channels, length))).astype(np.float32)


def direct_power_F(audio_NS: NDArray[np.float32], middle: int, window: int) -> NDArray[np.float64]:
    """Return the mean power of the channels around a sample; a full-scale sine has 1 at its peak."""
    padded_NS = np.pad(audio_NS.astype(np.float64), ((0, 0), (window, 2 * window)))
    frame_NS = padded_NS[:, middle + window - window // 2 :][:, :window]
    hann = np.sin(np.pi * np.arange(window) / window) ** 2
    spectrum_NF = np.fft.fft(frame_NS * hann)[:, : window // 2 + 1] * 2.0 / hann.sum()
    return np.asarray((np.abs(spectrum_NF) ** 2).mean(axis=0))


def direct_row_db(power_F: NDArray[np.float64], low: float, middle: float, high: float) -> float:
    """Return what a row from low to high, in bins, shows."""
    inside = [k for k in range(len(power_F)) if low <= k <= high]
    if len(inside) > 1 and inside[-1] == len(power_F) - 1:
        inside.pop()
    if inside:
        return float(10 * np.log10(max(power_F[inside].max(), 1e-30)))
    return float(10 * np.log10(max(np.interp(middle, np.arange(len(power_F)), power_F), 1e-30)))


@settings(max_examples=15)
@given(
    st.sampled_from([0, 2, 4, 6, 7]),
    st.sampled_from(ScaleKind),
    st.integers(1, 2),
    st.sampled_from([8_000, 44_100, 96_000]),
    st.sampled_from([512, 1024]),
    st.integers(0, 1),
    st.data(),
)
def test_a_tile_is_the_transform_of_its_frames(
    level: int, kind: ScaleKind, channels: int, rate_hz: int, rows: int, index: int, data: st.DataObject
) -> None:
    shape = TileShape(level=level, kind=kind, rows=rows)
    audio_NS = noise(index * shape.tile_samples + shape.tile_samples // 4, channels)
    levels_RC = tile_levels(HeldSound(audio_NS, rate_hz), shape, index)
    window, each = shape.window(rate_hz), shape.frames_per_column(rate_hz)
    scale = FrequencyScale(kind, rate_hz / 2)
    for _ in range(4):
        column = data.draw(st.integers(0, COLUMNS // 4 - 1))
        row = data.draw(st.integers(0, rows - 1))
        start = index * shape.tile_samples + column * shape.hop_samples
        middles = [int(start + (k + 0.5) * shape.hop_samples / each) for k in range(each)]
        power_F = np.mean([direct_power_F(audio_NS, middle, window) for middle in middles], axis=0)
        bins = scale.to_hz(np.array([row, row + 0.5, row + 1]) / rows) * window / rate_hz
        expected_db = direct_row_db(power_F, *bins)
        shown_db = float(decibels(levels_RC)[rows - 1 - row, column])
        assert shown_db == pytest.approx(max(expected_db, FLOOR_DB), abs=STEP_DB / 2 + 0.05)


@pytest.mark.parametrize("kind", ScaleKind)
@pytest.mark.parametrize("level", [1, 5, 9])
def test_a_full_scale_sine_shows_0_db_at_its_place(kind: ScaleKind, level: int) -> None:
    shape = TileShape(level=level, kind=kind)
    bin_hz = RATE_HZ / shape.window(RATE_HZ)
    tone_hz = round(3000.0 / bin_hz) * bin_hz
    time_S = np.arange(shape.hop_samples * 40) / RATE_HZ
    source = HeldSound(np.sin(2 * np.pi * tone_hz * time_S)[None].astype(np.float32))
    column_R = decibels(tile_levels(source, shape, 0))[:, 20]
    place = FrequencyScale(kind, RATE_HZ / 2).to_axis(tone_hz)
    row = shape.rows - 1 - int(np.argmax(column_R))
    width = FrequencyScale(kind, RATE_HZ / 2).to_axis(tone_hz + bin_hz) - place
    assert abs((row + 0.5) / shape.rows - place) <= max(width, 1 / shape.rows)
    assert -1.5 <= column_R.max() <= 0.5


def test_what_is_after_the_end_and_silence_is_below_everything() -> None:
    shape = TileShape(level=2, kind=ScaleKind.MEL)
    audio_NS = noise(shape.hop_samples * 100)
    audio_NS[:, : shape.hop_samples * 50] = 0.0
    levels_RC = tile_levels(HeldSound(audio_NS), shape, 0)
    assert not levels_RC[:, :30].any() and levels_RC[:, 60:90].any() and not levels_RC[:, 100:].any()


def test_far_out_only_some_frames_of_a_column_are_read() -> None:
    shape = TileShape(level=15, kind=ScaleKind.MEL)
    silent_hour = np.broadcast_to(np.zeros((1, 1), np.float32), (1, 3600 * 8000))
    source = HeldSound(np.zeros((1, 1), np.float32), 8000)
    source.audio_NS = silent_hour
    source.read = lambda start, stop: (
        source.reads.append((start, stop)) or np.zeros((1, stop - start), np.float32)
    )  # type: ignore[method-assign,func-returns-value]
    source.facts = type(source.facts)(rate_hz=8000, channels=1, length_samples=3600 * 8000)
    tile_levels(source, shape, 0)
    columns = -(-3600 * 8000 // shape.hop_samples)
    assert len(source.reads) == columns * FRAMES_PER_COLUMN
    assert sum(stop - start for start, stop in source.reads) < 0.1 * 3600 * 8000


def test_a_tile_that_is_called_off_stops() -> None:
    shape, source = TileShape(level=6, kind=ScaleKind.MEL), HeldSound(noise(2**20))
    asked = []
    tile_levels(source, shape, 0, lambda: bool(asked.append(1)) or len(asked) > 2)
    assert len(source.reads) == 2


@given(st.floats(0.001, 1e6))
def test_a_level_has_a_column_for_each_of_the_picture(samples_per_column: float) -> None:
    hop = TileShape(level=level_for(samples_per_column), kind=ScaleKind.MEL).hop_samples
    assert hop <= max(samples_per_column, 32) and (hop == 32 or hop * 2 > samples_per_column)


@given(st.integers(1, 10**11))
def test_few_tiles_show_everything_at_the_whole_level(length: int) -> None:
    shape = TileShape(level=whole_level(length), kind=ScaleKind.MEL)
    assert len(shape.indices(0, length)) <= 2


@given(st.integers(0, 12), st.floats(0.0, 1e9), st.floats(1.0, 1e6))
def test_the_tiles_of_a_stretch_cover_it(level: int, start: float, length: float) -> None:
    shape = TileShape(level=level, kind=ScaleKind.MEL)
    tiles = shape.indices(start, start + length)
    assert tiles.start * shape.tile_samples <= start
    assert tiles.stop * shape.tile_samples >= start + length


def test_zooming_into_the_band_asks_for_more_rows() -> None:
    assert rows_for(500, 1.0) == 512
    assert rows_for(500, 0.25) == 2048
    assert rows_for(500, 0.001) == 4096


def test_windows_grow_with_the_hop_and_with_the_rate() -> None:
    windows = [TileShape(level=level, kind=ScaleKind.MEL).window(48_000) for level in (0, 1, 2, 5, 9, 10, 15)]
    assert windows == [1024, 2048, 4096, 4096, 4096, 2048, 2048]
    assert TileShape(level=8, kind=ScaleKind.MEL).window(96_000) == 8192
    assert TileShape(level=8, kind=ScaleKind.MEL, window_samples=1024).window(96_000) == 1024

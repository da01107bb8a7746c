"""Spectrograms in tiles of a fixed number of columns, at hops of powers of two.

Legend: N channels, S samples, K frames, F frequency bins, R picture rows, C columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ui.sound.scales import FrequencyScale, ScaleKind
from ui.sound.sources import Audio, Source

COLUMNS = 256
FINEST_HOP_SAMPLES = 32
BASE_ROWS = 512
MAX_ROWS = 4096
FLOOR_DB, STEP_DB = -126.0, 0.5
# So many frames at most stand for a column that is longer than they are: far out, a part of the sound, and
# then shorter ones do.
FRAMES_PER_COLUMN = 2
_FAR_OUT = 8
_WINDOW_PER_HOP = 32
_SHORTEST_S, _LONGEST_S = 0.0107, 0.0853
_SMALLEST = 10.0 ** (FLOOR_DB / 10.0)
_COLUMNS_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TileShape:
    """Which tiles a spectrogram is made of: level 0 has the finest hop, each next one twice that.

    window_samples None lets the hop decide: short windows close by, long ones further out.
    """

    level: int
    kind: ScaleKind
    rows: int = BASE_ROWS
    window_samples: int | None = None

    @property
    def hop_samples(self) -> int:
        return FINEST_HOP_SAMPLES << self.level

    @property
    def tile_samples(self) -> int:
        return self.hop_samples * COLUMNS

    def window(self, rate_hz: int) -> int:
        """Return the length of the analysed frames, a power of two."""
        if self.window_samples is not None:
            return self.window_samples
        shortest, longest = (_power_of_two(rate_hz * length_s) for length_s in (_SHORTEST_S, _LONGEST_S))
        if self.hop_samples >= _FAR_OUT * longest:
            return longest // 2
        return min(max(self.hop_samples * _WINDOW_PER_HOP, shortest), longest)

    def frames_per_column(self, rate_hz: int) -> int:
        return min(FRAMES_PER_COLUMN, max(1, 2 * self.hop_samples // self.window(rate_hz)))

    def indices(self, start: float, stop: float) -> range:
        """Return the tiles that samples start..stop touch."""
        first = max(0, math.floor(start / self.tile_samples))
        return range(first, max(first + 1, math.ceil(stop / self.tile_samples)))


def level_for(samples_per_column: float) -> int:
    """Return the coarsest level with a column at least for each column of a picture, else the finest."""
    return max(0, math.floor(math.log2(max(samples_per_column, 1e-9) / FINEST_HOP_SAMPLES)))


def whole_level(length_samples: int, tiles: int = 2) -> int:
    """Return the level at which a few tiles show everything."""
    return max(0, math.ceil(math.log2(length_samples / (tiles * COLUMNS * FINEST_HOP_SAMPLES))))


def rows_for(height_px: float, share_shown: float) -> int:
    """Return how many rows the whole axis needs for the part that is shown."""
    needed = height_px / max(share_shown, 1e-6)
    return min(MAX_ROWS, max(BASE_ROWS, _power_of_two(needed)))


def decibels(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the dB relative to a full-scale sine that a tile's numbers stand for."""
    return FLOOR_DB + STEP_DB * levels.astype(np.float64)


def tile_levels(
    source: Source, shape: TileShape, index: int, is_off: Callable[[], bool] = lambda: False
) -> NDArray[np.uint8]:
    """Return a tile (R, C), row 0 the highest: mean power of frames and channels in steps of STEP_DB.

    Frames lie evenly over their column. Rows show the loudest bin within them, those
    between two bins what lies between. Stops early, with what it has, once is_off.
    """
    levels_RC = np.zeros((shape.rows, COLUMNS), np.uint8)
    facts = source.facts
    scale = FrequencyScale(shape.kind, facts.rate_hz / 2)
    rows = _row_map(scale, shape.rows, shape.window(facts.rate_hz), facts.rate_hz)
    columns = min(COLUMNS, math.ceil((facts.length_samples - index * shape.tile_samples) / shape.hop_samples))
    for first in range(0, columns, _COLUMNS_AT_ONCE):
        if is_off():
            break
        past = min(columns, first + _COLUMNS_AT_ONCE)
        power_FC = _power(source, shape, range(index * COLUMNS + first, index * COLUMNS + past))
        levels_RC[::-1, first:past] = _to_levels(rows.spread(power_FC))
    return levels_RC


def frame_starts(shape: TileShape, rate_hz: int, columns: range) -> NDArray[np.int64]:
    """Return the first sample of each frame, those of a column beside each other."""
    each = shape.frames_per_column(rate_hz)
    middles = (np.arange(columns.start * each, columns.stop * each) + 0.5) * shape.hop_samples / each
    return np.floor(middles).astype(np.int64) - shape.window(rate_hz) // 2


def _power(source: Source, shape: TileShape, columns: range) -> NDArray[np.float32]:
    rate_hz, window = source.facts.rate_hz, shape.window(source.facts.rate_hz)
    starts_K = frame_starts(shape, rate_hz, columns)
    hann = _hann(window)
    power_KF = np.zeros((len(starts_K), window // 2 + 1), np.float32)
    frames_NKS = _frames(source, starts_K, window)
    for frames_KS in frames_NKS:
        spectrum_KF = np.fft.rfft(frames_KS * hann)
        power_KF += np.square(spectrum_KF.real) + np.square(spectrum_KF.imag)
    power_KF *= (2.0 / float(hann.sum())) ** 2 / len(frames_NKS)
    each = shape.frames_per_column(rate_hz)
    power_CF: NDArray[np.float32] = power_KF.reshape(len(columns), each, -1).mean(axis=1)
    return power_CF.T


def _frames(source: Source, starts_K: NDArray[np.int64], window: int) -> Audio:
    """Return frames (N, K, S), from one block where they overlap or touch."""
    first, past = int(starts_K[0]), int(starts_K[-1]) + window
    if past - first <= 2 * window * len(starts_K):
        block_NS = source.read(first, past)
        at_KS = (starts_K - first)[:, None] + np.arange(window)
        return block_NS[:, at_KS]
    return np.stack([source.read(int(start), int(start) + window) for start in starts_K], axis=1)


def _to_levels(power_RC: NDArray[np.float32]) -> NDArray[np.uint8]:
    level_db = 10.0 * np.log10(np.maximum(power_RC, _SMALLEST))
    steps_RC = np.clip(np.rint((level_db - FLOOR_DB) / STEP_DB), 0, 255)
    return np.asarray(steps_RC, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _RowMap:
    """From which bins each row comes; row 0 is the lowest."""

    below_R: NDArray[np.int64]
    share_R: NDArray[np.float32]
    wide_R: NDArray[np.int64]
    firsts: NDArray[np.int64]

    def spread(self, power_FC: NDArray[np.float32]) -> NDArray[np.float32]:
        share_R1 = self.share_R[:, None]
        power_RC = power_FC[self.below_R] * (1 - share_R1) + power_FC[self.below_R + 1] * share_R1
        if len(self.wide_R):
            loudest = np.maximum.reduceat(power_FC, self.firsts, axis=0)
            power_RC[self.wide_R] = loudest[::2]
        return power_RC


@lru_cache(maxsize=32)
def _row_map(scale: FrequencyScale, rows: int, window: int, rate_hz: int) -> _RowMap:
    bins = window // 2 + 1
    edges = scale.to_hz(np.linspace(0.0, 1.0, rows + 1)) * window / rate_hz
    middles = scale.to_hz((np.arange(rows) + 0.5) / rows) * window / rate_hz
    below_R = np.clip(np.floor(middles).astype(np.int64), 0, bins - 2)
    wide_R = np.flatnonzero(np.floor(edges[1:]) >= np.ceil(edges[:-1]))
    # Pairs of (first bin, past the last) for one reduceat, of which every second result is used.
    firsts = np.stack([np.ceil(edges[wide_R]), np.floor(edges[wide_R + 1]) + 1], axis=1).astype(np.int64)
    firsts = np.minimum(firsts, bins - 1).ravel()
    share_R = np.clip(middles - below_R, 0.0, 1.0).astype(np.float32)
    return _RowMap(below_R, share_R, wide_R, firsts)


@lru_cache(maxsize=16)
def _hann(window: int) -> NDArray[np.float32]:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)


def _power_of_two(near: float) -> int:
    return int(2 ** round(math.log2(max(near, 1.0))))

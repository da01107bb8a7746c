"""Lowest, highest and root-mean-square levels of a sound at every zoom.

Legend: N channels, S samples, B bins, C columns of a picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ui.sound.sources import Audio, SoundFacts, Source

FINEST_BIN_SAMPLES = 256
CHUNK_SAMPLES = 2**18
_FACTOR = 4
# Bins times channels; each is three numbers, and all coarser levels are a third of that again.
_MAX_BINS = 3_000_000
_SKETCH_COLUMNS = 512
_SKETCH_SAMPLES = 512
_SKETCH_WHOLE_SAMPLES = 2**22


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Levels of C columns; a column of which nothing is known is not finite."""

    low_NC: NDArray[np.float32]
    high_NC: NDArray[np.float32]
    rms_NC: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Level:
    bin_samples: int
    low_NB: NDArray[np.float32]
    high_NB: NDArray[np.float32]
    energy_NB: NDArray[np.float32]

    @classmethod
    def empty(cls, facts: SoundFacts, bin_samples: int) -> _Level:
        shape = (facts.channels, -(-facts.length_samples // bin_samples))
        return cls(
            bin_samples=bin_samples,
            low_NB=np.full(shape, np.inf, np.float32),
            high_NB=np.full(shape, -np.inf, np.float32),
            energy_NB=np.zeros(shape, np.float32),
        )

    @property
    def bins(self) -> int:
        return int(self.low_NB.shape[1])


class PeakPyramid:
    """Levels in bins of a power of two, each level four times as coarse as the one below.

    Bounded in memory: the finest bins of very long files are coarser. Filled chunk by chunk, in any order.
    """

    def __init__(self, facts: SoundFacts) -> None:
        self.facts = facts
        self.bin_samples = _finest_bin(facts)
        self._levels = [_Level.empty(facts, self.bin_samples)]
        while self._levels[-1].bins > _FACTOR:
            self._levels.append(_Level.empty(facts, self._levels[-1].bin_samples * _FACTOR))
        self._is_known = np.zeros(-(-facts.length_samples // CHUNK_SAMPLES), dtype=bool)
        self._sketch: Columns | None = None

    @property
    def nbytes(self) -> int:
        return sum(3 * level.low_NB.nbytes for level in self._levels)

    @property
    def is_whole(self) -> bool:
        return bool(self._is_known.all())

    def next_chunk(self, near: int) -> int | None:
        """Return the chunk not yet known that is nearest to a sample."""
        unknown = np.flatnonzero(~self._is_known)
        if len(unknown) == 0:
            return None
        return int(unknown[np.argmin(np.abs(unknown - near // CHUNK_SAMPLES))])

    def put(self, chunk: int, levels: Columns) -> None:
        """Keep what `chunk_levels` found."""
        finest = self._levels[0]
        first = chunk * CHUNK_SAMPLES // self.bin_samples
        past = first + levels.low_NC.shape[1]
        finest.low_NB[:, first:past] = levels.low_NC
        finest.high_NB[:, first:past] = levels.high_NC
        finest.energy_NB[:, first:past] = np.square(levels.rms_NC) * self._counts(finest, first, past)
        for fine, coarse in zip(self._levels, self._levels[1:], strict=False):
            first, past = first // _FACTOR, -(-past // _FACTOR)
            _gather(fine, coarse, first, past)
        self._is_known[chunk] = True

    def put_sketch(self, sketch: Columns) -> None:
        """Keep a rough picture of the whole, to be shown where nothing better is known."""
        self._sketch = sketch

    def columns(self, start: int, stop: int, columns: int) -> Columns:
        """Return the levels of equal parts of start..stop, each of the whole bins that begin in it.

        Where bins are longer than parts, neighbours share a bin.
        """
        level = self._level_for((stop - start) / columns)
        edges = np.linspace(start, stop, columns + 1)
        firsts = np.clip((edges[:-1] // level.bin_samples).astype(np.int64), 0, level.bins - 1)
        past = min(level.bins, max(int(firsts[-1]) + 1, int(edges[-1] // level.bin_samples)))
        found = self._reduced(level, firsts, past)
        return self._filled(found, edges)

    def _level_for(self, samples_per_column: float) -> _Level:
        fitting = [level for level in self._levels if level.bin_samples <= samples_per_column]
        return fitting[-1] if fitting else self._levels[0]

    def _reduced(self, level: _Level, firsts: NDArray[np.int64], past: int) -> Columns:
        origin = int(firsts[0])
        at = firsts - origin
        lasts = np.maximum(np.append(firsts[1:], past), firsts + 1)
        counts = self._samples_before(level, lasts) - self._samples_before(level, firsts)
        energy_NC = np.add.reduceat(level.energy_NB[:, origin:past], at, axis=1)
        return Columns(
            low_NC=np.minimum.reduceat(level.low_NB[:, origin:past], at, axis=1),
            high_NC=np.maximum.reduceat(level.high_NB[:, origin:past], at, axis=1),
            rms_NC=np.sqrt(energy_NC / counts).astype(np.float32),
        )

    def _filled(self, found: Columns, edges: NDArray[np.float64]) -> Columns:
        missing = ~np.isfinite(found.low_NC[0])
        if self._sketch is None or not missing.any():
            return found
        known = self._sketch.low_NC.shape[1]
        middles = (edges[:-1] + edges[1:])[missing] / 2
        nearest = np.clip((middles / self.facts.length_samples * known).astype(int), 0, known - 1)
        for mine_NC, rough_NC in (
            (found.low_NC, self._sketch.low_NC),
            (found.high_NC, self._sketch.high_NC),
            (found.rms_NC, self._sketch.rms_NC),
        ):
            mine_NC[:, missing] = rough_NC[:, nearest]
        return found

    def _samples_before(self, level: _Level, bins: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.minimum(bins * level.bin_samples, self.facts.length_samples)

    def _counts(self, level: _Level, first: int, past: int) -> NDArray[np.int64]:
        return np.diff(self._samples_before(level, np.arange(first, past + 1)))


def chunk_levels(source: Source, chunk: int, bin_samples: int) -> Columns:
    """Return the levels of a chunk's bins; the last bin of a sound may be shorter."""
    start = chunk * CHUNK_SAMPLES
    stop = min(start + CHUNK_SAMPLES, source.facts.length_samples)
    audio_NS = source.read(start, stop)
    return _levels_at(audio_NS, np.arange(0, stop - start, bin_samples))


def sample_columns(audio_NS: Audio, first_sample: float, samples: float, columns: int) -> Columns:
    """Return the levels of equal parts of samples, from first_sample of the sound on, each at least one."""
    edges = first_sample + np.arange(columns) * (samples / columns)
    firsts = np.clip(edges.astype(np.int64), 0, audio_NS.shape[1] - 1)
    past = min(audio_NS.shape[1], max(int(firsts[-1]) + 1, math.ceil(first_sample + samples)))
    return _levels_at(audio_NS[:, firsts[0] : past], firsts - firsts[0])


def sketch(source: Source) -> Columns:
    """Return levels of short excerpts evenly over the whole sound: fast, and only roughly right.

    A short sound is read as a whole: thousands of jumps in a compressed file take longer.
    """
    length = source.facts.length_samples
    columns = min(_SKETCH_COLUMNS, -(-length // _SKETCH_SAMPLES))
    starts = (np.arange(columns) * length) // columns
    if 0 < length <= _SKETCH_WHOLE_SAMPLES:
        return _levels_at(source.read(0, length), starts)
    excerpts = [source.read(int(start), min(int(start) + _SKETCH_SAMPLES, length)) for start in starts]
    parts = [_levels_at(excerpt_NS, np.zeros(1, np.int64)) for excerpt_NS in excerpts]
    return Columns(
        low_NC=np.concatenate([part.low_NC for part in parts], axis=1),
        high_NC=np.concatenate([part.high_NC for part in parts], axis=1),
        rms_NC=np.concatenate([part.rms_NC for part in parts], axis=1),
    )


def _levels_at(audio_NS: Audio, firsts: NDArray[np.int64]) -> Columns:
    counts = np.maximum(np.diff(np.append(firsts, audio_NS.shape[1])), 1)
    energy_NC = np.add.reduceat(np.square(audio_NS), firsts, axis=1)
    return Columns(
        low_NC=np.minimum.reduceat(audio_NS, firsts, axis=1),
        high_NC=np.maximum.reduceat(audio_NS, firsts, axis=1),
        rms_NC=np.sqrt(energy_NC / counts).astype(np.float32),
    )


def _gather(fine: _Level, coarse: _Level, first: int, past: int) -> None:
    firsts = np.arange(first, past) * _FACTOR
    stop = min(past * _FACTOR, fine.bins)
    at = firsts - firsts[0]
    part = np.s_[:, firsts[0] : stop]
    coarse.low_NB[:, first:past] = np.minimum.reduceat(fine.low_NB[part], at, axis=1)
    coarse.high_NB[:, first:past] = np.maximum.reduceat(fine.high_NB[part], at, axis=1)
    coarse.energy_NB[:, first:past] = np.add.reduceat(fine.energy_NB[part], at, axis=1)


def _finest_bin(facts: SoundFacts) -> int:
    bin_samples = FINEST_BIN_SAMPLES
    while facts.length_samples / bin_samples * facts.channels > _MAX_BINS and bin_samples < CHUNK_SAMPLES:
        bin_samples *= 2
    return bin_samples

"""What there is to draw of the sounds that are open: peaks, samples, spectrogram tiles, onsets.

Legend: N channels, S samples, R rows, C columns.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from ui.background import Background
from ui.model.display import Shown
from ui.model.tiles import MAX_BYTES, Tile, TileLoader, Work, told
from ui.sound.onsets import TILE_S as ONSETS_S
from ui.sound.onsets import onsets_s
from ui.sound.peaks import FINEST_BIN_SAMPLES, Columns, PeakPyramid, chunk_levels, sample_columns, sketch
from ui.sound.scales import ScaleKind
from ui.sound.sources import Audio, Source
from ui.sound.spectra import (
    BASE_ROWS,
    COLUMNS,
    TileShape,
    decibels,
    level_for,
    rows_for,
    tile_levels,
    whole_level,
)

SAMPLES_PER_TILE = 2**16
_ROWS = tuple(BASE_ROWS << step for step in range(4))
# Peaks of the whole wait for what is seen; the first rough picture waits for nothing.
_LAST, _FIRST = 0, 32_000
_GATHERED_MS = 30
# Onsets of a longer stretch would lie too close to be seen, and take long to find.
_LONGEST_WITH_ONSETS_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is on screen: samples start..stop, in so many pixels, of the height the share_shown."""

    shown: Shown = Shown.ORIGINAL
    start: float = 0.0
    stop: float = 1.0
    width_px: float = 1000.0
    height_px: float = 400.0
    share_shown: float = 1.0
    kind: ScaleKind = ScaleKind.MEL
    window_samples: int | None = None
    is_onsets_wanted: bool = False

    @property
    def samples_per_px(self) -> float:
        return (self.stop - self.start) / max(self.width_px, 1.0)


class PlacedTile(NamedTuple):
    """A tile (R, C) of which the columns from `first` to `past` lie from sample start to stop."""

    key: Hashable
    kind: ScaleKind
    levels_RC: NDArray[np.uint8]
    start: float
    stop: float
    first: float
    past: float


class _Key(NamedTuple):
    shown: Shown
    what: str
    shape: TileShape | None
    number: int


class Pictures(QObject):
    """Tells when there is more to draw; never waits for it."""

    changed = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(
        self, background: Background, max_bytes: int = MAX_BYTES, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.loader = TileLoader(background, max_bytes, self)
        self._background = background
        self._sources: dict[Shown, Source] = {}
        self._pyramids: dict[Shown, PeakPyramid] = {}
        self._filling: set[Shown] = set()
        self._is_closed = False
        self._sight = self._former = Sight()
        self._gathering = QTimer(self)
        self._gathering.setSingleShot(True)
        self._gathering.setInterval(_GATHERED_MS)
        self._gathering.timeout.connect(self.changed)
        self.loader.arrived.connect(self._tell_soon)
        self.loader.failed.connect(self.failed)

    @property
    def nbytes(self) -> int:
        return self.loader.cache.nbytes + sum(pyramid.nbytes for pyramid in self._pyramids.values())

    @property
    def sight(self) -> Sight:
        return self._sight

    @property
    def is_complete(self) -> bool:
        """Tell whether all that is seen is there as fine as it gets."""
        pyramid = self._pyramids.get(self._sight.shown)
        return self.loader.pending == 0 and pyramid is not None and pyramid.is_whole

    def close(self) -> None:
        """Tell nothing any more, not even of what was already on its way."""
        self._is_closed = True
        self._gathering.stop()
        self._sources.clear()
        self._pyramids.clear()
        self.loader.forget()

    def put(self, shown: Shown, source: Source | None) -> None:
        """Show this from now on as the original, the take or their difference; None is nothing."""
        self.loader.forget(lambda key: isinstance(key, _Key) and key.shown is shown)
        self._filling.discard(shown)
        self._sources.pop(shown, None)
        self._pyramids.pop(shown, None)
        if source is not None:
            self._sources[shown] = source
            self._pyramids[shown] = PeakPyramid(source.facts)
        if shown is self._sight.shown:
            self.look_at(self._sight)

    def look_at(self, sight: Sight) -> None:
        """Have what is seen worked out before all else, and nothing that is not."""
        if (sight.kind, sight.window_samples) != (self._sight.kind, self._sight.window_samples):
            self._former = self._sight
        self._sight = sight
        source = self._sources.get(sight.shown)
        if source is None:
            return
        self._fill(sight.shown)
        self.loader.wish("whole", self._works(self._whole_keys()))
        onsets = self._onset_keys() if self._are_onsets_wanted else ()
        self.loader.wish("onsets", self._works(onsets))
        self.loader.wish("samples", self._works(self._sample_keys()))
        self.loader.wish("spectrogram", self._works(self._spectrogram_keys()))

    def columns(self, start: float, stop: float, columns: int, shown: Shown | None = None) -> Columns | None:
        """Return the levels of a picture's columns, as fine as they are known."""
        pyramid = self._pyramids.get(shown or self._sight.shown)
        if pyramid is None or columns < 1 or stop <= start:
            return None
        if (stop - start) / columns < pyramid.bin_samples:
            first = int(start)
            audio_NS = self.samples(first, int(stop) + 1)
            if audio_NS is not None:
                return sample_columns(audio_NS, start - first, stop - start, columns)
        return pyramid.columns(round(start), max(round(stop), round(start) + 1), columns)

    def samples(self, start: int, stop: int) -> Audio | None:
        """Return the samples start..stop themselves (N, S), where all of them are there."""
        keys = self._sample_keys(start, stop)
        tiles = [self.loader.cache.get(key) for key in keys]
        present = [tile for tile in tiles if tile is not None]
        if not keys or len(present) < len(tiles):
            return None
        first = keys[0].number * SAMPLES_PER_TILE
        joined_NS = present[0] if len(present) == 1 else np.concatenate(present, axis=1)
        return joined_NS[:, max(0, start - first) : stop - first]

    def spectrogram(self) -> list[PlacedTile]:
        """Return tiles that cover what is seen; where a fine one is missing, the part of a coarser one."""
        placed = (self._placed(key) for key in self._spectrogram_keys(margin=0))
        return [tile for tile in placed if tile is not None]

    def level_db(self, sample: float, axis: float) -> float | None:
        """Return the level at a place of the spectrogram, where it is known."""
        for tile in self.spectrogram():
            if tile.kind is self._sight.kind and tile.start <= sample < tile.stop and 0.0 <= axis < 1.0:
                rows, share = len(tile.levels_RC), (sample - tile.start) / (tile.stop - tile.start)
                column = int(tile.first + share * (tile.past - tile.first))
                row = rows - 1 - int(axis * rows)
                return float(decibels(tile.levels_RC[row : row + 1, min(column, COLUMNS - 1)])[0])
        return None

    def onsets(self, start_s: float, end_s: float) -> tuple[float, ...]:
        """Return the onsets that were found so far in a stretch."""
        tiles = (self.loader.cache.get(key) for key in self._onset_keys(start_s, end_s))
        found_s = [float(time_s) for tile in tiles if tile is not None for time_s in tile]
        return tuple(time_s for time_s in found_s if start_s <= time_s <= end_s)

    def _placed(self, wanted: _Key) -> PlacedTile | None:
        for key in self._stand_ins(wanted):
            levels_RC = self.loader.cache.get(key)
            if levels_RC is not None and key.shape is not None and wanted.shape is not None:
                start = wanted.number * wanted.shape.tile_samples
                stop = min(start + wanted.shape.tile_samples, self._length)
                hop, origin = key.shape.hop_samples, key.number * key.shape.tile_samples
                first, past = (start - origin) / hop, (stop - origin) / hop
                return PlacedTile(key, key.shape.kind, levels_RC, start, stop, first, past)
        return None

    def _stand_ins(self, key: _Key) -> Iterator[_Key]:
        """Return the tile itself, with other rows, the coarser ones that hold it, and those of before."""
        shape = key.shape
        assert shape is not None
        rows = sorted(_ROWS, key=lambda rows: rows != shape.rows)
        for sight in (self._sight, self._former):
            for level in range(shape.level, max(shape.level, whole_level(self._length)) + 1):
                number = key.number >> (level - shape.level)
                for count in rows:
                    yield key._replace(shape=_shape(sight, level, count), number=number)

    @property
    def _are_onsets_wanted(self) -> bool:
        sight, rate_hz = self._sight, self._sources[self._sight.shown].facts.rate_hz
        return sight.is_onsets_wanted and sight.stop - sight.start <= _LONGEST_WITH_ONSETS_S * rate_hz

    @property
    def _length(self) -> int:
        return self._sources[self._sight.shown].facts.length_samples

    def _whole_keys(self) -> list[_Key]:
        shape = _shape(self._sight, whole_level(self._length), BASE_ROWS)
        return [_Key(self._sight.shown, "tile", shape, index) for index in shape.indices(0, self._length)]

    def _spectrogram_keys(self, margin: int = 1) -> list[_Key]:
        """Return the tiles of what is seen, then those beside them."""
        sight = self._sight
        if sight.shown not in self._sources:
            return []
        level = min(level_for(sight.samples_per_px), whole_level(self._length))
        shape = _shape(self._sight, level, rows_for(sight.height_px, sight.share_shown))
        seen = shape.indices(sight.start, min(sight.stop, self._length))
        last = shape.indices(0, self._length).stop
        beside = [index for index in (seen.stop, seen.start - 1) if margin and 0 <= index < last]
        return [_Key(sight.shown, "tile", shape, index) for index in (*seen, *beside)]

    def _sample_keys(self, start: int | None = None, stop: int | None = None) -> list[_Key]:
        sight = self._sight
        source = self._sources.get(sight.shown)
        if source is None or sight.samples_per_px >= FINEST_BIN_SAMPLES:
            return []
        past = min(self._length, int(sight.stop) + 1 if stop is None else stop)
        first = max(0, int(sight.start) if start is None else start)
        tiles = range(first // SAMPLES_PER_TILE, max(0, past - 1) // SAMPLES_PER_TILE + 1)
        return [_Key(sight.shown, "samples", None, index) for index in tiles]

    def _onset_keys(self, start_s: float | None = None, end_s: float | None = None) -> list[_Key]:
        sight = self._sight
        source = self._sources.get(sight.shown)
        if source is None:
            return []
        rate_hz = source.facts.rate_hz
        first_s = sight.start / rate_hz if start_s is None else start_s
        past_s = sight.stop / rate_hz if end_s is None else end_s
        tiles = range(max(0, int(first_s // ONSETS_S)), int(past_s // ONSETS_S) + 1)
        return [_Key(sight.shown, "onsets", None, index) for index in tiles]

    def _works(self, keys: Iterable[_Key]) -> dict[Hashable, Work]:
        source = self._sources[self._sight.shown]
        return {key: partial(_worked_out, source, key) for key in keys}

    def _fill(self, shown: Shown) -> None:
        """Begin to find the peaks of the whole, roughly first."""
        if shown not in self._filling:
            self._filling.add(shown)
            source = self._sources[shown]
            roughly = partial(self._keep_sketch, shown, self._pyramids[shown])
            self._background.run(
                partial(sketch, source), roughly, partial(self._fail, source), priority=_FIRST
            )

    def _keep_sketch(self, shown: Shown, pyramid: PeakPyramid, rough: Columns) -> None:
        pyramid.put_sketch(rough)
        self._tell_soon()
        self._next_chunk(shown, pyramid)

    def _next_chunk(self, shown: Shown, pyramid: PeakPyramid) -> None:
        """Find the peaks nearest to what is seen, unless something else is open by now."""
        if self._pyramids.get(shown) is not pyramid:
            return
        chunk = pyramid.next_chunk(int(self._sight.start + self._sight.stop) // 2)
        if chunk is not None:
            source = self._sources[shown]
            self._background.run(
                partial(chunk_levels, source, chunk, pyramid.bin_samples),
                partial(self._keep_chunk, shown, pyramid, chunk),
                partial(self._fail, source),
                priority=_LAST,
            )

    def _keep_chunk(self, shown: Shown, pyramid: PeakPyramid, chunk: int, levels: Columns) -> None:
        pyramid.put(chunk, levels)
        self._tell_soon()
        self._next_chunk(shown, pyramid)

    def _fail(self, source: Source, error: Exception) -> None:
        # What was closed meanwhile cannot be read, and need not be.
        if source in self._sources.values():
            self.failed.emit(told(error))

    def _tell_soon(self) -> None:
        if not self._is_closed and not self._gathering.isActive():
            self._gathering.start()


def _shape(sight: Sight, level: int, rows: int) -> TileShape:
    return TileShape(level=level, kind=sight.kind, rows=rows, window_samples=sight.window_samples)


def _worked_out(source: Source, key: _Key, is_off: Callable[[], bool]) -> Tile:
    if key.shape is not None:
        return tile_levels(source, key.shape, key.number, is_off)
    if key.what == "onsets":
        return np.array(onsets_s(source, key.number))
    start = key.number * SAMPLES_PER_TILE
    return source.read(start, min(start + SAMPLES_PER_TILE, source.facts.length_samples))

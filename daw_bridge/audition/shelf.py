"""What was read and measured once, for as long as it may be heard again: a new take costs one file alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from daw_bridge.audition.loader import Cut, load
from daw_bridge.audition.voice import Frames
from engine.errors import EngineError, TooLarge
from engine.types import ErrorInfo

# As 32-bit stereo at 48 kHz some 700 MB.
MOST_TOGETHER_S = 1_800.0

IsCancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A part of a file to hear; without an end, as far as it goes."""

    path: str
    cut: Cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """loudness_lufs is -inf of what the gate takes for silence, true_peak_db of digital silence."""

    loudness_lufs: float
    true_peak_db: float


@dataclass(slots=True, kw_only=True, eq=False)
class Read:
    """A source in memory; the level is measured when somebody asks for it."""

    source: Source
    audio: Frames
    rate_hz: int
    _level: Level | None = None

    @property
    def level(self) -> Level:
        if self._level is None:
            # Here, because it takes scipy a while to load: a take is to be heard before that.
            from daw_bridge.audition.levels import measure  # noqa: PLC0415

            self._level = measure(self.audio, self.rate_hz)
        return self._level


_Key = tuple[Source, int, int, int]


class Shelf:
    """Keeps what was read, until other sources are kept; use it from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[_Key, Read] = {}

    def read(self, source: Source, rate_hz: int, cancelled: IsCancelled) -> Read:
        """Return a source at that rate; a file that has changed is read again. Raises as load does."""
        key = _key(source, rate_hz)
        with self._lock:
            known = self._read.get(key)
        if known is not None:
            return known
        audio = load(source.path, rate_hz, source.cut, cancelled)
        read = Read(source=source, audio=audio, rate_hz=rate_hz)
        with self._lock:
            self._read[key] = read
        return read

    def keep(self, sources: Collection[Source]) -> None:
        """Let go of all others."""
        with self._lock:
            self._read = {key: read for key, read in self._read.items() if key[0] in sources}

    def read_all(
        self, sources: Collection[Source], rate_hz: int, cancelled: IsCancelled
    ) -> list[Read | ErrorInfo]:
        """Return all sources, and of one that cannot be read why.

        Raises:
            TooLarge: together they are too long to be held.
            Cancelled: cancelled() was true at some moment.
        """
        found: list[Read | ErrorInfo] = []
        left_s = MOST_TOGETHER_S
        for source in sources:
            try:
                read = self.read(source, rate_hz, cancelled)
            except EngineError as error:
                if cancelled():
                    raise
                found.append(error.info)
                continue
            left_s -= len(read.audio) / rate_hz
            if left_s < 0.0:
                raise TooLarge(
                    f"what is to be compared is longer than {MOST_TOGETHER_S / 60:g} minutes together",
                    "Choose a shorter part, or fewer takes.",
                )
            found.append(read)
        return found


def _key(source: Source, rate_hz: int) -> _Key:
    try:
        found = Path(source.path).stat()
    except OSError:
        return source, rate_hz, 0, 0
    return source, rate_hz, found.st_mtime_ns, found.st_size

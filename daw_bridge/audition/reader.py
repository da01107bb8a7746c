"""Files read beside what plays, as tracks."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from daw_bridge.audition.events import error_as_json, raised
from daw_bridge.audition.shelf import IsCancelled, Read, Shelf, Source
from daw_bridge.audition.tracks import Track, alone, together
from engine.errors import Cancelled
from engine.types import ErrorInfo

Result = Mapping[str, Any]
Found = TypeVar("Found")


class Library:
    """Makes tracks of files; use it from any thread. All of it raises as Shelf.read and read_all do."""

    def __init__(self) -> None:
        self._shelf = Shelf()

    def alone(
        self, source: Source, rate_hz: int, cancelled: IsCancelled, *, loop: bool, gain_db: float
    ) -> Track:
        """Return a file that plays without others."""
        return alone(self._shelf.read(source, rate_hz, cancelled), loop=loop, gain_db=gain_db)

    def together(
        self, sources: Sequence[Source], rate_hz: int, cancelled: IsCancelled, *, strict: bool
    ) -> tuple[Track, Result]:
        """Return sources that share a playhead, and what is known of each.

        Unless it is strict, some of them may be unreadable.
        """
        found = self._shelf.read_all(sources, rate_hz, cancelled)
        errors = [one for one in found if isinstance(one, ErrorInfo)]
        if errors and (strict or len(errors) == len(found)):
            raise raised(errors[0])
        gains_db = _matching(found)
        facts = [_facts(one, gain_db) for one, gain_db in zip(found, gains_db, strict=True)]
        return together(sources, found, gains_db), {"sources": facts}

    def again(self, track: Track, rate_hz: int, cancelled: IsCancelled) -> Track:
        """Return a track for the device that is preferred, whatever its own was."""
        if track.rate_hz == rate_hz:
            return replace(track, wanted=None) if track.is_alone else track
        if track.is_alone:
            loop, gain_db = track.program.loop, track.gains_db[0]
            return self.alone(track.sources[0], rate_hz, cancelled, loop=loop, gain_db=gain_db)
        found, _ = self.together(track.sources, rate_hz, cancelled, strict=False)
        return replace(found, number=track.number)

    def keep(self, *tracks: Track | None) -> None:
        """Let go of what none of these tracks has."""
        self._shelf.keep({source for track in tracks if track is not None for source in track.sources})


class Loads:
    """Reads files beside what plays; a newer read for the same purpose ends an older one."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._pool = ThreadPoolExecutor(2, "load")
        self._cancelled: dict[str, threading.Event] = {}

    def start(
        self,
        purpose: str,
        read: Callable[[IsCancelled], Found],
        then: Callable[[Callable[[], Found]], None],
    ) -> None:
        """Read, and post then, which gets the read's result by a call that may raise."""
        self.cancel(purpose)
        cancelled = self._cancelled[purpose] = threading.Event()
        reading = self._pool.submit(read, cancelled.is_set)

        def result() -> Found:
            # Not left to the read alone: it may have come to its end just before.
            if cancelled.is_set():
                raise Cancelled("something else was asked for meanwhile")
            return reading.result()

        reading.add_done_callback(lambda _: self._post(partial(then, result)))

    def cancel(self, purpose: str | None = None) -> None:
        """End the read for a purpose, or all."""
        for one in [purpose] if purpose else list(self._cancelled):
            if one in self._cancelled:
                self._cancelled.pop(one).set()


def prepare() -> None:
    """Load what measures, which takes a while, before it is needed."""
    import daw_bridge.audition.levels  # noqa: F401, PLC0415


def _matching(found: Sequence[Read | ErrorInfo]) -> list[float]:
    """Return the gains that make all that could be read equally loud."""
    # Here, because it takes scipy a while to load: a take is to be heard before that.
    from daw_bridge.audition.levels import matching_gains  # noqa: PLC0415

    gains = iter(matching_gains([one.level for one in found if isinstance(one, Read)]))
    return [next(gains) if isinstance(one, Read) else 0.0 for one in found]


def _facts(found: Read | ErrorInfo, gain_db: float) -> dict[str, object]:
    if isinstance(found, ErrorInfo):
        return {"error": error_as_json(found)}
    level = found.level
    return {
        "gain_db": gain_db,
        "loudness_lufs": _finite(level.loudness_lufs),
        "true_peak_db": _finite(level.true_peak_db),
        "length_s": len(found.audio) / found.rate_hz,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

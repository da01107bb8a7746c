"""Projects as REAPER has them, as far as our scripts see: tracks, items, takes, sources with real audio.

Legend: N channels, S samples.
"""

from __future__ import annotations

import copy
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile


def new_guid() -> str:
    return f"{{{str(uuid.uuid4()).upper()}}}"


class Pointer:
    """What Lua holds of REAPER's objects: it can be handed back, and compared."""

    kind = ""


@dataclass(eq=False)
class Source(Pointer):
    """A media file, or a section of another source, perhaps reversed."""

    kind = "PCM_source"
    path: Path
    parent: Source | None = None
    is_reversed: bool = False
    is_midi: bool = False
    peaks_left: int = 2

    def root(self) -> Source:
        return self if self.parent is None else self.parent.root()

    def info(self) -> tuple[int, int]:
        """Return rate and channels; zeros of what cannot be read."""
        if self.is_midi or not self.root().path.is_file():
            return 0, 0
        found = soundfile.info(self.root().path)
        return found.samplerate, found.channels

    def audio_SN(self) -> np.ndarray:
        audio_SN, _ = soundfile.read(self.root().path, always_2d=True, dtype="float64")
        return audio_SN[::-1] if self.is_reversed else audio_SN

    def __deepcopy__(self, memo: dict[int, Any]) -> Source:
        return self


@dataclass(eq=False)
class Take(Pointer):
    kind = "MediaItem_Take"
    source: Source | None = None
    values: dict[str, float] = field(default_factory=lambda: defaultdict(float, D_PLAYRATE=1.0, D_VOL=1.0))
    texts: dict[str, str] = field(default_factory=lambda: {"GUID": new_guid()})
    stretch_markers: int = 0


@dataclass(eq=False)
class Item(Pointer):
    kind = "MediaItem"
    takes: list[Take] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    texts: dict[str, str] = field(default_factory=lambda: {"GUID": new_guid()})

    @property
    def start_s(self) -> float:
        return self.values["D_POSITION"]

    @property
    def end_s(self) -> float:
        return self.start_s + self.values["D_LENGTH"]

    @property
    def active(self) -> Take | None:
        return self.takes[int(self.values["I_CURTAKE"])] if self.takes else None


@dataclass(eq=False)
class Track(Pointer):
    kind = "MediaTrack"
    items: list[Item] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=lambda: defaultdict(float, I_NUMFIXEDLANES=1.0))
    texts: dict[str, str] = field(default_factory=lambda: {"GUID": new_guid()})


@dataclass(frozen=True, kw_only=True)
class Marker:
    """A region of the project, or a marker where both times are the same."""

    start_s: float
    end_s: float
    name: str


@dataclass(eq=False)
class Project(Pointer):
    kind = "ReaProject"
    folder: Path
    tracks: list[Track] = field(default_factory=list)
    time_selection: tuple[float, float] = (0.0, 0.0)
    tempo_bpm: float = 120.0
    values: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    markers: list[Marker] = field(default_factory=list)
    # What undo would take back, the last step last: its name, and the tracks before it.
    undo: list[tuple[str, list[Track]]] = field(default_factory=list)
    # The tracks as they were when the block that is open now was begun.
    before: list[Track] | None = None

    def items(self) -> list[Item]:
        return [item for track in self.tracks for item in track.items]

    def begin(self) -> None:
        assert self.before is None, "an undo block was begun inside another one"
        self.before = copy.deepcopy(self.tracks)

    def end(self, name: str) -> None:
        assert self.before is not None, "an undo block was ended that was never begun"
        self.undo.append((name, self.before))
        self.before = None

    def take_back(self) -> None:
        """Undo the last step."""
        _, self.tracks = self.undo.pop()


def state(project: Project) -> list[Any]:
    """Return all that is musical about a project, as plain values to compare."""
    return [
        (_set(track.values), dict(track.texts), [_item_state(item) for item in track.items])
        for track in project.tracks
    ]


def _item_state(item: Item) -> Any:
    takes = [
        (take.source and str(take.source.path), _set(take.values), dict(take.texts)) for take in item.takes
    ]
    return _set(item.values), dict(item.texts), takes


def _set(values: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in values.items() if value}


def heard_NS(take: Take, rate_hz: int, channels: int, start_s: float, count: int) -> np.ndarray:
    """Return what a take sounds like before effects, from a time in its item on.

    Its source from its offset on at its rate, one channel or two as its channel mode says; silence beyond its
    ends. Between samples it goes straight, where REAPER resamples better.
    """
    assert take.source is not None
    audio_SN = _channels_SN(take.source.audio_SN(), int(take.values["I_CHANMODE"]))
    source_rate_hz, _ = take.source.info()
    times_s = start_s + np.arange(count) / rate_hz
    positions = (take.values["D_STARTOFFS"] + times_s * take.values["D_PLAYRATE"]) * source_rate_hz
    nearest = np.round(positions)
    positions = np.where(abs(positions - nearest) < 1e-4, nearest, positions)
    known = np.arange(len(audio_SN))
    heard = [np.interp(positions, known, audio_S, left=0.0, right=0.0) for audio_S in audio_SN.T]
    return np.stack([heard[min(channel, len(heard) - 1)] for channel in range(channels)])


def _channels_SN(audio_SN: np.ndarray, mode: int) -> np.ndarray:
    if mode == 1:
        return audio_SN[:, ::-1]
    if mode == 2:
        return audio_SN.mean(axis=1, keepdims=True)
    if mode >= 67:
        return audio_SN[:, mode - 67 : mode - 65]
    return audio_SN[:, mode - 3 : mode - 2] if mode >= 3 else audio_SN

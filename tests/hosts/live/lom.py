"""A Live Set as scripts see it: what lom.tsv declares can be used, with such arguments, and nothing else.

An object is a Guarded around one of the classes below, which have only what our script needs of the declared.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile

_PLAIN = {"str": str, "int": int, "float": (int, float), "bool": bool, "None": type(None)}


class LimitationError(RuntimeError):
    """What Live raises for what it does not do."""


@dataclass(frozen=True)
class Declared:
    kind: str
    arguments: tuple[str, ...]
    result: str


def declarations() -> dict[str, dict[str, Declared]]:
    lines = (Path(__file__).parent / "lom.tsv").read_text(encoding="utf-8").splitlines()
    found: dict[str, dict[str, Declared]] = {}
    for line in lines:
        if not line.startswith("#"):
            owner, name, kind, arguments, result = line.split("\t")
            types = tuple(filter(None, arguments.split("; ")))
            found.setdefault(owner, {})[name] = Declared(kind, types, result)
    return found


class LiveSet:
    """A set, its undo history, and what a script did that is not declared."""

    def __init__(
        self, tempo_bpm: float = 120.0, missing: Iterable[str] = (), markers_in_samples: bool = False
    ) -> None:
        self.declared = declarations()
        # What this version of Live does not have yet, as "Track.create_take_lane".
        self.missing = frozenset(missing)
        self.markers_in_samples = markers_in_samples
        self.faults: list[str] = []
        self.undo_steps: list[list[Callable[[], None]]] = []
        self._open: list[Callable[[], None]] | None = None
        self.song = Guarded(SongModel(self, tempo_bpm), "Song")

    def change(self, take_back: Callable[[], None]) -> None:
        if self._open is not None:
            self._open.append(take_back)
        else:
            self.undo_steps.append([take_back])

    def begin(self) -> None:
        self._open = []

    def end(self) -> None:
        if self._open:
            self.undo_steps.append(self._open)
        self._open = None

    def undo(self) -> None:
        for take_back in reversed(self.undo_steps.pop()):
            take_back()

    def add(self, items: list[Any], item: Any, index: int | None = None) -> Any:
        items.insert(len(items) if index is None else index, item)
        self.change(lambda: items.remove(item))
        return item

    def new_marker(self, sample_time: float, beat_time: float) -> Guarded:
        """Stand in for Live.Clip.WarpMarker."""
        return Guarded(MarkerModel(self, sample_time, beat_time), "WarpMarker")


class Guarded:
    """An object of Live as a script sees it."""

    def __init__(self, model: Any, kind: str) -> None:
        object.__setattr__(self, "_model", model)
        object.__setattr__(self, "_kind", kind)
        model.guard = self

    def __getattr__(self, name: str) -> Any:
        declared = self._declared(name)
        value = getattr(self._model, name)
        if declared.kind != "call":
            return self._checked(name, declared.result, value)
        return lambda *given, **named: self._call(name, declared, given, named)

    def __setattr__(self, name: str, value: Any) -> None:
        declared = self._declared(name)
        if declared.kind != "set":
            self._fault(f"{self._kind}.{name} cannot be written")
        if not fits(value, declared.result):
            self._fault(f"{self._kind}.{name} is a {declared.result}, not {value!r}")
        before = getattr(self._model, name)
        setattr(self._model, name, value)
        self._model.live.change(lambda: setattr(self._model, name, before))

    def _declared(self, name: str) -> Declared:
        live = self._model.live
        if f"{self._kind}.{name}" in live.missing or name.startswith("__"):
            raise AttributeError(name)
        declared = live.declared[self._kind].get(name)
        if declared is None:
            # A script may ask what kind of object it has got, by what only the one kind has.
            if any(name in members for members in live.declared.values()):
                raise AttributeError(name)
            self._fault(f"{self._kind}.{name} is not declared")
        assert declared is not None
        return declared

    def _call(self, name: str, declared: Declared, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        needed = sum(not one.endswith("=") for one in declared.arguments)
        if named or not needed <= len(given) <= len(declared.arguments):
            self._fault(f"{self._kind}.{name}{given}{named} does not fit {declared.arguments}")
        for value, kind in zip(given, declared.arguments, strict=False):
            if not fits(value, kind.rstrip("=")):
                self._fault(f"{self._kind}.{name}: {value!r} is no {kind}")
        return self._checked(name, declared.result, getattr(self._model, name)(*given))

    def _checked(self, name: str, kind: str, value: Any) -> Any:
        assert fits(value, kind), f"the model's {self._kind}.{name} is {value!r}, not {kind}"
        return value

    def _fault(self, text: str) -> None:
        self._model.live.faults.append(text)
        raise AssertionError(text)


def fits(value: Any, kind: str) -> bool:
    """Tell whether a value is of a type as the stubs write it; types that the model does not have fit all."""
    if " | " in kind:
        return any(fits(value, one) for one in kind.split(" | "))
    if kind in _PLAIN:
        return isinstance(value, _PLAIN[kind]) and (
            kind in ("bool", "str", "None") or not isinstance(value, bool)
        )
    if inner := re.fullmatch(r"Vector\[(\w+)\]", kind):
        return all(fits(one, inner.group(1)) for one in value)
    # Clips of the arrangement are on a track or a lane, whatever the stub says of slots.
    kinds = {"ClipSlot": ("ClipSlot", "Track", "TakeLane"), "View": ("Song.View",)}.get(kind, (kind,))
    return not isinstance(value, Guarded) or value._kind in kinds


@dataclass(eq=False)
class MarkerModel:
    live: LiveSet
    sample_time: float
    beat_time: float
    guard: Any = None


class ViewModel:
    def __init__(self, live: LiveSet) -> None:
        self.live = live
        self.guard: Any = None
        self.detail_clip: Any = None
        self.highlighted_clip_slot: Any = None


class SongModel:
    def __init__(self, live: LiveSet, tempo_bpm: float) -> None:
        self.live = live
        self.guard: Any = None
        self.tempo = tempo_bpm
        self.tracks: list[Guarded] = []
        self.scene_count = 0
        self.view = Guarded(ViewModel(live), "Song.View")

    def begin_undo_step(self) -> None:
        self.live.begin()

    def end_undo_step(self) -> None:
        self.live.end()

    def create_scene(self, index: int) -> Any:
        self.scene_count += 1
        for track in self.tracks:
            self.live.add(track._model.clip_slots, track._model.new_slot())
        return Guarded(SceneModel(self.live), "Scene")

    def create_audio_track(self, index: int = -1) -> Guarded:
        track = TrackModel(self.live, self, "Audio")
        track.clip_slots = [track.new_slot() for _ in range(self.scene_count)]
        return self.live.add(self.tracks, Guarded(track, "Track"), None if index == -1 else index)


@dataclass(eq=False)
class SceneModel:
    live: LiveSet
    guard: Any = None


@dataclass(eq=False)
class TrackModel:
    live: LiveSet
    song: SongModel
    name: str
    is_frozen: bool = False
    is_foldable: bool = False
    clip_slots: list[Any] = field(default_factory=list)
    arrangement_clips: list[Any] = field(default_factory=list)
    take_lanes: list[Any] = field(default_factory=list)
    guard: Any = None

    @property
    def canonical_parent(self) -> Any:
        return self.song.guard

    def new_slot(self) -> Guarded:
        return Guarded(SlotModel(self.live, self), "ClipSlot")

    def create_take_lane(self) -> Guarded:
        return self.live.add(self.take_lanes, Guarded(LaneModel(self.live, self), "TakeLane"))

    def create_audio_clip(self, file_path: str, position: float) -> Guarded:
        return self.live.add(self.arrangement_clips, loaded(self, self, file_path, position))


@dataclass(eq=False)
class LaneModel:
    live: LiveSet
    track: TrackModel
    name: str = "Take"
    arrangement_clips: list[Any] = field(default_factory=list)
    guard: Any = None

    @property
    def canonical_parent(self) -> Any:
        return self.track.guard

    def create_audio_clip(self, file_path: str, start_time: float) -> Guarded:
        return self.live.add(self.arrangement_clips, loaded(self, self.track, file_path, start_time))


@dataclass(eq=False)
class SlotModel:
    live: LiveSet
    track: TrackModel
    clip: Any = None
    guard: Any = None

    @property
    def has_clip(self) -> bool:
        return self.clip is not None

    @property
    def canonical_parent(self) -> Any:
        return self.track.guard

    def create_audio_clip(self, file_path: str) -> Guarded:
        if self.clip is not None:
            raise LimitationError("the slot is not empty")
        self.clip = loaded(self, self.track, file_path, None)
        self.live.change(lambda: setattr(self, "clip", None))
        return self.clip


def loaded(owner: Any, track: TrackModel, path: str, position_beats: float | None) -> Guarded:
    """Load a file as Live does with its preferences at their defaults: long files begin stretched."""
    if track.is_frozen:
        raise LimitationError("the track is frozen")
    info = soundfile.info(path)
    return Guarded(
        ClipModel(
            live=owner.live,
            owner=owner,
            tempo_bpm=track.song.tempo,
            file_path=path,
            sample_rate=float(info.samplerate),
            sample_length=info.frames,
            name=Path(path).stem,
            position_beats=position_beats,
            warping=True,
        ),
        "Clip",
    )


class ClipModel:
    """An audio clip; while it is warped its places are beats, else seconds."""

    is_audio_clip = True
    is_recording = False

    def __init__(
        self,
        *,
        live: LiveSet,
        owner: Any,
        tempo_bpm: float,
        file_path: str,
        sample_rate: float,
        sample_length: int,
        name: str,
        position_beats: float | None,
        warping: bool,
    ) -> None:
        self.live, self.owner, self.tempo_bpm = live, owner, tempo_bpm
        self.file_path, self.sample_rate, self.sample_length, self.name = (
            file_path,
            sample_rate,
            sample_length,
            name,
        )
        self.position_beats = position_beats
        self.gain, self.pitch_coarse, self.pitch_fine, self.warp_mode, self.looping = 0.4, 0, 0.0, 0, False
        self.guard: Any = None
        length_s = sample_length / sample_rate
        # As if Live had taken the file for one of another tempo.
        self.markers = [(0.0, 0.0), (length_s, length_s * 1.9)]
        self._warping = warping
        self.start_marker = self.loop_start = 0.0
        self.end_marker = self.loop_end = self.markers[-1][1] if warping else length_s

    @property
    def canonical_parent(self) -> Any:
        return self.owner.guard

    @property
    def is_arrangement_clip(self) -> bool:
        return self.position_beats is not None

    @property
    def start_time(self) -> float:
        return self.position_beats or 0.0

    @property
    def end_time(self) -> float:
        length = self.loop_end - self.loop_start
        return self.start_time + (length if self._warping else length * self.tempo_bpm / 60)

    @property
    def warping(self) -> bool:
        return self._warping

    @warping.setter
    def warping(self, value: bool) -> None:
        if value == self._warping:
            return
        places = {
            name: getattr(self, name) for name in ("start_marker", "end_marker", "loop_start", "loop_end")
        }
        turn = self._beats_at if value else self._seconds_at
        for name, place in places.items():
            setattr(self, name, turn(place))
        self._warping = value

    @property
    def warp_markers(self) -> list[Guarded]:
        scale = self.sample_rate if self.live.markers_in_samples else 1.0
        return [self.live.new_marker(at_s * scale, beat) for at_s, beat in self.markers]

    def add_warp_marker(self, marker: Guarded) -> None:
        scale = self.sample_rate if self.live.markers_in_samples else 1.0
        if any(beat == marker.beat_time for _, beat in self.markers):
            self.markers = [one for one in self.markers if one[1] != marker.beat_time]
        self.markers = sorted(
            [*self.markers, (marker.sample_time / scale, marker.beat_time)], key=lambda one: one[1]
        )

    def remove_warp_marker(self, beat_time: float) -> None:
        left = [one for one in self.markers if one[1] != beat_time]
        if len(left) == len(self.markers) or len(left) < 1:
            raise LimitationError("there is no such marker, or it is the last")
        self.markers = left

    def beat_to_sample_time(self, beat_time: float) -> float:
        if not self._warping:
            raise LimitationError("the clip is not warped")
        return self._seconds_at(beat_time) * self.sample_rate

    def _seconds_at(self, beat: float) -> float:
        return _between([(b, s) for s, b in self.markers], beat)

    def _beats_at(self, seconds: float) -> float:
        return _between(self.markers, seconds)


def _between(points: list[tuple[float, float]], at: float) -> float:
    """Return the value at a place of a line through points, which goes on straight on both sides."""
    if len(points) == 1:
        points = [*points, (points[0][0] + 1.0, points[0][1] + 0.5)]
    index = min(max(bisect_right([x for x, _ in points], at), 1), len(points) - 1)
    (x0, y0), (x1, y1) = points[index - 1], points[index]
    return y0 + (y1 - y0) * (at - x0) / (x1 - x0)

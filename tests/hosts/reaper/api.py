"""REAPER's functions, each under its own name, acting on the model's projects."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from tests.hosts.reaper.session import Item, Pointer, Project, Source, Take, Track, heard_NS, new_guid

DELETE_ACTIVE_TAKE = 40129


class Accessor(Pointer):
    kind = "AudioAccessor"

    def __init__(self, take: Take) -> None:
        self.take = take
        self.is_open = True


class Buffer(Pointer):
    """What new_array returns; the only object of which Lua sees methods."""

    kind = "reaper.array"

    def __init__(self, size: int, table_from: Any) -> None:
        self.values = np.full(size, np.nan)
        self._table_from = table_from

    def clear(self) -> None:
        self.values[:] = 0.0

    def table(self, first: int, count: int) -> Any:
        return self._table_from(self.values[first - 1 : first - 1 + count].tolist())


class Api:
    """What the scripts see of one REAPER: its projects, dialogs and files."""

    def __init__(
        self, project: Project, *, version: str = "7.78/linux-x86_64", system: str = "Other"
    ) -> None:
        self.projects = [project]
        self.version = version
        self.system = system
        self.ext_state: dict[tuple[str, str], str] = {}
        # What was told in message boxes, and the answers to the next dialogs: texts, or None to cancel.
        self.told: list[str] = []
        self.answers: list[list[str] | None] = []
        self.asked: list[tuple[str, str, list[str]]] = []
        self.commands: list[tuple[str, int]] = []
        self.accessors: list[Accessor] = []
        self.sources: list[Source] = []
        # What an older REAPER lacks.
        self.missing: set[str] = set()
        self.refresh_locks = 0
        self.now_s = 0.0

    def project(self, pointer: Project | int) -> Project:
        return self.projects[0] if pointer == 0 else pointer  # type: ignore[return-value]

    def owner(self, thing: Item | Take | Track) -> Project:
        return next(project for project in self.projects if self._holds(project, thing))

    @staticmethod
    def _holds(project: Project, thing: Pointer) -> bool:
        items = project.items()
        return thing in project.tracks or thing in items or any(thing in item.takes for item in items)

    def changing(self, thing: Item | Take | Track) -> None:
        """Say that a project changes: only what undo can take back may."""
        assert self.owner(thing).before is not None, f"{thing.kind} was changed outside an undo block"

    def track_of(self, item: Item) -> Track:
        return next(track for project in self.projects for track in project.tracks if item in track.items)

    def item_of(self, take: Take) -> Item:
        return next(item for project in self.projects for item in project.items() if take in item.takes)

    # The program

    def GetAppVersion(self) -> str:
        return self.version

    def GetOS(self) -> str:
        return self.system

    def APIExists(self, name: str) -> bool:
        return name not in self.missing and hasattr(self, name)

    def time_precise(self) -> float:
        self.now_s += 0.001
        return self.now_s

    def ShowMessageBox(self, message: str, _title: str, kind: int) -> int:
        assert kind == 0
        self.told.append(message)
        return 1

    def GetUserInputs(self, title: str, count: int, captions: str, values: str) -> tuple[bool, str]:
        names = captions.split(",")
        extras = dict(name.split("=", 1) for name in names[count:])
        separator = extras.get("separator", ",")
        self.asked.append((title, captions, values.split(separator)))
        answer = self.answers.pop(0)
        if answer is None:
            return False, values
        assert len(answer) == count == len(names[:count])
        return True, separator.join(answer)

    def GetExtState(self, section: str, key: str) -> str:
        return self.ext_state.get((section, key), "")

    def SetExtState(self, section: str, key: str, value: str, persist: bool) -> None:
        assert persist and "\n" not in value, "a value that is kept has one line"
        self.ext_state[section, key] = value

    def ExecProcess(self, command: str, timeout_ms: int) -> str:
        self.commands.append((command, timeout_ms))
        if self.system == "Other":
            subprocess.Popen(shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return "0"

    def PreventUIRefresh(self, count: int) -> None:
        self.refresh_locks += count

    def UpdateArrange(self) -> None:
        pass

    def UpdateTimeline(self) -> None:
        pass

    def UpdateItemInProject(self, _item: Item) -> None:
        pass

    def Main_OnCommandEx(self, command: int, _flag: int, project: Project) -> None:
        assert command == DELETE_ACTIVE_TAKE, f"the model has no action {command}"
        for item in self.project(project).items():
            if item.values["B_UISEL"] and item.takes:
                self.changing(item)
                item.takes.pop(int(item.values["I_CURTAKE"]))
                item.values["I_CURTAKE"] = max(0, min(item.values["I_CURTAKE"], len(item.takes) - 1))

    # Files

    def file_exists(self, path: str) -> bool:
        return Path(path).is_file()

    def RecursiveCreateDirectory(self, path: str, _ignored: int) -> int:
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except OSError:
            return 0
        return 1

    def EnumerateFiles(self, path: str, index: int) -> str | None:
        return self._listed(path, index, lambda entry: entry.is_file())

    def EnumerateSubdirectories(self, path: str, index: int) -> str | None:
        return self._listed(path, index, lambda entry: entry.is_dir())

    def _listed(self, path: str, index: int, is_wanted: Any) -> str | None:
        folder = Path(path)
        names = (
            sorted(entry.name for entry in folder.iterdir() if is_wanted(entry)) if folder.is_dir() else []
        )
        return names[index] if 0 <= index < len(names) else None

    # Projects

    def EnumProjects(self, index: int) -> tuple[Project | None, str]:
        if index == -1:
            return self.projects[0], ""
        return (self.projects[index], "") if index < len(self.projects) else (None, "")

    def GetProjExtState(self, project: Project, section: str, key: str) -> tuple[int, str]:
        value = self.project(project).texts.get((section, key), "")
        return len(value), value

    def SetProjExtState(self, project: Project, section: str, key: str, value: str) -> int:
        self.project(project).texts[section, key] = value
        return len(value)

    def GetProjectPathEx(self, project: Project) -> str:
        return str(self.project(project).folder)

    def GetSetProjectInfo(self, project: Project, key: str, _value: float, is_set: bool) -> float:
        assert not is_set
        return self.project(project).values[key]

    def GetSet_LoopTimeRange2(
        self, project: Project, is_set: bool, is_loop: bool, _start: float, _end: float, _seek: bool
    ) -> tuple[float, float]:
        assert not is_set and not is_loop
        return self.project(project).time_selection

    def EnumProjectMarkers3(self, project: Project, index: int) -> tuple[Any, ...]:
        markers = self.project(project).markers
        if index >= len(markers):
            return 0, False, 0.0, 0.0, "", 0, 0
        one = markers[index]
        return index + 1, one.end_s > one.start_s, one.start_s, one.end_s, one.name, index + 1, 0

    def TimeMap_GetTimeSigAtTime(self, project: Project, _time_s: float) -> tuple[int, int, float]:
        return 4, 4, self.project(project).tempo_bpm

    def Undo_BeginBlock2(self, project: Project) -> None:
        self.project(project).begin()

    def Undo_EndBlock2(self, project: Project, name: str, flags: int) -> None:
        assert flags == -1, "all that was changed must come back"
        self.project(project).end(name)

    def ValidatePtr2(self, project: Project, pointer: Pointer, kind: str) -> bool:
        return kind == f"{pointer.kind}*" and self._holds(self.project(project), pointer)

    # Tracks

    def CountTracks(self, project: Project) -> int:
        return len(self.project(project).tracks)

    def GetTrack(self, project: Project, index: int) -> Track | None:
        tracks = self.project(project).tracks
        return tracks[index] if index < len(tracks) else None

    def InsertTrackInProject(self, project: Project, index: int, _flags: int) -> None:
        found = self.project(project)
        assert found.before is not None, "a track was added outside an undo block"
        found.tracks.insert(index, Track())

    def SelectProjectInstance(self, project: Project) -> None:
        self.projects.remove(project)
        self.projects.insert(0, project)

    def InsertTrackAtIndex(self, index: int, _wants_defaults: bool) -> None:
        self.InsertTrackInProject(self.projects[0], index, 0)

    def GetMediaTrackInfo_Value(self, track: Track, key: str) -> float:
        return track.values[key]

    def SetMediaTrackInfo_Value(self, track: Track, key: str, value: float) -> bool:
        self.changing(track)
        if key.startswith("C_LANEPLAYS:") and value == 1:
            for lane in [name for name in track.values if name.startswith("C_LANEPLAYS:")]:
                track.values[lane] = 0.0
        track.values[key] = float(value)
        return True

    def GetSetMediaTrackInfo_String(
        self, track: Track, key: str, value: str, is_set: bool
    ) -> tuple[bool, str]:
        return self._text(track, key, value, is_set)

    def _text(self, thing: Any, key: str, value: str, is_set: bool) -> tuple[bool, str]:
        if is_set:
            self.changing(thing)
            thing.texts[key] = value
        return True, thing.texts.get(key, "")

    def CountTrackMediaItems(self, track: Track) -> int:
        return len(track.items)

    def GetTrackMediaItem(self, track: Track, index: int) -> Item:
        return track.items[index]

    def AddMediaItemToTrack(self, track: Track) -> Item:
        self.changing(track)
        item = Item()
        item.values["D_FADEINLEN"] = item.values["D_FADEOUTLEN"] = 0.01
        track.items.append(item)
        return item

    def DeleteTrackMediaItem(self, track: Track, item: Item) -> bool:
        self.changing(track)
        track.items.remove(item)
        return True

    # Items

    def CountMediaItems(self, project: Project) -> int:
        return len(self.project(project).items())

    def GetMediaItem(self, project: Project, index: int) -> Item:
        return self.project(project).items()[index]

    def IsMediaItemSelected(self, item: Item) -> bool:
        return bool(item.values["B_UISEL"])

    def SetMediaItemSelected(self, item: Item, is_selected: bool) -> None:
        item.values["B_UISEL"] = float(is_selected)

    def GetMediaItem_Track(self, item: Item) -> Track:
        return self.track_of(item)

    def GetMediaItemInfo_Value(self, item: Item, key: str) -> float:
        if key == "F_FREEMODE_Y":
            lanes = self.track_of(item).values["I_NUMFIXEDLANES"]
            return item.values["I_FIXEDLANE"] / lanes
        return item.values[key]

    def SetMediaItemInfo_Value(self, item: Item, key: str, value: float) -> bool:
        self.changing(item)
        item.values[key] = float(value)
        return True

    def GetSetMediaItemInfo_String(self, item: Item, key: str, value: str, is_set: bool) -> tuple[bool, str]:
        return self._text(item, key, value, is_set)

    def SplitMediaItem(self, item: Item, position_s: float) -> Item | None:
        if not item.start_s < position_s < item.end_s:
            return None
        self.changing(item)
        right = Item(
            values=item.values.copy(), takes=[_cut(take, position_s - item.start_s) for take in item.takes]
        )
        right.texts |= {key: text for key, text in item.texts.items() if key != "GUID"}
        right.values["D_POSITION"], right.values["D_LENGTH"] = position_s, item.end_s - position_s
        item.values["D_LENGTH"] = position_s - item.start_s
        items = self.track_of(item).items
        items.insert(items.index(item) + 1, right)
        return right

    # Takes

    def CountTakes(self, item: Item) -> int:
        return len(item.takes)

    def GetTake(self, item: Item, index: int) -> Take:
        return item.takes[index]

    def GetActiveTake(self, item: Item) -> Take | None:
        return item.active

    def SetActiveTake(self, take: Take) -> None:
        item = self.item_of(take)
        self.changing(item)
        item.values["I_CURTAKE"] = float(item.takes.index(take))

    def AddTakeToMediaItem(self, item: Item) -> Take:
        self.changing(item)
        item.takes.append(Take())
        return item.takes[-1]

    def TakeIsMIDI(self, take: Take) -> bool:
        return take.source is not None and take.source.is_midi

    def GetTakeName(self, take: Take) -> str:
        return take.texts.get("P_NAME", "")

    def GetTakeNumStretchMarkers(self, take: Take) -> int:
        return take.stretch_markers

    def GetMediaItemTakeInfo_Value(self, take: Take, key: str) -> float:
        return take.values[key]

    def SetMediaItemTakeInfo_Value(self, take: Take, key: str, value: float) -> bool:
        self.changing(take)
        take.values[key] = float(value)
        return True

    def GetSetMediaItemTakeInfo_String(
        self, take: Take, key: str, value: str, is_set: bool
    ) -> tuple[bool, str]:
        return self._text(take, key, value, is_set)

    def SetMediaItemTake_Source(self, take: Take, source: Source) -> bool:
        self.changing(take)
        take.source = source
        return True

    def GetMediaItemTake_Source(self, take: Take) -> Source | None:
        return take.source

    # Sources and their sound

    def PCM_Source_CreateFromFile(self, path: str) -> Source | None:
        if not Path(path).is_file():
            return None
        self.sources.append(Source(path=Path(path)))
        return self.sources[-1]

    def PCM_Source_BuildPeaks(self, source: Source, mode: int) -> int:
        if mode == 1:
            source.peaks_left -= 1
        return source.peaks_left if mode < 2 else 0

    def GetMediaSourceParent(self, source: Source) -> Source | None:
        return source.parent

    def GetMediaSourceFileName(self, source: Source) -> str:
        return "" if source.parent else str(source.path)

    def GetMediaSourceSampleRate(self, source: Source) -> int:
        return source.info()[0]

    def GetMediaSourceNumChannels(self, source: Source) -> int:
        return source.info()[1]

    def CreateTakeAudioAccessor(self, take: Take) -> Accessor:
        self.accessors.append(Accessor(take))
        return self.accessors[-1]

    def DestroyAudioAccessor(self, accessor: Accessor) -> None:
        assert accessor.is_open, "an accessor was destroyed twice"
        accessor.is_open = False

    def GetAudioAccessorSamples(
        self, accessor: Accessor, rate_hz: int, channels: int, start_s: float, count: int, buffer: Buffer
    ) -> int:
        assert accessor.is_open and len(buffer.values) >= channels * count
        source = accessor.take.source
        if source is None or not source.root().path.is_file():
            return -1
        heard = heard_NS(accessor.take, rate_hz, channels, start_s, count)
        buffer.values[: channels * count] = heard.T.reshape(-1)
        return int(bool(np.any(heard)))


def _cut(take: Take, after_s: float) -> Take:
    values = take.values.copy()
    values["D_STARTOFFS"] += after_s * take.values["D_PLAYRATE"]
    texts = {**take.texts, "GUID": new_guid()}
    return Take(source=take.source, values=values, texts=texts, stretch_markers=take.stretch_markers)


def property_pattern(key: str) -> re.Pattern[str]:
    """Return what a documented property with placeholders, as D_SPECEDIT:x:LENGTH, stands for."""
    parts = [r"\d+" if part in ("x", "y", "n", "N", "X") else re.escape(part) for part in key.split(":")]
    pattern = ":".join(parts)
    return re.compile(r"P_EXT:\w+" if key == "P_EXT:xyz" else pattern)

"""A musician's desk: a project with sounds, our scripts in REAPER, and somebody to carry errands out.

Legend: N channels, S samples.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from daw_bridge.daws.hosts import Place, System
from daw_bridge.daws.reaper.host import HOST
from daw_bridge.service.config import Folders
from tests.hosts.reaper.api import Api
from tests.hosts.reaper.reaper import Reaper
from tests.hosts.reaper.session import Item, Project, Source, Take, Track

RATE_HZ = 44100


def noise_NS(seconds: float, channels: int = 1, *, rate_hz: int = RATE_HZ, seed: int = 1) -> np.ndarray:
    """Return noise on the grid of 32-bit floats."""
    drawn = np.random.default_rng(seed).uniform(-0.5, 0.5, (channels, round(seconds * rate_hz)))
    return drawn.astype(np.float32).astype(np.float64)


def write_wav(path: Path, audio_NS: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio_NS.T, rate_hz, subtype="FLOAT")
    return path


@dataclass
class Studio:
    """One REAPER with one project of one track, and the folder of its errands."""

    folder: Path
    command: tuple[str, ...] = ("true",)
    version: str = "7.78/linux-x86_64"
    lua: str = "lua54"
    folders_of_user: Folders | None = None
    system: System = field(init=False)
    project: Project = field(init=False)
    api: Api = field(init=False)
    reaper: Reaper = field(init=False)

    def __post_init__(self) -> None:
        self.project = Project(folder=self.folder / "session", tracks=[Track()])
        self.project.tracks[0].texts["P_NAME"] = "Guitar"
        self.api = Api(self.project, version=self.version)
        made_up = system_in(self.folder, command=self.command)
        self.system = replace(made_up, folders=self.folders_of_user or made_up.folders)
        place = Place(folder=self.folder / "resource")
        for script in HOST.files(self.system, place):
            script.path.parent.mkdir(parents=True, exist_ok=True)
            script.path.write_bytes(script.content)
        self.reaper = Reaper(self.api, place.folder / "Scripts" / "DAW Bridge", self.lua)

    @property
    def track(self) -> Track:
        return self.project.tracks[0]

    @property
    def errands(self) -> Path:
        return self.system.folders.errands

    def add_item(
        self, audio_NS: np.ndarray, position_s: float = 10.0, *, rate_hz: int = RATE_HZ, name: str = "riff"
    ) -> Item:
        """Put a sound on the track, as a selected item of its length."""
        path = write_wav(self.folder / "session" / f"{name}.wav", audio_NS, rate_hz)
        item = Item(takes=[Take(source=Source(path=path))])
        item.takes[0].texts["P_NAME"] = name
        item.values |= {
            "D_POSITION": position_s,
            "D_LENGTH": audio_NS.shape[1] / rate_hz,
            "B_UISEL": 1.0,
            "D_VOL": 1.0,
        }
        self.track.items.append(item)
        return item

    def answer(self, *texts: str) -> None:
        """Answer the next dialog."""
        self.api.answers.append(list(texts))

    def ask(self, action: str, *texts: str) -> list[Path]:
        """Run an action, answer its dialog, and return the folders of the errands that it leaves."""
        before = set(self.folders())
        if texts:
            self.answer(*texts)
        self.reaper.run(action)
        for _ in range(200):
            if len(self.folders()) > len(before) or not self.reaper.running:
                break
            self.reaper.turn()
        return sorted(set(self.folders()) - before)

    def folders(self) -> list[Path]:
        return sorted(path.parent for path in self.errands.glob("*/errand.json"))

    def turns(self, count: int) -> None:
        for _ in range(count):
            self.reaper.turn()


def system_in(folder: Path, platform: str = "linux", command: tuple[str, ...] = ("true",)) -> System:
    """Return a made-up machine whose user lives in a folder."""
    names = ("state", "config", "runtime", "log", "takes")
    return System(
        platform=platform,
        home=folder / "home",
        environment={},
        folders=Folders(**{name: folder / "bridge" / name for name in names}),
        command=command,
    )


def errand_in(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "errand.json").read_text(encoding="utf-8"))


def write_state(folder: Path, *lines: str) -> None:
    """Say how far an errand is, as the command that carries it out would."""
    part = folder / "status.txt.part"
    part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    part.replace(folder / "status.txt")


def region_sent(folder: Path) -> tuple[np.ndarray, int]:
    """Return the audio that an errand is about, without what lies around it, and its rate."""
    errand = errand_in(folder)
    audio_SN, rate_hz = soundfile.read(errand["path"], always_2d=True)
    span = errand["options"]["region"]["span"]
    first, end = round(span["start_s"] * rate_hz), round(span["end_s"] * rate_hz)
    return audio_SN[first:end].T, rate_hz


def carry_out(folder: Path, takes: int | None = None, *, score: str = "0.4321") -> list[Path]:
    """Make results for an errand: the region turned over, in as many takes as it asks for."""
    errand = errand_in(folder)
    audio_NS, rate_hz = region_sent(folder)
    count = takes if takes is not None else errand["options"]["takes"]
    seed = errand["options"].get("seed", 0)
    paths = [
        write_wav(
            Path(errand["folder"]) / f"{errand['stem']}_{index + 1}.wav",
            audio_NS[:, ::-1] / (index + 1),
            rate_hz,
        )
        for index in range(count)
    ]
    for path in paths:
        path.with_suffix(".json").write_text(json.dumps({"spec": {"prompt": errand["prompt"]}}))
    length = audio_NS.shape[1]
    lines = [
        f"take\t{index}\t{path}\t{seed + index}\t{score}\t-20.0\t{length}\t{rate_hz}\t"
        for index, path in enumerate(paths)
    ]
    write_state(folder, "state\tdone", "job\t1", "fraction\t1.0", *lines)
    return paths

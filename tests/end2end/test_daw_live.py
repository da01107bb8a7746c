"""Live's scripts do whole jobs with a real service; Live itself is the model in tests/hosts/live."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from daw_bridge.client.jobs import Client
from daw_bridge.daws.hosts import Place, System
from daw_bridge.daws.live import host, live_cli
from daw_bridge.daws.live.scripts.remote_script.DAW_Bridge.heart import Heart
from daw_bridge.jobs.state import JobState
from daw_bridge.messages.arguments import ParameterValue
from daw_bridge.messages.live import ParamSet
from engine.errors import EngineError
from tests.end2end.homes import COMMAND, PATIENCE_S, Home, kill, wait_until
from tests.hosts.live import lom
from tests.hosts.live.lom import LiveSet

DRIVER = Path(lom.__file__).parent / "drive_extension.js"
RATE_HZ, TEMPO_BPM, BEATS = 48_000, 120.0, 8
SAMPLES_A_BEAT = RATE_HZ // 2
WISHES = {"task": "transfer", "prompt": "a harp", "negative": "", "strength": 0.5, "takes": 2, "seed": "7"}
SMALL: Mapping[str, ParameterValue] = {"model": "debug", "steps": 2}
SMALL_SPEC = {"model": "debug", "sampler": {"steps": 2}}
LONG: Mapping[str, ParameterValue] = {"model": "debug", "steps": 400}
has_node = pytest.mark.skipif(shutil.which("node") is None, reason="not installed: node")


@pytest.fixture(scope="module")
def busy(lived_in: Home) -> Iterator[Home]:
    """Return a home whose service runs on from test to test."""
    lived_in.folder.mkdir(exist_ok=True)
    with lived_in.started("serve", cwd=lived_in.folder):
        wait_until(lambda: lived_in.service() is not None, "a service")
        yield lived_in


def set_up(home: Home, values: Mapping[str, ParameterValue]) -> None:
    with Client(home.folders) as client:
        for name, value in values.items():
            client.ask(ParamSet(rid="-", name=name, value=value))


def system(home: Home) -> System:
    return System(platform="darwin", home=home.folder, environment={}, folders=home.folders, command=COMMAND)


def riff(path: Path, seed: int = 0) -> Path:
    noise = np.random.default_rng(seed).normal(size=(BEATS * SAMPLES_A_BEAT, 2)) * 0.1
    beats = 0.5 + 0.5 * np.cos(np.arange(len(noise)) * 2 * np.pi / SAMPLES_A_BEAT)
    soundfile.write(path, noise * beats[:, None], RATE_HZ, subtype="PCM_16")
    return path


class ExtensionRun:
    """The installed extension in a set of one or more tracks, and what became of it after each step."""

    def __init__(self, home: Home, folder: Path, tracks: int = 1) -> None:
        self.home, self.folder = home, folder
        with zipfile.ZipFile(io.BytesIO(host.archive(system(home)))) as file:
            file.extractall(folder / "installed")
        self.files = [riff(folder / f"riff {index}.wav", index) for index in range(tracks)]
        self.tracks: list[dict[str, Any]] = [
            {
                "name": f"Track {index}",
                "audio": str(file),
                "clips": [{"name": "riff", "start": 0, "end": BEATS, "file": str(file)}],
                "slots": [{"name": "riff", "file": str(file), "is_warped": False}, None, None],
            }
            for index, file in enumerate(self.files)
        ]
        self.before = [file.read_bytes() for file in self.files]

    def command(self, *steps: dict[str, Any]) -> list[str]:
        data = {"tempo_bpm": TEMPO_BPM, "folder": str(self.folder), "tracks": self.tracks}
        scenario = self.folder / "scenario.json"
        scenario.write_text(json.dumps({"set": data, "steps": steps}))
        return ["node", str(DRIVER), str(self.folder / "installed" / "extension.js"), str(scenario)]

    def run(self, *steps: dict[str, Any]) -> list[dict[str, Any]]:
        done = subprocess.run(
            self.command(*steps),
            env=self.home.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        return self.read(done.returncode, done.stdout, done.stderr)

    def read(self, status: int, out: str, err: str) -> list[dict[str, Any]]:
        assert status == 0, err
        told = json.loads(out)
        assert told["faults"] == []
        assert [file.read_bytes() for file in self.files] == self.before, "an original was changed"
        states: list[dict[str, Any]] = told["states"]
        return states


def selection(first: float, last: float, *tracks: str, **wishes: Any) -> dict[str, Any]:
    answer = {**WISHES, "is_background": False, **wishes}
    return {"action": "daw-bridge.selection", "range": [first, last], "tracks": tracks, "answer": answer}


def lengths(track: dict[str, Any]) -> list[int]:
    return [soundfile.info(clip["file"]).frames for lane in track["lanes"] for clip in lane["clips"]]


def places(track: dict[str, Any]) -> list[float]:
    return [clip["start"] for lane in track["lanes"] for clip in lane["clips"]]


@has_node
def test_the_extension_starts_the_service_and_the_starter_renders(home: Home, tmp_path: Path) -> None:
    run = ExtensionRun(home, tmp_path)
    (placed,) = run.run(selection(1, 2, "Track 0", takes=1))
    (track,) = placed["tracks"]
    assert (places(track), lengths(track)) == ([1], [SAMPLES_A_BEAT])
    spec = home.jobs()[0].spec
    assert spec.region is not None
    assert spec.region.anchor is not None
    assert (spec.region.anchor.track, spec.region.anchor.position_s) == ("Track 0", 0.5)
    assert spec.model == "starter"


@has_node
def test_takes_lie_on_lanes_at_their_beat_and_undo_takes_them_back(busy: Home, tmp_path: Path) -> None:
    set_up(busy, SMALL)
    run = ExtensionRun(busy, tmp_path)
    placed, undone, again = run.run(
        selection(1, 3, "Track 0"), {"undo": True}, selection(1, 3, "Track 0", seed="9")
    )
    (track,) = placed["tracks"]
    assert places(track) == [1, 1]
    assert lengths(track) == [2 * SAMPLES_A_BEAT] * 2
    assert sorted(lane["name"].split(", ")[-1] for lane in track["lanes"]) == ["seed 7", "seed 8"]
    assert all(lane["name"].startswith("DAW Bridge: a harp, ") for lane in track["lanes"])
    (clip,) = track["clips"]
    assert (clip["start"], clip["file"]) == (0, str(run.files[0]))
    percents = [one["percent"] for one in placed["progress"]]
    assert percents == sorted(percents)
    assert places(undone["tracks"][0]) == []
    # The lanes are there by now, so all of it is one step.
    assert again["undo_steps"] == undone["undo_steps"] + 1
    assert len(again["tracks"][0]["lanes"]) == 2


@has_node
def test_many_tracks_a_fill_a_new_sound_and_a_variation(busy: Home, tmp_path: Path) -> None:
    set_up(busy, SMALL)
    run = ExtensionRun(busy, tmp_path, tracks=2)
    first, filled, new, varied, used = run.run(
        selection(0, 2, "Track 0", "Track 1", takes=1),
        selection(3, 4, "Track 0", task="inpaint", takes=1),
        selection(5, 6, "Track 1", task="generate", takes=1),
        {"action": "daw-bridge.vary", "track": "Track 0", "lane": 0},
        {"action": "daw-bridge.use", "track": "Track 0", "lane": 0},
    )
    assert [places(track) for track in first["tracks"]] == [[0], [0]]
    # What is filled comes with what is around it, from the beginning of the track to 8 beats later.
    assert 0 in places(filled["tracks"][0])
    assert sorted(places(new["tracks"][1])) == [0, 5]
    assert lengths(new["tracks"][1])[-1] > 0
    assert len(places(varied["tracks"][0])) == len(places(filled["tracks"][0])) + 3
    assert [clip["start"] for clip in used["tracks"][0]["clips"]] == [0, 0]
    assert used["undo_steps"] == varied["undo_steps"] + 1


@has_node
def test_a_clip_of_the_session_gets_takes_in_the_slots_below(busy: Home, tmp_path: Path) -> None:
    set_up(busy, SMALL)
    run = ExtensionRun(busy, tmp_path)
    step = {"action": "daw-bridge.slot", "track": "Track 0", "slot": 0, "answer": {**WISHES, "takes": 3}}
    (placed,) = run.run(step)
    slots = placed["tracks"][0]["slots"]
    assert [soundfile.info(slot["file"]).frames for slot in slots] == [BEATS * SAMPLES_A_BEAT] * 3
    assert placed["undo_steps"] == 1
    assert "1 takes had no empty slot below." in placed["pages"][-1]


@has_node
@pytest.mark.parametrize(
    ("change", "step", "sentence"),
    [
        ({}, selection(2, 2, "Track 0"), "No time is selected."),
        ({"kind": "MidiTrack"}, selection(0, 1, "Track 0"), "Track 0 is a MIDI track and has no audio."),
        ({"clips": []}, selection(0, 1, "Track 0"), "There is no audio in the selection on Track 0."),
        ({}, selection(0, 1, "Track 0", prompt=" "), "There is no prompt."),
        ({"audio": ""}, selection(0, 1, "Track 0"), "Live cannot render this selection."),
        ({"is_frozen": True}, selection(0, 1, "Track 0"), "Is the track frozen? The takes are kept: "),
        ({}, selection(0, 0.1, "Track 0", task="generate"), "seconds"),
        (
            {"slots": [{"name": "x", "file": "x.wav", "is_warped": True}]},
            {"action": "daw-bridge.slot", "track": "Track 0", "slot": 0, "answer": WISHES},
            "This session clip is warped",
        ),
        (
            {},
            {"action": "daw-bridge.use", "track": "Track 0", "clip": 0},
            "This clip is not on a take lane.",
        ),
        ({}, {"action": "daw-bridge.vary", "track": "Track 0", "clip": 0}, "recipe"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    busy: Home, tmp_path: Path, change: dict[str, Any], step: dict[str, Any], sentence: str
) -> None:
    set_up(busy, SMALL)
    run = ExtensionRun(busy, tmp_path)
    run.tracks[0].update(change)
    (state,) = run.run(step)
    assert sentence in state["pages"][-1]
    assert places(state["tracks"][0]) == []


@has_node
def test_cancelling_leaves_the_set_as_it_was(busy: Home, tmp_path: Path) -> None:
    set_up(busy, LONG)
    run = ExtensionRun(busy, tmp_path)
    closed = {**selection(0, 2, "Track 0"), "answer": {"is_cancelled": True}, "nothing": True}
    stopped, left = run.run({**selection(0, 2, "Track 0"), "cancel_at": 3, "nothing": True}, closed)
    assert stopped["tracks"][0]["lanes"] == left["tracks"][0]["lanes"] == []
    wait_until(lambda: busy.jobs()[0].state is JobState.CANCELLED, "a cancelled job")


@has_node
def test_what_goes_on_in_the_background_is_stopped_from_the_menu(busy: Home, tmp_path: Path) -> None:
    set_up(busy, LONG)
    run = ExtensionRun(busy, tmp_path)
    stop = {"action": "daw-bridge.stop", "track": "Track 0"}
    # The second finds nothing to stop, and gives the first time to be heard.
    then = [{**stop, "after_ms": 1500}, {**stop, "after_ms": 2500}]
    (state,) = run.run({**selection(0, 2, "Track 0", is_background=True), "then": then, "nothing": True})
    assert state["progress"] == []
    assert state["tracks"][0]["lanes"] == []
    wait_until(lambda: busy.jobs()[0].state is JobState.CANCELLED, "a cancelled job")


@has_node
def test_a_service_that_dies_half_way_is_no_more_than_a_pause(home: Home, tmp_path: Path) -> None:
    set_up(home, {"model": "debug", "steps": 30})
    run = ExtensionRun(home, tmp_path)
    with subprocess.Popen(
        run.command(selection(0, 1, "Track 0")),
        env=home.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as driver:
        home.wait_for(JobState.RUNNING)
        for process in home.services():
            kill(process)
        out, err = driver.communicate(timeout=PATIENCE_S)
    (state,) = run.read(driver.returncode, out, err)
    assert places(state["tracks"][0]) == [0, 0]
    assert len(state["pages"]) == 1, "something but the question was shown"


@contextmanager
def surface(home: Home, folder: Path, live: LiveSet) -> Iterator[Callable[..., list[str]]]:
    """Let the control surface's heart beat, and yield what asks it from the command line."""
    installed = next(
        file for file in host.files(system(home), Place(folder=folder)) if file.path.name == "installed.json"
    )
    (folder / "installed.json").write_bytes(installed.content)
    shown: list[str] = []
    heart = Heart(folder, live.song, shown.append, shown.append, live.new_marker, port=0)
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.02):
            heart.beat()

    thread = threading.Thread(target=beat)
    thread.start()

    def ask(verb: str, **values: Any) -> list[str]:
        shown.clear()
        live_cli.ask(verb, values, port=heart.port)
        return shown

    try:
        yield ask
    finally:
        stop.set()
        thread.join()
        heart.stop()
        # Live keeps what it started to its end; here it would be collected while it runs, in any later test.
        for child in heart._service._children:
            child.kill()
            child.wait(PATIENCE_S)
        assert live.faults == []


def live_set(path: Path) -> tuple[LiveSet, Any, Any]:
    """Return a set with a track, and its clips in a slot and in the arrangement."""
    live = LiveSet(TEMPO_BPM)
    live.song._model.scene_count = 2
    track = live.song.create_audio_track(-1)
    track.name = "Guitar"
    slot = track._model.clip_slots[0]._model
    slot.clip = lom.loaded(slot, track._model, str(path), None)
    placed = lom.loaded(track._model, track._model, str(path), 4.0)
    track._model.arrangement_clips.append(placed)
    for clip in (slot.clip, placed):
        clip._model.warping = False
    live.undo_steps.clear()
    return live, slot.clip, placed


def test_the_surface_starts_the_service_and_fills_slots_and_lanes(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = riff(tmp_path / "riff.wav")
    before = path.read_bytes()
    live, slot_clip, placed = live_set(path)
    track = live.song.tracks[0]
    with surface(home, tmp_path, live) as ask:
        live.song.view._model.detail_clip = slot_clip
        slot_clip._model.loop_start, slot_clip._model.loop_end = 0.5, 1.5
        ask("transfer", prompt="a harp", options={**SMALL_SPEC, "takes": 2, "seed": 7})
        live.song.view._model.detail_clip = placed
        ask("transfer", prompt="a harp", strength=0.4, options={**SMALL_SPEC, "takes": 1})
    clips = [slot.clip for slot in track.clip_slots[1:]]
    assert [clip.sample_length for clip in clips] == [RATE_HZ] * 2
    assert sorted(clip.name.split("seed ")[1] for clip in clips) == ["7", "8"]
    (lane,) = track.take_lanes
    (take,) = lane.arrangement_clips
    assert (take.start_time, take.sample_length) == (4.0, BEATS * SAMPLES_A_BEAT)
    assert len(live.undo_steps) == 2
    assert path.read_bytes() == before
    out = capsys.readouterr().out
    assert "2 takes in slots of Guitar." in out
    assert "1 takes in take lanes of Guitar." in out
    spec = home.jobs()[0].spec
    assert spec.region is not None
    assert spec.region.anchor is not None
    assert (spec.region.anchor.track, spec.region.anchor.position_s) == ("Guitar", 2.0)


def test_the_surface_sends_marked_clips_varies_and_cancels(
    busy: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(busy, SMALL)
    live, slot_clip, placed = live_set(riff(tmp_path / "riff.wav"))
    slot_clip._model.name, placed._model.name = "riff > a harp", "fill > a gong"
    track = live.song.tracks[0]
    with surface(busy, tmp_path, live) as ask:
        ask("marked", options={"takes": 1})
        assert capsys.readouterr().out.count("1 takes in") == 2
        live.song.view._model.detail_clip = track.clip_slots[1].clip
        ask("vary", vary=0.2, takes=1)
        assert len(track.clip_slots) == 3
        live.song.view._model.detail_clip = slot_clip
        with pytest.raises(EngineError, match="recipe"):
            ask("vary")
        set_up(busy, LONG)
        thread = threading.Thread(target=lambda: _refused(ask))
        thread.start()
        busy.wait_for(JobState.RUNNING)
        ask("cancel")
        thread.join()
    assert busy.jobs()[0].state is JobState.CANCELLED


def _refused(ask: Callable[..., list[str]]) -> None:
    with pytest.raises(EngineError, match="cancel"):
        ask("transfer", prompt="a harp")

"""Max's patchers and script in the model of their host, with a real service that renders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from daw_bridge.daws.hosts import System
from daw_bridge.daws.max.host import HOST
from daw_bridge.jobs.state import JobState
from tests.end2end.homes import Home, wait_until
from tests.end2end.test_osc_clients import SMALL, free_port, parameter, set_parameters
from tests.hosts.modelled import ModelledHost, modelled_host, needs_node

pytestmark = needs_node
RATE_HZ = 44_100
JSON_START = 32


@pytest.fixture
def port(rendering: Home) -> int:
    wait_until(lambda: all(job.state.is_terminal for job in rendering.jobs()), "the end of other tests' jobs")
    set_parameters(rendering, SMALL | {"takes": 2})
    info = rendering.service()
    assert info is not None
    return info.udp_port


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return the package as it is installed; the device's patcher lies beside the abstraction."""
    (tmp_path / "Documents" / "Max 8").mkdir(parents=True)
    system = replace(System.here(), platform="darwin", home=tmp_path)
    (place,) = HOST.find(system)
    for file in HOST.files(system, place):
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.path.write_bytes(file.content)
    package = place.folder / "DAW Bridge"
    device = (package / "devices" / "DAW Bridge.amxd").read_bytes()
    (package / "patchers" / "device.json").write_bytes(device[JSON_START:].rstrip(b"\0"))
    return package


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, (RATE_HZ, 2))
    soundfile.write(path, noise, RATE_HZ, subtype="PCM_24")
    return path


@contextmanager
def patch(package: Path, port: int, **session: Any) -> Iterator[ModelledHost]:
    patcher = package / "patchers" / "dawbridge.maxpat"
    with modelled_host("max_host.js", patcher, json.dumps({"port": port, **session})) as host:
        yield host


@contextmanager
def device(package: Path, port: int, live: dict[str, Any]) -> Iterator[ModelledHost]:
    patcher = package / "patchers" / "device.json"
    with modelled_host("max_host.js", patcher, json.dumps({"port": port, "live": live})) as host:
        yield host


def takes(host: ModelledHost) -> list[list[Any]]:
    """Wait until the takes have come out, and return them."""
    host.next(lambda one: one.get("out") == "takes" and one["atoms"][0] == "done", "the end of the takes")
    return [one["atoms"] for one in host.events if one.get("out") == "takes" and one["atoms"][0] == "take"]


def text(host: ModelledHost, containing: str) -> str:
    """Return what comes out as status with these words in it."""
    found = host.next(
        lambda one: one.get("out") == "status" and containing in str(one["atoms"][1]), containing
    )
    return str(found["atoms"][1])


def song(**more: Any) -> dict[str, Any]:
    slots = [{"clip": {"name": "theirs"}}, {"clip": None}, {"clip": None}, {"clip": None}]
    return {"tracks": [{"slots": slots}], "highlighted": "live_set tracks 0 clip_slots 0"} | more


def test_a_new_sound_comes_out_and_into_a_buffer(rendering: Home, port: int, package: Path) -> None:
    with patch(package, port) as host:
        host.do(into=["in", "option", "takes", 2])
        host.do(into=["in", "into", "sound"])
        host.do(into=["in", "generate", "a harp", 0.5])
        out = takes(host)
        job = rendering.jobs()[0]
        assert job.spec.prompt == "a harp"
        assert [(atoms[1], atoms[2]) for atoms in out] == [(0, job.takes[0].path), (1, job.takes[1].path)]
        assert [atoms[4] for atoms in out] == [take.seed for take in job.takes]
        assert {"buffer": "sound", "message": "replace", "file": job.takes[0].path} in host.events
        host.do(into=["in", "read", "other", 1])
        assert host.told("file") == job.takes[1].path


def test_a_buffer_is_written_and_changed_and_done_again(
    rendering: Home, port: int, package: Path, sound: Path
) -> None:
    with patch(package, port, buffers={"sound": str(sound)}) as host:
        host.do(into=["in", "transfer", "sound", "a choir", 0.25])
        (_, _, path, *_), *_ = takes(host)
        job = rendering.jobs()[0]
        assert job.spec.region is not None
        assert Path(job.spec.region.path).parent == package / "regions"
        assert (job.spec.prompt, job.spec.sampler.strength) == ("a choir", 0.25)
        info = soundfile.info(path)
        assert (info.frames, info.samplerate, info.channels) == (RATE_HZ, RATE_HZ, 2)
        host.do(into=["in", "again"])
        takes(host)
        assert rendering.jobs()[0].spec.seed == job.spec.seed + 2
        host.do(into=["in", "vary", 1, 0.5, 1])
        takes(host)
        assert rendering.jobs()[0].spec.variation == 0.5


def test_only_the_masked_time_of_a_buffer_is_made_anew(
    rendering: Home, port: int, package: Path, sound: Path
) -> None:
    with patch(package, port, buffers={"sound": str(sound)}) as host:
        host.do(into=["in", "inpaint", "sound", "a bell", 0.25, 0.5, 500, 4000])
        (_, _, path, *_), *_ = takes(host)
        new, _ = soundfile.read(path, dtype="int32")
        old, _ = soundfile.read(sound, dtype="int32")
        start, end = RATE_HZ // 4, RATE_HZ // 2
        assert (new[:start] == old[:start]).all()
        assert (new[end:] == old[end:]).all()
        assert (new[start:end] != old[start:end]).any()


def test_parameters_are_set_and_jobs_are_cancelled(rendering: Home, port: int, package: Path) -> None:
    with patch(package, port) as host:
        host.do(into=["in", "param", "steps", 1000])
        wait_until(lambda: parameter(rendering, "steps") == 1000, "the parameter to be set")
        host.do(into=["in", "generate", "a harp", 0.5])
        text(host, "queued")
        wait_until(lambda: rendering.jobs()[0].state is JobState.RUNNING, "a job that runs")
        assert rendering.jobs()[0].spec.sampler.steps == 1000
        host.do(into=["in", "cancel"])
        text(host, "cancelled")


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (["transfer", "nothing", "a choir", 0.5], "buffer~ nothing is empty"),
        (["again"], "nothing was made yet"),
        (["read", "sound"], "there is no such take"),
        (["transferfile", "/nowhere/a.wav", "a choir"], "/nowhere/a.wav"),
        (["param", "nothing", 3], "no parameter"),
    ],
)
def test_what_cannot_be_done_is_said(port: int, package: Path, message: list[Any], sentence: str) -> None:
    with patch(package, port) as host:
        host.do(into=["in", *message])
        assert text(host, sentence)


def test_without_a_service_the_command_that_starts_it_is_named(package: Path) -> None:
    with patch(package, free_port()) as host:
        host.do(into=["in", "generate", "a harp", 0.5])
        assert "daw-bridge serve" in text(host, "does not answer")


def test_a_port_that_answers_do_not_reach_is_left_for_another(package: Path) -> None:
    with patch(package, free_port()) as host:
        text(host, "no service")
        first = next(one["args"][2] for one in host.events if one.get("sent", "").endswith("notify"))
        host.next(
            lambda one: one.get("sent", "").endswith("notify") and one["args"][2] != first, "another port"
        )


def test_the_device_puts_takes_into_the_next_empty_slots(rendering: Home, port: int, package: Path) -> None:
    with device(package, port, song()) as host:
        host.do(into=["prompt", "a", "glass", "bell"])
        host.do(click="new")
        host.told("shown", "2 takes")
        job = rendering.jobs()[0]
        assert job.spec.prompt == "a glass bell"
        host.do(live=None)
        first, *others = host.told("song")["tracks"][0]["slots"]
        assert first["clip"]["name"] == "theirs"
        clips = [slot["clip"] for slot in others if slot["clip"]]
        assert [clip["file_path"] for clip in clips] == [take.path for take in job.takes]
        assert clips[0]["name"].startswith("take 1, ")
        assert clips[0]["name"].endswith(f"seed {job.takes[0].seed}")


@pytest.mark.parametrize("is_warped", [False, True])
def test_the_device_changes_the_selected_clip(
    rendering: Home, port: int, package: Path, sound: Path, is_warped: bool
) -> None:
    clip = {"is_audio_clip": 1, "warping": int(is_warped), "file_path": str(sound)}
    clip |= {"start_marker": 0.25, "end_marker": 0.75}
    with device(package, port, song(detail=clip)) as host:
        host.do(into=["strength", 0.75])
        host.do(click="change")
        host.told("shown", "2 takes")
        job = rendering.jobs()[0]
        assert job.spec.sampler.strength == 0.75
        wanted = RATE_HZ if is_warped else RATE_HZ // 2
        assert job.takes[0].length_samples == wanted


@pytest.mark.parametrize(
    ("live", "click", "sentence"),
    [
        (song(detail=None), "change", "select an audio clip first"),
        (song(highlighted=None), "new", "takes are told by their paths alone"),
        (song(old=True), "new", "Drag it in"),
        (
            {**song(), "tracks": [{"slots": [{"clip": {"name": "theirs"}}]}]},
            "new",
            "no empty slot for 2 takes",
        ),
    ],
)
def test_the_device_says_what_live_does_not_do(
    port: int, package: Path, live: dict[str, Any], click: str, sentence: str
) -> None:
    with device(package, port, live) as host:
        host.do(click=click)
        host.told("shown", sentence)
        if click == "new":
            host.told("shown", "2 takes")

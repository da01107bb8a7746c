"""Bitwig's controller script in the model of its host, with a real service that renders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from daw_bridge.daws.bitwig.host import HOST
from daw_bridge.daws.hosts import System
from daw_bridge.jobs.state import JobState
from tests.end2end.homes import Home, kill, wait_until
from tests.end2end.test_osc_clients import SMALL, free_port, set_parameters
from tests.hosts.modelled import ModelledHost, modelled_host, needs_node

pytestmark = needs_node
DRUMS, KEYS, PADS = range(3)
SOUND = {"Prompt": "a harp", "Length": 0.5, "Takes": 2}


@pytest.fixture
def port(rendering: Home) -> int:
    wait_until(lambda: all(job.state.is_terminal for job in rendering.jobs()), "the end of other tests' jobs")
    set_parameters(rendering, SMALL)
    info = rendering.service()
    assert info is not None
    return info.udp_port


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Return the script as it is installed."""
    (tmp_path / "Bitwig Studio").mkdir()
    system = replace(System.here(), platform="linux", home=tmp_path)
    (place,) = HOST.find(system)
    (file,) = HOST.files(system, place)
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(file.content)
    return file.path


@contextmanager
def bitwig(script: Path, port: int, **settings: object) -> Iterator[ModelledHost]:
    ports = {"Port of the service": port, "Port for answers": free_port()}
    with modelled_host("bitwig_host.js", script, json.dumps(ports | SOUND | settings)) as host:
        host.told("listening")
        yield host


def slots(host: ModelledHost, track: int) -> list[str | None]:
    host.do(slots=track)
    found: list[str | None] = host.told("slots")
    return found


def test_takes_come_into_the_next_empty_slots_best_first(rendering: Home, port: int, script: Path) -> None:
    with bitwig(script, port) as host:
        host.do(fill=[DRUMS, 1])
        host.do(press="Make takes")
        host.told("popup", "2 takes on Drums, best first")
        job = rendering.jobs()[0]
        assert job.spec.prompt == "a harp"
        assert slots(host, DRUMS)[:4] == ["theirs", job.takes[0].path, job.takes[1].path, None]
        host.until_all("pinned", [True, False])
        for take in job.takes:
            samples, rate_hz = soundfile.read(take.path)
            assert len(samples) == rate_hz // 2


def test_takes_come_to_the_track_that_was_selected_when_they_were_asked_for(
    rendering: Home, port: int, script: Path
) -> None:
    with bitwig(script, port) as host:
        host.do(press="Make takes")
        host.told("popup", "queued: a harp")
        host.do(select=PADS)
        host.told("popup", "takes on Drums")
        assert all(slots(host, DRUMS)[:2])
        assert not any(slots(host, PADS))


def test_the_last_take_is_changed_and_then_made_with_other_seeds(
    rendering: Home, port: int, script: Path
) -> None:
    with bitwig(script, port) as host:
        host.do(press="Make takes")
        host.told("popup", "2 takes on Drums")
        first = rendering.jobs()[0]
        host.do(set={"Make": "Change last take", "Prompt": "a choir", "Strength": 25, "Takes": 1})
        host.do(press="Make takes")
        host.told("popup", "1 takes on Drums")
        changed = rendering.jobs()[0]
        assert changed.spec.region is not None
        assert changed.spec.region.path == first.takes[0].path
        assert (changed.spec.prompt, changed.spec.sampler.strength) == ("a choir", 0.25)
        assert changed.takes[0].length_samples == first.takes[0].length_samples
        host.do(press="Make others")
        host.told("popup", "1 takes on Drums")
        assert rendering.jobs()[0].spec.seed == changed.spec.seed + 1
        host.do(set={"Make": "Vary last take", "Strength": 50})
        host.do(press="Make takes")
        host.told("popup", "1 takes on Drums")
        assert rendering.jobs()[0].spec.variation == 0.5


def test_a_file_is_changed(rendering: Home, port: int, script: Path, tmp_path: Path) -> None:
    source = tmp_path / "guitar part.wav"
    soundfile.write(source, [[0.1, -0.1]] * 44_100, 44_100, subtype="PCM_24")
    with bitwig(script, port, **{"Make": "Change source file", "Source file": str(source)}) as host:
        host.do(press="Make takes")
        host.told("popup", "2 takes on Drums")
        info = soundfile.info(slots(host, DRUMS)[0])
        assert (info.frames, info.samplerate, info.channels) == (44_100, 44_100, 2)


def test_takes_of_jobs_from_elsewhere_come_too_where_that_is_wished(
    rendering: Home, port: int, script: Path, tmp_path: Path
) -> None:
    with bitwig(script, port, **{"Insert takes of": "All jobs"}) as host:
        host.told("sent", "notify")
        job = ("generate", "--prompt", "a bell", "--model", "debug", "--seconds", "0.5", "--steps", "2")
        done = rendering.run(*job, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        host.told("popup", "takes on Drums")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"Make": "Change last take"}, "there is no take yet to change"),
        ({"Make": "Change source file"}, "write a path into Source file"),
        ({"Make": "Change source file", "Source file": "/nowhere/a.wav"}, "/nowhere/a.wav"),
    ],
)
def test_what_cannot_be_made_is_said(
    port: int, script: Path, settings: dict[str, object], sentence: str
) -> None:
    with bitwig(script, port, **settings) as host:
        host.do(press="Make takes")
        assert host.told("popup").startswith("DAW Bridge: ")
        assert sentence in host.all("popup")[0]
        assert not host.all("inserted")


def test_the_starter_plays_into_slots(rendering: Home, port: int, script: Path) -> None:
    set_parameters(rendering, {"model": "starter"})
    with bitwig(script, port, Takes=1) as host:
        host.do(press="Make takes")
        host.told("popup", "1 takes on Drums")
        job = rendering.jobs()[0]
        assert job.spec.model == "starter"
        samples, _ = soundfile.read(job.takes[0].path)
        assert samples.any()


def test_a_track_without_audio_is_refused(port: int, script: Path) -> None:
    with bitwig(script, port) as host:
        host.do(select=KEYS)
        host.do(press="Make takes")
        assert "Keys takes no audio" in host.told("popup")


def test_a_full_track_gets_what_it_has_room_for_and_the_rest_is_named(
    rendering: Home, port: int, script: Path
) -> None:
    with bitwig(script, port) as host:
        host.do(fill=[DRUMS, 7])
        host.do(press="Make takes")
        assert str(rendering.folders.takes) in host.told("popup", "1 of 2 takes on Drums")


def test_a_job_is_cancelled(rendering: Home, port: int, script: Path) -> None:
    set_parameters(rendering, {"steps": 1000})
    with bitwig(script, port) as host:
        host.do(press="Make takes")
        host.told("popup", "queued")
        wait_until(lambda: rendering.jobs()[0].state is JobState.RUNNING, "a job that runs")
        host.do(press="Cancel")
        host.told("popup", "cancelled")
        assert not any(slots(host, DRUMS))
        wait_until(lambda: rendering.jobs()[0].state is JobState.CANCELLED, "a job that is cancelled")


def test_without_a_service_the_command_that_starts_it_is_named(script: Path) -> None:
    with bitwig(script, free_port()) as host:
        host.do(press="Make takes")
        assert "daw-bridge serve" in host.told("popup", "does not answer")
        requests = [event for event in host.events if "generate" in event.get("sent", "")]
        assert len(requests) >= 5
        assert len({event["args"][0] for event in requests}) == 1


def test_a_service_that_is_killed_half_way_and_comes_back_still_brings_the_takes(
    home: Home, script: Path
) -> None:
    udp = free_port()
    serve = ("serve", f"--udp-port={udp}", "--tcp-port=0", "--http-port=0")
    with home.started(*serve, cwd=home.folder.parent):
        wait_until(lambda: home.service() is not None, "a service that is ready")
        set_parameters(home, {**SMALL, "steps": 400})
        with bitwig(script, udp, Takes=1) as host:
            host.do(press="Make takes")
            host.told("popup", "queued")
            wait_until(lambda: home.jobs()[0].state is JobState.RUNNING, "a job that runs")
            for process in home.services():
                kill(process)
            wait_until(lambda: not home.services(), "the end of the service")
            host.told("popup", "no service")
            with home.started(*serve, cwd=home.folder.parent):
                host.told("popup", "1 takes on Drums")
                assert slots(host, DRUMS)[0] == home.jobs()[0].takes[0].path

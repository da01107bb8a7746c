"""Errands as scripts run them: a command in the background, and a folder that tells the rest."""

from __future__ import annotations

import json
from pathlib import Path

import psutil

from daw_bridge.daws.errands.status import ErrandState, Status, read_status
from daw_bridge.jobs.state import JobState
from tests.end2end.homes import Home, kill, wait_until

LONG = {"model": "debug", "takes": 2, "sampler": {"steps": 150}}
SHORT = {"model": "debug", "seed": 3, "sampler": {"steps": 2}}


def left(home: Home, name: str, **content: object) -> Path:
    folder = home.folders.errands / name
    folder.mkdir(parents=True)
    (folder / "errand.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def rain(home: Home, name: str, options: dict[str, object]) -> Path:
    return left(home, name, ask="generate", prompt="rain", seconds=0.5, options=options)


def ended(folder: Path) -> Status:
    wait_until(lambda: (status := read_status(folder)) is not None and status.state.has_ended, "an end")
    status = read_status(folder)
    assert status is not None
    return status


def test_a_detached_one_goes_on_when_its_service_is_killed(home: Home, tmp_path: Path) -> None:
    folder = rain(home, "long", LONG)
    returned = home.run("errand", "run", "--detach", str(folder), cwd=tmp_path)
    assert (returned.returncode, returned.stdout, returned.stderr) == (0, "", "")
    home.wait_for_sampling()
    (service,) = home.services()
    kill(service)
    status = ended(folder)
    assert status.state is ErrandState.DONE
    assert [Path(take.split("\t")[1]).is_file() for take in status.takes] == [True, True]
    assert len(home.jobs()) == 1


def test_one_whose_runner_is_killed_is_taken_up_by_the_next_run(home: Home, tmp_path: Path) -> None:
    folder = rain(home, "long", LONG)
    with home.started("errand", "run", str(folder), cwd=tmp_path) as runner:
        home.wait_for_sampling()
        kill(psutil.Process(runner.pid))
    again = home.run("errand", "run", str(folder), cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert len(home.jobs()) == 1
    listed = home.run("errand", "list", cwd=tmp_path).stdout
    assert "long  done  2 takes" in listed


def test_a_take_is_made_again_and_varied(home: Home, tmp_path: Path) -> None:
    first = rain(home, "first", SHORT)
    assert home.run("errand", "run", str(first), cwd=tmp_path).returncode == 0
    take = ended(first).takes[0].split("\t")[1]
    again = left(home, "again", ask="recall", path=take, folder="takes")
    varied = left(home, "varied", ask="recall", path=take, vary=0.5, takes=2, folder="takes")
    ran = home.run("errand", "run", str(again), str(varied), cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    (copy,) = (Path(line.split("\t")[1]) for line in ended(again).takes)
    assert data_of(copy) == data_of(Path(take))
    others = [Path(line.split("\t")[1]) for line in ended(varied).takes]
    assert len({data_of(path) for path in (copy, *others)}) == 3


def test_a_service_that_was_stopped_lets_the_errand_wait(home: Home, tmp_path: Path) -> None:
    folder = rain(home, "long", LONG)
    assert home.run("errand", "run", "--detach", str(folder), cwd=tmp_path).returncode == 0
    home.wait_for_sampling()
    assert home.run("service", "stop", cwd=tmp_path).returncode == 0
    wait_until(lambda: (status := read_status(folder)) is not None and bool(status.message), "a word")
    status = read_status(folder)
    assert status is not None
    assert (status.state, status.code) == (ErrandState.WAITING, "timeout")
    assert "was stopped" in status.message
    assert home.run("errand", "run", str(folder), cwd=tmp_path).returncode == 0
    assert [job.state for job in home.jobs()] == [JobState.FINISHED]


def test_the_check_starts_the_service_and_says_one_line(home: Home, tmp_path: Path) -> None:
    found = home.run("errand", "check", cwd=tmp_path)
    assert (found.returncode, found.stdout.count("\n")) == (0, 1)
    assert found.stdout.startswith("ok: daw-bridge ")
    assert home.service() is not None


def test_tidying_leaves_what_is_open_or_new(home: Home, tmp_path: Path) -> None:
    done = rain(home, "done", SHORT)
    assert home.run("errand", "run", str(done), cwd=tmp_path).returncode == 0
    rain(home, "open", SHORT)
    (home.folders.errands / "puredata-3").mkdir()
    assert home.run("errand", "tidy", "--days", "1", cwd=tmp_path).stdout == "0 errands removed.\n"
    assert home.run("errand", "tidy", "--days", "0", cwd=tmp_path).stdout == "2 errands removed.\n"
    assert [path.name for path in home.folders.errands.iterdir()] == ["open"]


def test_a_folder_without_an_errand_is_refused(home: Home, tmp_path: Path) -> None:
    refused = home.run("errand", "run", str(tmp_path), cwd=tmp_path)
    assert refused.returncode == 1
    assert f"{tmp_path} holds no errand.json" in refused.stderr


def data_of(path: Path) -> bytes:
    """Return the samples of a WAV file."""
    content = path.read_bytes()
    start = content.index(b"data") + 8
    return content[start : start + int.from_bytes(content[start - 4 : start], "little")]

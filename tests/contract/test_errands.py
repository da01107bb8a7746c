"""Errands: a script writes a folder, and finds in it how far its job is and what became of it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daw_bridge.daws.errands.errand import ASKS, read_errand
from daw_bridge.daws.errands.run import run_errand
from daw_bridge.daws.errands.status import ErrandState, Status, read_status, take_line, write_status
from daw_bridge.errors import ErrandTaken
from daw_bridge.messages.jobs import Inpaint
from daw_bridge.service.presence import alone, announce
from daw_bridge.transport.packets import decode_packet
from engine.errors import EngineError
from engine.types import ErrorCode, ErrorInfo, Take
from tests.contract.services import WAIT_S, Served, served
from tests.contract.stub_worker import AUDIO

GENERATE = {"ask": "generate", "prompt": "warm rain", "seconds": 1.0}
_NONE = Status(state=ErrandState.WAITING)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "home") as running, alone(running.folders.runtime) as place:
        announce(place, running.info)
        yield running


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "errand"
    made.mkdir()
    (made / "region.wav").write_bytes(AUDIO)
    return made


def write(folder: Path, content: object) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "errand.json").write_text(text, encoding="utf-8")
    return folder


def run(folder: Path, service: Served, content: object = GENERATE) -> Status:
    return run_errand(write(folder, content), service.folders)


def seen(folder: Path, holds: Callable[[Status], bool]) -> Status:
    """Wait until the folder's status is as asked for."""
    deadline_s = time.monotonic() + WAIT_S
    while not holds(status := read_status(folder) or _NONE):
        assert time.monotonic() < deadline_s, status
        time.sleep(0.01)
    return status


def fields(folder: Path) -> list[list[str]]:
    lines = (folder / "status.txt").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines]


def test_what_became_of_it_is_read_line_by_line(service: Served, folder: Path) -> None:
    status = run(folder, service, {**GENERATE, "options": {"seed": 7, "takes": 2}, "stem": "wet"})
    assert status.state is ErrandState.DONE
    told = fields(folder)
    assert told[0] == ["state", "done"]
    takes = [line for line in told if line[0] == "take"]
    assert [take[1] for take in takes] == ["0", "1"]
    assert sorted(int(take[3]) for take in takes) == [7, 8]
    assert all(Path(take[2]).is_file() and len(take) == 9 for take in takes)


def test_progress_is_told_while_it_runs(service: Served, folder: Path, beside: ThreadPoolExecutor) -> None:
    service.hold()
    running = beside.submit(run, folder, service)
    before = seen(folder, lambda status: status.state is ErrandState.RUNNING)
    assert before.job
    service.release()
    assert running.result(WAIT_S).job == before.job


def test_a_file_named_cancel_cancels_it(service: Served, folder: Path, beside: ThreadPoolExecutor) -> None:
    service.hold()
    running = beside.submit(run, folder, service)
    seen(folder, lambda status: status.state is ErrandState.RUNNING)
    (folder / "cancel").touch()
    status = running.result(WAIT_S)
    assert (status.state, status.code) == (ErrandState.CANCELLED, "cancelled")
    assert not list(service.folders.takes.glob("*"))


def test_one_cancelled_before_it_began_asks_for_nothing(service: Served, folder: Path) -> None:
    (folder / "cancel").touch()
    assert run(folder, service).state is ErrandState.CANCELLED
    assert service.prompts() == []


def test_a_folder_that_is_taken_away_cancels_its_job(
    service: Served, folder: Path, beside: ThreadPoolExecutor
) -> None:
    service.hold()
    running = beside.submit(run, folder, service)
    seen(folder, lambda status: status.state is ErrandState.RUNNING)
    folder.rename(folder.with_name("elsewhere"))
    assert running.result(WAIT_S).state is ErrandState.CANCELLED
    assert not folder.exists()


def test_what_has_ended_is_not_done_again(service: Served, folder: Path) -> None:
    first = run(folder, service)
    assert run(folder, service).takes == first.takes
    assert service.prompts() == ["warm rain"]


def test_one_whose_runner_was_killed_is_taken_up(service: Served, folder: Path) -> None:
    first = run(folder, service)
    write_status(folder, Status(state=ErrandState.RUNNING, job=first.job, fraction=0.5))
    again = run(folder, service)
    assert (again.state, again.job, again.takes) == (ErrandState.DONE, first.job, first.takes)
    assert service.prompts() == ["warm rain"]


def test_two_runners_do_not_meet(service: Served, folder: Path, beside: ThreadPoolExecutor) -> None:
    service.hold()
    running = beside.submit(run, folder, service)
    seen(folder, lambda status: status.state is ErrandState.RUNNING)
    with pytest.raises(ErrandTaken, match="already"):
        run_errand(folder, service.folders)
    service.release()
    assert running.result(WAIT_S).state is ErrandState.DONE


def test_many_go_side_by_side(service: Served, tmp_path: Path, beside: ThreadPoolExecutor) -> None:
    folders = [tmp_path / f"errand{number}" for number in range(5)]
    running: list[Future[Status]] = []
    for number, one in enumerate(folders):
        one.mkdir()
        running.append(beside.submit(run, one, service, {**GENERATE, "prompt": f"rain {number}"}))
    assert {future.result(WAIT_S).state for future in running} == {ErrandState.DONE}
    assert sorted(service.prompts()) == [f"rain {number}" for number in range(5)]


def test_a_job_that_fails_tells_code_sentence_and_hint(service: Served, folder: Path) -> None:
    service.manner.fails_with = ErrorInfo(
        code=ErrorCode.OOM, message="no memory\nleft\tat all", hint="Less of it."
    )
    status = run(folder, service)
    assert (status.state, status.code, status.hint) == (ErrandState.FAILED, "oom", "Less of it.")
    assert ["message", "no memory left at all"] in fields(folder)


def test_whoever_asks_for_it_is_told_by_osc(service: Served, folder: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(WAIT_S)
        host, port = receiver.getsockname()
        run(folder, service, {**GENERATE, "tell": {"host": host, "port": port, "address": "/daw/apply"}})
        (message,) = decode_packet(receiver.recv(65_536))
    assert (message.address, message.args) == ("/daw/apply", (str(folder),))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[1]", "must hold a JSON object"),
        ("{", "errand.json: not valid JSON"),
        ({"prompt": "rain"}, "ask is None"),
        ({"ask": "dance"}, "Known: generate, transfer"),
        ({"ask": "generate", "prompt": "rain", "secs": 1}, "generate does not know secs"),
        ({"ask": "transfer", "path": "region.wav", "prompt": "rain"}, "transfer lacks strength"),
        ({**GENERATE, "seconds": "long"}, "seconds"),
        ({**GENERATE, "tell": {"host": "127.0.0.1", "port": 0, "address": "/x"}}, "port from 1"),
        ({**GENERATE, "tell": {"host": "127.0.0.1", "port": 9, "address": "x"}}, "slash"),
        ({**GENERATE, "tell": []}, "tell is a JSON object"),
        ({**GENERATE, "tell": {"host": "127.0.0.1", "port": 9}}, "tell lacks address"),
        ({**GENERATE, "host": 3}, "host is a text"),
        ({"ask": "recall"}, "recall lacks path"),
        ({"ask": "recall", "path": "a.wav", "vary": 2}, "vary"),
        ({"ask": "recall", "path": 3}, "path"),
    ],
)
def test_what_cannot_be_understood_is_told_in_the_folder(
    service: Served, folder: Path, content: object, sentence: str
) -> None:
    status = run(folder, service, content)
    assert status.state is ErrandState.FAILED
    assert sentence in f"{status.message} {status.hint}"
    assert service.prompts() == []


def test_paths_are_meant_from_the_folder_on_and_masks_are_written_as_they_are(folder: Path) -> None:
    mask: dict[str, Any] = {"shapes": [{"shape": "rect", "span": {"start_s": 0.0, "end_s": 0.1}}] * 2000}
    request = {"ask": "inpaint", "path": "region.wav", "prompt": "rain", "mask": mask, "folder": "takes"}
    errand = read_errand(write(folder, {**request, "host": "reaper"}))
    assert isinstance(errand.request, Inpaint)
    assert errand.request.path == str(folder / "region.wav")
    assert errand.request.folder == str(folder / "takes")
    assert json.loads(Path(errand.request.mask).read_text()) == mask
    assert errand.host == "reaper"


@given(st.dictionaries(st.text(max_size=8), st.recursive(st.none() | st.integers() | st.text(), st.lists)))
def test_nothing_that_is_json_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    folder = write(tmp_path_factory.mktemp("odd"), {"ask": "generate", **content})
    with suppress(EngineError):
        assert read_errand(folder).request


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(ErrandState))
def test_a_status_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, message: str, note: str, state: ErrandState
) -> None:
    folder = tmp_path_factory.mktemp("status")
    take = Take(
        path="/a b.wav", seed=3, clap_score=0.5, peak_db=-1, rms_db=-20, length_samples=9, spec_digest="d"
    )
    line = take_line(0, replace(take, note=note), 48_000)
    status = Status(state=state, job="J", message=message, takes=(line, line))
    write_status(folder, status)
    found = read_status(folder)
    assert found is not None
    assert replace(found, message="") == replace(status, message="")
    assert found.message == " ".join(message.replace("\t", " ").splitlines())
    assert line.count("\t") == 7


def test_takes_tell_what_they_are_ordered_by() -> None:
    take = Take(path="a", seed=3, clap_score=0.5, peak_db=-1, rms_db=-20, length_samples=9, spec_digest="d")
    assert take_line(0, take, 48_000).split("\t")[3] == "0.5000"
    assert take_line(0, replace(take, score=0.25), 48_000).split("\t")[3] == "0.2500"


def test_there_is_a_name_for_each_request_that_makes_a_job() -> None:
    assert {name: kind.pattern for name, kind in ASKS.items()} == {name: name for name in ASKS}

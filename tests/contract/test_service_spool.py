"""The spool folder: whatever can write a file can have a job, and finds what became of it."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daw_bridge.jobs.state import JobState
from daw_bridge.messages.connection import Ping
from daw_bridge.service.audience import MOST
from daw_bridge.service.doors.spool import POLL_S
from engine.types import ErrorCode, ErrorInfo
from tests.contract.services import WAIT_S, Served, served, tcp_of

SPEC = {"task": "generate", "prompt": "warm rain", "duration_s": 1.0}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


def put(service: Served, name: str, content: object) -> None:
    """Hand a file over as a client does: under another name until it is whole."""
    text = content if isinstance(content, str) else json.dumps(content)
    service.folders.spool.mkdir(parents=True, exist_ok=True)
    part = service.folders.spool / f"{name}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(service.folders.spool / name)


def result(service: Served, name: str, *states: str) -> dict[str, Any]:
    """Wait until a file's result tells one of the states, and return it."""
    path, deadline_s = service.folders.spool / "results" / name, time.monotonic() + WAIT_S
    while True:
        content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"state": "none"}
        if content["state"] in states:
            return content
        assert time.monotonic() < deadline_s, content
        time.sleep(0.01)


def test_a_spec_alone_is_rendered_and_its_file_taken_away(service: Served) -> None:
    put(service, "a.json", SPEC)
    told = result(service, "a.json", "finished")
    assert [Path(take["path"]).is_file() for take in told["takes"]] == [True]
    assert [entry.name for entry in service.folders.spool.iterdir()] == ["results"]


def test_a_spec_may_have_what_submit_takes_beside_it(service: Served, tmp_path: Path) -> None:
    put(service, "a.json", {"spec": SPEC, "folder": str(tmp_path / "mine"), "stem": "rain", "priority": 3})
    told = result(service, "a.json", "finished")
    assert told["takes"][0]["path"] == str(tmp_path / "mine" / "rain_1.wav")


def test_it_is_told_that_a_job_was_accepted_while_it_waits(service: Served) -> None:
    service.hold()
    put(service, "a.json", SPEC)
    job_id = result(service, "a.json", "accepted")["job_id"]
    service.release()
    assert result(service, "a.json", "finished")["job_id"] == job_id


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{", ErrorCode.BAD_JSON),
        ("[]", ErrorCode.BAD_JSON),
        ("", ErrorCode.BAD_JSON),
        ({"spec": SPEC, "colour": "red"}, ErrorCode.BAD_JSON),
        ({"spec": "spec.json"}, ErrorCode.BAD_JSON),
        ({**SPEC, "duration_s": 1e9}, ErrorCode.BAD_ARGS),
        ({"spec": SPEC, "priority": "high"}, ErrorCode.BAD_ARGS),
        ({"spec": SPEC, "stem": "../x"}, ErrorCode.PATH_DENIED),
        (" " * 1_000_001, ErrorCode.TOO_LARGE),
        ({**SPEC, "prompt": "a deepfake"}, ErrorCode.REFUSED),
    ],
)
def test_what_is_no_job_fails_with_a_code(content: object, code: ErrorCode, service: Served) -> None:
    put(service, "a.json", content)
    told = result(service, "a.json", "failed")
    assert told["code"] == code.value and told["message"]
    service.until(lambda: not (service.folders.spool / "a.json").exists())
    assert service.worker.orders == []


def test_a_job_that_fails_tells_why(service: Served) -> None:
    service.manner.fails_with = ErrorInfo(code=ErrorCode.OOM, message="no memory is left")
    put(service, "a.json", SPEC)
    assert result(service, "a.json", "failed")["code"] == "oom"


def test_a_spec_longer_than_a_message_is_taken_too(service: Served, tmp_path: Path) -> None:
    clip = tmp_path / "loop.wav"
    clip.write_bytes(b"RIFF")
    points = [[number / 9_000, number % 7_000 + 0.5] for number in range(9_000)]
    mask = {"shapes": [{"shape": "polygon", "points": points}]}
    spec = {"task": "inpaint", "prompt": "rain", "region": {"path": str(clip)}, "mask": mask}
    put(service, "a.json", {"spec": spec, "stem": "long"})
    told = result(service, "a.json", "finished", "failed")
    assert told["state"] == "finished", told
    assert Path(told["takes"][0]["path"]).name == "long_1.wav"


def test_a_file_of_another_encoding_is_no_json(service: Served) -> None:
    service.folders.spool.mkdir(parents=True, exist_ok=True)
    (service.folders.spool / "a.json").write_bytes(json.dumps(SPEC).encode("utf-16"))
    assert result(service, "a.json", "failed")["code"] == "bad_json"


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_plain_file_is_answered_once_and_left(kind: str, service: Served, tmp_path: Path) -> None:
    secret, path = tmp_path / "secret.json", service.folders.spool / "a.json"
    secret.write_text(json.dumps(SPEC))
    service.until((service.folders.spool / "results").is_dir)
    make = {"link": lambda: path.symlink_to(secret), "fifo": lambda: os.mkfifo(path), "folder": path.mkdir}
    make[kind]()
    told = result(service, "a.json", "failed")
    assert told["code"] == "not_found" and "not a plain file" in told["message"]
    assert os.path.lexists(path) and service.worker.orders == []
    path.rmdir() if kind == "folder" else path.unlink()
    service.until(lambda: not os.path.lexists(path))
    time.sleep(2 * POLL_S)
    put(service, "a.json", SPEC)
    result(service, "a.json", "finished")


def test_a_hidden_file_is_nobodys_business(service: Served) -> None:
    put(service, ".a.json", SPEC)
    put(service, "z.json", SPEC)
    result(service, "z.json", "finished")
    assert len(service.worker.orders) == 1 and (service.folders.spool / ".a.json").exists()


def test_a_folder_in_place_of_a_result_leaves_nothing_unfinished(
    service: Served, caplog: pytest.LogCaptureFixture
) -> None:
    results = service.folders.spool / "results"
    service.until(results.is_dir)
    (results / "a.json").mkdir()
    with caplog.at_level(logging.CRITICAL, logger="daw_bridge.service.doors.spool"):
        put(service, "a.json", SPEC)
        service.until(lambda: len(service.service.book.history.entries(state=JobState.FINISHED)) == 1)
        put(service, "z.json", SPEC)
        result(service, "z.json", "finished")
    assert {entry.name for entry in results.iterdir()} == {"a.json", "z.json"}


def test_other_files_stay_untouched(service: Served, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(SPEC))
    spool = service.folders.spool
    service.until((spool / "results").is_dir)
    (spool / "b.json.part").write_text(json.dumps(SPEC))
    (spool / "link.json").symlink_to(secret)
    (spool / "folder.json").mkdir()
    (spool / "note.txt").write_text("hello")
    put(service, "z.json", SPEC)
    result(service, "z.json", "finished")
    assert {entry.name for entry in spool.iterdir()} == {
        "b.json.part",
        "link.json",
        "folder.json",
        "note.txt",
        "results",
    }
    assert len(service.worker.orders) == 1


def test_many_files_leave_room_for_other_listeners(service: Served) -> None:
    with tcp_of(service) as client:
        client.subscribe()
        service.hold()
        for number in range(40):
            put(service, f"{number}.json", SPEC)
        result(service, "39.json", "accepted")
        assert service.call(lambda: len(service.service.audience)) == 2 < MOST
        service.release()
        for number in range(40):
            result(service, f"{number}.json", "finished")


def test_an_answer_that_was_owed_is_given_by_the_next_service(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        service.hold()
        put(service, "a.json", SPEC)
        result(service, "a.json", "accepted")
        # As if the service had died between the answer and the removal.
        request = service.folders.spool / "a.json"
        service.until(lambda: not request.exists())
        request.write_text(json.dumps(SPEC))
        os.utime(request, (1_000_000_000, 1_000_000_000))
    with served(tmp_path) as service:
        result(service, "a.json", "finished")
        assert len(service.worker.orders) == 1 and not request.exists()


def test_a_job_that_the_history_forgot_fails(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "spool" / "results"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(json.dumps({"state": "accepted", "job_id": "J404"}))
    with served(tmp_path) as service:
        assert result(service, "a.json", "failed")["code"] == "not_found"


@pytest.mark.expects_log
def test_a_file_that_cannot_be_removed_is_taken_once(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path), missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refused)
        put(service, "a.json", SPEC)
        result(service, "a.json", "finished")
        put(service, "b.json", SPEC)
        result(service, "b.json", "finished")
        assert len(service.worker.orders) == 2
    with tcp_of(service) as client:
        assert client.done(Ping(rid="-"))

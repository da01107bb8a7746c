from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.audio.io import AudioClip, encode
from engine.errors import Cancelled, NotFound
from engine.jobs import Jobs
from engine.types import EventKind
from engine.worker import MAX_LINE_BYTES, Worker

RENDER = {"op": "render", "spec": {}, "out": {}}


class StubJobs(Jobs):
    """Does what a test says instead of rendering."""

    def __init__(self, act: Callable[[Callable[[], bool]], dict[str, object]]) -> None:
        super().__init__()
        self.act = act

    def render(
        self,
        spec_value: object,
        out: object,
        emit: Callable[..., None],
        cancelled: Callable[[], bool],
        previews: object = None,
        threads: int = 0,
    ) -> dict[str, object]:
        emit(EventKind.PROGRESS, {"stage": "sample"})
        return self.act(cancelled)


def served(
    *lines: object, act: Callable[[Callable[[], bool]], dict[str, object]] = lambda _: {"takes": []}
) -> list[dict[str, Any]]:
    """Return the events of a worker that got these requests, raw bytes or values for JSON."""
    text = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    events = io.BytesIO()
    Worker(io.BytesIO(text), events, StubJobs(act)).run()
    return [json.loads(line) for line in events.getvalue().splitlines()]


def of_job(events: list[dict[str, Any]], job_id: str) -> list[tuple[str, Mapping[str, Any]]]:
    return [(event["kind"], event["payload"]) for event in events if event["job_id"] == job_id]


class Pipe(io.RawIOBase):
    """Requests that come when the test says so."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.ready = threading.Semaphore(0)

    def send(self, value: object) -> None:
        self.lines.append(json.dumps(value).encode() + b"\n")
        self.ready.release()

    def readline(self, size: int | None = -1) -> bytes:
        self.ready.acquire()
        return self.lines.pop(0) if self.lines else b""

    def end(self) -> None:
        self.ready.release()


def test_a_ready_worker_says_so_first() -> None:
    (event,) = served()
    assert event == {"job_id": "", "seq": 0, "kind": "state", "payload": {"state": "ready", "protocol": 1}}


@pytest.mark.parametrize(
    ("ops", "expected"), [(("recall", "recall"), 0), (("recall", "render", "render"), 1)]
)
def test_only_heavy_work_lets_the_process_step_back(ops: tuple[str, ...], expected: int) -> None:
    pipe, done, steps = Pipe(), threading.Semaphore(0), []

    def act(*_: object) -> dict[str, object]:
        done.release()
        return {}

    jobs = StubJobs(act)
    jobs.recall = act  # type: ignore[assignment, method-assign]
    worker = Worker(pipe, io.BytesIO(), jobs, on_heavy_work=lambda: steps.append(""))  # type: ignore[arg-type]
    thread = threading.Thread(target=worker.run)
    thread.start()
    for number, op in enumerate(ops):
        pipe.send({**RENDER, "op": op, "job": str(number), "path": "take.wav"})
        done.acquire()
    pipe.end()
    thread.join()
    assert len(steps) == expected


def test_jobs_end_with_done_and_count_their_events() -> None:
    pipe, events = Pipe(), io.BytesIO()
    finished = threading.Semaphore(0)

    def act(_: Callable[[], bool]) -> dict[str, object]:
        finished.release()
        return {"takes": [1]}

    worker = Worker(pipe, events, StubJobs(act))  # type: ignore[arg-type]
    thread = threading.Thread(target=worker.run)
    thread.start()
    pipe.send({**RENDER, "job": "a"})
    finished.acquire()
    pipe.send({**RENDER, "job": "b"})
    finished.acquire()
    pipe.end()
    thread.join()
    parsed = [json.loads(line) for line in events.getvalue().splitlines()]
    for job_id in ("a", "b"):
        mine = [event for event in parsed if event["job_id"] == job_id]
        assert [event["kind"] for event in mine] == ["state", "progress", "done"]
        assert [event["seq"] for event in mine] == [0, 1, 2]
        assert mine[-1]["payload"] == {"takes": [1]}


def test_an_expected_failure_crosses_as_code_message_and_hint() -> None:
    def act(_: Callable[[], bool]) -> dict[str, object]:
        raise NotFound("no such thing", "look elsewhere")

    kind, payload = of_job(waited(act), "a")[-1]
    assert (kind, payload) == (
        "fail",
        {"code": "not_found", "message": "no such thing", "hint": "look elsewhere"},
    )


def waited(act: Callable[[Callable[[], bool]], dict[str, object]]) -> list[dict[str, Any]]:
    """Return the events of one job that is allowed to end before stdin does."""
    pipe, events = Pipe(), io.BytesIO()

    def then_end(cancelled: Callable[[], bool]) -> dict[str, object]:
        try:
            return act(cancelled)
        finally:
            pipe.end()

    pipe.send({**RENDER, "job": "a"})
    Worker(pipe, events, StubJobs(then_end)).run()  # type: ignore[arg-type]
    return [json.loads(line) for line in events.getvalue().splitlines()]


@pytest.mark.expects_log
def test_an_unforeseen_failure_shows_no_traceback_and_the_next_job_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def act(_: Callable[[], bool]) -> dict[str, object]:
        raise KeyError("secret detail")

    kind, payload = of_job(waited(act), "a")[-1]
    assert kind == "fail"
    assert payload["code"] == "internal"
    assert "secret detail" not in json.dumps(payload)
    assert "Traceback" not in json.dumps(payload)
    assert "secret detail" in caplog.text


def test_a_running_job_sees_its_cancel_and_another_does_not() -> None:
    pipe, events = Pipe(), io.BytesIO()
    started = threading.Event()

    def act(cancelled: Callable[[], bool]) -> dict[str, object]:
        started.set()
        while not cancelled():
            threading.Event().wait(0.001)
        raise Cancelled("stopped")

    thread = threading.Thread(target=Worker(pipe, events, StubJobs(act)).run)  # type: ignore[arg-type]
    thread.start()
    pipe.send({**RENDER, "job": "a"})
    assert started.wait(10)
    pipe.send({"op": "cancel", "job": "unknown"})
    pipe.send({"op": "cancel", "job": "a"})
    pipe.send({"op": "quit"})
    thread.join(10)
    assert not thread.is_alive()
    parsed = [json.loads(line) for line in events.getvalue().splitlines()]
    assert of_job(parsed, "a")[-1][1]["code"] == "cancelled"


def test_the_end_of_stdin_stops_the_job_and_the_worker() -> None:
    def act(cancelled: Callable[[], bool]) -> dict[str, object]:
        while not cancelled():
            threading.Event().wait(0.001)
        raise Cancelled("stopped")

    events = served({**RENDER, "job": "a"}, act=act)
    assert of_job(events, "a")[-1][1]["code"] == "cancelled"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"not json\n", "not valid JSON"),
        (b"\xff\xfe\n", "not UTF-8"),
        (b"[1]\n", "must be a JSON object"),
        ({"job": "a"}, "request.op must be a text"),
        ({"op": "render"}, "request.job must be a text"),
        ({"op": "dance", "job": "a"}, "request.op is 'dance'"),
        (b"x" * (2 * MAX_LINE_BYTES + 5) + b"\n", "more than 1000000 characters"),
    ],
)
def test_a_bad_request_is_answered_and_the_next_one_read(line: object, says: str) -> None:
    events = served(line, b"{}\n")
    failures = of_job(events, "")[1:]
    assert len(failures) == 2
    assert {kind for kind, _ in failures} == {"fail"}
    assert failures[0][1]["code"] == "bad_json"
    assert says in failures[0][1]["message"]


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"op": "render", "job": "a", "out": {}}, "request.spec must be an object"),
        ({"op": "probe", "job": "a"}, "request.path must be a text"),
        ({"op": "models", "job": "a", "action": "eat"}, "request.action is 'eat'"),
        ({"op": "models", "job": "a", "action": "remove"}, "request.name must be a text"),
    ],
)
def test_a_job_without_its_arguments_fails_as_that_job(request_: dict[str, object], says: str) -> None:
    pipe, events = Pipe(), io.BytesIO()
    worker = Worker(pipe, events)  # type: ignore[arg-type]
    thread = threading.Thread(target=worker.run)
    thread.start()
    pipe.send(request_)
    while b'"fail"' not in events.getvalue():
        threading.Event().wait(0.001)
    pipe.end()
    thread.join()
    kind, payload = of_job([json.loads(line) for line in events.getvalue().splitlines()], "a")[-1]
    assert (kind, payload["code"]) == ("fail", "bad_json")
    assert says in payload["message"]


SCAN = {"action": "scan", "cache": "plug-ins.json", "folders": "none"}
TELLS_OF_TORCH = "import sys; from engine import worker; worker.main(); sys.exit('torch' in sys.modules)"


@pytest.mark.parametrize(
    ("asked", "loads"),
    [({"op": "probe", "path": "a.wav"}, 0), ({"op": "chains", **SCAN}, 0), ({"op": "load"}, 1)],
)
def test_short_questions_are_answered_without_torch(
    asked: Mapping[str, object], loads: int, tmp_path: Path
) -> None:
    """Nobody has to wait for it to learn how long a file is."""
    clip = AudioClip(audio_NS=np.zeros((1, 480), np.float32), sample_rate_hz=48_000)
    (tmp_path / "a.wav").write_bytes(encode(clip))
    child = subprocess.Popen(
        [sys.executable, "-c", TELLS_OF_TORCH], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None and child.stdout is not None
    with child:
        child.stdin.write(json.dumps({"job": "a", "name": "debug", **asked}).encode() + b"\n")
        child.stdin.flush()
        kinds = (json.loads(line)["kind"] for line in child.stdout)
        assert next(kind for kind in kinds if kind in ("done", "fail")) == "done"
        child.stdin.write(b'{"op": "quit"}\n')
        child.stdin.close()
        assert child.wait() == loads


HUNG = """
import sys, threading
from engine import worker
from engine.jobs import Jobs
from engine.types import EventKind
worker.ORPHAN_GRACE_S = 0.2
def hang(jobs, spec, out, emit, *_):
    emit(EventKind.PROGRESS, {})
    threading.Event().wait()
Jobs.render = hang
sys.exit(worker.main())
"""


def test_a_hung_worker_ends_with_its_owner() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HUNG], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdin is not None and child.stdout is not None
    with child:
        child.stdin.write(json.dumps(RENDER | {"job": "a"}).encode() + b"\n")
        child.stdin.flush()
        # Once it runs and is still wanted: what is orphaned earlier ends as if nothing had been asked.
        states = [json.loads(child.stdout.readline())["payload"].get("state") for _ in range(3)]
        assert states == ["ready", "running", None]
        child.stdin.close()
        assert child.wait(30) == 1

"""The render process: JSON requests on stdin, one a line; JSON events on stdout, one a line.

Requests: {"op": "render", "job", "spec", "out": {"folder", "stem"}}, perhaps with "previews": {"folder",
"every"} and "threads"; {"op": "load", "job", "name"}, {"op": "models", "job", "action", ...} and likewise
"chains"; {"op": "find", "job", "path", "prompt", "model", "options"}, perhaps with "chain"
and "limits"; {"op": "probe", "job", "path"} and
{"op": "recall", "job", "path"}; {"op": "cancel", "job"}; {"op": "quit"}. Every job ends with one event of
kind done or fail.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from engine.errors import BadJson, Cancelled, EngineError
from engine.jobs import Jobs
from engine.requests import Request, object_of, text_of, whole_of
from engine.spec_json import parse_json
from engine.types import ErrorCode, ErrorInfo, EventKind, JobEvent

JOB_OPS = ("render", "load", "models", "chains", "find", "probe", "recall")
# Plug-ins work in processes of their own, and may take as long as they like or show a window for hours.
SIDE_OPS = ("chains",)
MAX_SIDE_JOBS = 8
HEAVY_OPS = ("render", "load", "find")
MAX_LINE_BYTES = 4_000_000
MAX_THREADS = 1_024
# None: a service that is started again must find nobody writing the files of its jobs.
ORPHAN_GRACE_S = 0.0
PROTOCOL = 1
# Behind everything a musician hears or waits for: the DAW's windows, and the service that answers them.
NICENESS = 10
_LOG = logging.getLogger(__name__)

Payload = dict[str, object]


def main() -> int:
    """Serve requests until quit or the end of stdin."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    with private_stdout() as stream:
        Worker(sys.stdin.buffer, stream, on_orphaned=_end_soon, on_heavy_work=step_back).run()
    return 0


def step_back() -> None:
    """Let other processes have the cores first; Linux counts niceness for each thread by itself."""
    for thread in _threads():
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
    # Linux may share the cores among sessions before it looks at niceness; the worker is alone in its own.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")


def private_stdout() -> BinaryIO:
    """Take stdout for events only: whatever a library prints goes to stderr from now on."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "wb")


def _threads() -> list[int]:
    """Return this process's threads, or where they have no numbers, what stands for the process."""
    if not hasattr(os, "setpriority"):
        return []
    with contextlib.suppress(OSError):
        return [int(path.name) for path in Path("/proc/self/task").iterdir()]
    return [0]


@dataclass(slots=True, eq=False)
class EventStream:
    """Writes events as lines; counts each job's from 0."""

    stream: BinaryIO
    _next_seq: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def emit(self, job_id: str, kind: EventKind, payload: Payload) -> None:
        with self._lock:
            seq = self._next_seq.get(job_id, 0)
            self._next_seq[job_id] = seq + 1
            if kind in (EventKind.DONE, EventKind.FAIL):
                del self._next_seq[job_id]
            self.stream.write(_line(JobEvent(job_id=job_id, seq=seq, kind=kind, payload=payload)))
            self.stream.flush()

    def fail(self, job_id: str, info: ErrorInfo) -> None:
        payload: Payload = {"code": info.code.value, "message": info.message, "hint": info.hint}
        self.emit(job_id, EventKind.FAIL, payload)


class Worker:
    """Reads requests in one thread and does jobs in the other, one after the other; some beside them.

    on_orphaned is called when the requests end without one to quit: whoever asked has died. on_heavy_work is
    called before the first job that keeps the cores busy: short questions are not to wait behind a render.
    """

    def __init__(
        self,
        requests: BinaryIO,
        events: BinaryIO,
        jobs: Jobs | None = None,
        on_orphaned: Callable[[], None] = lambda: None,
        on_heavy_work: Callable[[], None] = lambda: None,
    ) -> None:
        self._requests = requests
        self._on_heavy_work = on_heavy_work
        self._is_heavy = False
        self._on_orphaned = on_orphaned
        self._events = EventStream(events)
        self._jobs = jobs or Jobs()
        self._waiting: queue.SimpleQueue[tuple[str, Request] | None] = queue.SimpleQueue()
        self._cancelled: set[str] = set()
        self._known: set[str] = set()
        self._stopping = threading.Event()
        self._beside = ThreadPoolExecutor(MAX_SIDE_JOBS, "beside")

    def run(self) -> None:
        """Do jobs until asked to quit; unfinished ones are then cancelled."""
        self._events.emit("", EventKind.STATE, {"state": "ready", "protocol": PROTOCOL})
        reader = threading.Thread(target=self._read, name="requests", daemon=True)
        reader.start()
        while (waiting := self._waiting.get()) is not None:
            self._do(*waiting)
        self._beside.shutdown()
        self._jobs.close()

    def _read(self) -> None:
        for line in _lines(self._requests):
            try:
                if not self._accept(_request(line)):
                    break
            except EngineError as error:
                self._events.fail("", error.info)
        else:
            self._on_orphaned()
        self._stopping.set()
        self._waiting.put(None)

    def _accept(self, request: Request) -> bool:
        """Queue a job or cancel one; False when asked to quit."""
        op = text_of(request, "op")
        if op == "quit":
            return False
        job_id = text_of(request, "job")
        if op == "cancel":
            self._cancelled.update({job_id} & self._known)
        elif op in JOB_OPS:
            self._require_new(job_id)
            self._known.add(job_id)
            if op in SIDE_OPS:
                self._beside.submit(self._do, job_id, request)
            else:
                self._waiting.put((job_id, request))
        else:
            raise BadJson(f"request.op is {op!r}, not one of {', '.join((*JOB_OPS, 'cancel', 'quit'))}")
        return True

    def _require_new(self, job_id: str) -> None:
        if not job_id or job_id in self._known:
            raise BadJson(f"request.job {job_id!r} is empty or already in use")

    def _do(self, job_id: str, request: Request) -> None:
        try:
            self._jobs.prepare(text_of(request, "op"))
            self._events.emit(job_id, EventKind.STATE, {"state": "running"})
            self._require_wanted(job_id)
            self._prepare(text_of(request, "op"))
            payload = self._answer(job_id, request)
            self._events.emit(job_id, EventKind.DONE, payload)
        except EngineError as error:
            self._events.fail(job_id, error.info)
        except Exception as error:  # noqa: BLE001 - a job must not end the worker
            _LOG.exception("job %s", job_id)
            self._events.fail(job_id, _unexpected(error))
        finally:
            self._known.discard(job_id)
            self._cancelled.discard(job_id)

    def _prepare(self, op: str) -> None:
        if op in HEAVY_OPS and not self._is_heavy:
            self._is_heavy = True
            self._on_heavy_work()

    def _answer(self, job_id: str, request: Request) -> Payload:
        def emit(kind: EventKind, payload: Payload) -> None:
            self._events.emit(job_id, kind, payload)

        match text_of(request, "op"):
            case "render":
                spec, out = object_of(request, "spec"), object_of(request, "out")
                previews = object_of(request, "previews") if "previews" in request else None
                threads = whole_of(request, "threads", MAX_THREADS)
                return self._jobs.render(
                    spec, out, emit, lambda: self._is_cancelled(job_id), previews, threads
                )
            case "load":
                return self._jobs.load(text_of(request, "name"), emit)
            case "models" | "chains" | "find" as op:
                jobs = self._jobs
                do = {"models": jobs.models, "chains": jobs.chains, "find": jobs.find}[op]
                return do(request, emit, lambda: self._is_cancelled(job_id))
            case "recall":
                return self._jobs.recall(text_of(request, "path"), str(request.get("source") or ""))
            case _:
                return self._jobs.probe(text_of(request, "path"))

    def _is_cancelled(self, job_id: str) -> bool:
        return self._stopping.is_set() or job_id in self._cancelled

    def _require_wanted(self, job_id: str) -> None:
        if self._is_cancelled(job_id):
            raise Cancelled("the job was cancelled before it started")


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines; of one that is too long only its start, which is then no valid JSON."""
    while line := stream.readline(MAX_LINE_BYTES):
        rest = line
        while len(rest) == MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES)
        if line.strip():
            yield line


def _request(line: bytes) -> Request:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJson("a request is not UTF-8") from error
    value = parse_json(text)
    if not isinstance(value, dict):
        raise BadJson("a request must be a JSON object")
    return value


def _line(event: JobEvent) -> bytes:
    content = {
        "job_id": event.job_id,
        "seq": event.seq,
        "kind": event.kind.value,
        "payload": event.payload,
    }
    return json.dumps(content, allow_nan=False, default=str).encode("ascii") + b"\n"


def _end_soon() -> None:
    """End this process even if a job sits in native code and never looks up."""
    # os._exit: threads in native code cannot be asked, and nobody waits for what they would write.
    timer = threading.Timer(ORPHAN_GRACE_S, os._exit, (1,))
    timer.daemon = True
    timer.start()


def _unexpected(error: Exception) -> ErrorInfo:
    """Hide what only a programmer can use; the log has it."""
    return ErrorInfo(
        code=ErrorCode.INTERNAL,
        message=f"the render failed in a way nobody foresaw ({type(error).__name__})",
        hint="Please report it together with the worker's log.",
    )


if __name__ == "__main__":
    sys.exit(main())

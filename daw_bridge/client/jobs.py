"""A job from its spec to its takes, as a program that waits for it sees it."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from daw_bridge.client.connection import ANSWER_S, Connection
from daw_bridge.client.finding import START_S, find_or_start, look_later
from daw_bridge.client.greeting import connection_to
from daw_bridge.errors import ServiceGone, ServiceStopped, TimedOut, WorkFailed
from daw_bridge.messages.answers import Progress
from daw_bridge.messages.base import Reply, Request
from daw_bridge.messages.connection import Notify
from daw_bridge.messages.events import JobDoneEvent, JobFailEvent
from daw_bridge.messages.jobs import Cancel, JobInfo, Submit
from daw_bridge.messages.service import AudioProbe, EngineEnding
from daw_bridge.service.config import Folders
from daw_bridge.spec_options import whole_path
from daw_bridge.workers.asking import error_of
from engine.errors import Cancelled, EngineError
from engine.spec_json import spec_to_json
from engine.types import RenderSpec

# A service that died may have to be started again, with everything that it finds.
ATTEMPTS = 3
CHECK_S = 5.0
CANCEL_S = 30.0
LONGEST_S = 7 * 86_400.0
_RETRY_S = 0.1
_LOOK_S = 0.25
# A program that is asked to end leaves no more behind than one whose user presses Ctrl-C.
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
_ENDED = ("finished", "failed", "cancelled")

Takes = list[Mapping[str, Any]]
OnReply = Callable[[Reply], None]
IsUnwanted = Callable[[], bool]


def _never() -> bool:
    return False


class Client:
    """Asks the user's service, starting it where there is none; use it as a context manager.

    The service is looked for with the first request, so that a wrong option is answered at once. answer_s is
    how long to wait for an answer: shorter where somebody sits and waits for it.
    """

    def __init__(self, folders: Folders | None = None, answer_s: float = ANSWER_S) -> None:
        self._answer_s = answer_s
        self._folders = folders or Folders.of_user()
        self._connection: Connection | None = None
        self._was_stopped = False
        self._on_progress: OnReply | None = None
        # None stands for a connection that has ended.
        self._events: queue.SimpleQueue[Reply | None] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._leave()

    def ask(self, request: Request) -> Any:
        """Return the answer to a request; raises as Connection.ask and find_or_start do."""
        return self._connected().ask(request)

    def ask_long(self, request: Request, stop: Request, on_reply: OnReply = lambda _: None) -> Any:
        """Return the answer to a request however long it takes; what it tells meanwhile goes to on_reply.

        An interrupt sends stop, and goes on as an interrupt.
        """
        connection = self._connected()
        self._on_progress = on_reply
        try:
            return connection.ask(request, LONGEST_S)
        except KeyboardInterrupt:
            with contextlib.suppress(EngineError):
                connection.ask(stop)
            raise
        finally:
            self._on_progress = None

    def duration_s(self, path: str) -> float:
        """Return the length of an audio file; raises WorkFailed where it cannot be read."""
        found = self.ask(AudioProbe(rid="-", path=whole_path(path)))
        return float(found.length_samples / found.sample_rate_hz)

    def render(
        self, spec: RenderSpec, folder: Path, stem: str, on_reply: OnReply, *, threads: int = 0
    ) -> Takes:
        """Render and return the takes, best first; a service that dies meanwhile is started again.

        threads is how many to calculate with, 0 as many as the engine does.

        Raises:
            ServiceStopped: somebody ended the service on purpose; the job waits for its next start.
            WorkFailed: the job failed or was refused.
            Cancelled: somebody cancelled it, this process by an interrupt among them.
        """
        submit = Submit(
            rid="-", spec=spec_to_json(spec), folder=whole_path(folder), stem=stem, threads=threads
        )
        self._connected()
        with _interrupts_held() as interrupts:
            job_id = self.ask(submit).job_id
        try:
            if interrupts:
                raise KeyboardInterrupt
            self._follow(job_id, on_reply)
        except KeyboardInterrupt:
            self._stop(job_id)
        return self._takes(job_id)

    def takes_of(self, job_id: str, on_reply: OnReply, is_unwanted: IsUnwanted) -> Takes:
        """Return the takes of a job, best first, once it has ended; is_unwanted is asked again and again.

        Raises:
            As render, and WorkFailed where nobody knows the job.
        """
        if self._info(job_id)["state"] not in _ENDED and self._follow(job_id, on_reply, is_unwanted):
            self._stop(job_id)
        return self._takes(job_id)

    def _follow(self, job_id: str, on_reply: OnReply, is_unwanted: IsUnwanted = _never) -> bool:
        """Tell the events of a job until it has ended or is unwanted; return whether it is."""
        while not is_unwanted():
            reply = self._next_event(CHECK_S, is_unwanted)
            if reply is None:
                if self._info(job_id)["state"] in _ENDED:
                    return False
            elif getattr(reply, "job_id", "") == job_id:
                on_reply(reply)
                if isinstance(reply, JobDoneEvent | JobFailEvent):
                    return False
        return True

    def _next_event(self, timeout_s: float, is_unwanted: IsUnwanted = _never) -> Reply | None:
        """Return the next event; None after a silence, when unwanted, or with the end of the connection."""
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0 and not is_unwanted():
            with contextlib.suppress(queue.Empty):
                return self._events.get(timeout=min(_LOOK_S, left_s))
        return None

    def _stop(self, job_id: str) -> None:
        """Cancel a job and wait until it has stopped; one that is done already counts."""
        deadline_s = time.monotonic() + CANCEL_S
        self._ask_again(Cancel(rid="-", target=job_id))
        while self._info(job_id)["state"] not in _ENDED:
            if time.monotonic() > deadline_s:
                raise TimedOut(
                    f"the job has not stopped after {CANCEL_S:g} s", "See: daw-bridge history list."
                )
            self._next_event(_RETRY_S)

    def _takes(self, job_id: str) -> Takes:
        job = self._info(job_id)
        if job["state"] == "finished":
            return _newest(job["takes"])
        if job["state"] == "cancelled":
            raise Cancelled("the job was cancelled")
        raise WorkFailed(error_of(job.get("error", {})))

    def _info(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self._ask_again(JobInfo(rid="-", job_id=job_id)).job
        return job

    def _ask_again(self, request: Request) -> Any:
        """Ask what may be asked twice, of a new service if the old one is gone; the journal is the same."""
        for _ in range(ATTEMPTS - 1):
            self._require_not_stopped()
            with contextlib.suppress(ServiceGone):
                return self.ask(request)
            self._leave()
        self._require_not_stopped()
        return self.ask(request)

    def _require_not_stopped(self) -> None:
        """Raise ServiceStopped rather than start what somebody has just ended on purpose."""
        is_there = self._connection is not None and self._connection.is_open
        if self._was_stopped and not is_there:
            raise ServiceStopped(
                "the service was stopped; what it had accepted waits for its next start",
                "Go on with daw-bridge serve, and see what becomes of it: daw-bridge history list.",
            )

    def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.is_open:
            self._leave()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Connection:
        """Connect to the user's service, or if that is just ending, to the one after it."""
        deadline_s = time.monotonic() + START_S
        self._was_stopped = False
        while True:
            info = find_or_start(self._folders)
            try:
                return self._greeted(connection_to(info, self._hear, self._tell_end, self._answer_s))
            except ServiceGone:
                if time.monotonic() > deadline_s:
                    raise
            look_later(_RETRY_S)

    def _greeted(self, connection: Connection) -> Connection:
        """Return a connection that is told of all jobs; raises ServiceGone of a service that is ending."""
        connection.__enter__()
        try:
            # Of all jobs: those that an earlier connection asked for are not this one's.
            connection.ask(Notify(rid="-", on=True))
        except BaseException:
            connection.__exit__(None, None, None)
            raise
        return connection

    def _hear(self, reply: Reply) -> None:
        if isinstance(reply, EngineEnding):
            self._was_stopped = True
        elif isinstance(reply, Progress):
            if (tell := self._on_progress) is not None:
                tell(reply)
        else:
            self._events.put(reply)

    def _tell_end(self) -> None:
        self._events.put(None)

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _newest(takes: Takes) -> Takes:
    """Return the takes without those that a job made once more after an interruption."""
    newest: dict[tuple[int, str], Mapping[str, Any]] = {}
    for take in reversed(takes):
        newest.setdefault((take["seed"], take["spec_digest"]), take)
    return list(newest.values())[::-1]


@contextmanager
def _interrupts_held() -> Iterator[list[int]]:
    """Collect interrupts until the block is done: a job can only be cancelled once it has an id."""
    held: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield held
        return
    before = [(one, signal.signal(one, lambda number, _: held.append(number))) for one in INTERRUPTS]
    try:
        yield held
    finally:
        for one, handler in before:
            signal.signal(one, handler)

"""A job from its spec to its takes, as a program that waits for it sees it."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from daw_bridge.client.connection import Connection
from daw_bridge.client.finding import find_or_start
from daw_bridge.errors import ServiceGone, WorkFailed
from daw_bridge.messages.base import Reply, Request
from daw_bridge.messages.connection import Notify
from daw_bridge.messages.events import JobDoneEvent, JobFailEvent
from daw_bridge.messages.jobs import Cancel, JobInfo, Submit
from daw_bridge.messages.service import AudioProbe
from daw_bridge.service.config import Folders
from engine.errors import Cancelled
from engine.spec_json import spec_to_json
from engine.types import ErrorCode, ErrorInfo, RenderSpec

# A service that died may have to be started again, with everything that it finds.
ATTEMPTS = 3
CHECK_S = 5.0
CANCEL_S = 30.0

Takes = list[Mapping[str, Any]]
OnReply = Callable[[Reply], None]


class Client:
    """Asks the user's service, starting it where there is none; use it as a context manager.

    The service is looked for with the first request, so that a wrong option is answered at once.
    """

    def __init__(self, folders: Folders | None = None) -> None:
        self._folders = folders or Folders.of_user()
        self._connection: Connection | None = None
        self._events: queue.SimpleQueue[Reply] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._leave()

    def ask(self, request: Request) -> Any:
        """Return the answer to a request; raises as Connection.ask and find_or_start do."""
        return self._connected().ask(request)

    def duration_s(self, path: str) -> float:
        """Return the length of an audio file; raises WorkFailed where it cannot be read."""
        found = self.ask(AudioProbe(rid="-", path=path))
        return float(found.length_samples / found.sample_rate_hz)

    def render(self, spec: RenderSpec, folder: Path, stem: str, on_reply: OnReply) -> Takes:
        """Render and return the takes, best first; a service that dies meanwhile is started again.

        Raises:
            WorkFailed: the job failed or was refused.
            Cancelled: somebody cancelled it, this process by an interrupt among them.
        """
        submit = Submit(rid="-", spec=spec_to_json(spec), folder=str(folder.absolute()), stem=stem)
        job_id = self.ask(submit).job_id
        try:
            self._follow(job_id, on_reply)
        except KeyboardInterrupt:
            self._stop(job_id)
        return self._takes(job_id)

    def _follow(self, job_id: str, on_reply: OnReply) -> None:
        """Tell the events of a job until it has ended."""
        while True:
            try:
                reply = self._events.get(timeout=CHECK_S)
            except queue.Empty:
                if self._info(job_id)["state"] in ("finished", "failed", "cancelled"):
                    return
                continue
            if getattr(reply, "job_id", "") != job_id:
                continue
            on_reply(reply)
            if isinstance(reply, JobDoneEvent | JobFailEvent):
                return

    def _stop(self, job_id: str) -> None:
        """Cancel a job and wait until it has stopped; one that is done already counts."""
        deadline_s = time.monotonic() + CANCEL_S
        self.ask(Cancel(rid="-", target=job_id))
        while time.monotonic() < deadline_s:
            if self._info(job_id)["state"] in ("finished", "failed", "cancelled"):
                return
            with contextlib.suppress(queue.Empty):
                self._events.get(timeout=0.1)

    def _takes(self, job_id: str) -> Takes:
        job = self._info(job_id)
        if job["state"] == "finished":
            return list(job["takes"])
        if job["state"] == "cancelled":
            raise Cancelled("the job was cancelled")
        error = job.get("error", {})
        raise WorkFailed(
            ErrorInfo(
                code=ErrorCode(error.get("code", ErrorCode.INTERNAL.value)),
                message=str(error.get("message", "the job failed")),
                hint=str(error.get("hint", "")),
            )
        )

    def _info(self, job_id: str) -> dict[str, Any]:
        """Ask for a job, of a new service if the old one is gone; the journal is the same."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._told(job_id)
            except ServiceGone:
                self._leave()
        return self._told(job_id)

    def _told(self, job_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask(JobInfo(rid="-", job_id=job_id)).job
        return answer

    def _connected(self) -> Connection:
        if self._connection is None:
            info = find_or_start(self._folders)
            connection = Connection(info.host, info.tcp_port, self._events.put)
            self._connection = connection.__enter__()
            # Of all jobs: those that an earlier connection asked for are not this one's.
            self._connection.ask(Notify(rid="-", on=True))
        return self._connection

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

"""Jobs of one command, done by one worker from start to end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import platformdirs

from daw_bridge.worker_client import GRACE_S, JobFailed, WorkerProcess
from engine.errors import Cancelled
from engine.spec_json import spec_to_dict
from engine.types import EventKind, JobEvent, RenderSpec

OnEvent = Callable[[JobEvent], None]


def log_path() -> Path:
    """Return where the worker's own messages go."""
    return platformdirs.user_log_path("daw-bridge", ensure_exists=False) / "worker.log"


class Runner:
    """Runs jobs one after the other; use it as a context manager.

    The worker starts with the first job, so that a wrong option is answered at once.
    """

    def __init__(self, worker: WorkerProcess | None = None) -> None:
        self.worker = worker or WorkerProcess(log_path=log_path())
        self._jobs = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.worker.close()

    def duration_s(self, path: str) -> float:
        """Return the length of an audio file; raises JobFailed where it cannot be read."""
        return float(self._run("probe", _ignore, path=path)["duration_s"])

    def render(self, spec: RenderSpec, folder: Path, stem: str, on_event: OnEvent) -> list[Mapping[str, Any]]:
        """Render and return the takes, best first; raises JobFailed."""
        out = {"folder": str(folder.absolute()), "stem": stem}
        return list(self._run("render", on_event, spec=spec_to_dict(spec), out=out)["takes"])

    def models(self, action: str, on_event: OnEvent, **arguments: object) -> dict[str, Any]:
        """Do something with the installed models; raises JobFailed."""
        return self._run("models", on_event, action=action, **arguments)

    def _run(self, op: str, on_event: OnEvent, **arguments: object) -> dict[str, Any]:
        if not self.worker.is_started:
            self.worker.start()
        self._jobs += 1
        job_id = f"{op}-{self._jobs}"
        self.worker.submit(job_id, op, **arguments)
        try:
            return self._followed(job_id, on_event)
        except KeyboardInterrupt:
            if op != "render":
                raise
            return self._stopped(job_id, on_event)

    def _stopped(self, job_id: str, on_event: OnEvent) -> dict[str, Any]:
        """Cancel a job, and end a worker that does not stop soon; a job that is done already counts."""
        deadline = threading.Timer(GRACE_S, self.worker.kill)
        deadline.start()
        try:
            self.worker.cancel(job_id)
            return self._followed(job_id, on_event)
        except JobFailed as error:
            raise Cancelled("the job was interrupted") from error
        finally:
            deadline.cancel()

    def _followed(self, job_id: str, on_event: OnEvent) -> dict[str, Any]:
        for event in self.worker.events(job_id):
            on_event(event)
            if event.kind is EventKind.DONE:
                return event.payload
        raise AssertionError("events end with done or raise")


def _ignore(_: JobEvent) -> None:
    """Take an event that nobody shows."""

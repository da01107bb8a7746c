"""The render worker seen from outside: requests in, job events out, no torch in this process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from engine.errors import EngineError
from engine.types import ErrorCode, ErrorInfo, EventKind, JobEvent

# -P: a folder named engine where the user happens to be must not be taken for the package.
WORKER_COMMAND = (sys.executable, "-P", "-m", "engine.worker")
_PACKAGES = Path(__file__).resolve().parent.parent
GRACE_S = 5.0


class JobFailed(EngineError):
    """A job ended with an error; info is what the worker said."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message, info.hint)
        self.code = info.code


class WorkerProcess:
    """One worker as a child process; use it as a context manager.

    The child is in its own session, so that Ctrl-C reaches only this process, which then cancels.
    """

    def __init__(self, *, log_path: Path | None = None, command: Sequence[str] = WORKER_COMMAND) -> None:
        self._log_path = log_path
        self._command = tuple(command)
        self._process: subprocess.Popen[str] | None = None

    @property
    def is_started(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start the child; it answers once it has loaded its libraries."""
        log = _opened_log(self._log_path)
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log if log is not None else subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                bufsize=1,
                start_new_session=True,
                env=_environment(),
            )
        finally:
            if log is not None:
                log.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, job_id: str, op: str, **arguments: object) -> None:
        """Ask for a job: render with spec and out, models with action and name, or probe with path."""
        self._send({"op": op, "job": job_id, **arguments})

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop at its next step; it then fails with the code cancelled."""
        self._send({"op": "cancel", "job": job_id})

    def kill(self) -> None:
        """End the worker at once; its job then fails."""
        if self._process is not None:
            self._process.kill()

    def events(self, job_id: str) -> Iterator[JobEvent]:
        """Yield a job's events until it is done.

        Raises:
            JobFailed: the job failed, or the worker died.
        """
        assert self._process is not None and self._process.stdout is not None, "the worker is not started"
        for line in self._process.stdout:
            event = _event(line)
            if event is None or event.job_id != job_id:
                continue
            if event.kind is EventKind.FAIL:
                raise JobFailed(_error_info(event.payload))
            yield event
            if event.kind is EventKind.DONE:
                return
        raise JobFailed(self._death())

    def close(self) -> None:
        """Ask the worker to quit, and end it if it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(json.dumps({"op": "quit"}) + "\n", timeout=GRACE_S)
        except (subprocess.TimeoutExpired, OSError, ValueError):
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                _close_quietly(stream)

    def _send(self, request: Mapping[str, object]) -> None:
        assert self._process is not None and self._process.stdin is not None, "the worker is not started"
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise JobFailed(self._death()) from error

    def _death(self) -> ErrorInfo:
        assert self._process is not None
        try:
            status = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
            return ErrorInfo(code=ErrorCode.INTERNAL, message="the render process stopped answering")
        if status == -signal.SIGKILL:
            return ErrorInfo(
                code=ErrorCode.OOM,
                message="the system ended the render process, most likely for lack of memory",
                hint="Close other programs or choose a shorter region.",
            )
        hint = f"Details are in {self._log_path}." if self._log_path else ""
        message = f"the render process ended unexpectedly (status {status})"
        return ErrorInfo(code=ErrorCode.INTERNAL, message=message, hint=hint)


def _environment() -> dict[str, str]:
    paths = (str(_PACKAGES), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _event(line: str) -> JobEvent | None:
    """Read one line; None for anything that is no event."""
    try:
        value = json.loads(line)
        return JobEvent(
            job_id=str(value["job_id"]),
            seq=int(value["seq"]),
            kind=EventKind(value["kind"]),
            payload=dict(value["payload"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _error_info(payload: Mapping[str, object]) -> ErrorInfo:
    return ErrorInfo(
        code=ErrorCode(str(payload.get("code", ErrorCode.INTERNAL.value))),
        message=str(payload.get("message", "the job failed")),
        hint=str(payload.get("hint", "")),
    )


def _opened_log(path: Path | None) -> IO[bytes] | None:
    """Open the worker's log anew; without a place for it the worker runs without one."""
    if path is None:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")
    except OSError:
        return None


def _close_quietly(stream: IO[str]) -> None:
    try:
        stream.close()
    except OSError:
        return

"""Find the user's service, or start one."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from daw_bridge.children import environment, module_command
from daw_bridge.errors import NotStarted, ServiceGone, TimedOut, error_told
from daw_bridge.service.config import Folders
from daw_bridge.service.presence import ServiceInfo, running_service
from engine.types import ErrorCode, ErrorInfo

SERVE_COMMAND = module_command("daw_bridge", "serve")
# What a service that a command has started waits for further ones.
IDLE_S = 600.0
START_S = 30.0
END_S = 30.0
_POLL_S = 0.02
_MOST_SAID = 100_000


def find_or_start(folders: Folders, command: Sequence[str] = SERVE_COMMAND) -> ServiceInfo:
    """Return the service that runs for this user, or one that was started for it.

    Raises:
        NotStarted: it does not start; code and sentence are its own.
        ServiceGone: it is not ready in time.
    """
    deadline_s = time.monotonic() + START_S
    start: _Start | None = None
    while time.monotonic() < deadline_s:
        info = running_service(folders.runtime)
        if info is not None:
            return info
        if start is None:
            start = _Start(command)
        elif start.has_ended:
            start.require_rival()
            start = None
        look_later()
    raise ServiceGone(
        f"the service was not ready after {START_S:g} s", f"Its log is in {folders.log / 'service.log'}."
    )


def wait_until_gone(folders: Folders) -> None:
    """Wait for a service that was asked to end; raises TimedOut where it does not."""
    deadline_s = time.monotonic() + END_S
    while running_service(folders.runtime) is not None:
        if time.monotonic() > deadline_s:
            raise TimedOut(
                f"the service has not ended after {END_S:g} s", f"See {folders.log / 'service.log'}."
            )
        look_later()


def look_later(seconds: float = _POLL_S) -> None:
    """Wait a moment: what another process does to its files comes with no event of this one's."""
    threading.Event().wait(seconds)


class _Start:
    """A service that is being started, and what it says meanwhile.

    It outlives this program, so it is listened to as long as both live and may speak into the void later.
    A file for what it says would need the room on the disk whose lack it may be about to tell of.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = _started(command)
        self._said = b""
        # Whoever starts a process has to ask how it ended, or it stays listed as long as this one lives.
        self._listener = threading.Thread(target=self._listen, name="service end", daemon=True)
        self._listener.start()

    @property
    def has_ended(self) -> bool:
        return not self._listener.is_alive()

    def require_rival(self) -> None:
        """Raise NotStarted for a service that ended, unless another client's was quicker."""
        text = self._said.decode("utf-8", "replace").strip()
        if not self._process.returncode or "running already" in text:
            return
        told = error_told(text)
        if told is not None:
            raise NotStarted(replace(told, message=f"the service does not start: {told.message}"))
        raise _not_started(text or "it says nothing")

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            while data := stream.read(_MOST_SAID):
                self._said = (self._said + data)[-_MOST_SAID:]
        self._process.wait()


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a service in a session of its own: Ctrl-C is for this program alone."""
    try:
        return subprocess.Popen(
            [*command, "--idle", str(IDLE_S)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            env=environment(),
        )
    except OSError as error:
        raise _not_started(error.strerror or str(error)) from error


def _not_started(reason: str) -> NotStarted:
    message = f"the service does not start: {reason}"
    return NotStarted(ErrorInfo(code=ErrorCode.INTERNAL, message=message, hint="Try: daw-bridge serve."))

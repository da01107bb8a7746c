"""Find the user's service, or start one."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import IO

from daw_bridge.children import environment, module_command
from daw_bridge.errors import ServiceGone, TimedOut
from daw_bridge.service.config import Folders
from daw_bridge.service.presence import ServiceInfo, running_service

SERVE_COMMAND = module_command("daw_bridge", "serve")
# What a service that a command has started waits for further ones.
IDLE_S = 600.0
START_S = 30.0
END_S = 30.0
_POLL_S = 0.02


def find_or_start(folders: Folders, command: Sequence[str] = SERVE_COMMAND) -> ServiceInfo:
    """Return the service that runs for this user, or one that was started for it.

    Raises:
        ServiceGone: it does not start; the sentence says why.
    """
    deadline_s = time.monotonic() + START_S
    process: subprocess.Popen[bytes] | None = None
    # A file, not a pipe: the service outlives this program and may still have something to say.
    with tempfile.TemporaryFile() as said:
        while time.monotonic() < deadline_s:
            info = running_service(folders.runtime)
            if info is not None:
                return info
            if process is None:
                process = _started(command, said)
            elif (status := process.poll()) is not None:
                _require_rival(status, said)
                process = None
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


def _started(command: Sequence[str], said: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a service in a session of its own: Ctrl-C is for this program alone."""
    try:
        process = subprocess.Popen(
            [*command, "--idle", str(IDLE_S)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
            env=environment(),
        )
    except OSError as error:
        raise ServiceGone(f"the service does not start: {error.strerror or error}") from error
    # Whoever starts a process has to ask how it ended, or it stays listed as long as this one lives.
    threading.Thread(target=process.wait, name="service end", daemon=True).start()
    return process


def _require_rival(status: int, said: IO[bytes]) -> None:
    """Raise ServiceGone for a service that ended, unless another client's was quicker."""
    said.seek(0)
    text = said.read().decode("utf-8", "replace").strip()
    said.seek(0)
    said.truncate()
    if status and "running already" not in text:
        raise ServiceGone(f"the service does not start: {text or 'it says nothing'}")

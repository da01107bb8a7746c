"""Find the user's service, or start one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from daw_bridge.errors import ServiceGone
from daw_bridge.service.config import Folders
from daw_bridge.service.presence import ServiceInfo, running_service

SERVE_COMMAND = (sys.executable, "-P", "-m", "daw_bridge", "serve")
# What a service that a command has started waits for further ones.
IDLE_S = 600.0
START_S = 30.0
_POLL_S = 0.02
_PACKAGES = Path(__file__).resolve().parent.parent.parent


def find_or_start(folders: Folders, command: Sequence[str] = SERVE_COMMAND) -> ServiceInfo:
    """Return the service that runs for this user, or one that was started for it.

    Raises:
        ServiceGone: it does not start; the sentence says why.
    """
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        info = running_service(folders.runtime)
        if info is not None:
            return info
        started = _started(command, deadline_s)
        if started is not None:
            return started
        # Another client was quicker: its service is about to be ready.
        time.sleep(_POLL_S)
    raise ServiceGone(
        f"the service was not ready after {START_S:g} s", f"Its log is in {folders.log / 'service.log'}."
    )


def _started(command: Sequence[str], deadline_s: float) -> ServiceInfo | None:
    """Start a service of its own session and wait until it is ready; None where there is one already."""
    process = subprocess.Popen(
        [*command, "--idle", str(IDLE_S)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=_environment(),
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        line = process.stdout.readline()
        if line:
            return _read(line)
        said = process.stderr.read().strip()
        if process.wait(max(1.0, deadline_s - time.monotonic())) and "running already" not in said:
            raise ServiceGone(f"the service does not start: {said or 'it says nothing'}")
        return None
    finally:
        process.stdout.close()
        process.stderr.close()


def _read(line: str) -> ServiceInfo:
    try:
        content = json.loads(line)
        names = ServiceInfo.__dataclass_fields__
        return ServiceInfo(**{name: content[name] for name in names})
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceGone(f"the service said something else than that it is ready: {line:.200}") from error


def _environment() -> dict[str, str]:
    paths = (str(_PACKAGES), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}

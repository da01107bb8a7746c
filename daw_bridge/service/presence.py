"""Where a running service is found: one per user, told by a locked file that a crash cannot leave standing.

The lock belongs to the process: however it ends, the lock is gone, and what the file says counts no longer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from daw_bridge.errors import ServiceRunning

PROTOCOL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """How to reach a service; ports of what it does not offer are 0."""

    pid: int
    host: str
    udp_port: int
    tcp_port: int
    http_port: int
    protocol: int = PROTOCOL


@contextmanager
def alone(folder: Path) -> Iterator[Path]:
    """Hold the user's one place for a service; yields the file to announce it in.

    Raises:
        ServiceRunning: another service holds it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = _info_path(folder)
    try:
        # Not at once: a client that looks for a service holds the lock for a moment.
        with FileLock(_lock_path(folder), timeout=1.0):
            path.unlink(missing_ok=True)
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)
    except Timeout as error:
        raise ServiceRunning(
            "a service is running already for this user.", "Use it, or end it: daw-bridge service stop."
        ) from error


def announce(path: Path, info: ServiceInfo) -> None:
    """Write the file whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(asdict(info)), encoding="utf-8")
    os.replace(part, path)


def running_service(folder: Path) -> ServiceInfo | None:
    """Return the service that runs now; None where there is none or it is not ready yet."""
    if not _lock_path(folder).exists():
        return None
    try:
        with FileLock(_lock_path(folder), timeout=0):
            return None
    except Timeout:
        return _read(_info_path(folder))
    except OSError:
        return None


def _read(path: Path) -> ServiceInfo | None:
    try:
        return ServiceInfo(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _info_path(folder: Path) -> Path:
    return folder / "service.json"


def _lock_path(folder: Path) -> Path:
    return folder / "service.lock"

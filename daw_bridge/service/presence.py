"""Where a running service is found: one per user, told by a locked file that a crash cannot leave standing.

The lock belongs to the process: however it ends, the lock is gone, and what the file says counts no longer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from daw_bridge.errors import ServiceRunning, storage_errors

PROTOCOL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """How to reach a service; ports of what it does not offer are 0.

    token_file is the path of its token, empty where it asks for none. The token itself is in no other file.
    """

    pid: int
    host: str
    udp_port: int
    tcp_port: int
    http_port: int
    protocol: int = PROTOCOL
    token_file: str = ""


@contextmanager
def alone(folder: Path) -> Iterator[Path]:
    """Hold the user's one place for a service; yields the file to announce it in.

    Raises:
        ServiceRunning: another service holds it.
        OutputError, DiskFull: the folder cannot be used.
    """
    path = _info_path(folder)
    with _locked(folder):
        with storage_errors(folder):
            path.unlink(missing_ok=True)
        try:
            yield path
        finally:
            # Nobody believes it without the lock, and the reason why the service ends counts more.
            with suppress(OSError):
                path.unlink(missing_ok=True)


def announce(path: Path, info: ServiceInfo) -> None:
    """Write the file whole or not at all; raises OutputError and DiskFull."""
    part = path.with_name(f"{path.name}.part")
    with storage_errors(path):
        part.write_text(json.dumps(asdict(info)), encoding="utf-8")
        os.replace(part, path)


def running_service(folder: Path) -> ServiceInfo | None:
    """Return the service that runs now; None where there is none or it is not ready yet."""
    try:
        if not _lock_path(folder).exists():
            return None
        with FileLock(_lock_path(folder), timeout=0):
            return None
    except Timeout:
        return _read(_info_path(folder))
    except OSError:
        return None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    # Not at once: a client that looks for a service holds the lock for a moment.
    lock = FileLock(_lock_path(folder), timeout=1.0)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            lock.acquire()
        except Timeout as error:
            raise ServiceRunning(
                "a service is running already for this user.", "Use it, or end it: daw-bridge service stop."
            ) from error
    try:
        yield
    finally:
        lock.release()


def _read(path: Path) -> ServiceInfo | None:
    try:
        return ServiceInfo(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _info_path(folder: Path) -> Path:
    return folder / "service.json"


def _lock_path(folder: Path) -> Path:
    return folder / "service.lock"

"""A lock that a worker holds as long as it lives, so that the next service finds none that writes files.

It belongs to the open file, which the worker inherits from its service: killed at any moment, both let go of
it by ending. Windows has no such lock; there a job object would have to end the worker with its service.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daw_bridge.errors import TimedOut, storage_errors

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# A worker ends with its service, unless it sits in native code that never lets go of the interpreter.
GRACE_S = 2.0
END_S = 10.0
_POLL_S = 0.02


class Lease:
    """The lock of one service's worker; give fds to the worker's process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @property
    def fds(self) -> tuple[int, ...]:
        return () if fcntl is None else (self._fd,)

    def forget(self) -> None:
        """Note that no worker is known; before one starts, so that no wrong one is ever ended."""
        os.ftruncate(self._fd, 0)

    def note(self, pid: int) -> None:
        """Note the worker that has the lock now; on a full disk nobody is noted."""
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, b"%d\n" % pid, 0)


@contextmanager
def leased(path: Path) -> Iterator[Lease]:
    """Hold the lock, once a worker that an earlier service left behind is gone; end it if it lingers.

    Only one process may try at once: the user's one service.

    Raises:
        OutputError, DiskFull: the file cannot be used.
        TimedOut: a worker is left that cannot be ended.
    """
    with storage_errors(path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(fd, path)
        yield Lease(fd)
    finally:
        os.close(fd)


def _lock(fd: int, path: Path) -> None:
    if fcntl is None or _is_free_within(fd, GRACE_S):
        return
    pid = _noted(fd)
    if pid is not None:
        # Who holds the lock is the worker that is noted: a killed one's number may be another's by now.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    if not _is_free_within(fd, END_S):
        raise TimedOut(
            f"a render process of an earlier service does not end and holds {path}",
            f"End process {pid or 'python -m engine.worker'}, then try again.",
        )


def _is_free_within(fd: int, time_s: float) -> bool:
    deadline_s = time.monotonic() + time_s
    while not _try(fd):
        if time.monotonic() > deadline_s:
            return False
        threading.Event().wait(_POLL_S)
    return True


def _try(fd: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _noted(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None

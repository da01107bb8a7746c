"""The lock that tells a new service whether a worker of the last one is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daw_bridge.errors import TimedOut
from daw_bridge.workers import lease
from daw_bridge.workers.lease import leased
from engine.errors import OutputError

pytestmark = pytest.mark.skipif(lease.fcntl is None, reason="Windows has no such lock")
WORKER = "import sys; print('ready', flush=True); sys.stdin.read(); {end}"
PATIENCE_S = 30.0
LINGERS = "import time; time.sleep(3600)"
SERVICE = textwrap.dedent(
    """
    import subprocess, sys, time
    from pathlib import Path
    from daw_bridge.workers.lease import leased
    with leased(Path(sys.argv[1])) as held:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        worker = subprocess.Popen([sys.executable, "-c", sys.argv[2]], pass_fds=held.fds, **pipes)
        held.forget()
        if sys.argv[3] == "noted":
            held.note(worker.pid)
        worker.stdout.readline()
        print(worker.pid, flush=True)
        time.sleep(3600)
    """
)


@contextmanager
def killed_service(path: Path, end: str, noted: str = "noted") -> Iterator[int]:
    """Leave a worker behind that does something at the end of its stdin; yield its pid."""
    command = [sys.executable, "-c", SERVICE, str(path), WORKER.format(end=end), noted]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        pid = int(service.stdout.readline())
        service.kill()
    try:
        yield pid
    finally:
        if lives(pid):
            os.kill(pid, signal.SIGKILL)


def lives(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has buried yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_worker_that_ends_by_itself_is_waited_for(tmp_path: Path) -> None:
    ends = f"import time; time.sleep(0.3); open({str(tmp_path / 'last')!r}, 'w').close()"
    with killed_service(tmp_path / "lock", ends), leased(tmp_path / "lock"):
        assert (tmp_path / "last").exists()


def test_a_worker_that_lingers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "GRACE_S", 0.1)
    with killed_service(tmp_path / "lock", LINGERS) as pid:
        assert lives(pid)
        with leased(tmp_path / "lock"):
            # The system lets go of its lock a moment before it is listed no more.
            deadline_s = time.monotonic() + PATIENCE_S
            while lives(pid):
                assert time.monotonic() < deadline_s, "the worker lives on"
                time.sleep(0.005)


def test_a_worker_that_nobody_noted_is_told_and_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "GRACE_S", 0.1)
    monkeypatch.setattr(lease, "END_S", 0.1)
    with killed_service(tmp_path / "lock", LINGERS, "unknown") as pid:
        with pytest.raises(TimedOut, match="render process of an earlier service"), leased(tmp_path / "lock"):
            pass
        assert lives(pid)


def test_the_lock_is_free_once_its_service_has_ended(tmp_path: Path) -> None:
    for _ in range(2):
        with leased(tmp_path / "lock") as held:
            held.note(os.getpid())
            held.forget()
            assert (tmp_path / "lock").read_bytes() == b""


def test_a_lock_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"), leased(tmp_path / "nowhere" / "lock"):
        pass

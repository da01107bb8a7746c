"""Where a service is found: told while it lives, never after, however it ended."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from daw_bridge.errors import ServiceRunning
from daw_bridge.service.presence import ServiceInfo, alone, announce, running_service
from engine.errors import DiskFull, OutputError

INFO = ServiceInfo(pid=12, host="127.0.0.1", udp_port=1, tcp_port=2, http_port=3)
HOLDER = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from daw_bridge.service.presence import ServiceInfo, alone, announce
    with alone(Path(sys.argv[1])) as path:
        announce(path, ServiceInfo(pid=7, host="127.0.0.1", udp_port=1, tcp_port=2, http_port=3))
        print("ready", flush=True)
        time.sleep(60)
    """
)


def test_a_service_is_told_from_its_announcement_to_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert running_service(folder) is None
    with alone(folder) as path:
        assert running_service(folder) is None
        announce(path, INFO)
        assert running_service(folder) == INFO
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert running_service(folder) is None
    assert not path.exists()


def test_a_second_service_of_a_user_is_refused(tmp_path: Path) -> None:
    with alone(tmp_path) as path:
        announce(path, INFO)
        with pytest.raises(ServiceRunning, match="running already"), alone(tmp_path):
            pass
        assert running_service(tmp_path) == INFO


def test_a_killed_service_leaves_a_file_that_nobody_believes(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "ready\n"
        told = running_service(tmp_path)
        assert told is not None and told.pid == 7
        os.kill(holder.pid, 9)
        holder.wait()
    assert (tmp_path / "service.json").exists()
    assert running_service(tmp_path) is None
    with alone(tmp_path) as path:
        assert not path.exists()


@pytest.mark.parametrize("content", ["", "[]", '{"pid": 1}', '{"pid": 1, "colour": "red"}'])
def test_an_announcement_that_is_none_is_not_believed(content: str, tmp_path: Path) -> None:
    with alone(tmp_path) as path:
        path.write_text(content)
        assert running_service(tmp_path) is None


def test_a_place_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"file/runtime cannot be used: a file is in its place"),
        alone(tmp_path / "file" / "runtime"),
    ):
        pass


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EROFS, OutputError)], ids=["full", "read-only"]
)
def test_an_announcement_that_cannot_be_written_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[OutputError]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(OutputError, match="service.json") as caught:
        announce(tmp_path / "service.json", INFO)
    assert type(caught.value) is kind

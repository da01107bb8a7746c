"""A client without its service: told why there is none, and ready for Ctrl-C at any moment."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import pytest

from daw_bridge.client import finding
from daw_bridge.client.jobs import _interrupts_held, _newest
from daw_bridge.errors import NotStarted, ServiceGone, TimedOut
from daw_bridge.service.config import Folders
from daw_bridge.service.presence import ServiceInfo, alone, announce
from engine.types import ErrorCode

INFO = ServiceInfo(pid=12, host="127.0.0.1", udp_port=1, tcp_port=2, http_port=3)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(
        **{name: tmp_path / name for name in ("state", "config", "runtime", "log", "takes")},
    )


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_service_that_ends_at_once_tells_its_reason(folders: Folders) -> None:
    with pytest.raises(NotStarted, match="does not start: no idea") as caught:
        finding.find_or_start(folders, python("import sys; sys.exit('no idea')"))
    assert caught.value.code is ErrorCode.INTERNAL


def test_the_code_of_a_service_that_does_not_start_is_its_own(folders: Folders) -> None:
    says = "a word of a library\\nerror[disk_full]: no room left for /here. Free some.\\nerror[odd]: no."
    with pytest.raises(NotStarted) as caught:
        finding.find_or_start(folders, python(f"import sys; sys.exit('{says}')"))
    assert caught.value.code is ErrorCode.DISK_FULL
    assert caught.value.message == "the service does not start: no room left for /here. Free some."


def test_a_service_that_is_not_installed_is_told(folders: Folders, tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match="No such file") as caught:
        finding.find_or_start(folders, (str(tmp_path / "absent"),))
    assert caught.value.code is ErrorCode.INTERNAL


def test_a_service_that_is_never_ready_is_not_waited_for_ever(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "START_S", 0.2)
    end = tmp_path / "end"
    waits = f"import time; from pathlib import Path\nwhile not Path({str(end)!r}).exists(): time.sleep(0.01)"
    with pytest.raises(ServiceGone, match=r"not ready after 0\.2 s"):
        finding.find_or_start(folders, python(waits))
    end.touch()
    for thread in threading.enumerate():
        if thread.name == "service end":
            thread.join(30)
            assert not thread.is_alive()


def test_a_service_that_another_client_started_is_waited_for(folders: Folders) -> None:
    with alone(folders.runtime) as path:
        ready = threading.Timer(0.3, announce, (path, INFO))
        ready.start()
        refused = python("import sys; sys.exit('a service is running already')")
        assert finding.find_or_start(folders, refused) == INFO
        ready.join()


def test_a_service_that_does_not_end_is_not_waited_for_ever(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "END_S", 0.1)
    finding.wait_until_gone(folders)
    with alone(folders.runtime) as path:
        announce(path, INFO)
        with pytest.raises(TimedOut, match="has not ended"):
            finding.wait_until_gone(folders)


def test_an_interrupt_waits_until_what_was_asked_is_known() -> None:
    before = signal.getsignal(signal.SIGINT)
    with _interrupts_held() as held:
        signal.raise_signal(signal.SIGINT)
        assert held == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is before


def test_of_takes_that_were_made_twice_the_last_counts() -> None:
    made = ((1, "a", "old"), (2, "b", "best"), (1, "a", "next"), (1, "c", "stronger"))
    takes = [{"seed": seed, "spec_digest": digest, "path": path} for seed, digest, path in made]
    assert [take["path"] for take in _newest(takes)] == ["best", "next", "stronger"]

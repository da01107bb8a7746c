"""The rules of every test run: repeatable, offline, and nothing unexpected passes in silence."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections.abc import Iterator

import hypothesis
import pytest

# Sums of floats depend on the number of threads: let it be the same everywhere. Child processes inherit all.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# A shell's background jobs ignore Ctrl-C, and so would every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: how fast a machine is must not decide whether a test passes.
hypothesis.settings.register_profile(
    "project", deadline=None, derandomize="CI" in os.environ, print_blob=True
)
hypothesis.settings.load_profile("project")


@pytest.fixture(autouse=True)
def _no_unexpected_log(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    if request.node.get_closest_marker("expects_log"):
        return
    records = caplog.get_records("setup") + caplog.get_records("call")
    troubles = [f"{one.name}: {one.getMessage()}" for one in records if one.levelno >= logging.WARNING]
    if troubles:
        pytest.fail(f"unexpected in the log (mark the test expects_log if it means to): {troubles}", False)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give this process, and what it starts from now on, an X server that nobody sees."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL) as server:
        os.close(write)
        with os.fdopen(read) as display:
            monkeypatch.setenv("DISPLAY", f":{display.readline().strip()}")
        yield
        server.terminate()

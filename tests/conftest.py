"""The rules of every test run: repeatable, offline, and nothing unexpected passes in silence."""

from __future__ import annotations

import fcntl
import gc
import itertools
import logging
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import hypothesis
import pytest

# Sums of floats depend on the number of threads: let it be the same everywhere. One, since threads that
# spin while they wait for each other slow down whatever runs beside them. Child processes inherit all.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What librosa compiles runs for a moment only, and is not for those who measure with it.
os.environ.setdefault("NUMBA_OPT", "0")
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "numba"))
# Hundreds of child processes import the same modules: let the first one compile them for all.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Nowhere: without any, a plug-in's window would open on :0, be it a user's or that of a test beside this one.
os.environ["DISPLAY"] = ":59999"

# A shell's background jobs ignore Ctrl-C, and so would every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: how fast a machine is must not decide whether a test passes.
hypothesis.settings.register_profile(
    "project", deadline=None, derandomize="CI" in os.environ, print_blob=True
)
hypothesis.settings.load_profile("project")

_TESTS = itertools.count(1)
_TESTS_TO_A_WHOLE_SWEEP = 200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, lest one worker of a parallel run be left alone with it at the end."""
    items.sort(key=lambda item: not _takes_long(item))


def _takes_long(item: pytest.Item) -> bool:
    return item.nodeid.startswith("tests/end2end/") or item.get_closest_marker("takes_long") is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let a test in real time have the machine for itself, with all that its fixtures start."""
    with _room_of(item), _swept():
        return (yield)


@contextmanager
def _swept() -> Iterator[None]:
    """Collect what a test leaves in this thread: another would crash with what is Qt's."""
    gc.disable()
    try:
        yield
    finally:
        oldest = next(_TESTS) % _TESTS_TO_A_WHOLE_SWEEP == 0
        gc.collect(2 if oldest else 1)


def _room_of(item: pytest.Item) -> AbstractContextManager[None]:
    if not hasattr(item.config, "workerinput"):
        return nullcontext()
    shared = Path(item.config.option.basetemp).parent
    return _room(shared, fcntl.LOCK_EX if item.get_closest_marker("real_time") else fcntl.LOCK_SH)


@contextmanager
def _room(folder: Path, how: int) -> Iterator[None]:
    """Enter a room of many or of one; who waits to be alone in it stands in the door meanwhile."""
    with (folder / "room.lock").open("w") as room:
        with (folder / "door.lock").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(room, how)
        try:
            yield
        finally:
            # Whatever the test has forked and left would keep it shut.
            fcntl.flock(room, fcntl.LOCK_UN)


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

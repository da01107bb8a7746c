"""A script of ours inside the model of its host: commands in, what happens out."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

MODELS = Path(__file__).parent
# For a machine that is busy with something else.
WAIT_S = 300.0

Event = dict[str, Any]
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="not installed: nodejs")


class ModelledHost:
    """A running model; all that it tells is kept in `events`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        self._seen = 0
        self.events: list[Event] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def do(self, **commands: Any) -> None:
        """Send commands, as of a user or of the host."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(commands) + "\n")
        self._process.stdin.flush()

    def next(self, holds: Callable[[Event], bool], what: str) -> Event:
        """Return the next event that fits, after those that were returned before."""
        deadline_s = time.monotonic() + WAIT_S
        while True:
            for place in range(self._seen, len(self.events)):
                if holds(self.events[place]):
                    self._seen = place + 1
                    return self.events[place]
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"waited in vain for {what}; it told {self.events[-12:]}"
            self._take(min(left_s, 1.0))

    def told(self, key: str, containing: str = "") -> Any:
        """Return what comes next under a key, with a text in it."""
        event = self.next(
            lambda one: key in one and containing in str(one[key]), f"{key} with {containing!r}"
        )
        return event[key]

    def until_all(self, key: str, expected: list[Any]) -> None:
        """Wait until what was told under a key is this, before or after other events."""
        deadline_s = time.monotonic() + WAIT_S
        while self.all(key) != expected:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"told {self.all(key)} under {key}, not {expected}"
            self._take(min(left_s, 1.0))

    def all(self, key: str) -> list[Any]:
        return [event[key] for event in self.events if key in event]

    def require_clean(self) -> None:
        """Require that the script did nothing that the host does not declare, and did not crash."""
        wrong = [event for event in self.events if {"violation", "crash"} & set(event)]
        assert not wrong, wrong

    def hear_out(self) -> None:
        """Wait for the last word of a model that was ended."""
        self._thread.join(WAIT_S)

    def _take(self, timeout_s: float) -> None:
        try:
            self.events.append(json.loads(self._lines.get(timeout=timeout_s)))
        except queue.Empty:
            assert self._process.poll() is None, f"the model ended: {self.events[-5:]}"

    def join(self) -> None:
        """Wait until all that the model said is read; it must have ended."""
        self._thread.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)


@contextmanager
def modelled_host(model: str, script: Path, *arguments: str) -> Iterator[ModelledHost]:
    """Run a script in a model; at the end nothing undeclared may have happened."""
    with subprocess.Popen(
        ["node", str(MODELS / model), str(script), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        running = ModelledHost(process)
        try:
            running.told("ready")
            yield running
            running.require_clean()
        finally:
            process.kill()
            running.hear_out()
            # Before its output is closed, which is still being read.
            running.join()

"""A plug-in process as its parent sees it: started, asked, watched, ended. POSIX and Windows."""

from __future__ import annotations

import collections
import contextlib
import logging
import math
import os
import queue
import secrets
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from engine.errors import Cancelled, EngineError, PluginCrash, PluginTimeout
from engine.fx.values import Step
from engine.fx.wire import Message, error_of, from_line, to_line

_PACKAGES = Path(__file__).resolve().parents[2]
# How often a waiting parent looks whether it was cancelled, and whether its child is still there.
_LOOK_S = 0.02
_END_S = 0.5
_CHATTER_BYTES = 4_096
# In the environment of a child and of all that its plug-ins start, so that these are found again.
_MARK = "DAW_BRIDGE_PLUGIN_HOST"
_LOG = logging.getLogger(__name__)
_DOING = {Step.LOAD: "loading", Step.PROCESS: "processing", Step.EDIT: "showing its window"}

IsCancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLimits:
    """Seconds on the clock.

    load_s is for each plug-in; process_s for each effect, and process_ratio times the sound's length more.
    cancel_s is how long a cancelled child may take before it is ended.
    """

    start_s: float = 30.0
    load_s: float = 20.0
    process_s: float = 30.0
    process_ratio: float = 2.0
    cancel_s: float = 0.1

    def of_steps(self, sound_s: float) -> dict[Step, float]:
        """Return the limit of each step; a window may stay open."""
        return {Step.LOAD: self.load_s, Step.PROCESS: self.process_s + self.process_ratio * sound_s}


class Child:
    """One process of `engine.fx.host_process`, or of another program that speaks as it does."""

    def __init__(self, limits: HostLimits, descriptor: int = -1) -> None:
        self._limits = limits
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._chatter: collections.deque[bytes] = collections.deque(maxlen=16)
        self._is_ready = False
        self._is_over = threading.Event()
        self._mark = f"{_MARK}={secrets.token_hex(16)}"
        self._process = _started(descriptor, self._mark)
        self._threads = [
            _reader(self._process.stdout, self._take_answers),
            _reader(self._process.stderr, self._take_chatter),
        ]

    @property
    def is_alive(self) -> bool:
        return not _has_ended(self._process)

    def ask(
        self,
        request: Message,
        limits_s: dict[Step, float],
        cancelled: IsCancelled,
        cancel_s: float | None = None,
    ) -> Any:
        """Return the answer to a request; after any error but one that the child told, it has ended.

        Raises:
            PluginCrash: the child ended.
            PluginTimeout: a step did not finish in its time.
            Cancelled: it did not stop in cancel_s after it was cancelled.
            EngineError: what the child told, which may be one of these too.
        """
        self._send({**request, "limits_s": {step.value: limit_s for step, limit_s in limits_s.items()}})
        # What is done between two steps has the time of the first one.
        first_s = self._limits.start_s + (max(limits_s.values()) if self._is_ready else 0.0)
        watch = _Watch(first_s, limits_s, self._limits.cancel_s if cancel_s is None else cancel_s)
        while True:
            answer = self._next(watch, cancelled)
            if "ready" in answer:
                self._is_ready = True
            elif "at" in answer:
                watch.begin(Step(answer["at"]["step"]), answer["at"]["title"])
            elif "fail" in answer:
                raise error_of(answer["fail"])
            elif "done" in answer:
                return answer["done"]

    def end(self) -> None:
        """End the process and whatever its plug-ins started; nothing of it is left afterwards."""
        with contextlib.suppress(OSError):
            _pipe(self._process.stdin).close()
        self._wait(_END_S)
        _kill_group(self._process)
        self._process.wait()
        _kill_marked(self._mark)
        self._is_over.set()
        for thread in self._threads:
            thread.join(_END_S)
        for stream in (self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError, ValueError):
                _pipe(stream).close()

    def _next(self, watch: _Watch, cancelled: IsCancelled) -> Message:
        while True:
            line = self._line()
            if line == b"" and not self.is_alive:
                # Its last words may be on their way, but a plug-in's own child may keep the pipe open.
                line = self._line(_END_S) or None
            if line is None:
                raise self._crash(watch)
            with contextlib.suppress(ValueError):
                if line:
                    return from_line(line)
            if watch.is_over:
                self._kill_now()
                raise watch.lateness()
            if not watch.is_cancelled and cancelled():
                watch.cancel()
                self._send({"op": "cancel"})

    def _line(self, wait_s: float = _LOOK_S) -> bytes | None:
        """Return an answer, empty where there is none yet, None where there will be none."""
        try:
            return self._answers.get(timeout=wait_s)
        except queue.Empty:
            return b""

    def _crash(self, watch: _Watch) -> EngineError:
        self._kill_now()
        chatter = b"".join(self._chatter)[-_CHATTER_BYTES:].decode("utf-8", "replace").strip()
        if chatter:
            _LOG.info("the last words of the plug-in host:\n%s", chatter)
        return watch.crash(self._process.returncode)

    def _kill_now(self) -> None:
        _kill_group(self._process)
        self._process.wait()

    def _send(self, message: Message) -> None:
        stream = _pipe(self._process.stdin)
        # One that has ended is noticed when its answer is waited for.
        with contextlib.suppress(OSError):
            stream.write(to_line(message))
            stream.flush()

    def _wait(self, most_s: float) -> None:
        until_s = time.monotonic() + most_s
        while self.is_alive and time.monotonic() < until_s:
            self._line()

    def _take_answers(self, stream: IO[bytes]) -> None:
        rest = b""
        for piece in self._pieces(stream):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._answers.put(line + b"\n")
        self._answers.put(None)

    def _take_chatter(self, stream: IO[bytes]) -> None:
        """Keep the end of what plug-ins print; one that prints for ever must neither wait nor fill a disk."""
        for piece in self._pieces(stream):
            self._chatter.append(piece[-_CHATTER_BYTES:])

    def _pieces(self, stream: IO[bytes]) -> Iterator[bytes]:
        """Yield what comes until the end; what a plug-in has started may keep a pipe open for ever."""
        with selectors.DefaultSelector() as selector:
            # Windows cannot wait for pipes, and has no fork.
            if hasattr(os, "fork"):
                selector.register(stream, selectors.EVENT_READ)
            while True:
                while selector.get_map() and not selector.select(_LOOK_S):
                    if self._is_over.is_set():
                        return
                piece = os.read(stream.fileno(), 65_536)
                if not piece:
                    return
                yield piece


class _Watch:
    """What a child is at, and until when it may be."""

    def __init__(self, first_limit_s: float, limits_s: dict[Step, float], cancel_s: float) -> None:
        self._limits_s, self._cancel_s = limits_s, cancel_s
        self._step: Step | None = None
        self._title = ""
        self._cancel_until_s = math.inf
        self._allow(first_limit_s)

    @property
    def is_over(self) -> bool:
        return time.monotonic() > min(self._until_s, self._cancel_until_s)

    @property
    def is_cancelled(self) -> bool:
        return self._cancel_until_s < math.inf

    def begin(self, step: Step, title: str) -> None:
        self._step, self._title = step, title
        self._allow(self._limits_s.get(step, math.inf))

    def cancel(self) -> None:
        self._cancel_until_s = time.monotonic() + self._cancel_s

    def lateness(self) -> EngineError:
        """Return what to say of a child that did not finish in its time."""
        if self.is_cancelled:
            return Cancelled("the effects were cancelled")
        hint = "Take it out of the chain, or allow it more time."
        if self._step is None:
            return PluginTimeout(f"the plug-in host did not start in {self._limit_s:g} s", "Try again.")
        what = f"did not finish {_DOING[self._step]} in {self._limit_s:g} s"
        return PluginTimeout(f"{self._title} {what}", hint)

    def crash(self, code: int) -> EngineError:
        """Return what to say of a child that ended by itself."""
        if self._step is None:
            return EngineError(f"the plug-in host {_ended_how(code)} before it was asked", "Try again.")
        what = f"{_ended_how(code)} while {_DOING[self._step]}"
        return PluginCrash(f"{self._title} {what}", "Take it out of the chain, or install it anew.")

    def _allow(self, limit_s: float) -> None:
        self._limit_s, self._until_s = limit_s, time.monotonic() + limit_s


def _started(descriptor: int, mark: str) -> subprocess.Popen[bytes]:
    # -P: a folder named like a package of ours, where the user happens to be, must not be taken for it.
    command = [sys.executable, "-P", "-m", "engine.fx.host_process", str(descriptor)]
    paths = (str(_PACKAGES), os.environ.get("PYTHONPATH", ""))
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A group of its own: it is ended with all that plug-ins have started, and Ctrl-C does not reach it.
        start_new_session=True,
        pass_fds=() if descriptor < 0 else (descriptor,),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path), **_pair(mark)},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _reader(stream: IO[bytes] | None, take: Callable[[IO[bytes]], None]) -> threading.Thread:
    def read() -> None:
        with contextlib.suppress(OSError, ValueError):
            take(_pipe(stream))

    thread = threading.Thread(target=read, name="plug-in host", daemon=True)
    thread.start()
    return thread


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell without reaping it: until then its number, which is that of its group, is nobody else's."""
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # somebody else in this process has reaped it
        return True


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is not None:
        return
    if not hasattr(os, "killpg"):
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _pair(mark: str) -> dict[str, str]:
    name, _, value = mark.partition("=")
    return {name: value}


def _kill_marked(mark: str) -> None:
    """End what plug-ins have started in sessions of their own; it has the environment of their process."""
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)


def _ended_how(code: int) -> str:
    if code >= 0:
        return f"ended its process with code {code}"
    return {
        "SIGSEGV": "crashed (segmentation fault)",
        "SIGABRT": "gave up (abort)",
        "SIGBUS": "crashed (bus error: its file may be damaged)",
        "SIGKILL": "was ended from outside, perhaps for lack of memory,",
    }.get(_signal_name(-code), f"crashed ({_signal_name(-code)})")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

"""Audacity's pipe, mod-script-pipe: a line goes in, lines come out, and nothing here waits for ever.

Two named pipes are one conversation. When its client leaves, Audacity removes both and makes them anew.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import select
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from daw_bridge.errors import AudacityBusy, AudacityClosed
from engine.errors import SpecError

OPEN_S = 3.0
# What Audacity reads at once; the rest of a longer line would be another command.
MAX_COMMAND_BYTES = 1022
_LOOK_S = 0.05
_END = re.compile(r"BatchCommand finished: (OK|Failed!)\s*\n\s*\n\Z")
_NOT_THERE = AudacityClosed(
    "Audacity does not answer at its pipe",
    "Start Audacity; its preferences say Enabled for mod-script-pipe under Modules.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipePaths:
    """The two ends as Audacity names them: to it, and from it."""

    to: str
    back: str

    @classmethod
    def of_user(cls) -> PipePaths:
        if sys.platform == "win32":
            return cls(to=r"\\.\pipe\ToSrvPipe", back=r"\\.\pipe\FromSrvPipe")
        # Audacity does not ask for the system's folder of temporary files.
        where = Path("/") / "tmp"
        stem, user = "audacity_script_pipe", os.getuid()
        return cls(to=str(where / f"{stem}.to.{user}"), back=str(where / f"{stem}.from.{user}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Audacity said, without its last line, and whether that says OK."""

    is_ok: bool
    text: str


class Channel(Protocol):
    """Bytes both ways, with deadlines."""

    def send(self, data: bytes, deadline_s: float) -> None:
        """Send all of it; raises AudacityClosed, or AudacityBusy at the deadline."""

    def receive(self, deadline_s: float) -> bytes:
        """Return some bytes, none at the deadline; raises AudacityClosed."""

    def close(self) -> None: ...


class Conversation:
    """Commands and answers, as a context manager.

    A command whose answer is late leaves the conversation open, since Audacity still works on it: late()
    asks for that answer, and nothing else can be asked before it came.
    """

    def __init__(self, paths: PipePaths | None = None, open_s: float = OPEN_S) -> None:
        self._channel = _opened(paths or PipePaths.of_user(), time.monotonic() + open_s)
        self._said = b""
        self.owed = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    def ask(self, command: str, timeout_s: float) -> Answer:
        """Send a command and return its answer.

        Raises:
            AudacityClosed: Audacity ended, or left the conversation.
            AudacityBusy: no answer yet; late() will have it.
            SpecError: a command that is longer than Audacity reads.
        """
        assert not self.owed, "Audacity answers one command after the other"
        deadline_s = time.monotonic() + timeout_s
        self._channel.send(_line(command), deadline_s)
        self._said, self.owed = b"", command
        return self._answer(deadline_s)

    def late(self, timeout_s: float) -> Answer:
        """Return the answer that is owed; raises as ask."""
        return self._answer(time.monotonic() + timeout_s)

    def _answer(self, deadline_s: float) -> Answer:
        while (found := self._found()) is None:
            data = self._channel.receive(deadline_s)
            if not data and time.monotonic() >= deadline_s:
                raise AudacityBusy(
                    f"Audacity has not answered to {self.owed.split(':')[0]}",
                    "If a dialog is open in Audacity, close it.",
                )
            self._said += data
        self.owed = ""
        return found

    def _found(self) -> Answer | None:
        """Return the answer if all of it is there; a character may have come in two pieces."""
        text = self._said.decode("utf-8", "replace").replace("\r", "").replace("\0", "")
        end = _END.search(text)
        return None if end is None else Answer(is_ok=end[1] == "OK", text=text[: end.start()].strip())


def quoted(value: str) -> str:
    """Return a value as a command holds it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _line(command: str) -> bytes:
    data = " ".join(command.split("\n")).encode()
    if len(data) > MAX_COMMAND_BYTES:
        raise SpecError(
            f"Audacity reads commands of at most {MAX_COMMAND_BYTES} bytes, this one has {len(data)}",
            "Use a shorter prompt, or a shorter path.",
        )
    return data + (b"\r\n\0" if sys.platform == "win32" else b"\n")


def _opened(paths: PipePaths, deadline_s: float) -> Channel:
    return _Streams(paths, deadline_s) if sys.platform == "win32" else _Fifos(paths, deadline_s)


class _Fifos:
    """Named pipes of Linux and macOS, which would block for ever where nobody is at the other end."""

    def __init__(self, paths: PipePaths, deadline_s: float) -> None:
        self._to = _fifo_to_write(paths.to, deadline_s)
        try:
            self._back = os.open(paths.back, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            os.close(self._to)
            raise _NOT_THERE from error
        self._was_joined = False

    def send(self, data: bytes, deadline_s: float) -> None:
        while data:
            self._wait(self._to, select.POLLOUT, deadline_s)
            try:
                data = data[os.write(self._to, data) :]
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    raise AudacityBusy(
                        "Audacity reads nothing", "If a dialog is open in it, close it."
                    ) from None
            except OSError as error:
                raise _NOT_THERE from error

    def receive(self, deadline_s: float) -> bytes:
        events = self._wait(self._back, select.POLLIN, deadline_s)
        try:
            data = os.read(self._back, 65_536) if events else b""
        except BlockingIOError:
            return b""
        except OSError as error:
            raise _NOT_THERE from error
        # A pipe whose other end was never opened has an end too, but no hanging up.
        if not data and events & select.POLLHUP:
            raise _NOT_THERE
        return data

    def close(self) -> None:
        for end in (self._to, self._back):
            with contextlib.suppress(OSError):
                os.close(end)

    def _wait(self, end: int, for_what: int, deadline_s: float) -> int:
        poll = select.poll()
        poll.register(end, for_what)
        left_ms = max(0.0, min(_LOOK_S, deadline_s - time.monotonic())) * 1000
        found = poll.poll(left_ms)
        return found[0][1] if found else 0


def _fifo_to_write(path: str, deadline_s: float) -> int:
    """Open it once somebody reads it; raises AudacityClosed at the deadline."""
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            # No such pipe, or nobody at its other end: Audacity makes both anew between two clients.
            if time.monotonic() >= deadline_s:
                raise _NOT_THERE from error
        threading.Event().wait(_LOOK_S)


class _Streams:
    """Named pipes of Windows, opened as files: what blocks there does so in a thread of its own."""

    def __init__(self, paths: PipePaths, deadline_s: float) -> None:
        self._to = _stream(paths.to, "r+b", deadline_s)
        try:
            self._back = _stream(paths.back, "rb", deadline_s)
        except AudacityClosed:
            self._to.close()
            raise
        self._received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="audacity pipe", daemon=True).start()

    def send(self, data: bytes, deadline_s: float) -> None:
        failed: queue.SimpleQueue[OSError | None] = queue.SimpleQueue()
        threading.Thread(target=self._write, args=(data, failed), daemon=True).start()
        try:
            error = failed.get(timeout=max(_LOOK_S, deadline_s - time.monotonic()))
        except queue.Empty:
            raise AudacityBusy("Audacity reads nothing", "If a dialog is open in it, close it.") from None
        if error is not None:
            raise _NOT_THERE from error

    def receive(self, deadline_s: float) -> bytes:
        try:
            data = self._received.get(timeout=max(0.0, min(_LOOK_S, deadline_s - time.monotonic())))
        except queue.Empty:
            return b""
        if not data:
            raise _NOT_THERE
        return data

    def close(self) -> None:
        for stream in (self._to, self._back):
            with contextlib.suppress(OSError):
                stream.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := self._back.read(1024):
                self._received.put(data)
        self._received.put(b"")

    def _write(self, data: bytes, failed: queue.SimpleQueue[OSError | None]) -> None:
        try:
            self._to.write(data)
            failed.put(None)
        except OSError as error:
            failed.put(error)


def _stream(path: str, mode: str, deadline_s: float) -> BinaryIO:
    while True:
        try:
            stream: BinaryIO = open(path, mode, buffering=0)  # type: ignore[assignment]  # noqa: SIM115, PTH123
        except OSError as error:
            if time.monotonic() >= deadline_s:
                raise _NOT_THERE from error
        else:
            return stream
        threading.Event().wait(_LOOK_S)

"""The service of DAW Bridge, asked over TCP without ever waiting: Live calls tick ten times a second."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .osc import FrameDecoder, Message, decode, encode, framed
from .refusal import Refusal

ROOT = "/ldm/1/"
START_S, HELLO_S, ANSWER_S, AGAIN_S = 30.0, 5.0, 30.0, 0.3
_PROTOCOL = 1
_IDLE_S = "600"
_CHUNK = 65_536
_HELLO_RID = "r0"
_HOST = "127.0.0.1"


class Installed(NamedTuple):
    """What the installer wrote beside these files."""

    # What starts the service, e.g. ["/opt/venv/bin/python", "-P", "-m", "daw_bridge"].
    command: list[str]
    # The folder in which a running service says where it is.
    runtime: str
    # Where takes go in a version of Live that lets scripts load no audio.
    user_library: str
    version: str

    @classmethod
    def read(cls, path: Path) -> Installed:
        """Read installed.json."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


if TYPE_CHECKING:
    # Not evaluated, since Live 11 cannot.
    OnAnswer = Callable[[tuple[Any, ...]], None]
    OnRefusal = Callable[[Refusal], None]


class _Asked(NamedTuple):
    packet: bytes
    on_answer: OnAnswer
    on_refusal: OnRefusal
    deadline_s: float


class _Place(NamedTuple):
    port: int
    token: str
    pid: int


class Service:
    """Requests and their answers; after a lost connection what had none is asked again."""

    def __init__(self, installed: Installed, now_s: Callable[[], float] = time.monotonic) -> None:
        self._installed = installed
        self._now_s = now_s
        self._name = f"live-script-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._asked: dict[str, _Asked] = {}
        self._rids = 0
        self._line: _Line | None = None
        self._is_greeted = False
        self._next_try_s = self._hello_until_s = 0.0
        self._has_started = False
        self._tried: _Place | None = None
        self._dead: _Place | None = None
        self._children: list[subprocess.Popen[bytes]] = []

    def ask(self, request: str, args: Sequence[Any], on_answer: OnAnswer, on_refusal: OnRefusal) -> None:
        """Send a request when there is a service; one of the two is called once, in a later tick.

        Asked again after a lost connection it has the same rid, so it is carried out once.
        """
        self._rids += 1
        rid = f"r{self._rids}"
        packet = framed(encode(ROOT + request, [rid, *args]))
        patience_s = ANSWER_S if self._is_greeted else START_S + ANSWER_S
        self._asked[rid] = _Asked(packet, on_answer, on_refusal, self._now_s() + patience_s)
        if self._is_greeted and self._line:
            self._line.send(packet)

    def tick(self) -> None:
        """Do what can be done at once: connect, send, read."""
        self._children = [child for child in self._children if child.poll() is None]
        if self._asked:
            self._keep_connected()
        if self._line is not None:
            for message in self._line.read():
                self._hear(message)
        self._give_up()

    def close(self) -> None:
        """Hang up; what waits for an answer gets none."""
        self._asked.clear()
        self._drop()

    def _keep_connected(self) -> None:
        now_s = self._now_s()
        is_patient = self._is_greeted or now_s <= self._hello_until_s
        if self._line is not None and not self._line.is_lost and is_patient:
            return
        if self._line is not None and not self._is_greeted:
            self._dead = self._tried
        self._drop()
        if now_s < self._next_try_s:
            return
        self._next_try_s, self._hello_until_s = now_s + AGAIN_S, now_s + HELLO_S
        place = self._place()
        # A service that was killed leaves its place behind; one that is just starting has none yet.
        if (place is None or place == self._dead) and not self._has_started:
            self._start()
        if place is None:
            return
        self._tried = place
        self._line = _Line(place.port)
        self._line.send(framed(encode(ROOT + "hello", [_HELLO_RID, self._name, _PROTOCOL, place.token])))

    def _drop(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None
        self._is_greeted = False

    def _place(self) -> _Place | None:
        """Return where the service should be; None where none runs."""
        try:
            info = json.loads((Path(self._installed.runtime) / "service.json").read_text(encoding="utf-8"))
            file = info.get("token_file")
            token = Path(file).read_text(encoding="utf-8").strip() if file else ""
            return _Place(info["tcp_port"], token, info["pid"])
        except (OSError, ValueError, KeyError):
            return None

    def _start(self) -> None:
        self._has_started = True
        # Where Live's own Python lies would mislead another one.
        own = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
        try:
            child = subprocess.Popen(
                [*self._installed.command, "serve", "--idle", _IDLE_S],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=own,
                # No window on Windows, and elsewhere out of reach of what ends Live.
                creationflags=0x08000000 if sys.platform == "win32" else 0,
                start_new_session=sys.platform != "win32",
            )
            self._children.append(child)
        except OSError as error:
            program = self._installed.command[0]
            self._refuse_all(
                Refusal(
                    f"{program} does not start: {error.strerror}.",
                    "Run: daw-bridge install-scripts live",
                )
            )

    def _hear(self, message: Message) -> None:
        if not message.args or not isinstance(message.args[0], str):
            return  # an event of a job begins with a number
        if message.args[0] == _HELLO_RID:
            self._greet(message)
            return
        asked = self._asked.pop(message.args[0], None)
        if asked is None:
            return
        if message.address == ROOT + "fail":
            asked.on_refusal(_refusal(message))
        else:
            # done repeats the request after the rid.
            asked.on_answer(message.args[2 if message.address == ROOT + "done" else 1 :])

    def _greet(self, message: Message) -> None:
        if message.address == ROOT + "fail":
            self._refuse_all(_refusal(message))
            return
        assert self._line is not None and self._tried is not None
        if message.args[4] != self._tried.pid:
            # Somebody else has the port of a service that is gone.
            self._line.close()
            return
        self._is_greeted, self._has_started, self._dead = True, False, None
        for asked in self._asked.values():
            self._line.send(asked.packet)

    def _give_up(self) -> None:
        late = [rid for rid, asked in self._asked.items() if asked.deadline_s < self._now_s()]
        for rid in late:
            told = Refusal(
                "DAW Bridge does not answer.", "Start it in a terminal: daw-bridge serve", "timeout"
            )
            self._asked.pop(rid).on_refusal(told)
        if late and not self._asked:
            self._has_started = False

    def _refuse_all(self, refusal: Refusal) -> None:
        waiting, self._asked = list(self._asked.values()), {}
        for asked in waiting:
            asked.on_refusal(refusal)


def _refusal(message: Message) -> Refusal:
    code, sentence, hint = ([str(argument) for argument in message.args[1:4]] + ["", "", ""])[:3]
    return Refusal(sentence, hint, code)


class _Line:
    """A TCP connection that never blocks."""

    def __init__(self, port: int) -> None:
        self._unsent = b""
        self._frames = FrameDecoder()
        self._is_connected = False
        self.is_lost = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.connect_ex((_HOST, port))

    def send(self, data: bytes) -> None:
        self._unsent += data
        self._write()

    def read(self) -> list[Message]:
        """Return the messages that have come; what cannot be understood is left out."""
        self._write()
        messages = []
        for packet in self._packets():
            try:
                messages.append(decode(packet))
            except ValueError:
                continue
        return messages

    def close(self) -> None:
        self._socket.close()
        self.is_lost = True

    def _write(self) -> None:
        if self.is_lost or not self._can_write():
            return
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :] if self._unsent else b""
        except BlockingIOError:
            return
        except OSError:
            self.is_lost = True

    def _can_write(self) -> bool:
        if self._is_connected:
            return True
        # Windows tells of a refused connection in the third list.
        _, writable, broken = select.select([], [self._socket], [self._socket], 0)
        if broken or (writable and self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
            self.is_lost = True
        self._is_connected = bool(writable) and not self.is_lost
        return self._is_connected

    def _packets(self) -> list[bytes]:
        packets: list[bytes] = []
        while self._is_connected and not self.is_lost:
            try:
                data = self._socket.recv(_CHUNK)
            except BlockingIOError:
                break
            except OSError:
                self.is_lost = True
                break
            self.is_lost = not data
            packets += self._frames.feed(data)
        return packets

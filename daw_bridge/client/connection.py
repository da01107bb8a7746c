"""A connection to the service: requests with their answers, and the events of jobs."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Self, TypeVar

from daw_bridge.errors import ServiceGone, TimedOut, WorkFailed
from daw_bridge.messages.answers import Fail
from daw_bridge.messages.base import PROTOCOL, Answer, Reply, Request
from daw_bridge.messages.connection import Hello, HelloDone
from daw_bridge.messages.reading import parse_reply
from daw_bridge.transport.framing import FrameDecoder, Framing, encode_frame
from daw_bridge.transport.packets import decode_packet, encode_packet
from engine.errors import EngineError, TooLarge
from engine.types import ErrorInfo

CONNECT_S = 5.0
ANSWER_S = 30.0
_CHUNK = 65_536

A = TypeVar("A", bound=Answer)
OnEvent = Callable[[Reply], None]
# None stands for a connection that ended before its service answered.
OnAnswer = Callable[[Answer | None], None]


class Connection:
    """One TCP connection, used from any thread; use it as a context manager.

    In the connection's own thread on_event is called with every reply that is no answer, and on_end once no
    more can come.
    """

    def __init__(
        self,
        host: str,
        port: int,
        on_event: OnEvent,
        *,
        on_end: Callable[[], None] = lambda: None,
        name: str = "",
        token: str = "",
        answer_s: float = ANSWER_S,
    ) -> None:
        self._answer_s = answer_s
        self._name = name or f"client-{os.getpid()}-{secrets.token_hex(4)}"
        self._token = token
        self._on_event = on_event
        self._on_end = on_end
        self._rids = itertools.count(1)
        self._waiting: dict[str, OnAnswer] = {}
        self._lock = threading.Lock()
        self._is_open = True
        self._greeting: HelloDone | None = None
        self.host, self.port = host, port
        self._socket = _connected(host, port)
        self._reader = threading.Thread(target=self._read, name="service events", daemon=True)

    @property
    def is_open(self) -> bool:
        """Tell whether the service has not been lost yet, as far as is known."""
        return self._is_open

    @property
    def greeting(self) -> HelloDone:
        """Return what the service said of itself when it was entered."""
        assert self._greeting is not None, "the connection was not entered"
        return self._greeting

    def __enter__(self) -> Self:
        self._reader.start()
        try:
            self._greeting = self.ask(Hello(rid="-", client=self._name, protocol=PROTOCOL, token=self._token))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._reader.is_alive():
            self._reader.join(CONNECT_S)
        self._socket.close()

    def ask(self, request: Request, timeout_s: float | None = None) -> Any:
        """Send a request under an id of its own and return its answer, of the class that the request names.

        timeout_s is how long to wait for it, answer_s of the connection where it is None.

        Raises:
            WorkFailed: the service refused; its info is what it said.
            ServiceGone: the connection is lost.
            TimedOut: no answer in time.
        """
        patience_s = self._answer_s if timeout_s is None else timeout_s
        answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        rid = self.ask_later(request, answers.put)
        try:
            return answered(answers.get(timeout=patience_s))
        except queue.Empty:
            raise no_answer(patience_s) from None
        finally:
            self.forget(rid)

    def ask_later(
        self, request: Request, on_answer: OnAnswer, on_rid: Callable[[str], None] = lambda _: None
    ) -> str:
        """Send a request; on_answer gets its answer in the connection's own thread. Returns the request's id.

        on_rid gets that id before anything is sent: its progress may come before this returns.

        Raises:
            ServiceGone: the connection is lost; on_answer is not called.
        """
        rid = str(next(self._rids))
        with self._lock:
            self._waiting[rid] = on_answer
        on_rid(rid)
        try:
            self._send(replace(request, rid=rid))
        except BaseException:
            self.forget(rid)
            raise
        return rid

    def forget(self, rid: str) -> bool:
        """Wait for an answer no longer; return whether it had not come yet."""
        with self._lock:
            return self._waiting.pop(rid, None) is not None

    def _send(self, request: Request) -> None:
        frame = encode_frame(encode_packet(*request.format()), Framing.SLIP)
        try:
            with self._lock:
                if not self._is_open:
                    raise _gone()
                self._socket.sendall(frame)
        except OSError as error:
            raise _gone() from error

    def _read(self) -> None:
        try:
            for reply in _replies(self._socket):
                self._take(reply)
        finally:
            with self._lock:
                self._is_open = False
                waiting, self._waiting = self._waiting, {}
            for on_answer in waiting.values():
                on_answer(None)
            self._on_end()

    def _take(self, reply: Reply) -> None:
        if not isinstance(reply, Answer):
            self._on_event(reply)
            return
        with self._lock:
            on_answer = self._waiting.pop(reply.rid, None)
        if on_answer is not None:
            on_answer(reply)


def answered(answer: Answer | None) -> Any:
    """Return an answer that tells of no failure.

    Raises:
        WorkFailed: the service refused; its info is what it said.
        ServiceGone: there will be none.
    """
    if answer is None:
        raise _gone()
    if isinstance(answer, Fail):
        raise WorkFailed(ErrorInfo(code=answer.code, message=answer.message, hint=answer.hint))
    return answer


def no_answer(timeout_s: float) -> TimedOut:
    return TimedOut(f"the service did not answer within {timeout_s:g} s", "Try again.")


def _connected(host: str, port: int) -> socket.socket:
    try:
        found = socket.create_connection((host, port), timeout=CONNECT_S)
    except OSError as error:
        raise ServiceGone(
            f"the service at {host} port {port} cannot be reached: {error.strerror or error}",
            "Start it: daw-bridge serve.",
        ) from error
    # For sending: a service that takes nothing any more must not hold its client for ever.
    found.settimeout(ANSWER_S)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _replies(connection: socket.socket) -> Iterator[Reply]:
    """Yield what the service sends until the connection ends; what a newer service adds is left out."""
    decoder = FrameDecoder()
    with contextlib.suppress(OSError):
        while data := _received(connection):
            for frame in decoder.feed(data):
                if isinstance(frame, TooLarge):
                    continue
                with contextlib.suppress(EngineError):
                    for message in decode_packet(frame):
                        yield parse_reply(message.address, message.args)


def _received(connection: socket.socket) -> bytes:
    """Return the next bytes, however long they take to come; none when there will be no more."""
    while True:
        with contextlib.suppress(TimeoutError):
            return connection.recv(_CHUNK)


def _gone() -> ServiceGone:
    return ServiceGone(
        "the connection to the service is lost", "Its jobs go on at its next start: daw-bridge history list."
    )

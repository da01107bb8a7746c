"""The threads of a link: they find, greet and lose services, ask them and hear them; nothing here is Qt's."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from daw_bridge.client.connection import Connection
from daw_bridge.client.finding import find_or_start
from daw_bridge.client.greeting import connection_to
from daw_bridge.errors import ServiceGone
from daw_bridge.messages.answers import Progress
from daw_bridge.messages.base import Answer, Reply, Request
from daw_bridge.messages.connection import Notify
from daw_bridge.messages.service import EngineEnding
from daw_bridge.service.config import Folders
from engine.errors import EngineError
from engine.types import ErrorCode, ErrorInfo
from ui.connection.status import Engine, LinkState, Remote

RETRY_S = 1.0
# A service that refuses will do so again until somebody changes something.
RETRY_REFUSED_S = 5.0
GONE = ErrorInfo(
    code=ErrorCode.TIMEOUT, message="the engine is not there", hint="The panel looks for it; wait a moment."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The line is in another state; engine is the one that was met."""

    state: LinkState
    error: ErrorInfo | None = None
    engine: Engine | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The service told something that is no answer."""

    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request is under way; forget calls it off."""

    ticket: int
    forget: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request could not be sent."""

    ticket: int
    error: ErrorInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    ticket: int
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """answer is None where the service was lost before there was one."""

    ticket: int
    answer: Answer | None


News = Changed | Heard | Sent | Refused | Progressed | Answered


class Line:
    """Asks the service and brings what comes of it, from its own threads."""

    def __init__(self, folders: Folders, remote: Remote | None, bring: Callable[[News], None]) -> None:
        self._folders, self._remote, self._bring = folders, remote, bring
        self._state = LinkState.SEARCHING
        self._error: ErrorInfo | None = None
        self._connection: Connection | None = None
        self._was_stopped = False
        self._is_closed = False
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._tickets: dict[str, int] = {}

    def start(self) -> None:
        for work, name in ((self._find, "engine link"), (self._send, "engine requests")):
            threading.Thread(target=work, name=name, daemon=True).start()

    def close(self) -> None:
        """Leave the service; its threads end by themselves."""
        self._is_closed = True
        self._wake.set()
        self._ended.set()
        self._orders.put(None)
        if (connection := self._connection) is not None:
            connection.close()

    def look_again(self) -> None:
        """Look for a service now, also after one that was stopped on purpose."""
        self._wake.set()

    def ask(self, ticket: int, request: Request) -> None:
        """Send a request to the service that is there now."""
        self._orders.put(partial(self._ask_now, self._connection, ticket, request))

    def _send(self) -> None:
        while (order := self._orders.get()) is not None:
            order()

    def _ask_now(self, connection: Connection | None, ticket: int, request: Request) -> None:
        if connection is None:
            self._bring(Refused(ticket=ticket, error=GONE))
            return

        def finish(answer: Answer | None) -> None:
            if answer is not None:
                self._tickets.pop(answer.rid, None)
            self._bring(Answered(ticket=ticket, answer=answer))

        def remember(rid: str) -> None:
            self._tickets[rid] = ticket

        try:
            rid = connection.ask_later(request, finish, remember)
        except EngineError as error:
            self._bring(Refused(ticket=ticket, error=error.info))
            return
        self._bring(Sent(ticket=ticket, forget=partial(self._forget, connection, rid)))

    def _forget(self, connection: Connection, rid: str) -> None:
        if connection.forget(rid):
            self._tickets.pop(rid, None)

    def _find(self) -> None:
        while not self._is_closed:
            self._wake.clear()
            pause_s = self._meet()
            if self._is_closed:
                return
            self._wake.wait(pause_s)
            if not self._is_closed and self._state is not LinkState.SEARCHING:
                self._tell(LinkState.SEARCHING, self._error)

    def _meet(self) -> float | None:
        """Connect and stay until the service is lost; return how long to wait then, None for until told."""
        self._ended.clear()
        self._was_stopped = False
        try:
            connection, engine = self._greeted()
        except ServiceGone as error:
            self._tell(LinkState.LOST, error.info)
            return RETRY_S
        except EngineError as error:
            self._tell(LinkState.REFUSED, error.info)
            return RETRY_REFUSED_S
        # Each connection counts its requests anew.
        self._tickets.clear()
        self._connection = connection
        self._tell(LinkState.READY, None, engine)
        self._ended.wait()
        self._connection = None
        connection.close()
        if self._is_closed:
            return None
        self._tell(LinkState.STOPPED if self._was_stopped else LinkState.LOST, _lost(self._was_stopped))
        return None if self._was_stopped else 0.0

    def _tell(self, state: LinkState, error: ErrorInfo | None, engine: Engine | None = None) -> None:
        self._state, self._error = state, error
        self._bring(Changed(state=state, error=error, engine=engine))

    def _greeted(self) -> tuple[Connection, Engine]:
        connection = self._connected()
        connection.__enter__()
        try:
            connection.ask(Notify(rid="-", on=True))
        except BaseException:
            connection.close()
            raise
        hello = connection.greeting
        address = f"{connection.host}:{connection.port}"
        return connection, Engine(
            version=hello.version,
            is_remote=self._remote is not None,
            address=address,
            capabilities=hello.capabilities,
        )

    def _connected(self) -> Connection:
        if self._remote is None:
            return connection_to(find_or_start(self._folders), self._hear, self._ended.set)
        return Connection(
            self._remote.host,
            self._remote.port,
            self._hear,
            on_end=self._ended.set,
            token=_token(self._remote),
        )

    def _hear(self, reply: Reply) -> None:
        if isinstance(reply, EngineEnding):
            self._was_stopped = True
        if isinstance(reply, Progress) and (ticket := self._tickets.get(reply.rid)) is not None:
            self._bring(Progressed(ticket=ticket, progress=reply))
        else:
            self._bring(Heard(reply=reply))


def _lost(was_stopped: bool) -> ErrorInfo:
    if was_stopped:
        return ErrorInfo(
            code=ErrorCode.TIMEOUT,
            message="the engine was stopped; what it had accepted waits for its next start",
            hint="Start it again to go on.",
        )
    return ErrorInfo(
        code=ErrorCode.TIMEOUT,
        message="the engine is gone; its jobs go on once it is back",
        hint="The panel starts it again by itself.",
    )


def _token(remote: Remote) -> str:
    with suppress(OSError, ValueError):
        if remote.token_file is not None:
            return remote.token_file.read_text(encoding="utf-8").strip()
    return ""

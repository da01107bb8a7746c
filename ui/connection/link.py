"""The one connection of a panel: its threads find, greet and lose services; nothing blocks its caller."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from daw_bridge.client.connection import ANSWER_S, Connection, answered, no_answer
from daw_bridge.client.finding import find_or_start
from daw_bridge.client.greeting import connection_to
from daw_bridge.errors import ServiceGone
from daw_bridge.messages.answers import Progress
from daw_bridge.messages.base import Answer, Reply, Request
from daw_bridge.messages.connection import Notify
from daw_bridge.messages.service import EngineEnding
from daw_bridge.service.config import VERSION, Folders
from engine.errors import EngineError
from engine.types import ErrorCode, ErrorInfo
from ui.connection.status import FOLLOWERS, Engine, LinkState, LinkStatus, Remote

RETRY_S = 1.0
# A service that refuses will do so again until somebody changes something.
RETRY_REFUSED_S = 5.0
LONG_S = 86_400.0
_GONE = ErrorInfo(
    code=ErrorCode.TIMEOUT, message="the engine is not there", hint="The panel looks for it; wait a moment."
)

OnAnswer = Callable[[Any], None]
OnFail = Callable[[ErrorInfo], None]
OnProgress = Callable[[Progress], None]


def _ignore(_: Any) -> None:
    return None


class Link(QObject):
    """Asks the service and hears it; every signal and callback comes in the thread that made the link."""

    status_changed = pyqtSignal()
    heard = pyqtSignal(object)
    failed = pyqtSignal(object)
    _posted = pyqtSignal(object)

    def __init__(self, folders: Folders, remote: Remote | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folders = folders
        self._remote = remote
        self._status = LinkStatus(state=LinkState.SEARCHING)
        self._connection: Connection | None = None
        self._was_stopped = False
        self._is_closed = False
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._progress: dict[str, OnProgress] = {}
        self._posted.connect(self._do)
        self._finder = threading.Thread(target=self._find, name="engine link", daemon=True)
        self._sender = threading.Thread(target=self._send, name="engine requests", daemon=True)

    @property
    def status(self) -> LinkStatus:
        return self._status

    @property
    def folders(self) -> Folders:
        return self._folders

    def start(self) -> None:
        self._finder.start()
        self._sender.start()

    def close(self) -> None:
        """Leave the service; nothing is told any more."""
        self._is_closed = True
        self._wake.set()
        self._ended.set()
        self._orders.put(None)
        if (connection := self._connection) is not None:
            connection.close()

    def look_again(self) -> None:
        """Look for a service now, also after one that was stopped on purpose."""
        self._wake.set()

    def ask(
        self,
        request: Request,
        on_answer: OnAnswer = _ignore,
        on_fail: OnFail | None = None,
        *,
        timeout_s: float = ANSWER_S,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Ask the service; one of the two is called once, later. Without on_fail, failed tells it.

        A link that was closed calls neither.
        """
        if self._is_closed:
            return
        told = self.failed.emit if on_fail is None else on_fail
        connection = self._connection
        if connection is None or not self._status.is_ready:
            self._call_later(0, partial(told, self._status.error or _GONE))
            return
        self._orders.put(partial(self._ask_now, connection, request, on_answer, told, timeout_s, on_progress))

    def _ask_now(
        self,
        connection: Connection,
        request: Request,
        on_answer: OnAnswer,
        on_fail: OnFail,
        timeout_s: float,
        on_progress: OnProgress | None,
    ) -> None:
        def finish(answer: Answer | None) -> None:
            self._post(partial(self._settle, answer, on_answer, on_fail))

        def listen(rid: str) -> None:
            if on_progress is not None:
                self._progress[rid] = on_progress

        try:
            rid = connection.ask_later(request, finish, listen)
        except EngineError as error:
            self._post(partial(on_fail, error.info))
            return
        self._post(partial(self._give_up_later, connection, rid, on_fail, timeout_s))

    def _give_up_later(self, connection: Connection, rid: str, on_fail: OnFail, timeout_s: float) -> None:
        def give_up() -> None:
            if connection.forget(rid):
                self._progress.pop(rid, None)
                on_fail(no_answer(timeout_s).info)

        self._call_later(int(timeout_s * 1000), give_up)

    def _call_later(self, delay_ms: int, work: Callable[[], None]) -> None:
        """Do work later, unless the link is gone by then: what it tells is told by the link's own signals."""
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(partial(self._do, work))
        timer.timeout.connect(timer.deleteLater)
        timer.start(delay_ms)

    def _settle(self, answer: Answer | None, on_answer: OnAnswer, on_fail: OnFail) -> None:
        if isinstance(answer, Answer):
            self._progress.pop(answer.rid, None)
        try:
            found = answered(answer)
        except EngineError as error:
            on_fail(error.info)
            return
        on_answer(found)

    def _send(self) -> None:
        while (order := self._orders.get()) is not None:
            order()

    def _find(self) -> None:
        while not self._is_closed:
            self._wake.clear()
            pause_s = self._meet()
            if self._is_closed:
                return
            self._wake.wait(pause_s)
            if not self._is_closed and self._status.state is not LinkState.SEARCHING:
                self._tell(LinkState.SEARCHING, self._status.error)

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
        self._progress.clear()
        self._connection = connection
        self._tell(LinkState.READY, None, engine)
        self._ended.wait()
        self._connection = None
        connection.close()
        if self._is_closed:
            return None
        self._tell(LinkState.STOPPED if self._was_stopped else LinkState.LOST, _lost(self._was_stopped))
        return None if self._was_stopped else 0.0

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
        if isinstance(reply, Progress) and (on_progress := self._progress.get(reply.rid)) is not None:
            self._post(partial(on_progress, reply))
            return
        self._post(partial(self.heard.emit, reply))

    def _tell(self, state: LinkState, error: ErrorInfo | None, engine: Engine | None = None) -> None:
        self._post(partial(self._change, state, error, engine))

    def _change(self, state: LinkState, error: ErrorInfo | None, engine: Engine | None) -> None:
        assert state in FOLLOWERS[self._status.state] or state is self._status.state, (
            f"{self._status.state.value} is not followed by {state.value}"
        )
        known = engine or self._status.engine
        self._status = replace(self._status, state=state, error=error, engine=known)
        self.status_changed.emit()

    def _do(self, work: Callable[[], None]) -> None:
        # Who asked a link that is closed may be gone, and Qt calls what is gone all the same.
        if not self._is_closed:
            work()

    def _post(self, work: Callable[[], None]) -> None:
        """Let work be done in the link's own thread; what comes after its end is for nobody."""
        if not self._is_closed:
            with suppress(RuntimeError):
                self._posted.emit(work)


def is_of_another_version(engine: Engine) -> bool:
    """Tell whether the service is of another version of this program, as after an update."""
    return engine.version != VERSION


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

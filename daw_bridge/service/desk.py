"""Where requests arrive: each is read, allowed, carried out once and answered exactly once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from daw_bridge.errors import NotAuthorised
from daw_bridge.messages.answers import Fail
from daw_bridge.messages.base import Answer, Reply, Request
from daw_bridge.messages.connection import Hello, Ping, Pong, Sync, Synced
from daw_bridge.messages.reading import parse_request, rid_of
from daw_bridge.service.ledger import AnswerLedger
from daw_bridge.service.session import Session
from daw_bridge.transport.packets import OscMessage
from engine.errors import EngineError
from engine.types import ErrorCode, ErrorInfo

MAX_DELAY_S = 3600.0
MAX_DELAYED = 1_000
MAX_PENDING = 1_000
MAX_REFUSED = 10

Outcome = Awaitable[Reply | None] | Reply | None
Handler = Callable[[Session, Any], Outcome]
Handlers = Mapping[type[Request], Handler]
_LOG = logging.getLogger(__name__)


class Desk:
    """Answers requests by the handlers of their classes."""

    def __init__(self, handlers: Handlers, clock: Callable[[], float] = time.monotonic) -> None:
        self._handlers = handlers
        self._ledger = AnswerLedger()
        self._clock = clock
        self._delayed = 0

    def receive(self, session: Session, messages: Sequence[OscMessage]) -> None:
        """Carry out the messages of a packet, those of a bundle with a later time when it has come."""
        session.seen_s = self._clock()
        refused = 0
        for message in messages:
            if refused == MAX_REFUSED:
                # One packet must not draw a thousand.
                return
            delay_s = 0.0 if message.due_s is None else message.due_s - time.time()
            if delay_s > 0 and self._delayed < MAX_DELAYED:
                self._delayed += 1
                loop = asyncio.get_running_loop()
                loop.call_later(min(delay_s, MAX_DELAY_S), self._receive_delayed, session, message)
            else:
                refused += not self._receive_one(session, message)

    def refuse(self, session: Session, error: EngineError, rid: str = "") -> None:
        """Answer bytes that could not be read."""
        session.peer.send(Fail.of(rid, error.info))

    def forget(self, session: Session) -> None:
        """Let go of a client that will not come back."""
        if not session.name:
            self._ledger.forget(session.key)

    def _receive_delayed(self, session: Session, message: OscMessage) -> None:
        self._delayed -= 1
        self._receive_one(session, message)

    def _receive_one(self, session: Session, message: OscMessage) -> bool:
        """Carry out a message; False for one that could not be read or is not allowed."""
        try:
            request = parse_request(message.address, message.args)
            _require_allowed(session, request)
        except EngineError as error:
            self.refuse(session, error, rid_of(message.args))
            return False
        if isinstance(request, Ping):
            # Neither remembered nor queued: many are sent, and a repeated one harms nothing.
            session.peer.send(Pong(rid=request.rid))
        elif not request.rid or self._ledger.is_new(session.key, request, self._clock()):
            self._carry_out(session, request)
        elif (answer := self._ledger.answer(session.key, request.rid)) is not None:
            session.peer.send(answer)
        return True

    def _carry_out(self, session: Session, request: Request) -> None:
        if isinstance(request, Sync):
            outcome: Outcome = _synced(session, request)
        else:
            try:
                outcome = self._handlers[type(request)](session, request)
            except Exception as error:  # noqa: BLE001 - a request must not end the service
                outcome = Fail.of(request.rid, info_of(error))
        if outcome is None or isinstance(outcome, Reply):
            self._answer(session, outcome)
        elif len(session.pending) >= MAX_PENDING:
            _dispose(outcome)
            self._answer(session, Fail.of(request.rid, _BUSY))
        else:
            task = asyncio.ensure_future(self._finish(session, request, outcome))
            session.pending.add(task)
            task.add_done_callback(session.pending.discard)

    async def _finish(self, session: Session, request: Request, outcome: Awaitable[Reply | None]) -> None:
        try:
            answer = await outcome
        except Exception as error:  # noqa: BLE001 - a request must not end the service
            answer = Fail.of(request.rid, info_of(error))
        self._answer(session, answer)

    def _answer(self, session: Session, answer: Reply | None) -> None:
        if answer is None:
            return
        if isinstance(answer, Answer):
            self._ledger.settle(session.key, answer)
        session.peer.send(answer)


def info_of(error: Exception) -> ErrorInfo:
    """Return what a client is told of an error; the log has what only a programmer can use."""
    if isinstance(error, EngineError):
        return error.info
    _LOG.error("a request failed", exc_info=error)
    return ErrorInfo(
        code=ErrorCode.INTERNAL,
        message=f"the service failed in a way nobody foresaw ({type(error).__name__})",
        hint="Please report it together with the service's log.",
    )


_BUSY = ErrorInfo(
    code=ErrorCode.QUEUE_FULL,
    message=f"{MAX_PENDING} requests of this client wait for their answers",
    hint="Wait for some of them.",
)


def _require_allowed(session: Session, request: Request) -> None:
    if not session.is_authorised and not isinstance(request, Hello):
        raise NotAuthorised(
            "this service asks for a token.", "Send /ldm/1/hello with it first, over the same connection."
        )


def _synced(session: Session, request: Sync) -> Awaitable[Synced]:
    """Wait for the requests that came before; each of them is answered whatever happens."""
    # Looked up now, not once the waiting begins: two of them in one packet would wait for each other.
    return _after(tuple(session.pending), Synced(rid=request.rid))


async def _after(earlier: Sequence[asyncio.Future[None]], answer: Synced) -> Synced:
    if earlier:
        await asyncio.wait(earlier)
    return answer


def _dispose(outcome: Awaitable[Reply | None]) -> None:
    if asyncio.iscoroutine(outcome):
        outcome.close()

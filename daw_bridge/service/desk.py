"""Where requests arrive: each is read, allowed, carried out once and answered exactly once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from daw_bridge.errors import NotAuthorised
from daw_bridge.messages.answers import Fail
from daw_bridge.messages.base import ANEW, ROOT, Answer, Reply, Request
from daw_bridge.messages.connection import Hello, Ping, Pong, Sync, Synced
from daw_bridge.messages.reading import parse_request, rid_of
from daw_bridge.service.ledger import AnswerLedger, Entry
from daw_bridge.service.session import Session
from daw_bridge.transport.packets import OscMessage
from engine.errors import EngineError, TooLarge
from engine.types import ErrorCode, ErrorInfo

MAX_DELAY_S = 3600.0
MAX_DELAYED = 1_000
MAX_DELAYED_OF_CLIENT = 200
MAX_DELAYED_BYTES = 8_000
MAX_PENDING = 100
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
            delay_s = 0.0 if message.due_s is None else message.due_s - time.time()
            # One packet must not draw a thousand refusals.
            is_told = refused < MAX_REFUSED
            if delay_s > 0 and session.is_authorised:
                refused += not self._delay(session, message, delay_s, is_told=is_told)
            else:
                refused += not self._receive_one(session, message, is_told=is_told)

    def refuse(self, session: Session, error: EngineError, rid: str = "") -> None:
        """Answer bytes that could not be read."""
        session.peer.send(Fail.of(rid, error.info))

    def forget(self, session: Session) -> None:
        """Let go of a client that will not come back."""
        if not session.name:
            self._ledger.forget(session.key)

    def _delay(self, session: Session, message: OscMessage, delay_s: float, *, is_told: bool) -> bool:
        """Carry out a message when its time has come; False where no more can wait."""
        is_full = self._delayed >= MAX_DELAYED or session.delayed >= MAX_DELAYED_OF_CLIENT
        if is_full or _length(message) > MAX_DELAYED_BYTES:
            if is_told:
                self.refuse(session, TooLarge(*_TOO_MUCH_DELAYED), rid_of(message.args))
            return False
        self._delayed += 1
        session.delayed += 1
        loop = asyncio.get_running_loop()
        loop.call_later(min(delay_s, MAX_DELAY_S), self._receive_delayed, session, message)
        return True

    def _receive_delayed(self, session: Session, message: OscMessage) -> None:
        self._delayed -= 1
        session.delayed -= 1
        self._receive_one(session, message)

    def _receive_one(self, session: Session, message: OscMessage, *, is_told: bool = True) -> bool:
        """Carry out a message; False for one that could not be read or is not allowed."""
        try:
            request = parse_request(message.address, message.args)
            _require_allowed(session, request)
        except EngineError as error:
            # Two services that answer each other's failures would never end.
            if is_told and message.address != f"{ROOT}{Fail.pattern}":
                self.refuse(session, error, rid_of(message.args))
            return False
        if isinstance(request, Ping):
            # Neither remembered nor queued: many are sent, and a repeated one harms nothing.
            session.peer.send(Pong(rid=request.rid))
        elif request.rid in ("", ANEW):
            self._carry_out(session, request, None)
        elif (entry := self._ledger.seen(session.key, request, self._clock())) is None:
            self._carry_out(session, request, self._ledger.note(session.key, request, self._clock()))
        elif entry.answer is not None:
            session.peer.send(entry.answer)
        return True

    def _carry_out(self, session: Session, request: Request, entry: Entry | None) -> None:
        before = session.key
        outcome = self._outcome(session, request)
        if session.key != before == session.peer.key:
            # It has told its name: what it asked before that is its own too.
            self._ledger.rename(before, session.key)
        if outcome is None or isinstance(outcome, Reply):
            self._answer(session, entry, outcome)
        elif len(session.pending) >= MAX_PENDING:
            _dispose(outcome)
            self._answer(session, entry, Fail.of(request.rid, _BUSY))
        else:
            task = asyncio.ensure_future(self._finish(session, request, entry, outcome))
            session.pending.add(task)
            task.add_done_callback(session.pending.discard)

    def _outcome(self, session: Session, request: Request) -> Outcome:
        if isinstance(request, Sync):
            return _synced(session, request)
        try:
            return self._handlers[type(request)](session, request)
        except Exception as error:  # noqa: BLE001 - a request must not end the service
            return Fail.of(request.rid, info_of(error))

    async def _finish(
        self, session: Session, request: Request, entry: Entry | None, outcome: Awaitable[Reply | None]
    ) -> None:
        try:
            answer = await outcome
        except Exception as error:  # noqa: BLE001 - a request must not end the service
            answer = Fail.of(request.rid, info_of(error))
        self._answer(session, entry, answer)

    def _answer(self, session: Session, entry: Entry | None, answer: Reply | None) -> None:
        """Send an answer, and then what the handler wants to be told after it."""
        if isinstance(answer, Answer) and entry is not None:
            self._ledger.settle(entry, answer)
        if answer is not None:
            session.peer.send(answer)
        afterwards, session.afterwards = session.afterwards, []
        for tell in afterwards:
            tell()


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


_TOO_MUCH_DELAYED = (
    f"at most {MAX_DELAYED_OF_CLIENT} messages, of {MAX_DELAYED_BYTES} bytes each, may wait for their time",
    "Send it when its time has come.",
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


def _length(message: OscMessage) -> int:
    return sum(len(value) for value in message.args if isinstance(value, str | bytes))


def _dispose(outcome: Awaitable[Reply | None]) -> None:
    if asyncio.iscoroutine(outcome):
        outcome.close()

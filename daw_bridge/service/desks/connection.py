"""Requests about the connection itself."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Mapping
from typing import Any

from daw_bridge.errors import NotAuthorised
from daw_bridge.messages.base import PROTOCOL
from daw_bridge.messages.connection import Hello, HelloDone, Notify, NotifyDone, Status, StatusDone
from daw_bridge.service.audience import Audience
from daw_bridge.service.config import VERSION
from daw_bridge.service.desk import Handlers
from daw_bridge.service.doors.udp import UdpPeer
from daw_bridge.service.runs import Runs
from daw_bridge.service.session import Session
from engine.errors import UnsupportedVersion
from engine.types import Task


class ConnectionDesk:
    """Lets clients in and tells them how the service does; details are what others know of it."""

    def __init__(
        self,
        audience: Audience,
        runs: Runs,
        *,
        token: str,
        capabilities: Callable[[], Mapping[str, Any]],
        details: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._audience = audience
        self._runs = runs
        self._token = token
        self._capabilities = capabilities
        self._details = details

    def handlers(self) -> Handlers:
        return {Hello: self._hello, Notify: self._notify, Status: self._status}

    def _hello(self, session: Session, request: Hello) -> HelloDone:
        if not session.is_authorised:
            # In constant time: how long a refusal takes must not tell how much was right.
            if not hmac.compare_digest(request.token.encode(), self._token.encode()):
                raise NotAuthorised(
                    "the token is wrong",
                    "It is in the file that --token-file named, or `token` of the state folder.",
                )
            session.is_authorised = True
        if request.protocol != PROTOCOL:
            raise UnsupportedVersion(
                f"the client speaks protocol {request.protocol}, this service {PROTOCOL}", "Update the older."
            )
        session.name = request.client
        return HelloDone(
            rid=request.rid,
            engine="daw-bridge",
            version=VERSION,
            pid=os.getpid(),
            protocol=PROTOCOL,
            capabilities={"tasks": [task.value for task in Task], **self._capabilities()},
        )

    def _notify(self, session: Session, request: Notify) -> NotifyDone:
        answer_at(self._audience, session, request.reply_port)
        if isinstance(session.peer, UdpPeer):
            session.peer.max_packet = request.max_packet
        if not request.on:
            self._audience.unsubscribe(session.peer)
            return NotifyDone(rid=request.rid, client_id=0)
        return NotifyDone(rid=request.rid, client_id=self._audience.subscribe(session.peer))

    def _status(self, _: Session, request: Status) -> StatusDone:
        queue = self._runs.book.queue
        return StatusDone(
            rid=request.rid,
            is_paused=queue.is_paused,
            queued=len(queue),
            running=len(queue.active),
            details=dict(self._details()),
        )


def answer_at(audience: Audience, session: Session, reply_port: int) -> None:
    """Send a client's answers and events to a UDP port; 0 is the one that it sends from."""
    if isinstance(session.peer, UdpPeer):
        before = session.peer.target
        session.peer.reply_port = reply_port
        audience.moved(before, session.peer)

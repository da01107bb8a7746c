"""OSC over TCP, in SLIP or length frames: a session for each connection."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Hashable
from typing import Any

from daw_bridge.errors import MalformedPacket
from daw_bridge.messages.base import Reply
from daw_bridge.service.doors.packets import packet_of
from daw_bridge.service.doors.udp import Greet, Receive, Refuse
from daw_bridge.service.session import Session
from daw_bridge.transport.framing import MAX_PACKET_BYTES, FrameDecoder, Framing, encode_frame
from daw_bridge.transport.packets import decode_packet
from engine.errors import TooLarge

MAX_CONNECTIONS = 1_000
# A client that does not read what it is sent is let go once so much waits.
MAX_WAITING_BYTES = 8_000_000
_NUMBERS = itertools.count(1)


class TcpDoor(asyncio.Protocol):
    """One connection, and the peer at its end; sends in the framing that the client began with."""

    loses_packets = False

    def __init__(
        self,
        *,
        greet: Greet,
        receive: Receive,
        refuse: Refuse,
        leave: Callable[[Session], None],
        connections: set[TcpDoor],
    ) -> None:
        self._greet = greet
        self._receive = receive
        self._refuse = refuse
        self._leave = leave
        self._connections = connections
        self._number = next(_NUMBERS)
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None
        self._session: Session | None = None
        self._host = ""

    @property
    def key(self) -> Hashable:
        return ("tcp", self._number)

    @property
    def host(self) -> str:
        return self._host

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if len(self._connections) >= MAX_CONNECTIONS:
            transport.abort()
            return
        self._transport = transport
        self._connections.add(self)
        peername: Any = transport.get_extra_info("peername") or ("",)
        self._host = str(peername[0])
        self._session = self._greet(self)

    def data_received(self, data: bytes) -> None:
        assert self._session is not None
        for frame in self._decoder.feed(data):
            self._take(self._session, frame)
        if self._decoder.is_lost:
            self.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._connections.discard(self)
        if self._session is not None:
            self._leave(self._session)

    def send(self, reply: Reply) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            self._transport.abort()
            return
        packet = packet_of(reply, MAX_PACKET_BYTES)
        self._transport.write(encode_frame(packet, self._decoder.framing or Framing.SLIP))

    def pause_writing(self) -> None:
        """Read no further requests of a client that does not read its answers."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _take(self, session: Session, frame: bytes | TooLarge) -> None:
        if isinstance(frame, TooLarge):
            self._refuse(session, frame)
            return
        try:
            messages = decode_packet(frame)
        except (MalformedPacket, TooLarge) as error:
            self._refuse(session, error)
            return
        self._receive(session, messages)

"""OSC over TCP, in SLIP or length frames: a session for each connection."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
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

# Well below the files that a process may have open.
MAX_CONNECTIONS = 500
# A client that does not read what it is sent is let go once so much waits, or its share of the sum for all.
MAX_WAITING_BYTES = 8_000_000
MAX_WAITING_BYTES_OF_ALL = 256_000_000
# What one client sends at once is done in slices, so that the others need not wait for all of it.
SLICE_S = 0.001
HELLO_S = 30.0
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
        self._frames: deque[bytes | TooLarge] = deque()
        self._transport: asyncio.Transport | None = None
        self._session: Session | None = None
        self._host = ""
        self._hello: asyncio.TimerHandle | None = None
        self._is_full = False
        self._is_gone = False

    @property
    def key(self) -> Hashable:
        return ("tcp", self._number)

    @property
    def target(self) -> Hashable:
        return self.key

    @property
    def host(self) -> str:
        return self._host

    @property
    def is_full(self) -> bool:
        return self._is_full

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
        if not self._session.is_authorised:
            self._hello = asyncio.get_running_loop().call_later(HELLO_S, self._expect_hello)

    def data_received(self, data: bytes) -> None:
        is_idle = not self._frames
        self._frames.extend(self._decoder.feed(data))
        if is_idle:
            self._work()

    def connection_lost(self, _: Exception | None) -> None:
        self._is_gone = True
        if not self._frames:
            self._go()

    def send(self, reply: Reply) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        most_bytes = min(MAX_WAITING_BYTES, MAX_WAITING_BYTES_OF_ALL // max(1, len(self._connections)))
        if self._transport.get_write_buffer_size() > most_bytes:
            self._transport.abort()
            return
        packet = packet_of(reply, MAX_PACKET_BYTES)
        self._transport.write(encode_frame(packet, self._decoder.framing or Framing.SLIP))

    def pause_writing(self) -> None:
        """Read no further requests of a client that does not read its answers."""
        self._is_full = True
        self._steer()

    def resume_writing(self) -> None:
        self._is_full = False
        self._steer()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, whatever waits to be sent."""
        if self._transport is not None:
            self._transport.abort()

    def _work(self) -> None:
        """Take frames for a while, and the rest when others had their turn."""
        assert self._session is not None
        until_s = time.monotonic() + SLICE_S
        while self._frames:
            self._take(self._session, self._frames.popleft())
            if time.monotonic() > until_s:
                break
        if self._frames:
            asyncio.get_running_loop().call_soon(self._work)
        elif self._is_gone:
            self._go()
        elif self._decoder.is_lost:
            self.close()
        self._steer()

    def _steer(self) -> None:
        """Read on, unless there is enough to do or too much to be read by the client."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._is_full or self._frames:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _go(self) -> None:
        self._connections.discard(self)
        if self._hello is not None:
            self._hello.cancel()
        if self._session is not None:
            self._leave(self._session)

    def _expect_hello(self) -> None:
        """Close a connection that takes up room and does not say who it is."""
        if self._session is not None and not self._session.is_authorised:
            self.close()

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

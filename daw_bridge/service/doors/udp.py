"""OSC over UDP: a session for each address that sends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import cast

from daw_bridge.errors import MalformedPacket
from daw_bridge.messages.base import Reply
from daw_bridge.service.doors.packets import packet_of
from daw_bridge.service.session import Peer, Session
from daw_bridge.transport.packets import OscMessage, decode_packet
from engine.errors import EngineError, TooLarge

MAX_SESSIONS = 2_000
MAX_PACKET = 1_024
# One client may send so many packets a second, and so many at once.
PACKETS_PER_S = 2_000.0
BURST_PACKETS = 4_000.0
RECEIVE_BUFFER_BYTES = 4_000_000
_LOG = logging.getLogger(__name__)

Address = tuple[str, int]
Receive = Callable[[Session, list[OscMessage]], None]
Refuse = Callable[[Session, EngineError], None]
Greet = Callable[[Peer], Session]


@dataclass(slots=True, eq=False)
class UdpPeer:
    """An address; answers go to the port that it sends from, or to the one it asked for."""

    address: Address
    transport: asyncio.DatagramTransport
    reply_port: int = 0
    max_packet: int = MAX_PACKET
    tokens: float = BURST_PACKETS
    counted_s: float = 0.0

    loses_packets = True

    @property
    def key(self) -> Hashable:
        return ("udp", *self.address[:2])

    @property
    def host(self) -> str:
        return self.address[0]

    def send(self, reply: Reply) -> None:
        if not self.transport.is_closing():
            target = (self.address[0], self.reply_port or self.address[1], *self.address[2:])
            self.transport.sendto(packet_of(reply, self.max_packet), target)

    def may_send(self, now_s: float) -> bool:
        """Count a packet from this address; False for one too many."""
        self.tokens = min(BURST_PACKETS, self.tokens + (now_s - self.counted_s) * PACKETS_PER_S)
        self.counted_s = now_s
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class UdpDoor(asyncio.DatagramProtocol):
    """Reads packets; those that come too fast from one address are dropped, as UDP may."""

    def __init__(
        self,
        *,
        greet: Greet,
        receive: Receive,
        refuse: Refuse,
        leave: Callable[[Session], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._greet = greet
        self._receive = receive
        self._refuse = refuse
        self._leave = leave
        self._clock = clock
        self._sessions: OrderedDict[Address, Session] = OrderedDict()
        self._transport: asyncio.DatagramTransport | None = None

    def __len__(self) -> int:
        return len(self._sessions)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Of Python 3.11 the selector's transport is none by its class.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        session = self._session(addr)
        assert isinstance(session.peer, UdpPeer)
        if not session.peer.may_send(self._clock()):
            return
        try:
            messages = decode_packet(data)
        except (MalformedPacket, TooLarge) as error:
            self._refuse(session, error)
            return
        self._receive(session, messages)

    def error_received(self, exc: Exception) -> None:
        # A client that is gone; its feed gives up by itself.
        _LOG.debug("udp: %s", exc)

    def _session(self, address: Address) -> Session:
        session = self._sessions.get(address)
        if session is None:
            assert self._transport is not None
            session = self._greet(UdpPeer(address, self._transport, counted_s=self._clock()))
            self._sessions[address] = session
            if len(self._sessions) > MAX_SESSIONS:
                _, oldest = self._sessions.popitem(last=False)
                self._leave(oldest)
        else:
            self._sessions.move_to_end(address)
        return session

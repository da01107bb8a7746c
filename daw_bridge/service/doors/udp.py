"""OSC over UDP: a session for each address that sends."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol, cast

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
MAX_WAITING_BYTES = 1_000_000
MAX_DATAGRAM_BYTES = 65_536
SLICE_S = 0.002
_LOG = logging.getLogger(__name__)

Address = tuple[str, int]
Receive = Callable[[Session, list[OscMessage]], None]
Refuse = Callable[[Session, EngineError], None]
Greet = Callable[[Peer], Session]


class Outlet(Protocol):
    """What a datagram transport can do; asyncio's own base class lacks a part of it."""

    def is_closing(self) -> bool: ...

    def sendto(self, data: bytes, addr: tuple[object, ...]) -> None: ...

    def get_write_buffer_size(self) -> int: ...


@dataclass(slots=True, eq=False)
class UdpPeer:
    """An address; answers go to the port that it sends from, or to the one it asked for."""

    address: Address
    transport: Outlet
    reply_port: int = 0
    max_packet: int = MAX_PACKET
    tokens: float = BURST_PACKETS
    counted_s: float = 0.0

    loses_packets = True
    is_full = False

    @property
    def key(self) -> Hashable:
        return ("udp", *self.address[:2])

    @property
    def target(self) -> Hashable:
        return ("udp", self.address[0], self.reply_port or self.address[1])

    @property
    def host(self) -> str:
        return self.address[0]

    def send(self, reply: Reply) -> None:
        # What the system does not take is lost, as it may be anywhere on the way.
        if not self.transport.is_closing() and self.transport.get_write_buffer_size() <= MAX_WAITING_BYTES:
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
    """Reads packets; those that come too fast from one address are dropped, as UDP may.

    Of its own socket, which does not block, it reads many packets in a row: one that floods it would
    otherwise keep it full, and hardly any packet of another client would find room.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        greet: Greet,
        receive: Receive,
        refuse: Refuse,
        leave: Callable[[Session], None],
        is_needed: Callable[[Session], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._socket = sock
        self._greet = greet
        self._receive = receive
        self._refuse = refuse
        self._leave = leave
        self._is_needed = is_needed
        self._clock = clock
        self._sessions: OrderedDict[Address, Session] = OrderedDict()
        self._transport: Outlet | None = None

    def __len__(self) -> int:
        return len(self._sessions)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("Outlet", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._take(data, addr)
        until_s = time.monotonic() + SLICE_S
        while time.monotonic() < until_s:
            try:
                self._take(*self._socket.recvfrom(MAX_DATAGRAM_BYTES))
            except OSError:
                # Nothing is left to be read, or an earlier answer found nobody.
                return

    def _take(self, data: bytes, addr: Address) -> None:
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
            if len(self._sessions) >= MAX_SESSIONS:
                self._make_room()
            self._sessions[address] = session
        else:
            self._sessions.move_to_end(address)
        return session

    def _make_room(self) -> None:
        """Give up the address that was silent longest, of those first that are told nothing."""
        sessions = self._sessions.items()
        unneeded = next((address for address, session in sessions if not self._is_needed(session)), None)
        self._leave(self._sessions.pop(next(iter(self._sessions)) if unneeded is None else unneeded))

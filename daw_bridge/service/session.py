"""Who is on the other end: one session for each TCP connection or UDP address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

from daw_bridge.messages.base import Reply


class Peer(Protocol):
    """One way to a client."""

    @property
    def key(self) -> Hashable: ...

    @property
    def target(self) -> Hashable:
        """Return where what is sent goes: peers of one target are one listener."""
        ...

    @property
    def host(self) -> str: ...

    @property
    def loses_packets(self) -> bool:
        """Tell whether what is sent may not arrive, so that ends of jobs must be sent again."""
        ...

    @property
    def is_full(self) -> bool:
        """Tell whether so much waits to be taken that what can wait should."""
        ...

    def send(self, reply: Reply) -> None:
        """Send without waiting; what cannot be sent is given up, never raised."""
        ...


@dataclass(slots=True, eq=False)
class Session:
    """What the service knows of a client for as long as it is there.

    delayed counts messages that wait for the time of their bundle, pending are requests that are not answered
    yet; afterwards is what is to be done once the request in hand
    is answered. A client that has said its name is the same client over another connection, as far as
    repeated requests are concerned.
    """

    peer: Peer
    is_authorised: bool
    is_remote: bool
    name: str = ""
    seen_s: float = 0.0
    delayed: int = 0
    pending: set[asyncio.Future[None]] = field(default_factory=set)
    afterwards: list[Callable[[], None]] = field(default_factory=list)

    @property
    def key(self) -> Hashable:
        """Return by which key the answers to this client are remembered."""
        return ("named", self.peer.host, self.name) if self.name else self.peer.key

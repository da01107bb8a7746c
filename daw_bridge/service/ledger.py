"""Answers kept for a while, so that a request that a client or the network repeats is carried out once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from daw_bridge.messages.arguments import Blob, Json
from daw_bridge.messages.base import Answer, Request
from daw_bridge.transport.packets import encode_packet

KEPT_S = 600.0
MOST = 40_000
MOST_OF_CLIENT = 4_000


@dataclass(slots=True)
class Entry:
    """A request that was seen: what it asked for in short, and its answer once there is one."""

    client: Hashable
    digest: bytes
    since_s: float
    answer: Answer | None = None


_Entries = OrderedDict[str, Entry]


class AnswerLedger:
    """Remembers requests by client and rid; times are of a clock that is never set back.

    Two requests are one when all their arguments agree. Another request under an old rid counts as new:
    simple controllers send the same rid with everything. A client can crowd out only what it asked itself.
    """

    def __init__(
        self, kept_s: float = KEPT_S, most: int = MOST, most_of_client: int = MOST_OF_CLIENT
    ) -> None:
        self._kept_s, self._most, self._most_of_client = kept_s, most, most_of_client
        # Those who asked last are last.
        self._clients: OrderedDict[Hashable, _Entries] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def seen(self, client: Hashable, request: Request, now_s: float) -> Entry | None:
        """Return the entry of a request that is repeated; None for a new one."""
        entry = self._clients.get(client, _NOTHING).get(request.rid)
        if entry is None or now_s - entry.since_s >= self._kept_s or entry.digest != _digest(request):
            return None
        return entry

    def note(self, client: Hashable, request: Request, now_s: float) -> Entry:
        """Remember a new request; its answer is to be settled in the entry."""
        entry = Entry(client=client, digest=_digest(request), since_s=now_s)
        entries = self._clients.setdefault(client, OrderedDict())
        self._clients.move_to_end(client)
        self._count += request.rid not in entries
        entries[request.rid] = entry
        entries.move_to_end(request.rid)
        if len(entries) > self._most_of_client:
            self._drop_oldest(client)
        self._forget_old(now_s)
        return entry

    def settle(self, entry: Entry, answer: Answer) -> None:
        """Keep the one answer to a request, but for a long one.

        What is answered with JSON or a file has changed nothing, or changes the same again: it is carried out
        anew rather than kept.
        """
        entry.answer = answer
        entries = self._clients.get(entry.client, _NOTHING)
        is_long = any(isinstance(slot.kind, Json | Blob) for slot in answer.slots)
        if is_long and entries.get(answer.rid) is entry:
            del entries[answer.rid]
            self._count -= 1
            if not entries:
                del self._clients[entry.client]

    def rename(self, client: Hashable, name: Hashable) -> None:
        """Count what a client has asked under another key from now on."""
        entries = self._clients.pop(client, None)
        if entries is None:
            return
        self._count -= len(entries)
        known = self._clients.setdefault(name, OrderedDict())
        for rid in entries.keys() - known.keys():
            known[rid] = entries[rid]
            known[rid].client = name
            self._count += 1

    def forget(self, client: Hashable) -> None:
        """Drop what a client asked that will not come back, as when its connection closes."""
        self._count -= len(self._clients.pop(client, _NOTHING))

    def _forget_old(self, now_s: float) -> None:
        """Drop what is too old or too much, of those first who have asked for nothing for longest."""
        while self._clients:
            client, entries = next(iter(self._clients.items()))
            oldest = next(iter(entries.values()), None)
            if oldest is None:
                del self._clients[client]
            elif self._count > self._most or now_s - oldest.since_s >= self._kept_s:
                self._drop_oldest(client)
            else:
                return

    def _drop_oldest(self, client: Hashable) -> None:
        self._clients[client].popitem(last=False)
        self._count -= 1


_NOTHING: _Entries = OrderedDict()


def _digest(request: Request) -> bytes:
    # Not the request itself: it may hold a chunk of a file.
    return hashlib.blake2b(encode_packet(*request.format()), digest_size=16).digest()

"""Answers kept for a while, so that a request that a client or the network repeats is carried out once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from daw_bridge.messages.base import Answer, Request

KEPT_S = 600.0
MOST = 20_000


@dataclass(slots=True)
class _Entry:
    request: Request
    since_s: float
    answer: Answer | None = None


class AnswerLedger:
    """Remembers requests by client and rid; times are of a clock that is never set back.

    Two requests are one when all their arguments agree. Another request under an old rid counts as new:
    simple controllers send the same rid with everything.
    """

    def __init__(self, kept_s: float = KEPT_S, most: int = MOST) -> None:
        self._kept_s, self._most = kept_s, most
        self._entries: OrderedDict[tuple[Hashable, str], _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def is_new(self, client: Hashable, request: Request, now_s: float) -> bool:
        """Note a request; False for a repetition, whose answer `answer` may have already."""
        self._forget_old(now_s)
        key = (client, request.rid)
        entry = self._entries.get(key)
        if entry is not None and entry.request == request:
            return False
        self._entries[key] = _Entry(request=request, since_s=now_s)
        self._entries.move_to_end(key)
        return True

    def answer(self, client: Hashable, rid: str) -> Answer | None:
        """Return the answer to a noted request; None while there is none."""
        entry = self._entries.get((client, rid))
        return None if entry is None else entry.answer

    def settle(self, client: Hashable, answer: Answer) -> None:
        """Keep the one answer to a request."""
        entry = self._entries.get((client, answer.rid))
        if entry is not None:
            entry.answer = answer

    def forget(self, client: Hashable) -> None:
        """Drop what a client asked that will not come back, as when its connection closes."""
        for key in [key for key in self._entries if key[0] == client]:
            del self._entries[key]

    def _forget_old(self, now_s: float) -> None:
        while self._entries:
            oldest = next(iter(self._entries.values()))
            if len(self._entries) < self._most and now_s - oldest.since_s < self._kept_s:
                return
            self._entries.popitem(last=False)

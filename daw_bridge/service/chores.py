"""Short questions to the engine, asked of a process of their own so that no render makes them wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from daw_bridge.workers.asking import Answer, OnProgress, Questions
from daw_bridge.workers.base import OnEvent, Worker

IDLE_S = 30.0


class Chores:
    """Asks a worker that is started for it and let go when nobody has asked for a while."""

    def __init__(self, make_worker: Callable[[OnEvent], Worker], idle_s: float = IDLE_S) -> None:
        self._questions = Questions("chore")
        self._worker = make_worker(self._questions.receive)
        self._idle_s = idle_s
        self._rest: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    async def ask(
        self, op: str, arguments: Mapping[str, object], on_progress: OnProgress | None = None
    ) -> Answer:
        """Return what the worker answers; raises WorkFailed."""
        if self._rest is not None:
            self._rest.cancel()
        # A worker that is being let go is waited for: an order to it would be lost.
        if self._closing is not None:
            await asyncio.wait([self._closing])
        try:
            return await self._questions.ask(self._worker, op, arguments, on_progress)
        finally:
            if not self._questions:
                self._rest = asyncio.get_running_loop().call_later(self._idle_s, self._let_go)

    async def close(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        await self._worker.close()

    def _let_go(self) -> None:
        self._closing = asyncio.ensure_future(self._worker.close())

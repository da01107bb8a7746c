"""Downloads of models: one for each model, however many clients ask for it, until somebody stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from daw_bridge.service.chores import Chores
from daw_bridge.workers.asking import OnProgress
from engine.errors import Cancelled

ALL = "*"


@dataclass(slots=True)
class _Pull:
    listeners: list[OnProgress] = field(default_factory=list)

    def tell(self, payload: Mapping[str, object]) -> None:
        for listener in tuple(self.listeners):
            listener(payload)


class ModelPulls:
    """Lets a process of their own download models, so that no question waits for them.

    A download goes on when nobody listens to it any more: it is long, and its client may come back.
    """

    def __init__(self, chores: Chores) -> None:
        self._chores = chores
        self._running: dict[str, tuple[asyncio.Task[object], _Pull]] = {}

    @property
    def is_busy(self) -> bool:
        return bool(self._running)

    async def pull(self, name: str, on_progress: OnProgress) -> None:
        """Return once a model is installed.

        Raises:
            WorkFailed: what the engine says.
            Cancelled: somebody stopped it.
        """
        task, pull = self._running.get(name) or self._begun(name)
        pull.listeners.append(on_progress)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            raise Cancelled(f"the download of {name} was cancelled", "What has arrived is kept.") from None
        finally:
            pull.listeners.remove(on_progress)

    def cancel(self, name: str) -> int:
        """Stop the download of a model, or all of them; return how many."""
        names = [one for one in self._running if name in (ALL, one)]
        for one in names:
            self._running.pop(one)[0].cancel()
        return len(names)

    async def close(self) -> None:
        tasks = [task for task, _ in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._chores.close()

    def _begun(self, name: str) -> tuple[asyncio.Task[object], _Pull]:
        pull = _Pull()
        task: asyncio.Task[object] = asyncio.ensure_future(self._pulled(name, pull))
        self._running[name] = task, pull
        task.add_done_callback(lambda done: self._forget(name, done))
        return task, pull

    async def _pulled(self, name: str, pull: _Pull) -> object:
        return await self._chores.ask("models", {"action": "pull", "name": name}, pull.tell)

    def _forget(self, name: str, done: asyncio.Task[object]) -> None:
        if not done.cancelled():
            # Asked for: of one that nobody waits for any more, a failure would be reported as not looked at.
            done.exception()
        if (there := self._running.get(name)) is not None and there[0] is done:
            del self._running[name]

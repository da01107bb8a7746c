"""Questions to a worker, answered by the payload of their last event."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping

from daw_bridge.errors import WorkFailed
from daw_bridge.workers.base import Worker, WorkOrder
from engine.types import ErrorCode, ErrorInfo, EventKind, JobEvent

OnProgress = Callable[[Mapping[str, object]], None]
Answer = dict[str, object]


class Questions:
    """The questions of one worker that are not answered yet; feed it that worker's events."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = itertools.count(1)
        self._asked: dict[str, tuple[asyncio.Future[Answer], OnProgress | None]] = {}

    def __len__(self) -> int:
        return len(self._asked)

    async def ask(
        self, worker: Worker, op: str, arguments: Mapping[str, object], on_progress: OnProgress | None = None
    ) -> Answer:
        """Return what the worker answers; raises WorkFailed."""
        job_id = f"{self._prefix}-{next(self._numbers)}"
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[job_id] = (answer, on_progress)
        try:
            await worker.submit(WorkOrder(job_id=job_id, op=op, arguments=arguments))
            return await answer
        except asyncio.CancelledError:
            worker.cancel(job_id)
            raise
        finally:
            del self._asked[job_id]

    def receive(self, event: JobEvent) -> None:
        """Take an event of the worker; one that belongs to no question is ignored."""
        answer, on_progress = self._asked.get(event.job_id, (None, None))
        if answer is None or answer.done():
            return
        if event.kind is EventKind.DONE:
            answer.set_result(dict(event.payload))
        elif event.kind is EventKind.FAIL:
            answer.set_exception(WorkFailed(error_of(event.payload)))
        elif event.kind is EventKind.PROGRESS and on_progress is not None:
            on_progress(event.payload)


def error_of(payload: Mapping[str, object]) -> ErrorInfo:
    """Read the error of a worker's last event."""
    known = {code.value for code in ErrorCode}
    code = str(payload.get("code"))
    return ErrorInfo(
        code=ErrorCode(code) if code in known else ErrorCode.INTERNAL,
        message=str(payload.get("message", "the job failed")),
        hint=str(payload.get("hint", "")),
    )

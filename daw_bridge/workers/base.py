"""What does jobs, seen by the service: one small interface for one device or many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from engine.types import JobEvent

OnEvent = Callable[[JobEvent], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """One thing to do: render, models or probe, with that operation's arguments."""

    job_id: str
    op: str
    arguments: Mapping[str, object]


class Worker(Protocol):
    """Does orders one after the other and tells what happens to them.

    Events of an order are numbered from 0 without gaps and end with exactly one `done` or `fail`, whatever
    happens to the worker itself.
    """

    async def submit(self, order: WorkOrder) -> None: ...

    def cancel(self, job_id: str) -> None:
        """Stop an order at its next step, or after a grace period by force; unknown ids are ignored."""
        ...

    async def close(self) -> None:
        """End; unfinished orders fail."""
        ...

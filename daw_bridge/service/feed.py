"""What one subscriber is told, and when: progress thinned out, ends repeated until acknowledged."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice, takewhile

from daw_bridge.messages.base import Reply
from daw_bridge.messages.events import JobDoneEvent, JobFailEvent, JobProgressEvent

PROGRESS_INTERVAL_S = 0.1
REPEAT_INTERVAL_S = 1.0
REPEATS = 3
MOST_JOBS = 1_000

EndEvent = JobDoneEvent | JobFailEvent


@dataclass(slots=True)
class _Progress:
    """When a job's progress was last told, and a later one that waits."""

    told_s: float
    held: JobProgressEvent | None = None


@dataclass(slots=True)
class _End:
    """An end that the subscriber has not acknowledged."""

    event: EndEvent
    told_s: float
    repeats: int = 0


@dataclass(slots=True)
class EventFeed:
    """Decides what to send a subscriber; times are of a clock that is never set back.

    Progress may be left out, the latest wins; anything else is passed on at once. repeats_ends is for links
    that lose packets. Memory is bounded: beyond MOST_JOBS the oldest unacknowledged end is given up.
    """

    repeats_ends: bool
    _progress: dict[str, _Progress] = field(default_factory=dict)
    # In the order in which they were told last: a thousand of them must not be looked at each time.
    _ends: dict[str, _End] = field(default_factory=dict)

    def offer(self, event: Reply, now_s: float) -> list[Reply]:
        """Take an event; return what to send at once."""
        if isinstance(event, JobProgressEvent):
            return self._offer_progress(event, now_s)
        if isinstance(event, EndEvent):
            self._progress.pop(event.job_id, None)
            self._await_ack(event, now_s)
        return [event]

    def due(self, now_s: float) -> list[Reply]:
        """Return what has waited long enough by now."""
        return [*self._due_progress(now_s), *self._due_ends(now_s)]

    def acknowledge(self, job_id: str) -> None:
        self._ends.pop(job_id, None)

    def next_due_s(self) -> float | None:
        """Return the time of the next `due` that has something to send; None while nothing waits."""
        times = [item.told_s + PROGRESS_INTERVAL_S for item in self._progress.values() if item.held]
        times += [end.told_s + REPEAT_INTERVAL_S for end in islice(self._ends.values(), 1)]
        return min(times, default=None)

    def _offer_progress(self, event: JobProgressEvent, now_s: float) -> list[Reply]:
        known = self._progress.get(event.job_id)
        if known is not None and now_s < known.told_s + PROGRESS_INTERVAL_S:
            known.held = event
            return []
        if known is None and len(self._progress) >= MOST_JOBS:
            del self._progress[next(iter(self._progress))]
        self._progress[event.job_id] = _Progress(told_s=now_s)
        return [event]

    def _await_ack(self, event: EndEvent, now_s: float) -> None:
        if not self.repeats_ends:
            return
        if len(self._ends) >= MOST_JOBS:
            del self._ends[next(iter(self._ends))]
        self._ends.pop(event.job_id, None)
        self._ends[event.job_id] = _End(event=event, told_s=now_s)

    def _due_progress(self, now_s: float) -> list[Reply]:
        sent: list[Reply] = []
        for item in self._progress.values():
            if item.held is not None and now_s >= item.told_s + PROGRESS_INTERVAL_S:
                sent.append(item.held)
                item.held, item.told_s = None, now_s
        return sent

    def _due_ends(self, now_s: float) -> list[Reply]:
        due = list(takewhile(lambda end: now_s >= end.told_s + REPEAT_INTERVAL_S, self._ends.values()))
        for end in due:
            del self._ends[end.event.job_id]
            end.told_s, end.repeats = now_s, end.repeats + 1
            if end.repeats < REPEATS:
                self._ends[end.event.job_id] = end
        return [end.event for end in due]

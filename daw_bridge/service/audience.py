"""Who is told what happens to jobs: those who asked to be, and each client of its own jobs."""

from __future__ import annotations

import asyncio
import fnmatch
import math
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from daw_bridge.live.knobs import position_of
from daw_bridge.messages.arguments import ParameterValue
from daw_bridge.messages.base import Reply
from daw_bridge.messages.events import JobDoneEvent, JobFailEvent
from daw_bridge.messages.live import ParamValue
from daw_bridge.messages.parameters import KNOBS
from daw_bridge.messages.surfaces import KnobPosition
from daw_bridge.service.feed import EventFeed
from daw_bridge.service.session import Peer

MOST = 1_000
MOST_OWN_JOBS = 20_000
MOST_PATTERNS = 64
# A client without a connection cannot be seen to leave.
SILENCE_S = 3600.0
# How exactly the times of held-back events are met.
TICK_S = 0.025

Watcher = Callable[[str, Reply], None]


@dataclass(slots=True, eq=False)
class _Listener:
    peer: Peer
    number: int
    feed: EventFeed
    heard_s: float
    wants_all: bool = False
    is_surface: bool = False
    # Values that it is to be told once it takes something again.
    held: dict[str, ParameterValue] = field(default_factory=dict)
    own_jobs: dict[str, None] = field(default_factory=dict)
    patterns: dict[str, None] = field(default_factory=dict)

    @property
    def is_needed(self) -> bool:
        return self.wants_all or self.is_surface or bool(self.own_jobs) or bool(self.patterns)


class Audience:
    """Tells events to listeners, each at the pace that its link bears; use it within one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._listeners: dict[Hashable, _Listener] = {}
        self._last_number = 0
        self._changed: dict[str, ParameterValue] = {}
        self._value_told_s: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._watchers: list[Watcher] = []

    def __len__(self) -> int:
        return len(self._listeners)

    def subscribe(self, peer: Peer) -> int:
        """Tell a peer of all jobs from now on; return its number."""
        listener = self._listener(peer)
        listener.wants_all = True
        return listener.number

    def unsubscribe(self, peer: Peer) -> None:
        """Tell a peer only of its own jobs from now on, and of no parameters."""
        if (listener := self._listeners.get(peer.target)) is not None:
            listener.wants_all = listener.is_surface = False
            listener.patterns.clear()

    def follow(self, peer: Peer) -> None:
        """Tell a surface in short what is going on, from now on."""
        self._listener(peer).is_surface = True

    def watch(self, callback: Watcher) -> None:
        """Call with each event of a job, before anybody is told of it."""
        self._watchers.append(callback)

    def own(self, peer: Peer, job_id: str) -> None:
        """Tell a peer of a job until that has ended."""
        own_jobs = self._listener(peer).own_jobs
        own_jobs[job_id] = None
        if len(own_jobs) > MOST_OWN_JOBS:
            del own_jobs[next(iter(own_jobs))]

    def listen(self, peer: Peer, glob: str, *, on: bool) -> None:
        """Tell a peer of parameters whose names match, or no longer."""
        patterns = self._listener(peer).patterns
        if not on:
            patterns.pop(glob, None)
        elif len(patterns) < MOST_PATTERNS:
            patterns[glob] = None

    def acknowledge(self, peer: Peer, job_id: str) -> None:
        """Repeat the end of a job no more; a peer that listens nowhere speaks for all of its host."""
        own = self._listeners.get(peer.target)
        told = [own] if own is not None else self._listeners.values()
        for listener in told:
            if listener.peer.host == peer.host:
                listener.feed.acknowledge(job_id)

    def moved(self, before: Hashable, peer: Peer) -> None:
        """Let what a peer was told at its target before go to the one that it has now."""
        old = self._listeners.get(before)
        if before == peer.target or old is None or old.peer is not peer:
            return
        del self._listeners[before]
        new = self._listener(peer)
        new.wants_all |= old.wants_all
        new.is_surface |= old.is_surface
        new.own_jobs.update(old.own_jobs)
        new.patterns.update(old.patterns)

    def leave(self, peer: Peer) -> None:
        """Tell a peer nothing more; another one of the same target goes on."""
        if (listener := self._listeners.get(peer.target)) is not None and listener.peer is peer:
            del self._listeners[peer.target]

    def concerns(self, peer: Peer) -> bool:
        """Tell whether a peer is still to be told something."""
        listener = self._listeners.get(peer.target)
        return listener is not None and not self._is_idle(listener)

    def heard(self, peer: Peer) -> None:
        """Note that a peer is alive."""
        if (listener := self._listeners.get(peer.target)) is not None:
            listener.heard_s = self._clock()

    def tell(self, job_id: str, event: Reply) -> None:
        """Tell an event of a job to all whom it concerns."""
        for watch in self._watchers:
            watch(job_id, event)
        for listener in tuple(self._listeners.values()):
            self._offer(listener, job_id, event)
        self._schedule()

    def retell(self, peer: Peer, job_id: str, events: Iterable[Reply]) -> None:
        """Tell one peer events of a job, of which others know."""
        if (listener := self._listeners.get(peer.target)) is not None:
            for event in events:
                self._offer(listener, job_id, event)
        self._schedule()

    def tell_all(self, event: Reply, *, can_wait: bool = False) -> None:
        """Tell something that is about no job to all who want to hear of all jobs.

        Where packets wait to be taken, they do without what can wait: a later one tells as much.
        """
        for listener in tuple(self._listeners.values()):
            if listener.wants_all and not (can_wait and listener.peer.is_full):
                listener.peer.send(event)

    def tell_followers(self, event: Reply) -> None:
        """Tell surfaces what is going on; where packets wait to be taken, they do without."""
        for listener in tuple(self._listeners.values()):
            if listener.is_surface and not listener.peer.is_full:
                listener.peer.send(event)

    def tell_parameter(self, name: str, value: ParameterValue) -> None:
        """Tell a new value to those who listen to the parameter; of a sweep not each, but the last."""
        self._changed[name] = value
        self._tell_values()
        self._schedule()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._listeners.clear()

    def _offer(self, listener: _Listener, job_id: str, event: Reply) -> None:
        if listener.wants_all or job_id in listener.own_jobs:
            _send(listener.peer, listener.feed.offer(event, self._clock()))
        if isinstance(event, JobDoneEvent | JobFailEvent):
            listener.own_jobs.pop(job_id, None)

    def _tell_values(self) -> None:
        """Tell the values whose time has come; who reads nothing is told the latest once it reads again."""
        now_s = self._clock()
        for name in [name for name in self._changed if self._is_due(name, now_s)]:
            value = self._changed.pop(name)
            self._value_told_s[name] = now_s
            for listener in self._listeners.values():
                if any(fnmatch.fnmatchcase(name, glob) for glob in listener.patterns):
                    listener.held[name] = value
        for listener in tuple(self._listeners.values()):
            while listener.held and not listener.peer.is_full:
                name = next(iter(listener.held))
                value = listener.held.pop(name)
                listener.peer.send(ParamValue(name=name, value=value))
                if listener.is_surface and name in KNOBS:
                    listener.peer.send(KnobPosition(name=name, position=position_of(name, value)))

    def _is_due(self, name: str, now_s: float) -> bool:
        return now_s >= self._value_told_s.get(name, -math.inf) + TICK_S

    def _listener(self, peer: Peer) -> _Listener:
        known = self._listeners.get(peer.target)
        if known is not None:
            # The same client may have asked for another port meanwhile.
            known.peer = peer
            return known
        if len(self._listeners) >= MOST:
            self._make_room()
        self._last_number += 1
        feed = EventFeed(repeats_ends=peer.loses_packets)
        listener = _Listener(peer=peer, number=self._last_number, feed=feed, heard_s=self._clock())
        self._listeners[peer.target] = listener
        return listener

    def _make_room(self) -> None:
        """Give up the listeners that nothing concerns any more, or else the one that was silent longest.

        Of those with a connection none has to say anything to be there.
        """
        for key in [key for key, listener in self._listeners.items() if self._is_idle(listener)]:
            del self._listeners[key]
        if len(self._listeners) >= MOST:
            silent = min(self._listeners.values(), key=lambda one: (not one.peer.loses_packets, one.heard_s))
            del self._listeners[silent.peer.target]

    def _is_idle(self, listener: _Listener) -> bool:
        if not listener.is_needed and listener.feed.next_due_s() is None:
            return True
        return listener.peer.loses_packets and self._clock() - listener.heard_s > SILENCE_S

    def _schedule(self) -> None:
        if self._timer is None and (self._changed or any(map(_waits, self._listeners.values()))):
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._wake)

    def _wake(self) -> None:
        self._timer = None
        now_s = self._clock()
        for listener in tuple(self._listeners.values()):
            _send(listener.peer, listener.feed.due(now_s))
        self._tell_values()
        self._schedule()


def _waits(listener: _Listener) -> bool:
    return bool(listener.held) or listener.feed.next_due_s() is not None


def _send(peer: Peer, replies: list[Reply]) -> None:
    for reply in replies:
        peer.send(reply)

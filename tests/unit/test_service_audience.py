"""Who is told what, and who makes room when there are too many."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from daw_bridge.messages.base import Reply
from daw_bridge.messages.events import JobDoneEvent, JobStateEvent
from daw_bridge.messages.live import ParamValue
from daw_bridge.service import audience as module
from daw_bridge.service.audience import SILENCE_S, Audience


@dataclass
class StubPeer:
    key: str
    loses_packets: bool = False
    host: str = "127.0.0.1"
    told: list[Reply] = field(default_factory=list)
    port: str = ""
    is_full: bool = False

    @property
    def target(self) -> str:
        return self.port or self.key

    def send(self, reply: Reply) -> None:
        self.told.append(reply)


class SetClock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def state(job_id: str = "J1") -> JobStateEvent:
    return JobStateEvent(job_id=job_id, seq=0, state="running")


def done(job_id: str = "J1") -> JobDoneEvent:
    return JobDoneEvent(job_id=job_id, seq=1, takes=1, path="/a.wav", recipe="/a.json")


def test_owners_and_subscribers_are_told_and_nobody_else() -> None:
    audience = Audience()
    owner, subscriber, other = StubPeer("a"), StubPeer("b"), StubPeer("c")
    audience.own(owner, "J1")
    audience.subscribe(subscriber)
    audience.own(other, "J2")
    for event in (state(), done()):
        audience.tell("J1", event)
    assert owner.told == subscriber.told == [state(), done()] and other.told == []
    assert not audience.concerns(owner) and audience.concerns(subscriber)


def test_ends_are_repeated_where_packets_are_lost_until_acknowledged() -> None:
    async def scene() -> None:
        audience, peer = Audience(), StubPeer("a", loses_packets=True)
        audience.own(peer, "J1")
        audience.tell("J1", done())
        assert audience.concerns(peer)
        audience.acknowledge(peer, "J1")
        assert not audience.concerns(peer) and peer.told == [done()]
        audience.close()

    asyncio.run(scene())


def test_of_a_sweep_the_first_value_and_the_last_are_told() -> None:
    async def scene() -> None:
        audience, peer, other = Audience(), StubPeer("a"), StubPeer("b")
        audience.listen(peer, "s*", on=True)
        audience.listen(other, "guidance", on=True)
        for steps in range(1, 101):
            audience.tell_parameter("steps", steps)
        assert peer.told == [ParamValue(name="steps", value=1)]
        async with asyncio.timeout(20):
            while len(peer.told) < 2:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)
        assert peer.told[1:] == [ParamValue(name="steps", value=100)] and other.told == []
        audience.close()

    asyncio.run(scene())


def test_who_reads_nothing_is_told_the_latest_value_once_it_reads_again() -> None:
    async def scene() -> None:
        clock = SetClock()
        audience, peer = Audience(clock), StubPeer("a", is_full=True)
        audience.listen(peer, "*", on=True)
        for steps in range(1, 101):
            clock.now_s += 1.0
            audience.tell_parameter("steps", steps)
        assert peer.told == []
        peer.is_full = False
        audience.tell_parameter("guidance", 3.5)
        assert peer.told == [ParamValue(name="steps", value=100), ParamValue(name="guidance", value=3.5)]
        audience.close()

    asyncio.run(scene())


def test_too_many_listeners_make_room_the_idle_ones_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    audience = Audience()
    idle, panel, knob = StubPeer("idle"), StubPeer("panel"), StubPeer("knob", loses_packets=True)
    audience.subscribe(idle)
    audience.unsubscribe(idle)
    audience.subscribe(panel)
    audience.subscribe(knob)
    audience.subscribe(StubPeer("fourth"))
    assert audience.concerns(panel) and audience.concerns(knob)
    audience.subscribe(StubPeer("fifth"))
    # A connection that ends is seen; a port that is silent may long be gone.
    assert audience.concerns(panel) and not audience.concerns(knob)
    assert len(audience) == 3


def test_who_cannot_be_seen_to_leave_is_not_waited_for_for_ever() -> None:
    clock = SetClock()
    audience, peer, panel = Audience(clock), StubPeer("a", loses_packets=True), StubPeer("b")
    audience.subscribe(peer)
    audience.subscribe(panel)
    clock.now_s = SILENCE_S + 1
    assert not audience.concerns(peer) and audience.concerns(panel)
    audience.heard(peer)
    assert audience.concerns(peer)


def test_peers_that_ask_for_one_target_are_told_once() -> None:
    # As one-shot programs are: each call comes from another port, all name the one where they listen.
    audience = Audience()
    first, second, last = (StubPeer(key, port="9001", loses_packets=True) for key in "abc")
    audience.subscribe(first)
    audience.subscribe(second)
    audience.tell("J1", state())
    assert first.told + second.told == [state()]
    audience.leave(first)
    audience.tell("J1", state())
    assert len(second.told) == 2
    audience.unsubscribe(last)
    audience.tell("J1", state())
    assert len(second.told) == 2


def test_what_a_peer_was_told_follows_it_to_another_port() -> None:
    audience, peer = Audience(), StubPeer("a")
    audience.own(peer, "J1")
    before, peer.port = peer.target, "9001"
    audience.moved(before, peer)
    audience.tell("J1", state())
    assert peer.told == [state()] and len(audience) == 1


def test_an_end_may_be_acknowledged_from_a_port_of_its_own() -> None:
    async def scene() -> None:
        audience, peer = Audience(), StubPeer("a", loses_packets=True)
        audience.own(peer, "J1")
        audience.tell("J1", done())
        audience.acknowledge(StubPeer("b"), "J1")
        assert not audience.concerns(peer)
        audience.close()

    asyncio.run(scene())

"""What is heard, asked for over the wire by clients that have no panel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from daw_bridge.messages.hearing import (
    HearDevice,
    HearDevices,
    HearLevel,
    HearLoop,
    HearMatch,
    HearSeek,
    HearSelect,
    HearSet,
    HearState,
)
from daw_bridge.messages.takes import AbSelect, AbSet
from engine.types import ErrorCode
from tests.contract.services import Served, TcpClient, UdpClient, served
from tests.contract.test_auditioner import SoundServer, audible, no_device, server, sound

__all__ = ["audible", "no_device", "server"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


@pytest.fixture
def client(service: Served) -> Iterator[TcpClient]:
    with TcpClient(service.info.tcp_port) as one:
        yield one


def sources(*paths: str, **more: Any) -> HearSet:
    return HearSet(rid="-", content={"sources": [{"path": path} for path in paths], **more})


def plays(side: str) -> Any:
    return lambda reply: isinstance(reply, HearState) and reply.is_playing and reply.side == side


def test_whoever_is_told_of_all_jobs_is_told_what_plays_where_and_how_loud(
    audible: SoundServer, service: Served, client: TcpClient, tmp_path: Path
) -> None:
    original, take = (sound(tmp_path, f"{number}.wav", number, 2.0)[0] for number in range(2))
    with UdpClient(service.info.udp_port) as other:
        other.subscribe()
        answer = client.done(sources(original, take, loop={"on": True, "from_s": 0.5, "to_s": 1.5}))
        found = answer.sources["sources"]
        assert [one["length_s"] for one in found] == [2.0, 2.0]
        assert min(one["gain_db"] for one in found) <= 0.0
        client.done(HearSelect(rid="-", side="1"))
        state = other.next(plays("1"))
        assert (state.set_number, state.loop_from_s, state.loop_to_s) == (answer.number, 0.5, 1.5)
        assert state.path == take and state.device and state.length_s == 2.0
        client.done(HearSelect(rid="-", side="diff"))
        assert other.next(plays("diff")).take == 1
        other.next(lambda reply: isinstance(reply, HearLevel) and reply.peak_left_db > -40.0)
        client.done(HearMatch(rid="-", on=False))
        other.next(lambda reply: isinstance(reply, HearState) and not reply.is_matched)
        client.done(HearLoop(rid="-", on=False))
        other.next(lambda reply: isinstance(reply, HearState) and not reply.is_looped)
        client.done(HearSelect(rid="-", side="off"))
        other.next(lambda reply: isinstance(reply, HearState) and not reply.is_playing)


def test_positions_are_told_only_when_they_cannot_be_reckoned(
    audible: SoundServer, client: TcpClient, tmp_path: Path
) -> None:
    path, _ = sound(tmp_path, "a.wav", 1, 3.0)
    client.subscribe()
    client.done(sources(path))
    client.done(HearSelect(rid="-", side="0"))
    client.next(lambda reply: isinstance(reply, HearState) and reply.position_s > 0.5)
    client.forget()
    client.next(lambda reply: isinstance(reply, HearState) and reply.position_s > 2.0)
    states = [reply for reply in client.replies if isinstance(reply, HearState)]
    levels = [reply for reply in client.replies if isinstance(reply, HearLevel)]
    spent_s = (states[-1].at_ms - states[0].at_ms) / 1000.0
    # One a second, and one for each time that the machine was late.
    assert len(states) <= 20 * spent_s + 1
    assert len(levels) <= 20 * (spent_s + 1.0) + 1
    for before, after in pairwise(states):
        assert after.at_ms >= before.at_ms


def test_two_of_many_are_the_sides_of_a_comparison(
    audible: SoundServer, client: TcpClient, tmp_path: Path
) -> None:
    paths = [sound(tmp_path, f"{number}.wav", number, 2.0)[0] for number in range(3)]
    client.subscribe()
    client.done(sources(*paths))
    client.done(AbSet(rid="-", path_a=paths[2], path_b=paths[1]))
    client.done(AbSelect(rid="-", side="a"))
    assert client.next(plays("0")).path == paths[2]
    client.done(AbSelect(rid="-", side="b"))
    assert client.next(plays("1")).path == paths[1]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({}, '"sources" must be a list'),
        ({"sources": []}, "1 to 17 sources"),
        ({"sources": ["a.wav"]}, '"sources" must be a list of objects'),
        ({"sources": [{"path": 3}]}, '"path" must be a text'),
        ({"sources": [{"path": "a.wav"}]}, "not a whole path"),
        ({"sources": [{"path": "/a.wav", "from_s": -1}]}, '"from_s" must be a time'),
        ({"sources": [{"path": "/a.wav", "to_s": "end"}]}, '"to_s" must be a time'),
        ({"sources": [{"path": "/a.wav"}], "loop": True}, '"loop" must be an object'),
        ({"sources": [{"path": "/a.wav"}], "loop": {"on": 1}}, '"on" must be a truth value'),
        ({"sources": [{"path": "/a.wav"}] * 18}, "1 to 17 sources"),
        ({"sources": [{"path": "/a.wav"}], "loop": {"from_s": 2, "to_s": 1}}, "end after it begins"),
    ],
)
def test_a_set_that_is_none_says_what_is_wrong(
    client: TcpClient, content: dict[str, Any], sentence: str
) -> None:
    assert sentence in client.failed(HearSet(rid="-", content=content)).message


def test_what_cannot_be_done_says_so(audible: SoundServer, client: TcpClient, tmp_path: Path) -> None:
    path, _ = sound(tmp_path, "a.wav", 1, 0.5)
    assert "nothing was chosen" in client.failed(HearSelect(rid="-", side="0")).message
    assert client.failed(sources(str(tmp_path / "gone.wav"))).code is ErrorCode.IO_MISSING
    found = client.done(sources(path, str(tmp_path / "gone.wav"))).sources["sources"]
    assert found[1]["error"]["code"] == "io_missing" and "gone.wav" in found[1]["error"]["message"]
    assert "no side 5" in client.failed(HearSelect(rid="-", side="5")).message
    assert client.failed(HearDevice(rid="-", name="Violin")).code is ErrorCode.NOT_FOUND
    assert "end after it begins" in client.failed(HearLoop(rid="-", on=True, from_s=2.0, to_s=1.0)).message


def test_the_device_that_is_chosen_and_those_there_are(audible: SoundServer, client: TcpClient) -> None:
    content = client.done(HearDevices(rid="-")).content
    assert content["message"] == "" and content["default"] in [one["name"] for one in content["devices"]]
    client.done(HearDevice(rid="-", name=content["default"]))
    assert client.done(HearDevices(rid="-")).content["chosen"] == content["default"]


def test_without_a_device_the_list_says_why_and_a_place_can_be_gone_to(
    no_device: None, client: TcpClient, tmp_path: Path
) -> None:
    path, _ = sound(tmp_path, "a.wav", 1, 0.5)
    content = client.done(HearDevices(rid="-")).content
    assert content["devices"] == [] and "no sound device" in content["message"] and content["hint"]
    client.done(sources(path))
    client.done(HearSeek(rid="-", position_s=0.2))
    assert client.failed(HearSelect(rid="-", side="0")).code is ErrorCode.NOT_FOUND

"""Every control of the TouchOSC layout, used as its messages say, on a service that renders and plays."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

from daw_bridge.daws.hosts import Place, System
from daw_bridge.daws.touchosc.controls import SURFACE_PORT, controls
from daw_bridge.daws.touchosc.host import HOST
from daw_bridge.jobs.state import Job, JobState
from daw_bridge.live.knobs import value_at
from daw_bridge.messages.answers import Fail
from daw_bridge.messages.arguments import OscValue
from daw_bridge.messages.live import ParamSet
from daw_bridge.messages.surfaces import NowText
from tests.contract.services import Served, UdpClient, served, udp_of
from tests.contract.test_auditioner import sound_server, use
from tests.end2end.homes import PATIENCE_S

SMALL = {"model": "debug", "prompt": "a harp", "seconds": 0.5, "steps": 2, "takes": 2, "seed": 0}
READERS: dict[str, Callable[[str], OscValue]] = {"STRING": str, "INTEGER": int, "FLOAT": float}


@dataclass
class Surface:
    """The layout on a screen: what its controls send goes to the service, what comes back is heard."""

    service: Served
    client: UdpClient
    nodes: dict[str, Element]
    used: set[str] = field(default_factory=set)

    def press(self, label: str) -> None:
        """Press a button and let it go."""
        self._move(label, 0.0, 1.0)
        self._move(label, 1.0, 0.0)

    def turn(self, label: str, before: float, position: float) -> None:
        self._move(label, before, position)

    def told(self, containing: str) -> str:
        answer = self.client.next(
            lambda reply: (
                isinstance(reply, Fail) or (isinstance(reply, NowText) and containing in reply.text)
            ),
            PATIENCE_S,
        )
        assert isinstance(answer, NowText), answer
        return answer.text

    def board(self, name: str) -> object:
        return self.service.call(lambda: self.service.service.board.get(name))

    def jobs(self) -> list[Job]:
        history = self.service.service.book.history
        return self.service.call(lambda: [history.job(entry.id) for entry in history.entries()])

    def until(self, holds: Callable[[], bool]) -> None:
        self.service.until(holds)

    def _move(self, label: str, before: float, now: float) -> None:
        self.used.add(label)
        for osc in self.nodes[label].iter("osc"):
            condition = osc.findtext("triggers/trigger/condition")
            is_wanted = condition in ("ANY", "RISE" if now > before else "FALL")
            if osc.findtext("send") == "1" and before != now and is_wanted:
                arguments = [self._argument(partial, now) for partial in osc.findall("arguments/partial")]
                self.client.send(osc.findtext("path/partial/value") or "", *arguments)

    def _argument(self, partial: Element, now: float) -> OscValue:
        value = READERS[partial.findtext("conversion") or ""](
            str(now) if partial.findtext("type") == "VALUE" else partial.findtext("value") or ""
        )
        # The port of this test's client in place of the layout's, which may be taken.
        return self.client.port if value == SURFACE_PORT else value


@pytest.fixture
def surface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surface]:
    (file,) = HOST.files(System.here(), Place(folder=tmp_path))
    root = ET.fromstring(zlib.decompress(file.content))  # noqa: S314 - our own file
    nodes = {
        node.findtext("properties/property[key='name']/value") or "": node
        for node in root.iter("node")
        if node.attrib["type"] in ("BUTTON", "FADER")
    }
    with sound_server() as sound:
        use(sound, monkeypatch)
        with served(tmp_path, has_worker=True, has_chores=True) as service, udp_of(service) as client:
            for name, value in SMALL.items():
                client.done(ParamSet(rid="-", name=name, value=value))
            yield Surface(service, client, nodes)


def test_every_control_does_what_is_written_on_it(surface: Surface) -> None:
    surface.press("connect")
    surface.told("no takes yet")
    _make_takes(surface)
    _choose_takes(surface)
    _compare(surface)
    _set_parameters(surface)
    _cancel(surface)
    surface.client.drain()
    assert not [reply for reply in surface.client.replies if isinstance(reply, Fail)]
    assert surface.used == {control.label for control in controls() if control.sends}


def _make_takes(surface: Surface) -> None:
    surface.press("generate")
    surface.told("take 1 of 2: a harp")
    surface.press("transfer")
    surface.told("queued: a harp")
    surface.told("take 1 of 2: a harp")
    transfer, first = surface.jobs()
    assert transfer.spec.region is not None
    assert transfer.spec.region.path == first.takes[0].path
    surface.press("again")
    surface.told("queued: a harp")
    surface.told("take 1 of 2: a harp")
    again, *_ = surface.jobs()
    assert again.spec.seed == transfer.spec.seed + 2
    assert again.spec.region == transfer.spec.region


def _choose_takes(surface: Surface) -> None:
    surface.press("next")
    surface.told("take 2 of 2")
    surface.press("previous")
    surface.told("take 1 of 2")
    surface.press("keep")
    surface.told("kept: take 1")
    surface.press("next")
    surface.press("drop")
    surface.told("dropped: take 2")
    job = surface.jobs()[0]
    takes = surface.service.call(lambda: surface.service.service.book.history.takes(job.id))
    assert [take.rating for take in takes] == [1, -1]
    surface.turn("strength", 0.0, 0.9)
    surface.press("recall")
    surface.told("recalled")
    assert surface.board("strength") == pytest.approx(job.spec.sampler.strength)


def _compare(surface: Surface) -> None:
    for label, told in (
        ("play", "take 2"),
        ("source", "source of"),
        ("take", "sound of"),
        ("difference", "difference of"),
        ("stop", "stopped"),
    ):
        surface.press(label)
        surface.told(told)


def _set_parameters(surface: Surface) -> None:
    for control in controls():
        (sent, *_) = (*control.sends, None)
        if sent is None or control.label == "connect" or "/press/" in sent.address:
            continue
        _, _, _, group, name = sent.address.split("/")
        if group == "preset" and name == "load":
            surface.press(control.label)
        elif group == "preset":
            surface.turn(control.label, 0.0, 0.5)
            surface.until(
                lambda: surface.service.service.board.get("strength") == pytest.approx(_middle(surface))
            )
        elif group == "knob":
            for before, position in ((0.5, 1.0), (1.0, 0.0)):
                surface.turn(control.label, before, position)
                _turned(surface, name, position)
        else:
            surface.press(control.label)
            wanted = sent.arguments[0]
            surface.until(lambda wanted=wanted: surface.service.service.board.get("chain") == wanted)
    surface.press("draft")
    surface.until(lambda: surface.service.service.board.get("steps") == 8)


def _turned(surface: Surface, name: str, position: float) -> None:
    wanted = value_at(name, position)
    surface.until(lambda: surface.service.service.board.get(name) == wanted)


def _middle(surface: Surface) -> float:
    presets: Any = surface.service.service._live._presets
    gentle, bold = (presets.load(name).values["strength"] for name in ("gentle variation", "bold change"))
    return float(gentle + bold) / 2


def _cancel(surface: Surface) -> None:
    for name, value in (SMALL | {"steps": 1000, "chain": ""}).items():
        surface.client.done(ParamSet(rid="-", name=name, value=value))
    surface.press("generate")
    surface.told("running")
    surface.press("cancel")
    surface.told("cancelled: 1")
    surface.until(lambda: not surface.service.service.book.queue.active)
    assert surface.jobs()[0].state is JobState.CANCELLED

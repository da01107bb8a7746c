"""The layout for TouchOSC, read back from the file that is installed."""

from __future__ import annotations

import itertools
import zlib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

from daw_bridge.daws.hosts import System
from daw_bridge.daws.touchosc import sheet
from daw_bridge.daws.touchosc.controls import Kind, Value, controls
from daw_bridge.daws.touchosc.document import HEIGHT, WIDTH, tosc
from daw_bridge.daws.touchosc.host import HOST, VARIABLE
from daw_bridge.live.chains import ChainStore
from daw_bridge.live.presets import PresetStore
from daw_bridge.messages.base import ROOT
from daw_bridge.messages.reading import parse_reply, parse_request

# What a node, a property and an OSC message may hold, in files that TouchOSC's editor saved.
NODE_PARTS = ("properties", "values", "messages", "children")
OSC_PARTS = ("enabled", "send", "receive", "feedback", "connections", "triggers", "path", "arguments")
PROPERTY_TYPES = {
    "background": "b", "buttonType": "i", "color": "c", "frame": "r", "interactive": "b", "name": "s",
    "orientation": "i", "outline": "b", "press": "b", "release": "b", "textClip": "b", "textColor": "c",
    "textSize": "i", "visible": "b",
}  # fmt: skip
VALUES = {"GROUP": {"touch"}, "BUTTON": {"touch", "x"}, "FADER": {"touch", "x"}, "LABEL": {"text", "touch"}}


@pytest.fixture(scope="module")
def root() -> Element:
    return ET.fromstring(zlib.decompress(tosc()))  # noqa: S314 - our own file


def nodes(root: Element) -> list[Element]:
    return list(root.iter("node"))


def content(element: Element, path: str) -> str:
    return element.findtext(path) or ""


def name_of(node: Element) -> str:
    return content(node, "properties/property[key='name']/value")


def frame(node: Element) -> tuple[int, int, int, int]:
    found = node.find("properties/property[key='frame']/value")
    assert found is not None
    x, y, width, height = (int(content(found, key)) for key in "xywh")
    return x, y, width, height


def test_the_file_has_the_form_that_the_editor_saves(root: Element) -> None:
    assert (root.tag, root.attrib) == ("lexml", {"version": "3"})
    (page,) = root
    assert page.attrib["type"] == "GROUP"
    for node in nodes(root):
        parts = [part.tag for part in node]
        assert parts == [part for part in NODE_PARTS if part in parts]
        keys = {content(one, "key"): one.attrib["type"] for one in node.findall("properties/property")}
        assert keys == {key: PROPERTY_TYPES[key] for key in keys}
        assert {"name", "frame", "color"} <= set(keys)
        assert {content(one, "key") for one in node.findall("values/value")} == VALUES[node.attrib["type"]]
    assert all(tuple(part.tag for part in osc) == OSC_PARTS for osc in root.iter("osc"))


def test_ids_are_unique_and_the_file_is_the_same_each_time(root: Element) -> None:
    ids = [node.attrib["ID"] for node in nodes(root)]
    assert len(set(ids)) == len(ids)
    assert tosc() == tosc()


def test_nothing_overlaps_or_leaves_the_page(root: Element) -> None:
    frames = [frame(node) for node in nodes(root)[1:]]
    for x, y, width, height in frames:
        assert min(x, y) >= 0 and width > 20 and height > 20
        assert x + width <= WIDTH and y + height <= HEIGHT
    for (xa, ya, wa, ha), (xb, yb, wb, hb) in itertools.combinations(frames, 2):
        assert xa + wa <= xb or xb + wb <= xa or ya + ha <= yb or yb + hb <= ya


def test_all_controls_are_on_the_page_with_what_they_send(root: Element) -> None:
    for control in controls():
        found = [
            node
            for node in nodes(root)
            if content(node, "properties/property[key='name']/value") == control.label
        ]
        messages = [osc for node in found for osc in node.iter("osc") if content(osc, "send") == "1"]
        assert [content(osc, "path/partial/value") for osc in messages] == [
            sent.address for sent in control.sends
        ]
        conditions = {content(osc, "triggers/trigger/condition") for osc in messages}
        assert conditions <= ({"RISE"} if control.kind is Kind.BUTTON else {"ANY"})


def test_all_that_controls_send_is_a_request() -> None:
    for sent in itertools.chain.from_iterable(control.sends for control in controls()):
        for position in (0.0, 0.37, 1.0):
            args = [position if part is Value.POSITION else part for part in sent.arguments]
            parse_request(sent.address, args)


def test_all_that_controls_show_is_told_by_the_service() -> None:
    for control in controls():
        if control.shows:
            parse_reply(control.shows, ["words" if control.kind is Kind.LABEL else 0.5])


def test_presets_and_chains_on_the_page_come_with_the_program(tmp_path: Path) -> None:
    presets, chains = PresetStore(tmp_path).list().presets, ChainStore(tmp_path).list().chains
    for control in controls():
        for sent in control.sends:
            names = [part for part in sent.arguments if isinstance(part, str) and part not in ("-", "")]
            known = chains if sent.address == f"{ROOT}param/chain" else presets
            assert set(names) <= set(known)


def test_the_page_is_fresh() -> None:
    assert sheet.TARGET.read_text(encoding="utf-8") == sheet.text(), (
        "the controls have changed; run: python -m daw_bridge.daws.touchosc.sheet"
    )


def test_the_layout_goes_where_the_user_says(tmp_path: Path) -> None:
    system = replace(System.here(), home=tmp_path, environment={})
    assert HOST.find(system) == ()
    (tmp_path / "Documents" / "TouchOSC").mkdir(parents=True)
    (place,) = HOST.find(system)
    assert place.folder == tmp_path / "Documents" / "TouchOSC"
    (named,) = HOST.find(replace(system, environment={VARIABLE: str(tmp_path / "surfaces")}))
    (file,) = HOST.files(system, named)
    assert file.path == tmp_path / "surfaces" / "DAW Bridge.tosc"
    assert file.content == tosc()

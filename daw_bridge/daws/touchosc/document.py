"""The layout as a .tosc file: XML, compressed by zlib, as TouchOSC's editor writes it (lexml version 3).

Elements and their order follow files that the editor saved; AlbertoV5/tosclib describes them.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

from daw_bridge.daws.touchosc.controls import Control, Kind, Row, Sent, Value, rows

WIDTH, HEIGHT = 1024, 768
GAP, LABEL_HEIGHT = 8, 24
ROW_HEIGHT = 60
_NODES = {
    Kind.BUTTON: "BUTTON",
    Kind.SWITCH: "BUTTON",
    Kind.FADER: "FADER",
    Kind.METER: "FADER",
    Kind.LABEL: "LABEL",
}
_COLORS = {
    Kind.BUTTON: (0.16, 0.47, 0.67),
    Kind.SWITCH: (0.75, 0.53, 0.18),
    Kind.FADER: (0.25, 0.6, 0.4),
    Kind.METER: (0.6, 0.6, 0.6),
    Kind.LABEL: (0.1, 0.1, 0.1),
}
_MOMENTARY, _TOGGLE_PRESS = "0", "2"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "daw-bridge/touchosc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A place on the page, in the layout's own units."""

    x: int
    y: int
    width: int
    height: int

    def split(self, height: int) -> tuple[Frame, Frame]:
        """Return what is left above, and a strip of that height at the bottom."""
        above = Frame(x=self.x, y=self.y, width=self.width, height=self.height - height)
        below = Frame(x=self.x, y=self.y + above.height, width=self.width, height=height)
        return above, below


def tosc() -> bytes:
    """Return the content of the file."""
    return zlib.compress(xml())


def xml() -> bytes:
    root = Element("lexml", version="3")
    page = _node(root, "GROUP", "DAW Bridge", Frame(x=0, y=0, width=WIDTH, height=HEIGHT), (0.0, 0.0, 0.0))
    _values(page, touch="false")
    children = SubElement(page, "children")
    for control, frame in _placed(rows()):
        _add(children, control, frame)
    return bytes(ET.tostring(root, encoding="UTF-8", xml_declaration=True))


def _placed(all_rows: tuple[Row, ...]) -> Iterator[tuple[Control, Frame]]:
    """Yield the controls with their places; the last row gets what is left of the page."""
    y = GAP
    for row in all_rows:
        height = HEIGHT - GAP - y if row is all_rows[-1] else ROW_HEIGHT
        width = (WIDTH - GAP) // len(row.controls)
        for place, control in enumerate(row.controls):
            x = GAP + place * width
            yield control, Frame(x=x, y=y, width=width - GAP, height=height)
        y += height + GAP


def _add(children: Element, control: Control, frame: Frame) -> None:
    if control.kind is Kind.LABEL:
        _label(children, control.label, frame, control.shows)
        return
    body, strip = frame.split(LABEL_HEIGHT)
    node = _node(children, _NODES[control.kind], control.label, body, _COLORS[control.kind])
    properties = node[0]
    if control.kind in (Kind.FADER, Kind.METER):
        _property(properties, "i", "orientation", "0" if body.height > body.width else "1")
        _property(properties, "b", "interactive", str(int(control.kind is Kind.FADER)))
    else:
        is_switch = control.kind is Kind.SWITCH
        _property(properties, "i", "buttonType", _TOGGLE_PRESS if is_switch else _MOMENTARY)
        _property(properties, "b", "press", "1")
        _property(properties, "b", "release", str(int(not is_switch)))
    _values(node, touch="false", x="0")
    messages = SubElement(node, "messages")
    for sent in control.sends:
        # What is let go needs no message, and its constants would be sent again.
        condition = "RISE" if control.kind is Kind.BUTTON else "ANY"
        _osc(messages, sent, "x", condition, is_heard=sent.address == control.shows)
    if control.shows and not control.sends:
        heard = Sent(address=control.shows, arguments=(Value.POSITION,))
        _osc(messages, heard, "x", "ANY", is_heard=True, is_sent=False)
    _label(children, control.label, strip, "")


def _label(children: Element, text: str, frame: Frame, shows: str) -> None:
    node = _node(children, "LABEL", text, frame, _COLORS[Kind.LABEL])
    _property(node[0], "i", "textSize", "14")
    _property(node[0], "b", "textClip", "1")
    _color(node[0], "textColor", (1.0, 1.0, 1.0))
    _values(node, text=text, touch="false")
    if shows:
        heard = Sent(address=shows, arguments=(Value.POSITION,))
        _osc(SubElement(node, "messages"), heard, "text", "ANY", is_heard=True, is_sent=False)


def _node(parent: Element, kind: str, name: str, frame: Frame, color: tuple[float, float, float]) -> Element:
    # The same layout is the same file: ids are made from where the node is.
    place = f"{kind} {name} {frame.x} {frame.y}"
    node = SubElement(parent, "node", ID=str(uuid.uuid5(_NAMESPACE, place)), type=kind)
    properties = SubElement(node, "properties")
    _property(properties, "s", "name", name)
    _color(properties, "color", color)
    value = _property(properties, "r", "frame", "")
    for key, number in zip("xywh", (frame.x, frame.y, frame.width, frame.height), strict=True):
        SubElement(value, key).text = str(number)
    for key in ("background", "outline", "visible"):
        _property(properties, "b", key, "1")
    return node


def _property(properties: Element, kind: str, key: str, content: str) -> Element:
    made = SubElement(properties, "property", type=kind)
    SubElement(made, "key").text = key
    value = SubElement(made, "value")
    value.text = content or None
    return value


def _color(properties: Element, key: str, color: tuple[float, float, float]) -> None:
    value = _property(properties, "c", key, "")
    for part, level in zip("rgba", (*color, 1.0), strict=True):
        SubElement(value, part).text = f"{level:g}"


def _values(node: Element, **defaults: str) -> None:
    values = SubElement(node, "values")
    for key, default in defaults.items():
        value = SubElement(values, "value")
        for name, content in (("key", key), ("locked", "0"), ("lockedDefaultCurrent", "0")):
            SubElement(value, name).text = content
        SubElement(value, "default").text = default
        SubElement(value, "defaultPull").text = "0"


def _osc(
    messages: Element, sent: Sent, variable: str, condition: str, *, is_heard: bool, is_sent: bool = True
) -> None:
    osc = SubElement(messages, "osc")
    flags = {"enabled": "1", "send": str(int(is_sent)), "receive": str(int(is_heard)), "feedback": "0"}
    for key, content in (flags | {"connections": "00001"}).items():
        SubElement(osc, key).text = content
    trigger = SubElement(SubElement(osc, "triggers"), "trigger")
    SubElement(trigger, "var").text = variable
    SubElement(trigger, "condition").text = condition
    _partial(SubElement(osc, "path"), "CONSTANT", "STRING", sent.address)
    arguments = SubElement(osc, "arguments")
    for part in sent.arguments:
        if isinstance(part, Value):
            _partial(arguments, "VALUE", "STRING" if variable == "text" else "FLOAT", variable)
        else:
            _partial(arguments, "CONSTANT", "INTEGER" if isinstance(part, int) else "STRING", str(part))


def _partial(parent: Element, kind: str, conversion: str, value: str) -> None:
    partial = SubElement(parent, "partial")
    fields = {"type": kind, "conversion": conversion, "value": value, "scaleMin": "0", "scaleMax": "1"}
    for key, content in fields.items():
        SubElement(partial, key).text = content

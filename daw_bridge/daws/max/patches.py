"""Patchers of Max as values, and as the files that Max reads: .maxpat, .maxhelp, and .amxd for Live.

An .amxd has three chunks, each a name of four letters, its length and its content: ampf with the kind of
device, meta, and ptch with the patcher's JSON. Lengths have 32 bits, the low byte first.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field, replace
from typing import Any

BOX_HEIGHT = 22.0
AUDIO_EFFECT = b"aaaa"
# inlets, outlets and what comes out, of the objects that our patchers have.
OBJECTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "buffer~": (1, ("float", "bang")),
    "comment": (1, ()),
    "deferlow": (1, ("",)),
    "flonum": (1, ("", "bang")),
    "inlet": (0, ("",)),
    "js": (1, ("", "", "", "")),
    "dawbridge": (1, ("", "")),
    "live.thisdevice": (1, ("bang", "int", "int")),
    "loadbang": (1, ("bang",)),
    "message": (2, ("",)),
    "outlet": (1, ()),
    "plugin~": (2, ("signal", "signal")),
    "plugout~": (2, ("signal", "signal")),
    "prepend": (1, ("",)),
    "print": (1, ()),
    "route": (2, ("", "")),
    "textedit": (1, ("", "int", "", "")),
    "tosymbol": (1, ("",)),
    "udpreceive": (1, ("",)),
    "udpsend": (1, ()),
}
# These are drawn by classes of their own; all others are objects in a box with text.
_DRAWN = {"comment", "flonum", "inlet", "message", "outlet", "textedit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An object of a patcher; text has its name first, but for drawn ones. shown is its place in a device."""

    id: str
    kind: str
    text: str = ""
    x: float
    y: float
    width: float = 120.0
    shown: tuple[float, float, float] | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def inlets(self) -> int:
        # route has one inlet more for each word that it looks for.
        return len(self.text.split()) if self.kind == "route" else OBJECTS[self.kind][0]

    @property
    def outlet_types(self) -> tuple[str, ...]:
        return ("",) * len(self.text.split()) if self.kind == "route" else OBJECTS[self.kind][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A patch cord from an outlet to an inlet, both counted from 0."""

    source: str
    outlet: int = 0
    target: str
    inlet: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patcher:
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float = 700.0
    height: float = 500.0
    is_device: bool = False

    def json(self) -> bytes:
        return json.dumps({"patcher": _patcher(self)}, indent=1).encode() + b"\n"

    def amxd(self) -> bytes:
        """Return the file of a Max for Live audio effect."""
        content = replace(self, is_device=True).json() + b"\0"
        return _chunk(b"ampf", AUDIO_EFFECT) + _chunk(b"meta", bytes(4)) + _chunk(b"ptch", content)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def _patcher(patcher: Patcher) -> dict[str, Any]:
    return {
        "fileversion": 1,
        "appversion": {"major": 8, "minor": 0, "revision": 0, "architecture": "x64", "modernui": 1},
        "classnamespace": "box",
        "rect": [80.0, 100.0, patcher.width, patcher.height],
        "openinpresentation": int(patcher.is_device),
        "default_fontsize": 12.0,
        "default_fontname": "Arial",
        "boxes": [{"box": _box(box)} for box in patcher.boxes],
        "lines": [{"patchline": _line(line)} for line in patcher.lines],
    }


def _box(box: Box) -> dict[str, Any]:
    content: dict[str, Any] = {
        "id": box.id,
        "maxclass": box.kind if box.kind in _DRAWN else "newobj",
        "numinlets": box.inlets,
        "numoutlets": len(box.outlet_types),
        "patching_rect": [box.x, box.y, box.width, BOX_HEIGHT],
    }
    if box.outlet_types:
        content["outlettype"] = list(box.outlet_types)
    if box.text:
        content["text"] = box.text
    if box.shown is not None:
        x, y, width = box.shown
        content |= {"presentation": 1, "presentation_rect": [x, y, width, BOX_HEIGHT]}
    return content | box.more


def _line(line: Line) -> dict[str, Any]:
    return {"source": [line.source, line.outlet], "destination": [line.target, line.inlet]}

"""The iXML chunk: what a source's said, moved with the region, and what a take says of itself."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from contextlib import suppress
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

from engine.audio.markers import Cut

ROOT = "BWFXML"
OWN = "DAW_BRIDGE"
_VERSION = "2.10"
# They tell of the file as a whole: the bext chunk is written anew, and each file has an identity of its own.
_OUTDATED = ("BEXT", "FILE_UID")
_MAX_DEPTH = 50


def ixml_chunk(
    source: bytes,
    facts: Mapping[str, str],
    *,
    note: str,
    source_name: str,
    cut: Cut | None,
    time_reference_samples: int,
    sample_rate_hz: int,
) -> bytes:
    """Return the content of an iXML chunk; facts are told in its USER part."""
    root = _parsed(source)
    uid = root.findtext("FILE_UID", "")
    for name in _OUTDATED:
        for outdated in root.findall(name):
            root.remove(outdated)
    _tell(root, "IXML_VERSION", root.findtext("IXML_VERSION", _VERSION))
    _tell(root, "PROJECT", root.findtext("PROJECT", "DAW Bridge"))
    _tell(root, "NOTE", "; ".join(filter(None, (root.findtext("NOTE", ""), note))))
    _tell_time(_child(root, "SPEED"), time_reference_samples, sample_rate_hz)
    if source_name:
        _tell_parent(_child(root, "HISTORY"), source_name, uid)
    _move_sync_points(root, cut)
    _tell_facts(_child(root, "USER"), facts)
    return ET.tostring(root, encoding="UTF-8", xml_declaration=True)


def _parsed(content: bytes) -> Element:
    """Read a source's chunk; an empty root where it is none or is out to do harm."""
    text = _decoded(content)
    # Entities may grow without end, and only a document type declares them.
    if "<!DOCTYPE" not in text and "<!ENTITY" not in text:
        with suppress(ET.ParseError, ValueError, RecursionError):
            root = ET.fromstring(text.encode())  # noqa: S314
            if root.tag == ROOT and not _is_deeper(root, _MAX_DEPTH):
                return root
    return Element(ROOT)


def _decoded(content: bytes) -> str:
    """Return the text without its declaration, whose encoding is then no longer true."""
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if is_wide else "utf-8-sig", "replace").strip("\0 \t\r\n")
    return text.partition("?>")[2] if text.startswith("<?xml") else text


def _is_deeper(element: Element, most: int) -> bool:
    level = [element]
    for _ in range(most):
        level = [child for parent in level for child in parent]
    return bool(level)


def _child(parent: Element, name: str) -> Element:
    found = parent.find(name)
    return SubElement(parent, name) if found is None else found


def _tell(parent: Element, name: str, text: str) -> None:
    _child(parent, name).text = _sendable(text)


def _tell_time(speed: Element, time_reference_samples: int, sample_rate_hz: int) -> None:
    _tell(speed, "FILE_SAMPLE_RATE", str(sample_rate_hz))
    _tell(speed, "TIMESTAMP_SAMPLE_RATE", str(sample_rate_hz))
    _tell(speed, "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI", str(time_reference_samples >> 32))
    _tell(speed, "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO", str(time_reference_samples & 0xFFFFFFFF))


def _tell_parent(history: Element, source_name: str, uid: str) -> None:
    _tell(history, "ORIGINAL_FILENAME", history.findtext("ORIGINAL_FILENAME", source_name))
    _tell(history, "PARENT_FILENAME", source_name)
    if uid:
        _tell(history, "PARENT_UID", uid)


def _tell_facts(user: Element, facts: Mapping[str, str]) -> None:
    earlier = user.find(OWN)
    if earlier is not None:
        user.remove(earlier)
    own = SubElement(user, OWN)
    for name, text in facts.items():
        _tell(own, name, text)


def _move_sync_points(root: Element, cut: Cut | None) -> None:
    points = root.find("SYNC_POINT_LIST")
    if points is None or cut is None:
        return
    for point in points.findall("SYNC_POINT"):
        if point.findtext("SYNC_POINT_TYPE", "RELATIVE") == "RELATIVE" and not _moved(point, cut):
            points.remove(point)
    _tell(points, "SYNC_POINT_COUNT", str(len(points.findall("SYNC_POINT"))))


def _moved(point: Element, cut: Cut) -> bool:
    """Move a point that is counted from the file's start; False where it is no longer there."""
    try:
        high, low = (int(point.findtext(f"SYNC_POINT_{half}", "0")) for half in ("HIGH", "LOW"))
    except ValueError:
        return False
    moved = cut.moved(high << 32 | low) if high >= 0 and low >= 0 else None
    if moved is not None:
        _tell(point, "SYNC_POINT_HIGH", str(moved >> 32))
        _tell(point, "SYNC_POINT_LOW", str(moved & 0xFFFFFFFF))
    return moved is not None


def _sendable(text: str) -> str:
    """Return text without what XML cannot hold."""
    return "".join(sign for sign in text if sign in "\t\n\r" or (sign >= " " and not _is_banned(sign)))


def _is_banned(sign: str) -> bool:
    return "\ud800" <= sign <= "\udfff" or sign in "\ufffe\uffff"

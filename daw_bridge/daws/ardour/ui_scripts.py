"""Ardour's file of action slots and hooks: ours put in and taken out, everything else left as it is.

The file is XML around base64 around statements of Lua, `scripts[3]["n"] = "name"` and the like, by which
Ardour builds its table of scripts again: n is a script's name, s its text, f what makes it a function, a its
arguments.
"""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.errors import SpecError

SLOTS = 32
# Those that Ardour 7's menu shows.
SHOWN_SLOTS = 9
# Buttons show a name's first letter, so ours tell at their end whose they are.
_OUR_END = " (DAW Bridge)"
_OUR_START_BEFORE = "DAW Bridge: "

_STATEMENT = re.compile(
    # An action's table is scripts[number], a hook's is s.
    rb"\s*(?:scripts(?:\[(?P<slot>\d+)\])?|s)"
    rb'(?P<rest>(?:\[(?:\d+|"(?:\\.|[^"\\])*")\])*)'
    rb'\s*=\s*(?P<value>\{\}|"(?:\\.|[^"\\])*"|[\w.+-]+)\s*',
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(\d{1,3}|.)", re.DOTALL)
_HINT = "Start and quit Ardour once, so that it writes the file anew; or move the file away."


def our_name(title: str) -> str:
    """Return the name that a script of ours has in Ardour."""
    return title + _OUR_END


def is_ours(name: str) -> bool:
    """Tell whether a script is ours, of this version or of one before."""
    return name.endswith(_OUR_END) or name.startswith(_OUR_START_BEFORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """An action or a hook as the file holds it; origin is the file that its text came from."""

    name: str
    text: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A script that runs by itself; signals are the numbers of what it listens to."""

    script: Script
    signals: Sequence[int]


def with_ours(content: bytes | None, actions: Sequence[Script], hook: Hook) -> bytes:
    """Return the file with these scripts in it: each in the slot that it had, or else in the first free one.

    One whose slot the menu does not show moves to a free one that it shows.

    Where all have the same text already, nothing changes: Ardour writes them in another form than ours.

    Raises:
        SpecError: the file cannot be read, or has too few free slots.
    """
    root = _parse(content) if content else ET.Element("UIScripts")
    slots = _slots(root)
    if content and _has_all(root, slots, actions, hook):
        return content
    had = {_name_now(_name_of(statements)): slot for slot, statements in slots.items()}
    theirs = _theirs(slots)
    ours = _placed(actions, had, set(theirs))
    _write_slots(root, {**theirs, **ours})
    _remove_hooks(root)
    _child(root, "ActionHooks").append(_callback(hook))
    return _bytes(root)


def without_ours(content: bytes) -> bytes:
    """Return the file without our scripts; raises SpecError where it cannot be read."""
    root = _parse(content)
    slots = _slots(root)
    theirs = _theirs(slots)
    if len(theirs) == len(slots) and not _our_hooks(root):
        return content
    _write_slots(root, theirs)
    _remove_hooks(root)
    return _bytes(root)


def names(content: bytes) -> dict[int, str]:
    """Return the names of all actions by their slots; raises SpecError where the file cannot be read."""
    return {slot: _name_of(statements) for slot, statements in _slots(_parse(content)).items()}


def _theirs(slots: Mapping[int, bytes]) -> dict[int, bytes]:
    return {slot: lines for slot, lines in slots.items() if not is_ours(_name_of(lines))}


def _name_now(name: str) -> str:
    """Return what a script is called now that an earlier version named otherwise."""
    start = _OUR_START_BEFORE
    return our_name(name.removeprefix(start)) if name.startswith(start) else name


def _parse(content: bytes) -> ET.Element:
    try:
        root = ET.fromstring(content)  # noqa: S314  the user's own file
    except ET.ParseError as error:
        raise SpecError(f"Ardour's ui_scripts is not readable: {error}", _HINT) from error
    if root.tag != "UIScripts":
        raise SpecError(f"Ardour's ui_scripts begins with {root.tag}, not with UIScripts", _HINT)
    return root


def _slots(root: ET.Element) -> dict[int, bytes]:
    """Return each slot's statements, unchanged."""
    node = root.find("ActionScript")
    if node is None or not (node.text or "").strip():
        return {}
    blob = base64.b64decode(node.text or "")
    slots: dict[int, bytes] = {}
    for match in _statements(blob):
        if match["slot"] is not None:
            slot = int(match["slot"])
            slots[slot] = slots.get(slot, b"") + match[0]
    return slots


def _statements(blob: bytes) -> Iterator[re.Match[bytes]]:
    at = 0
    while at < len(blob.rstrip()):
        match = _STATEMENT.match(blob, at)
        if match is None:
            raise SpecError(f"Ardour's ui_scripts holds something unknown at byte {at}", _HINT)
        yield match
        at = match.end()


def _has_all(root: ET.Element, slots: Mapping[int, bytes], actions: Sequence[Script], hook: Hook) -> bool:
    there = {(_name_of(lines), _text_of(lines)) for lines in slots.values()}
    ours = {(name, text) for name, text in there if is_ours(name)}
    if ours != {(action.name, action.text) for action in actions}:
        return False
    hooks = _our_hooks(root)
    return [_hook_text(node) for node in hooks] == [hook.script.text]


def _hook_text(node: ET.Element) -> str:
    return _text_of(base64.b64decode(node.text or ""))


def _name_of(statements: bytes) -> str:
    return _value_of(b'["n"]', statements)


def _text_of(statements: bytes) -> str:
    return _value_of(b'["s"]', statements)


def _value_of(key: bytes, statements: bytes) -> str:
    for match in _statements(statements):
        if match["rest"] == key:
            return _unquoted(match["value"])
    return ""


def _unquoted(value: bytes) -> str:
    def plain(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1])]) if match[1].isdigit() else match[1]

    return _ESCAPE.sub(plain, value[1:-1]).decode("utf-8", "replace")


def _quoted(text: str) -> bytes:
    # As Ardour's own %q does it: a line's end stays one, behind a backslash.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\\n").replace("\r", "\\13")
    return b'"' + escaped.encode() + b'"'


def _placed(actions: Sequence[Script], had: Mapping[str, int], taken: set[int]) -> dict[int, bytes]:
    kept = {had[action.name] for action in actions if action.name in had}
    free = [slot for slot in range(1, SLOTS + 1) if slot not in taken | kept]
    placed: dict[int, bytes] = {}
    for action in actions:
        slot = had.get(action.name, 0)
        if free and (not slot or free[0] <= SHOWN_SLOTS < slot):
            slot = free.pop(0)
        if not slot:
            raise SpecError(
                f"Ardour has {SLOTS} action slots, and {len(taken)} are in use: too few are free",
                f"Remove {len(actions) + len(taken) - SLOTS} in Edit > Lua Scripts > Script Manager.",
            )
        placed[slot] = _assignments(f"scripts[{slot}]", action)
    return placed


def _assignments(table: str, script: Script) -> bytes:
    name = table.encode()
    factory = f"local ardour = function () end\n{script.text}\nreturn factory (...)"
    values = {b"n": _quoted(script.name), b"s": _quoted(script.text), b"f": _quoted(factory)}
    lines = [
        name + b" = {}",
        name + b'["a"] = {}',
        name + b'["a"]["x-script-origin"] = ' + _quoted(script.origin),
    ]
    lines += [name + b'["' + key + b'"] = ' + value for key, value in values.items()]
    return b" ".join(lines) + b" "


def _write_slots(root: ET.Element, slots: Mapping[int, bytes]) -> None:
    node = _child(root, "ActionScript")
    node.set("lua", node.get("lua", "Lua 5.3"))
    blob = b"scripts = {} " + b"".join(slots[slot].strip() + b" " for slot in sorted(slots))
    node.text = base64.b64encode(blob).decode()


def _child(root: ET.Element, tag: str) -> ET.Element:
    found = root.find(tag)
    return ET.SubElement(root, tag) if found is None else found


def _our_hooks(root: ET.Element) -> list[ET.Element]:
    return [node for node in root.iterfind("ActionHooks/*") if is_ours(node.get("name", ""))]


def _remove_hooks(root: ET.Element) -> None:
    hooks = root.find("ActionHooks")
    for node in _our_hooks(root):
        assert hooks is not None, "a hook without hooks"
        hooks.remove(node)


def _callback(hook: Hook) -> ET.Element:
    bits = "".join("1" if bit in hook.signals else "0" for bit in reversed(range(max(hook.signals) + 1)))
    attributes = {"lua": "Lua 5.3", "id": "734001", "name": hook.script.name, "signals": bits}
    node = ET.Element("LuaCallback", attributes)
    node.text = base64.b64encode(
        b"s = {} " + _assignments("s", hook.script).removeprefix(b"s = {} ")
    ).decode()
    return node


def _bytes(root: ET.Element) -> bytes:
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()

"""OSC packets as bytes: python-osc writes them, but does not read them.

Its reader looks at texts byte by byte in Python, logs each type tag that it does not know, reads a float that
is not there as 0, and after a blob of a length below zero goes back to what it has read before.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from pythonosc.parsing import osc_types

from daw_bridge.errors import MalformedPacket
from daw_bridge.messages.arguments import OscValue
from daw_bridge.transport.framing import MAX_PACKET_BYTES
from engine.errors import SpecError, TooLarge

MAX_BUNDLE_DEPTH = 8
MAX_BUNDLE_MESSAGES = 1_000
MAX_ARGUMENTS = 64

_INT32 = struct.Struct(">i")
_FLOAT = struct.Struct(">f")
_FIXED = {"i": _INT32, "h": struct.Struct(">q"), "f": _FLOAT, "d": struct.Struct(">d")}
_CONSTANTS: dict[str, OscValue] = {"T": True, "F": False, "N": None}
# No request takes others.
_KNOWN_TAGS = frozenset({"s", "S", "b", *_FIXED, *_CONSTANTS})
_WRITERS: dict[str, Callable[[Any], bytes]] = {
    "s": osc_types.write_string,
    "b": osc_types.write_blob,
    "i": osc_types.write_int,
    "h": osc_types.write_int64,
    "f": osc_types.write_float,
}
_BUNDLE = b"#bundle\0"
_BUNDLE_HEADER_BYTES = 16
_IMMEDIATELY = 1
_FROM_1900_TO_1970_S = 2_208_988_800


class OscMessage(NamedTuple):
    """One message of a packet; due_s is seconds since 1970 by the wall clock, None at once."""

    address: str
    args: tuple[OscValue, ...]
    due_s: float | None = None


def encode_packet(address: str, args: Sequence[OscValue] = ()) -> bytes:
    """Return one message as bytes; True and False have no bytes of their own, but a type tag.

    Raises:
        SpecError: an address or a value that OSC cannot carry.
    """
    if not address.startswith("/") or not address.isascii() or "\0" in address:
        raise SpecError(f"{address!r:.80} is no OSC address")
    tags = "".join(_tag(value) for value in args)
    try:
        values = b"".join(_written(tag, value) for tag, value in zip(tags, args, strict=True))
    except (osc_types.BuildError, OverflowError, TypeError, ValueError) as error:
        raise SpecError(f"{address:.80} cannot be sent: {error}") from error
    return osc_types.write_string(address) + osc_types.write_string(f",{tags}") + values


def decode_packet(data: bytes) -> list[OscMessage]:
    """Return the messages of a packet in their order, those of nested bundles with the bundle's time.

    Raises:
        TooLarge: a packet of more than MAX_PACKET_BYTES.
        MalformedPacket: anything else that is no OSC packet; nothing of it is then used.
    """
    if len(data) > MAX_PACKET_BYTES:
        raise TooLarge(f"a packet has {len(data)} bytes, {MAX_PACKET_BYTES} is the most")
    messages: list[OscMessage] = []
    for message in _messages(data, None, 0):
        if len(messages) == MAX_BUNDLE_MESSAGES:
            raise MalformedPacket(f"a bundle has more than {MAX_BUNDLE_MESSAGES} messages")
        messages.append(message)
    return messages


def _messages(data: bytes, due_s: float | None, depth: int) -> Iterator[OscMessage]:
    if not data.startswith(_BUNDLE):
        yield _message(data, due_s)
        return
    if depth == MAX_BUNDLE_DEPTH:
        raise MalformedPacket(f"bundles are nested more than {MAX_BUNDLE_DEPTH} deep")
    if len(data) < _BUNDLE_HEADER_BYTES:
        raise MalformedPacket("a bundle ends within its time tag")
    due_s = _later(due_s, _time_s(data[8:_BUNDLE_HEADER_BYTES]))
    for element in _elements(data):
        yield from _messages(element, due_s, depth + 1)


def _elements(bundle: bytes) -> Iterator[bytes]:
    start = _BUNDLE_HEADER_BYTES
    while start < len(bundle):
        size = int.from_bytes(bundle[start : start + 4], "big", signed=True)
        start += 4
        if not 0 < size <= len(bundle) - start:
            raise MalformedPacket(f"an element of a bundle claims {size} bytes of {len(bundle) - start}")
        yield bundle[start : start + size]
        start += size


def _time_s(tag: bytes) -> float | None:
    time = int.from_bytes(tag, "big")
    return None if time <= _IMMEDIATELY else time / 2**32 - _FROM_1900_TO_1970_S


def _later(first_s: float | None, second_s: float | None) -> float | None:
    """Return the later of two times; a bundle's contents are never due before it."""
    if first_s is None or second_s is None:
        return second_s if first_s is None else first_s
    return max(first_s, second_s)


def _message(data: bytes, due_s: float | None) -> OscMessage:
    if not data.startswith(b"/") or len(data) % 4:
        raise MalformedPacket("a packet begins with neither / nor #bundle, or has no multiple of 4 bytes")
    address = _address(data)
    start = _after_text(len(address))
    tags = _tags(data, start, address)
    try:
        args = tuple(_arguments(data, tags, _after_text(start + len(tags) + 1)))
    except (struct.error, ValueError) as error:
        raise MalformedPacket(f"{address:.80}: an argument cannot be read", address=address) from error
    return OscMessage(address, args, due_s)


def _address(data: bytes) -> str:
    try:
        return data[: data.index(0)].decode("ascii")
    except ValueError as error:
        raise MalformedPacket("an address has no end, or is not ASCII") from error


def _tags(data: bytes, start: int, address: str) -> str:
    """Return the type tags without their comma, all of which are then known."""
    if start == len(data):
        return ""
    end = data.find(0, start)
    if data[start : start + 1] != b"," or end < 0:
        raise MalformedPacket(f"{address:.80}: there are no type tags", address=address)
    tags = data[start + 1 : end].decode("latin-1")
    if len(tags) > MAX_ARGUMENTS:
        raise MalformedPacket(
            f"{address:.80}: {len(tags)} arguments, {MAX_ARGUMENTS} is the most", address=address
        )
    unknown = set(tags) - _KNOWN_TAGS
    if unknown:
        told = ", ".join(repr(tag) for tag in sorted(unknown))
        raise MalformedPacket(f"{address:.80}: arguments of type {told} are not accepted", address=address)
    return tags


def _arguments(data: bytes, tags: str, start: int) -> Iterator[OscValue]:
    """Yield the arguments; bytes after the last one mean nothing, as to other readers of OSC."""
    for tag in tags:
        if tag in _CONSTANTS:
            yield _CONSTANTS[tag]
        elif tag in _FIXED:
            (number,) = _FIXED[tag].unpack_from(data, start)
            start += _FIXED[tag].size
            yield _as_meant(number) if tag == "f" else number
        else:
            content, start = _text(data, start) if tag in "sS" else _blob(data, start)
            yield content


def _text(data: bytes, start: int) -> tuple[str, int]:
    end = data.index(0, start)
    return data[start:end].decode(), _after_text(end)


def _blob(data: bytes, start: int) -> tuple[bytes, int]:
    (size,) = _INT32.unpack_from(data, start)
    start += _INT32.size
    if not 0 <= size <= len(data) - start:
        raise ValueError(f"a blob claims {size} bytes")
    return data[start : start + size], start + (size + 3) // 4 * 4


def _after_text(end: int) -> int:
    """Return where the next part begins after the NUL at end and its padding."""
    return end // 4 * 4 + 4


def _tag(value: OscValue) -> str:
    match value:
        case bool():
            return "T" if value else "F"
        case int():
            return "i" if value.bit_length() <= 31 else "h"
        case float():
            return "f"
        case str():
            return "s"
    return "N" if value is None else "b"


def _written(tag: str, value: OscValue) -> bytes:
    if isinstance(value, str) and "\0" in value:
        raise ValueError("a text holds a NUL character")
    return _WRITERS[tag](value) if tag in _WRITERS else b""


def _as_meant(value: float) -> float:
    """Return the shortest decimal of a 32-bit float, so that 0.3 is 0.3 after it was sent."""
    for digits in range(6, 9):
        short = float(f"{value:.{digits}g}")
        if _FLOAT.pack(short) == _FLOAT.pack(value):
            return short
    return float(f"{value:.9g}")

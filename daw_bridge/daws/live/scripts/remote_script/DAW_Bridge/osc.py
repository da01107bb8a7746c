"""OSC 1.0 messages as bytes, and their SLIP frames in a TCP stream."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

_END, _ESCAPE = b"\xc0", b"\xdb"
_ESCAPED_END, _ESCAPED_ESCAPE = b"\xdb\xdc", b"\xdb\xdd"
_INT_32 = 2**31
_MAX_FRAME_BYTES = 1 << 20


class Message(NamedTuple):
    address: str
    args: tuple[Any, ...]


def encode(address: str, args: Sequence[Any]) -> bytes:
    """Return a message as bytes: texts, whole numbers (of 64 bits where they need them) and floats."""
    tagged = [_encoded(argument) for argument in args]
    tags = "," + "".join(tag for tag, _ in tagged)
    return b"".join([_padded(address), _padded(tags)] + [data for _, data in tagged])


def _encoded(argument: Any) -> tuple[str, bytes]:
    if isinstance(argument, str):
        return "s", _padded(argument)
    if isinstance(argument, int):
        if -_INT_32 <= argument < _INT_32:
            return "i", struct.pack(">i", argument)
        return "h", struct.pack(">q", argument)
    return "f", struct.pack(">f", argument)


def _padded(text: str) -> bytes:
    data = text.encode("utf-8")
    return data + b"\0" * (4 - len(data) % 4)


def decode(packet: bytes) -> Message:
    """Return the message of a packet; raises ValueError where it is none."""
    address, offset = _text(packet, 0)
    tags, offset = _text(packet, offset) if offset < len(packet) else (",", offset)
    args = []
    for tag in tags[1:]:
        value, offset = _argument(tag, packet, offset)
        args.append(value)
    return Message(address, tuple(args))


def _text(packet: bytes, offset: int) -> tuple[str, int]:
    end = packet.find(b"\0", offset)
    if end < 0:
        raise ValueError("a text without end")
    return packet[offset:end].decode("utf-8"), end // 4 * 4 + 4


def _argument(tag: str, packet: bytes, offset: int) -> tuple[Any, int]:
    if tag in "sS":
        return _text(packet, offset)
    if tag in "TFN":
        return {"T": True, "F": False, "N": None}[tag], offset
    formats = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}
    if tag not in formats:
        raise ValueError("an argument of type " + tag)
    try:
        (value,) = struct.unpack_from(formats[tag], packet, offset)
    except struct.error as error:
        raise ValueError("a message that ends too early") from error
    return value, offset + struct.calcsize(formats[tag])


def framed(packet: bytes) -> bytes:
    """Return a packet as a SLIP frame, with an END on both sides."""
    return _END + packet.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(_END, _ESCAPED_END) + _END


class FrameDecoder:
    """The packets of a stream of SLIP frames, however it is cut; what is too long is dropped."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the packets that these bytes complete."""
        *frames, self._data = (self._data + data).split(_END)
        self._data = self._data[: _MAX_FRAME_BYTES + 1]
        whole = [frame for frame in frames if frame and len(frame) <= _MAX_FRAME_BYTES]
        return [frame.replace(_ESCAPED_END, _END).replace(_ESCAPED_ESCAPE, _ESCAPE) for frame in whole]

"""Replies as packets of at most so many bytes."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from daw_bridge.messages.answers import Fail
from daw_bridge.messages.base import Answer, Reply
from daw_bridge.transport.packets import encode_packet
from engine.types import ErrorCode, ErrorInfo

MESSAGE_BYTES = 100
_LONG = ("path", "recipe", "message", "hint")


def packet_of(reply: Reply, most_bytes: int) -> bytes:
    """Return a reply as bytes; one that is too long without its paths, or as the failure that it then is.

    A client learns what was left out by job/info over TCP.
    """
    packet = encode_packet(*reply.format())
    if len(packet) <= most_bytes:
        return packet
    if isinstance(reply, Answer) and not isinstance(reply, Fail):
        return packet_of(Fail.of(reply.rid, _too_long(len(packet), most_bytes)), most_bytes)
    short = encode_packet(*_shortened(reply).format())
    if len(short) <= most_bytes or isinstance(reply, Fail):
        return short
    return packet_of(Fail.of("", _too_long(len(packet), most_bytes)), most_bytes)


def _shortened(reply: Reply) -> Reply:
    names = {item.name for item in fields(reply)} & set(_LONG)
    cut: dict[str, Any] = {name: _cut(getattr(reply, name)) if name == "message" else "" for name in names}
    return replace(reply, **cut)


def _cut(text: str) -> str:
    return text.encode()[:MESSAGE_BYTES].decode("utf-8", "ignore")


def _too_long(length: int, most_bytes: int) -> ErrorInfo:
    return ErrorInfo(
        code=ErrorCode.TOO_LARGE,
        message=f"the answer has {length} bytes, a packet to this client at most {most_bytes}",
        hint="Ask for less, raise max_packet by notify, or ask over TCP.",
    )

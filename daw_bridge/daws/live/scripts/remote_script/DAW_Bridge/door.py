"""Where this surface is asked for something: a UDP port on this machine, for the command line and for phones.

Addresses begin with /daw_bridge/. A button sends no argument, or 1 when it is pressed and 0 when it is
let go; a text field sends its text as the prompt; programs send a rid and JSON, and get answers with the rid.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from .osc import decode, encode
from .refusal import Refusal

PORT = 9010
ROOT = "/daw_bridge/"
_MAX_PACKET_BYTES = 65_536
_HOST = "127.0.0.1"


class Wish(NamedTuple):
    """What somebody asks for; keys of values are those of the service's requests, all of them optional."""

    verb: str
    values: dict[str, Any]


if TYPE_CHECKING:
    # Not evaluated, since Live 11 cannot.
    Reply = Callable[[str, list[Any]], None]
    Handler = Callable[[Wish, Reply], None]


class Door:
    """Requests from outside, read without waiting."""

    def __init__(self, handle: Handler, port: int = PORT) -> None:
        self._handle = handle
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind((_HOST, port))
        except OSError as error:
            self._socket.close()
            raise Refusal(
                f"Port {port} is taken.", "Is DAW Bridge chosen twice as a control surface?"
            ) from error
        self.port = self._socket.getsockname()[1]

    def tick(self) -> None:
        """Answer what has come."""
        while True:
            try:
                packet, sender = self._socket.recvfrom(_MAX_PACKET_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue  # Windows tells here that an earlier answer found nobody
            self._answer(packet, sender)

    def close(self) -> None:
        self._socket.close()

    def _answer(self, packet: bytes, sender: tuple[str, int]) -> None:
        try:
            rid, wish = read_wish(packet)
        except ValueError:
            return
        except Refusal as refusal:
            self._reply("", sender)("fail", [refusal.code, refusal.message, refusal.hint])
            return
        if wish is not None:
            self._handle(wish, self._reply(rid, sender))

    def _reply(self, rid: str, sender: tuple[str, int]) -> Reply:
        def reply(kind: str, args: list[Any]) -> None:
            try:
                self._socket.sendto(encode(ROOT + kind, [rid, *args]), sender)
            except OSError:
                return  # whoever asked is gone

        return reply


def read_wish(packet: bytes) -> tuple[str, Wish | None]:
    """Return the rid and what is asked for, None for a button that is let go; raises ValueError, Refusal."""
    message = decode(packet)
    if not message.address.startswith(ROOT):
        raise ValueError("not for us")
    verb, args = message.address[len(ROOT) :], message.args
    if len(args) == 2:
        return str(args[0]), Wish(verb, _object(str(args[1])))
    if args and not isinstance(args[0], str):
        return "", Wish(verb, {}) if args[0] else None
    return "", Wish(verb, {"prompt": args[0]} if args and args[0] else {})


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise Refusal(
            "The second argument is no JSON object.", 'Send for example {"prompt": "a harp"}.', "bad_json"
        )
    return values

"""Addresses and arguments to messages, by the registry of all message classes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from daw_bridge.errors import BadAddress

# Importing them fills the registry.
from daw_bridge.messages import (
    answers,
    chains,
    connection,
    deliveries,
    events,
    hearing,
    jobs,
    live,
    service,
    surfaces,
    takes,
)
from daw_bridge.messages.base import PROTOCOL, REPLIES, REQUESTS, RID, ROOT, Reply, Request
from daw_bridge.messages.parameters import PARAMETERS
from engine.errors import EngineError, UnsupportedVersion

GROUPS = (connection, answers, jobs, events, live, surfaces, takes, hearing, chains, deliveries, service)
MAX_ADDRESS = 200
_ANY_VERSION = re.compile(r"/ldm/(\d{1,9})(/.*)?")


class _Addresses:
    """The addresses of one direction: those that are one text, and those with a name in them."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._fixed = {pattern for pattern in patterns if "<" not in pattern}
        self._open = [
            (pattern, re.compile(re.sub("<(.*?)>", r"(?P<\1>[^/]+)", pattern)))
            for pattern in patterns
            if "<" in pattern
        ]

    def match(self, address: str) -> tuple[str, dict[str, str]] | None:
        """Return the pattern and the names in the address; None for one that nobody has."""
        if not address.startswith(ROOT) or len(address) > MAX_ADDRESS:
            return None
        tail = address.removeprefix(ROOT)
        if tail in self._fixed:
            return tail, {}
        matches = ((pattern, shape.fullmatch(tail)) for pattern, shape in self._open)
        return next(((pattern, found.groupdict()) for pattern, found in matches if found), None)


_REQUEST_ADDRESSES = _Addresses(list(REQUESTS))
_REPLY_ADDRESSES = _Addresses([pattern for pattern, _ in REPLIES])


def parse_request(address: str, args: Sequence[object]) -> Request:
    """Read what a client sent.

    Raises:
        BadAddress: no request has this address.
        UnsupportedVersion: an address of another version of the protocol.
        SpecError: too many or too few arguments, or one of the wrong type or out of its range.
        BadJson: an argument that should be JSON is none.
        NotFound: an argument names a parameter that there is not.
    """
    found = _REQUEST_ADDRESSES.match(address)
    if found is None or found[1].get("name", "prompt") not in PARAMETERS:
        raise _unknown(address)
    pattern, parts = found
    return REQUESTS[pattern].from_args(parts, args)


def parse_reply(address: str, args: Sequence[object]) -> Reply:
    """Read what the service sent; raises as parse_request does."""
    found = _REPLY_ADDRESSES.match(address)
    if found is None:
        raise _unknown(address)
    pattern, parts = found
    about = args[1] if pattern == "done" and len(args) > 1 and isinstance(args[1], str) else ""
    cls = REPLIES.get((pattern, about)) or REPLIES[pattern, ""]
    return cls.from_args(parts, args)


def rid_of(args: Sequence[object]) -> str:
    """Return the id of a request that could not be read otherwise; empty where it has none."""
    try:
        return RID.read(args[0]) if args else ""
    except ValueError:
        return ""


def _unknown(address: str) -> EngineError:
    version = _ANY_VERSION.fullmatch(address)
    if version is not None and int(version[1]) != PROTOCOL:
        return UnsupportedVersion(
            f"{address:.80} is of protocol {version[1]}, this service speaks {PROTOCOL}",
            f"Use addresses that begin with {ROOT}",
        )
    near = _meant(address)
    hint = f"Did you mean {ROOT}{near}?" if near else f"Addresses begin with {ROOT}; docs/osc.md lists them."
    return BadAddress(f"no request has the address {address!r:.80}", hint)


def _meant(address: str) -> str | None:
    """Return what is an address but for a slip or two; by look-up, since a flood may ask a thousand times."""
    if len(address) > MAX_ADDRESS:
        return None
    tail = address.removeprefix(ROOT).removeprefix("/").lower()
    return next((_BY_SLIP[slip] for slip in _slips(tail) if slip in _BY_SLIP), None)


def _slips(tail: str) -> Iterator[str]:
    """Yield the text, and the text without one of its characters: what is misspelt once has one in common."""
    yield tail
    yield from (tail[:index] + tail[index + 1 :] for index in range(len(tail)))


_TAILS = (*(pattern for pattern in REQUESTS if "<" not in pattern), *(f"param/{name}" for name in PARAMETERS))
_BY_SLIP = {slip: tail for tail in _TAILS for slip in _slips(tail)}

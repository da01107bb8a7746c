"""What a program of this user needs to be let in by the user's service."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from daw_bridge.client.connection import ANSWER_S, Connection, OnEvent
from daw_bridge.service.config import LOOPBACK, Folders
from daw_bridge.service.presence import ServiceInfo

_EVERYWHERE = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - where it listens, seen from this machine


def connection_to(
    info: ServiceInfo,
    on_event: OnEvent,
    on_end: Callable[[], None] = lambda: None,
    answer_s: float = ANSWER_S,
) -> Connection:
    """Connect to the user's own service, with the user's token where it asks for one."""
    host = _EVERYWHERE.get(info.host, info.host)
    return Connection(host, info.tcp_port, on_event, on_end=on_end, token=_token(info), answer_s=answer_s)


def token_path(folders: Folders) -> Path:
    """Return where the token is unless the user says otherwise."""
    return folders.state / "token"


def _token(info: ServiceInfo) -> str:
    """Return the token that the service asks for; without one it says what is missing."""
    with suppress(OSError, ValueError):
        if info.token_file:
            return Path(info.token_file).read_text(encoding="utf-8").strip()
    return ""

"""All plug-ins that the service knows or finds, over as many answers as they take."""

from __future__ import annotations

from typing import Any

from daw_bridge.client.jobs import Client, OnReply
from daw_bridge.messages.chains import ChainCancel, ChainScan

STOP = ChainCancel(rid="-", target="*")
_PAGE = 100


def scanned(client: Client, on_reply: OnReply, *, again: bool = False) -> dict[str, Any]:
    """Return what is known of each plug-in by its path; the first time each is tried in a process of its own.

    With again those that crashed or hung are tried once more. An interrupt stops it.
    """
    found: dict[str, Any] = {}
    is_more = True
    while is_more:
        request = ChainScan(rid="-", again=again and not found, limit=_PAGE, offset=len(found))
        page = client.ask_long(request, STOP, on_reply).plugins
        found |= page["plugins"]
        is_more = bool(page.get("more")) and bool(page["plugins"])
    return found

"""How far a request is that takes long, told to the client that waits for its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daw_bridge.messages.answers import Progress, shortened
from daw_bridge.messages.base import Request
from daw_bridge.service.session import Session
from daw_bridge.workers.asking import OnProgress


def progress_teller(session: Session, request: Request) -> OnProgress:
    """Return what tells a client how far its request is."""

    def tell(payload: Mapping[str, object]) -> None:
        told: Any = {key: payload.get(key, 0) for key in ("step", "total")}
        stage, item = str(payload.get("stage", "")), shortened(str(payload.get("item", "")))
        session.peer.send(Progress(rid=request.rid, request=request.pattern, stage=stage, item=item, **told))

    return tell

"""How the panel and its engine stand to each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from engine.types import ErrorInfo


class LinkState(Enum):
    """SEARCHING looks for a service and starts one where there is none; STOPPED was ended on purpose."""

    SEARCHING = "searching"
    READY = "ready"
    LOST = "lost"
    STOPPED = "stopped"
    REFUSED = "refused"


FOLLOWERS: dict[LinkState, frozenset[LinkState]] = {
    LinkState.SEARCHING: frozenset({LinkState.READY, LinkState.REFUSED, LinkState.LOST}),
    LinkState.READY: frozenset({LinkState.LOST, LinkState.STOPPED}),
    LinkState.LOST: frozenset({LinkState.SEARCHING}),
    LinkState.STOPPED: frozenset({LinkState.SEARCHING}),
    LinkState.REFUSED: frozenset({LinkState.SEARCHING}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A service on another machine, and the file that its token is in."""

    host: str
    port: int
    token_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The service that answers; capabilities is what it says that it can do."""

    version: str
    is_remote: bool
    address: str
    capabilities: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """engine is the one that answers, or last did; error says why it does not."""

    state: LinkState
    engine: Engine | None = None
    error: ErrorInfo | None = None

    @property
    def is_ready(self) -> bool:
        return self.state is LinkState.READY

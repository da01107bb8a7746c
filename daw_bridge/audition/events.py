"""What the audition process tells the service, as values and as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from engine.types import ErrorCode, ErrorInfo

DEVICE_HUNG_STATUS = 3


class AuditionKind(Enum):
    STARTED = "started"
    POSITION = "position"
    ENDED = "ended"
    FAILED = "failed"


class EndReason(Enum):
    FINISHED = "finished"
    STOPPED = "stopped"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditionEvent:
    """Something that happened to what one hears.

    side is a, b or diff of a comparison, and empty of a single file; path is what sounds, and empty for diff.
    position_s is the time in the file. POSITION comes at most ten times a second. FAILED is an end, too.
    """

    kind: AuditionKind
    path: str = ""
    side: str = ""
    position_s: float = 0.0
    duration_s: float = 0.0
    reason: EndReason | None = None
    error: ErrorInfo | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "event": self.kind.value,
            "path": self.path,
            "side": self.side,
            "position_s": self.position_s,
            "duration_s": self.duration_s,
            "reason": None if self.reason is None else self.reason.value,
            "error": None if self.error is None else error_as_json(self.error),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditionAnswer:
    """The one answer to a request; gains_db only of one that set a comparison."""

    request: int
    gains_db: tuple[float, ...] = ()
    error: ErrorInfo | None = None

    def as_json(self) -> dict[str, object]:
        error = None if self.error is None else error_as_json(self.error)
        return {"answer": self.request, "gains_db": list(self.gains_db), "error": error}


def parse_line(line: bytes) -> AuditionEvent | AuditionAnswer | None:
    """Read what the process wrote; None for a library's chatter."""
    try:
        value = json.loads(line)
        return _answer(value) if "answer" in value else _event(value)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def error_as_json(info: ErrorInfo) -> dict[str, str]:
    return {"code": info.code.value, "message": info.message, "hint": info.hint}


def _answer(value: Mapping[str, object]) -> AuditionAnswer:
    gains, request = value["gains_db"], value["answer"]
    if not isinstance(gains, list) or not isinstance(request, int):
        raise TypeError
    return AuditionAnswer(
        request=request, gains_db=tuple(float(gain) for gain in gains), error=_error(value["error"])
    )


def _event(value: Mapping[str, object]) -> AuditionEvent:
    reason = value["reason"]
    return AuditionEvent(
        kind=AuditionKind(value["event"]),
        path=str(value["path"]),
        side=str(value["side"]),
        position_s=float(str(value["position_s"])),
        duration_s=float(str(value["duration_s"])),
        reason=None if reason is None else EndReason(reason),
        error=_error(value["error"]),
    )


def _error(value: object) -> ErrorInfo | None:
    if not isinstance(value, dict):
        return None
    return ErrorInfo(
        code=ErrorCode(value["code"]), message=str(value["message"]), hint=str(value.get("hint", ""))
    )

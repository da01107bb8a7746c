"""What the audition process tells the service, as values and as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from engine.errors import (
    AudioIOError,
    AudioMissing,
    Cancelled,
    EngineError,
    NotFound,
    OutOfMemory,
    SpecError,
    TooLarge,
)
from engine.types import ErrorCode, ErrorInfo

DEVICE_HUNG_STATUS = 3
_ERRORS: dict[ErrorCode, type[EngineError]] = {
    kind.code: kind
    for kind in (AudioIOError, AudioMissing, Cancelled, NotFound, OutOfMemory, SpecError, TooLarge)
}


class AuditionKind(Enum):
    STARTED = "started"
    POSITION = "position"
    # It goes on, on another device; the error tells why.
    MOVED = "moved"
    ENDED = "ended"
    FAILED = "failed"
    # Nothing plays, but how it would has changed.
    IDLE = "idle"


class EndReason(Enum):
    FINISHED = "finished"
    STOPPED = "stopped"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditionEvent:
    """Something that happened to what one hears.

    side is the number of a source, or diff; it is empty of a file that plays alone. path is what sounds, and
    empty for diff, which is the difference of the first source and the one whose number is take. set_number
    tells which set it is of all that were chosen. position_s is the time in the file, or in what all sources
    share, that is heard at at_s of the Unix clock; when nothing plays, where it would begin. POSITION comes
    at most ten times a second, and when something changes. FAILED is an end, too.
    """

    kind: AuditionKind
    path: str = ""
    side: str = ""
    take: int = 0
    position_s: float = 0.0
    duration_s: float = 0.0
    at_s: float = 0.0
    loop_s: tuple[float, float] | None = None
    matched: bool = True
    device: str = ""
    set_number: int = 0
    reason: EndReason | None = None
    error: ErrorInfo | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "event": self.kind.value,
            "path": self.path,
            "side": self.side,
            "take": self.take,
            "position_s": self.position_s,
            "duration_s": self.duration_s,
            "at_s": self.at_s,
            "loop_s": self.loop_s,
            "matched": self.matched,
            "device": self.device,
            "set_number": self.set_number,
            "reason": None if self.reason is None else self.reason.value,
            "error": None if self.error is None else error_as_json(self.error),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditionLevel:
    """How loud each channel was since the last one, at most twenty times a second; -200 dB is silence."""

    peaks_db: tuple[float, ...]
    rms_db: tuple[float, ...]

    def as_json(self) -> dict[str, object]:
        return {"peaks_db": self.peaks_db, "rms_db": self.rms_db}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditionAnswer:
    """The one answer to a request; result is what some of them ask for."""

    request: int
    result: Mapping[str, Any] = field(default_factory=dict)
    error: ErrorInfo | None = None

    def as_json(self) -> dict[str, object]:
        error = None if self.error is None else error_as_json(self.error)
        return {"answer": self.request, "result": dict(self.result), "error": error}


def parse_line(line: bytes) -> AuditionEvent | AuditionLevel | AuditionAnswer | None:
    """Read what the process wrote; None for a library's chatter."""
    try:
        value = json.loads(line)
        if "peaks_db" in value:
            return _level(value)
        return _answer(value) if "answer" in value else _event(value)
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def raised(info: ErrorInfo) -> EngineError:
    """Return the error that an ErrorInfo was made of."""
    return _ERRORS.get(info.code, EngineError)(info.message, info.hint)


def error_as_json(info: ErrorInfo) -> dict[str, str]:
    return {"code": info.code.value, "message": info.message, "hint": info.hint}


def _answer(value: Mapping[str, object]) -> AuditionAnswer:
    result, request = value["result"], value["answer"]
    if not isinstance(result, dict) or not isinstance(request, int):
        raise TypeError
    return AuditionAnswer(request=request, result=result, error=error_from_json(value["error"]))


def _level(value: Mapping[str, Any]) -> AuditionLevel:
    peaks_db, rms_db = (tuple(map(float, value[key])) for key in ("peaks_db", "rms_db"))
    return AuditionLevel(peaks_db=peaks_db, rms_db=rms_db)


def _event(value: Mapping[str, Any]) -> AuditionEvent:
    reason, loop_s = value["reason"], value["loop_s"]
    return AuditionEvent(
        kind=AuditionKind(value["event"]),
        path=str(value["path"]),
        side=str(value["side"]),
        take=int(value["take"]),
        position_s=float(value["position_s"]),
        duration_s=float(value["duration_s"]),
        at_s=float(value["at_s"]),
        loop_s=None if loop_s is None else (float(loop_s[0]), float(loop_s[1])),
        matched=bool(value["matched"]),
        device=str(value["device"]),
        set_number=int(value["set_number"]),
        reason=None if reason is None else EndReason(reason),
        error=error_from_json(value["error"]),
    )


def error_from_json(value: object) -> ErrorInfo | None:
    if not isinstance(value, dict):
        return None
    return ErrorInfo(
        code=ErrorCode(value["code"]), message=str(value["message"]), hint=str(value.get("hint", ""))
    )

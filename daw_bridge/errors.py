"""Errors the service raises on purpose, beside those of the engine.

engine.errors.EngineError
├── SpecError
│   └── MalformedPacket  bad_args  bytes that are no OSC packet
├── BadAddress      bad_address  an OSC address that nobody answers
├── NotAuthorised   auth        a wrong token, or none where one is needed
├── PathDenied      path_denied a path outside the folders that a client may use
├── PromptRefused   refused     a prompt that the list of refused ones names
├── TimedOut        timeout     an answer that did not come in time
├── QueueFull       queue_full  more jobs wait than the queue holds
├── PortTaken       bad_args    a port or address on which the service cannot listen
├── ServiceGone     timeout     a service that is not there, or no longer
├── ServiceRunning  bad_args    a second service of the same user
├── WorkFailed      any         what a worker said of an order that failed
└── HistoryDamaged  internal    the history's file is not a readable database
"""

from __future__ import annotations

from engine.errors import EngineError, SpecError
from engine.types import ErrorCode, ErrorInfo


class MalformedPacket(SpecError):
    """Tells the address too, where at least that could be read."""

    def __init__(self, message: str, hint: str = "", *, address: str = "") -> None:
        super().__init__(message, hint)
        self.address = address


class BadAddress(EngineError):
    code = ErrorCode.BAD_ADDRESS


class NotAuthorised(EngineError):
    code = ErrorCode.AUTH


class PathDenied(EngineError):
    code = ErrorCode.PATH_DENIED


class PromptRefused(EngineError):
    code = ErrorCode.REFUSED


class TimedOut(EngineError):
    code = ErrorCode.TIMEOUT


class QueueFull(EngineError):
    code = ErrorCode.QUEUE_FULL


class HistoryDamaged(EngineError):
    code = ErrorCode.INTERNAL


class WorkFailed(EngineError):
    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message, info.hint)
        self.code = info.code


class PortTaken(EngineError):
    code = ErrorCode.BAD_ARGS


class ServiceGone(EngineError):
    code = ErrorCode.TIMEOUT


class ServiceRunning(EngineError):
    code = ErrorCode.BAD_ARGS

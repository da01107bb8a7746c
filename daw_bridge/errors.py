"""Errors the service raises on purpose, beside those of the engine.

engine.errors.EngineError
├── SpecError
│   └── MalformedPacket  bad_args  bytes that are no OSC packet
├── BadAddress      bad_address  an OSC address that nobody answers
├── NotAuthorised   auth        a wrong token, or none where one is needed
├── AudioIOError
│   └── InputChanged   io_format a file that was exchanged while its job waited
├── PathDenied      path_denied a path outside the folders that a client may use
├── PromptRefused   refused     a prompt that the list of refused ones names
├── RefusalsUnreadable refused  that list cannot be read, so nothing is let through
├── TimedOut        timeout     an answer that did not come in time
├── QueueFull       queue_full  more jobs wait than the queue holds
├── PortTaken       bad_args    a port or address on which the service cannot listen
├── ServiceGone     timeout     a service that is not there, or no longer
├── ServiceStopped  timeout     a service that was ended on purpose while somebody waited for it
├── ServiceRunning  bad_args    a second service of the same user
├── ErrandTaken     bad_args    an errand that another process carries out
├── AudacityClosed  timeout     Audacity does not run, or without its pipe
├── AudacityBusy    timeout     Audacity did not answer in time: a dialog is open in it, or it works
├── AudacityRefused internal    Audacity says that a command failed
├── WorkFailed      any         what a worker said of an order that failed
│   └── NotStarted  any         what a service said that could not start
└── HistoryDamaged  internal    the history's file is not a readable database
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import AudioIOError, DiskFull, EngineError, OutputError, SpecError
from engine.types import ErrorCode, ErrorInfo

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LINE = re.compile(r"^error\[(\w+)\]: (.+)$", re.MULTILINE)


class MalformedPacket(SpecError):
    """Tells the address too, where at least that could be read."""

    def __init__(self, message: str, hint: str = "", *, address: str = "") -> None:
        super().__init__(message, hint)
        self.address = address


class BadAddress(EngineError):
    code = ErrorCode.BAD_ADDRESS


class NotAuthorised(EngineError):
    code = ErrorCode.AUTH


class InputChanged(AudioIOError):
    pass


class PathDenied(EngineError):
    code = ErrorCode.PATH_DENIED


class PromptRefused(EngineError):
    code = ErrorCode.REFUSED


class RefusalsUnreadable(EngineError):
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


class NotStarted(WorkFailed):
    pass


class PortTaken(EngineError):
    code = ErrorCode.BAD_ARGS


class ServiceGone(EngineError):
    code = ErrorCode.TIMEOUT


class ServiceStopped(EngineError):
    code = ErrorCode.TIMEOUT


class ServiceRunning(EngineError):
    code = ErrorCode.BAD_ARGS


class ErrandTaken(EngineError):
    code = ErrorCode.BAD_ARGS


class AudacityClosed(EngineError):
    code = ErrorCode.TIMEOUT


class AudacityBusy(EngineError):
    code = ErrorCode.TIMEOUT


class AudacityRefused(EngineError):
    pass


@contextmanager
def storage_errors(path: Path, hint: str = "Check its permissions.") -> Iterator[None]:
    """Turn what the system says of a file or folder of the service into errors for users.

    Raises:
        DiskFull: no room.
        OutputError: it cannot be made, read or written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"no room left for {path}", "Free some space and try again.") from error
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "a file is in its place" if is_file else (error.strerror or str(error)).lower()
        raise OutputError(f"{path} cannot be used: {reason}", hint) from error


def error_told(text: str) -> ErrorInfo | None:
    """Return the error of the last such line in what a program has said, its hint within the message."""
    known = {code.value for code in ErrorCode}
    lines = [line for line in _LINE.findall(text) if line[0] in known]
    return ErrorInfo(code=ErrorCode(lines[-1][0]), message=lines[-1][1].strip()) if lines else None

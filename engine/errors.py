"""Errors the engine raises on purpose.

EngineError
├── SpecError            bad_args      a value in a spec or an argument
│   └── BadJson          bad_json      a spec that is not valid JSON of the schema
├── NotFound             not_found     a named thing that does not exist
├── AudioIOError         io_format     a file that is not usable audio
│   └── AudioMissing     io_missing    no such file
├── OutputError          path_denied   an output that cannot be written
│   └── DiskFull         disk_full     no room for the output
├── ModelMissing         model_missing no such model, or files of it absent
├── ModelCorrupt         model_corrupt a checkpoint that is damaged or unsafe
├── TooLarge             too_large     an input beyond a stated limit
├── OutOfMemory          oom
├── Cancelled            cancelled
├── PluginCrash          plugin_crash  a plug-in or effect that ended its process, or gave nothing usable
├── PluginTimeout        plugin_timeout a plug-in that did not finish in its time
├── NanOutput            nan_output    a render that is not finite
└── SilentOutput         silent_output a render without sound
"""

from __future__ import annotations

from engine.types import ErrorCode, ErrorInfo


def sentences(message: str, hint: str = "") -> str:
    """Return what happened and what to do about it, in one line; a message may lack its full stop."""
    said = " ".join(message.split())
    end = "" if said.endswith((".", "?", "!")) else "."
    return f"{said}{end} {hint}".rstrip()


def error_line(info: ErrorInfo) -> str:
    """Return the one line by which a program of ours tells its user what went wrong."""
    return f"error[{info.code.value}]: {sentences(info.message, info.hint)}"


class EngineError(Exception):
    """Base of every expected failure: one clear sentence, and what to do about it."""

    code = ErrorCode.INTERNAL

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def info(self) -> ErrorInfo:
        """Return the failure as the value that may cross a process."""
        return ErrorInfo(code=self.code, message=self.message, hint=self.hint)


class SpecError(EngineError, ValueError):
    code = ErrorCode.BAD_ARGS


class BadJson(SpecError):
    code = ErrorCode.BAD_JSON


class UnsupportedVersion(SpecError):
    code = ErrorCode.UNSUPPORTED_VERSION


class NotFound(EngineError):
    code = ErrorCode.NOT_FOUND


class AudioIOError(EngineError):
    code = ErrorCode.IO_FORMAT


class AudioMissing(AudioIOError):
    code = ErrorCode.IO_MISSING


class OutputError(EngineError):
    code = ErrorCode.PATH_DENIED


class DiskFull(OutputError):
    code = ErrorCode.DISK_FULL


class ModelMissing(EngineError):
    code = ErrorCode.MODEL_MISSING


class ModelCorrupt(EngineError):
    code = ErrorCode.MODEL_CORRUPT


class TooLarge(EngineError):
    code = ErrorCode.TOO_LARGE


class OutOfMemory(EngineError):
    code = ErrorCode.OOM


class Cancelled(EngineError):
    code = ErrorCode.CANCELLED


class PluginCrash(EngineError):
    code = ErrorCode.PLUGIN_CRASH


class PluginTimeout(EngineError):
    code = ErrorCode.PLUGIN_TIMEOUT


class NanOutput(EngineError):
    code = ErrorCode.NAN_OUTPUT


class SilentOutput(EngineError):
    code = ErrorCode.SILENT_OUTPUT

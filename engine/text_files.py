"""Small text files read with a limit, and written whole or not at all; stdlib only."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import BadJson, DiskFull, OutputError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def read_text(path: Path, most_bytes: int) -> str:
    """Return the text of a file.

    Raises:
        BadJson: no file, too large, or no UTF-8.
        OutputError: it may not be read.
    """
    # What is no plain file may never come to an end.
    with file_errors("read", path):
        if not path.is_file():
            raise BadJson("is not a file")
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise BadJson(f"is larger than {most_bytes} bytes")
    try:
        # Some editors of Windows begin a text with a mark.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadJson("is not UTF-8 text") from error


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all; raises OutputError and DiskFull."""
    part = path.with_name(f"{path.name}.part")
    with file_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


@contextmanager
def file_errors(verb: str, path: Path) -> Iterator[None]:
    """Turn what the system refuses into DiskFull or OutputError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"no room left for {path}", "Free some space and try again.") from error
        reason = (error.strerror or "the system refused").lower()
        raise OutputError(f"cannot {verb} {path}: {reason}", "Check its permissions.") from error

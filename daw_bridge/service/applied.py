"""Takes that somebody uses, noted for scripts of hosts that know files and no sockets."""

from __future__ import annotations

import os
from pathlib import Path

from daw_bridge.errors import storage_errors

APPLIED = "applied.txt"
MOST = 100


def note_applied(errands: Path, job_id: str, index: int, path: str) -> None:
    """Add a line, whole or not at all: its number, which only grows, job, index and the take's file.

    Raises:
        OutputError, DiskFull: it cannot be written.
    """
    if "\t" in path or "\n" in path:
        return
    file = errands / APPLIED
    with storage_errors(file):
        errands.mkdir(parents=True, exist_ok=True)
        lines = _lines(file)
        number = 1 + (int(lines[-1].split("\t", 1)[0]) if lines else 0)
        kept = [*lines, f"{number}\t{job_id}\t{index}\t{path}"][-MOST:]
        part = file.with_name(f"{APPLIED}.part")
        part.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8", errors="surrogateescape")
        os.replace(part, file)


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return []
    return [line for line in text.split("\n") if line.split("\t", 1)[0].isdigit()]

"""How far an errand is, as text that the simplest script reads: a key, a tab and a value a line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path

from daw_bridge.errors import storage_errors
from engine.types import ErrorInfo, Take

STATUS = "status.txt"


class ErrandState(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        return self not in (ErrandState.WAITING, ErrandState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """An errand at one moment; eta_s is -1 while unknown. takes are lines without their key."""

    state: ErrandState
    job: str = ""
    stage: str = ""
    step: int = 0
    total: int = 0
    fraction: float = 0.0
    eta_s: float = -1.0
    code: str = ""
    message: str = ""
    hint: str = ""
    takes: tuple[str, ...] = ()


def take_line(index: int, take: Take, sample_rate_hz: int) -> str:
    """Return the fields of a take: index, path, seed, score, level, length, rate, note."""
    values = (
        index,
        take.path,
        take.seed,
        f"{take.clap_score if take.score is None else take.score:.4f}",
        f"{take.rms_db:.2f}",
        take.length_samples,
        sample_rate_hz,
        take.note,
    )
    return "\t".join(_plain(value) for value in values)


def failed(info: ErrorInfo, job: str, state: ErrandState = ErrandState.FAILED) -> Status:
    """Return the status that tells an error."""
    return Status(state=state, job=job, code=info.code.value, message=info.message, hint=info.hint)


def write_status(folder: Path, status: Status) -> None:
    """Write it whole; raises OutputError and DiskFull."""
    path, part = folder / STATUS, folder / f"{STATUS}.part"
    with storage_errors(path):
        part.write_text("".join(f"{line}\n" for line in _lines(status)), encoding="utf-8")
        os.replace(part, path)


def read_status(folder: Path) -> Status | None:
    """Return what an earlier run wrote; None where none did."""
    try:
        lines = (folder / STATUS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    pairs = [line.split("\t", 1) for line in lines if "\t" in line]
    values = {key: value for key, value in pairs if key != "take"}
    if values.get("state") not in {state.value for state in ErrandState}:
        return None
    return Status(
        state=ErrandState(values["state"]),
        job=values.get("job", ""),
        fraction=float(values.get("fraction", 0.0)),
        code=values.get("code", ""),
        message=values.get("message", ""),
        hint=values.get("hint", ""),
        takes=tuple(value for key, value in pairs if key == "take"),
    )


def _lines(status: Status) -> Iterator[str]:
    for item in fields(status):
        value = getattr(status, item.name)
        if item.name == "takes":
            yield from (f"take\t{line}" for line in value)
        elif isinstance(value, Enum):
            yield f"{item.name}\t{value.value}"
        elif value not in ("", -1.0):
            yield f"{item.name}\t{_plain(value)}"


def _plain(value: object) -> str:
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("\t", " ").splitlines())

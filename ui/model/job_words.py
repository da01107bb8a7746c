"""Jobs and takes in words that users read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PyQt6.QtCore import QCoreApplication

from daw_bridge.jobs.state import JobState
from ui.model.advice import advised

if TYPE_CHECKING:
    from engine.types import ErrorInfo
    from ui.model.job_board import JobRow

_ADDRESS = re.compile(r"^/ldm/\d+/\S+: ")
# Other first words may be names, which are as they are.
_BEGINNINGS = frozenset({"a", "an", "cannot", "it", "no", "not", "nothing", "only", "the", "there", "this"})
_MINUTE_S, _HOUR_S = 60, 3600
_MB = 1e6


def said(text: str, *values: object) -> str:
    """Return a text in the user's language, with values for %1, %2 and so on."""
    told = QCoreApplication.translate("jobs", text)
    for place, value in enumerate(values, 1):
        told = told.replace(f"%{place}", str(value))
    return told


def task_name(task: str) -> str:
    names = {"generate": "New sound", "transfer": "Transfer", "inpaint": "Inpaint", "superres": "Highs"}
    return said(names.get(task, "Job"))


def shown(row: JobRow) -> str:
    """Return how a job stands, in a few words."""
    match row.state:
        case JobState.QUEUED:
            return said("Waits")
        case JobState.RUNNING:
            return _progress(row)
        case JobState.FINISHED:
            return counted_takes(row.made)
        case JobState.FAILED:
            return said("Failed")
        case JobState.CANCELLED:
            return said("Cancelled")


def counted_takes(count: int) -> str:
    return said("1 take") if count == 1 else said("%1 takes", count)


def counted_things(count: int) -> str:
    """Return how much of a check-up there is to look at."""
    return said("1 thing to look at") if count == 1 else said("%1 things to look at", count)


def stage_name(stage: str) -> str:
    names = {
        "load": "Loads the model",
        "encode": "Listens to the source",
        "sample": "Samples",
        "decode": "Makes sound",
        "rank": "Compares takes",
        "finish": "Finishes",
        "dropped": "A take was dropped",
    }
    return said(names.get(stage, stage.capitalize() or "Begins"))


def time_left(seconds: float) -> str:
    """Return a time left as one reads it at a glance; empty while it is unknown."""
    if seconds < 0:
        return ""
    if seconds < _MINUTE_S:
        return said("%1 s left", max(1, round(seconds)))
    if seconds < _HOUR_S:
        return said("%1 min left", round(seconds / _MINUTE_S))
    return said("%1 h left", f"{seconds / _HOUR_S:.1f}")


def size(total_bytes: float) -> str:
    return (
        said("%1 MB", f"{total_bytes / _MB:.1f}")
        if total_bytes < 1e9
        else said("%1 GB", f"{total_bytes / 1e9:.1f}")
    )


def sentence(error: ErrorInfo) -> str:
    """Return what went wrong and what to do about it, as one reads it, without the protocol's own words."""
    hint = "" if error.hint.startswith("Usage: /") else error.hint
    return sentences(_ADDRESS.sub("", error.message), hint)


def sentences(message: str, hint: str) -> str:
    """Return a message and what to do about it, in words of the panel."""
    if message.split(" ", 1)[0] in _BEGINNINGS:
        message = message[:1].upper() + message[1:]
    return advised(" ".join(_ended(part) for part in (message, hint) if part))


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def _progress(row: JobRow) -> str:
    parts = [stage_name(row.stage)]
    if row.takes > 1:
        parts.append(said("take %1 of %2", row.take, row.takes))
    if row.total and row.stage == "sample":
        parts.append(counted_steps(row.step, row.total, row.steps))
    return ", ".join(parts)


def counted_steps(step: int, total: int, chosen: int = 0) -> str:
    """Return how many steps are done, and of how many that were chosen, where fewer are to be done."""
    if total >= chosen:
        return said("step %1 of %2", step, total)
    return said("step %1 of %2 (%3 % of %4)", step, total, round(100 * total / chosen), chosen)

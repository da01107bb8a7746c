"""What the user sees: a progress bar on stderr, results on stdout, one sentence for an error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from engine.types import ErrorInfo, EventKind, JobEvent

_STAGES = {
    "load": "loading the model",
    "encode": "listening to the region",
    "sample": "sampling",
    "decode": "making it audible",
    "rank": "comparing with the prompt",
    "download": "downloading",
}
# What share of a take is done when a stage begins, and how much the stage adds.
_SHARES = {"sample": (0.0, 0.85), "decode": (0.85, 0.1), "rank": (0.95, 0.05)}


def say(text: str = "") -> None:
    """Write one line to stdout, never wrapped nor coloured by its content."""
    Console(highlight=False, markup=False, soft_wrap=True).out(text, highlight=False)


def complain(info: ErrorInfo) -> None:
    """Write `error[code]: message. hint` to stderr."""
    message = " ".join(info.message.split())
    end = "" if message.endswith((".", "?", "!")) else "."
    line = f"error[{info.code.value}]: {message}{end} {info.hint}".rstrip()
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).out(line, highlight=False)


class JobDisplay:
    """A progress bar for one job, as a context manager; quiet where stderr is no terminal."""

    def __init__(self, title: str) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._title = title
        self._task = self._progress.add_task(title, total=1.0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, event: JobEvent) -> None:
        """Bring the bar to what an event tells."""
        if event.kind is not EventKind.PROGRESS:
            return
        payload = event.payload
        stage = str(payload.get("stage", ""))
        if stage == "dropped":
            self._progress.console.print(f"One take was left out: {payload.get('message')}.", markup=False)
            return
        self._progress.update(
            self._task, completed=fraction(payload), description=_description(self._title, payload)
        )


def fraction(payload: Mapping[str, object]) -> float:
    """Return the share of the whole job that a progress event stands for."""
    stage = str(payload.get("stage", ""))
    step, total = _number(payload, "step"), max(1.0, _number(payload, "total"))
    take, takes = max(1.0, _number(payload, "take")), max(1.0, _number(payload, "takes"))
    if stage == "download":
        return step / total
    before, adds = _SHARES.get(stage, (0.0, 0.0))
    return (take - 1.0 + before + adds * step / total) / takes


def show_takes(takes: list[Mapping[str, object]]) -> None:
    """List the files of a finished job, best first."""
    for take in takes:
        details = f"seed {take['seed']}, similarity {take['clap_score']:.2f}, peak {take['peak_db']:.1f} dB"
        say(f"{shown_path(str(take['path']))}  ({details})")


def shown_path(path: str) -> str:
    """Return the path relative to the current folder where it lies below it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def _description(title: str, payload: Mapping[str, object]) -> str:
    stage = str(payload.get("stage", ""))
    takes = int(_number(payload, "takes"))
    which = f", take {int(_number(payload, 'take'))} of {takes}" if takes > 1 else ""
    return f"{title}: {_STAGES.get(stage, stage)}{which}"


def _number(payload: Mapping[str, object], key: str) -> float:
    value = payload.get(key, 0)
    return float(value) if isinstance(value, (int, float)) else 0.0

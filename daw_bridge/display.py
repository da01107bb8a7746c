"""What the user sees: a progress bar on stderr, results on stdout, one sentence for an error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from daw_bridge.jobs.progress import fraction
from daw_bridge.messages import answers
from daw_bridge.messages.base import Reply
from daw_bridge.messages.events import JobProgressEvent, JobStateEvent
from engine.errors import error_line
from engine.types import ErrorInfo

_STAGES = {
    "load": "loading the model",
    "encode": "listening to the region",
    "sample": "sampling",
    "decode": "making it audible",
    "rank": "comparing with the prompt",
    "finish": "finishing",
    "download": "downloading",
    "export": "writing the model",
}


def say(text: str = "") -> None:
    """Write one line to stdout, never wrapped nor coloured by its content."""
    Console(highlight=False, markup=False, soft_wrap=True).out(text, highlight=False)


def complain(info: ErrorInfo) -> None:
    """Write `error[code]: message. hint` to stderr."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    console.out(error_line(info), highlight=False)


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

    def show(self, reply: Reply) -> None:
        """Bring the bar to what an event of a job, or of a request that takes long, tells."""
        if isinstance(reply, JobProgressEvent):
            which = f", take {reply.take} of {reply.takes}" if reply.takes > 1 else ""
            left = f", {_short(reply.eta_s)} left" if reply.eta_s >= 1.0 else ""
            self._update(reply.fraction, f"{_STAGES.get(reply.stage, reply.stage)}{which}{left}")
        elif isinstance(reply, JobStateEvent) and reply.state == "queued":
            self._update(0.0, f"waiting, {reply.position} before it" if reply.position else "waiting")
        elif isinstance(reply, answers.Progress):
            self._update(
                reply.step / max(1, reply.total), reply.item or _STAGES.get(reply.stage, reply.stage)
            )

    def show_chore(self, payload: Mapping[str, object]) -> None:
        """Bring the bar to what a worker tells of a chore."""
        stage = str(payload.get("stage", ""))
        self._update(fraction(payload), _STAGES.get(stage, stage))

    def _update(self, completed: float, what: str) -> None:
        self._progress.update(self._task, completed=completed, description=f"{self._title}: {what}")


def show_takes(takes: list[Mapping[str, object]]) -> None:
    """List the files of a finished job, best first."""
    for take in takes:
        # Takes that an earlier version made of an interrupted job have none.
        score = "" if take["score"] is None else f"score {take['score']:.2f}, "
        likeness = f"similarity {take['clap_score']:.2f}"
        details = f"seed {take['seed']}, {score}{likeness}, peak {take['peak_db']:.1f} dB"
        say(f"{shown_path(str(take['path']))}  ({details})")
        if note := take.get("note"):
            say(f"  {note}")


def shown_path(path: str) -> str:
    """Return the path relative to the current folder where it lies below it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def _short(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"

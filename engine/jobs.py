"""What the worker does for each request, apart from threads and pipes.

Code that loads torch is loaded by those jobs that need it: short questions are answered without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from engine.audio.io import probe
from engine.chain_jobs import ChainJobs
from engine.requests import Request
from engine.types import EventKind

if TYPE_CHECKING:
    from engine.render_jobs import RenderJobs

LIGHT_OPS = ("chains", "probe")

Payload = dict[str, object]
Emit = Callable[[EventKind, Payload], None]
IsCancelled = Callable[[], bool]
Clock = Callable[[], datetime]


def local_time() -> datetime:
    """Return the time as the user's clocks show it, with its zone."""
    return datetime.now().astimezone()


class Jobs:
    """Does jobs one at a time, chains also beside another; the clock dates the takes."""

    def __init__(self, clock: Clock = local_time) -> None:
        self._clock = clock
        self._chains = ChainJobs(clock)

    @cached_property
    def _with_models(self) -> RenderJobs:
        from engine.render_jobs import RenderJobs  # noqa: PLC0415 - seconds, which light jobs do without

        return RenderJobs(self._clock)

    def prepare(self, op: str) -> None:
        """Load the code that an op takes, so that the job itself can be cancelled at any time."""
        if op not in LIGHT_OPS:
            _ = self._with_models

    def render(
        self,
        spec_value: object,
        out: Request,
        emit: Emit,
        cancelled: IsCancelled,
        previews: Request | None = None,
        threads: int = 0,
    ) -> Payload:
        """Render a spec, as RenderJobs.render does."""
        return self._with_models.render(spec_value, out, emit, cancelled, previews, threads)

    def load(self, name: str, emit: Emit) -> Payload:
        """Load a model now, so that the next render need not."""
        return self._with_models.load(name, emit)

    def models(self, request: Request, emit: Emit, cancelled: IsCancelled) -> Payload:
        """List, pull, import, verify or remove models; whatever was loaded is forgotten."""
        return self._with_models.models(request, emit, cancelled)

    def find(self, request: Request, emit: Emit, cancelled: IsCancelled) -> Payload:
        """Find a chain for words and a file, with a model that hears; raises as find_chain."""
        return self._with_models.find(request, emit, cancelled)

    def chains(self, request: Request, emit: Emit, cancelled: IsCancelled) -> Payload:
        """Do what concerns effect chains and plug-ins; also while another job is being done."""
        return self._chains.run(request, lambda payload: emit(EventKind.PROGRESS, payload), cancelled)

    def probe(self, path: str) -> Payload:
        """Return length, rate and channels of an audio file."""
        info = probe(path)
        return {**asdict(info), "duration_s": info.duration_s}

    def recall(self, path: str, source: str = "") -> Payload:
        """Return how a take was made, from inside its file or beside it; source is where that lies now."""
        from engine.recall import recall  # noqa: PLC0415 - reads models' cards, which needs their classes

        return asdict(recall(Path(path), source))

    def close(self) -> None:
        """End what was kept for the next job: a process with plug-ins."""
        if "_with_models" in self.__dict__:
            self._with_models.close()

"""Jobs of the service: asked for, looked at a few times a second, cancelled."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .refusal import Refusal
from .service import Service

_LOOK_S = 0.3


class Take(NamedTuple):
    path: str
    seed: int
    score: float | None
    # Why it is without its effects; mostly empty.
    note: str


class Request(NamedTuple):
    """A job as the service is asked for it."""

    address: str
    args: tuple[Any, ...]


if TYPE_CHECKING:
    # Not evaluated, since Live 11 cannot.
    OnTakes = Callable[[list[Take]], None]
    OnProgress = Callable[[float, str], None]


class Job:
    """One job; ends with exactly one of on_takes and on_refusal."""

    def __init__(
        self,
        request: Request,
        on_takes: OnTakes,
        on_refusal: Callable[[Refusal], None],
        on_progress: OnProgress,
    ) -> None:
        self.request = request
        self.on_takes = on_takes
        self.on_refusal = on_refusal
        self.on_progress = on_progress
        self.id = ""
        self.is_over = False
        self.is_unwanted = False
        self.next_look_s = 0.0


class Jobs:
    """All jobs that this surface has asked for and not seen the end of."""

    def __init__(self, service: Service, now_s: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._now_s = now_s
        self._jobs: list[Job] = []

    @property
    def count(self) -> int:
        return len(self._jobs)

    def add(self, job: Job) -> None:
        """Ask for a job."""
        self._jobs.append(job)
        self._service.ask(
            job.request.address,
            job.request.args,
            lambda answer: self._accepted(job, str(answer[0])),
            lambda refusal: self._refused(job, refusal),
        )

    def cancel_all(self) -> int:
        """Stop all jobs, each at its next sampling step; returns how many."""
        for job in self._jobs:
            job.is_unwanted = True
            if job.id:
                self._cancel(job)
        return len(self._jobs)

    def tick(self) -> None:
        """Look at the jobs whose turn it is."""
        now_s = self._now_s()
        for job in self._jobs:
            if job.id and job.next_look_s <= now_s:
                # Not again before this answer has come.
                job.next_look_s = float("inf")
                self._look(job)
        self._jobs = [job for job in self._jobs if not job.is_over]

    def _look(self, job: Job) -> None:
        self._service.ask(
            "job/info",
            [job.id],
            lambda answer: self._seen(job, json.loads(answer[0])),
            lambda refusal: self._refused(job, refusal),
        )

    def _accepted(self, job: Job, job_id: str) -> None:
        job.id = job_id
        if job.is_unwanted:
            self._cancel(job)

    def _cancel(self, job: Job) -> None:
        self._service.ask("cancel", [job.id], lambda _: None, lambda refusal: self._refused(job, refusal))

    def _seen(self, job: Job, told: dict[str, Any]) -> None:
        job.next_look_s = self._now_s() + _LOOK_S
        state = told["state"]
        if state == "finished":
            job.is_over = True
            self._deliver(job, read_takes(told["takes"]))
        elif state in ("failed", "cancelled"):
            error = told.get("error") or {"code": state, "message": "The job was cancelled.", "hint": ""}
            self._refused(job, Refusal(error["message"], error.get("hint", ""), error["code"]))
        else:
            job.on_progress(told.get("fraction") or 0.0, state)

    @staticmethod
    def _deliver(job: Job, takes: list[Take]) -> None:
        # Whoever asked waits for an end, whatever Live thinks of the takes.
        try:
            job.on_takes(takes)
        except Exception as error:  # noqa: BLE001
            where = " ".join(take.path for take in takes)
            job.on_refusal(Refusal(f"Live did not take the takes: {error!r}.", f"They are kept: {where}"))

    @staticmethod
    def _refused(job: Job, refusal: Refusal) -> None:
        if not job.is_over:
            job.is_over = True
            job.on_refusal(refusal)


def read_takes(told: Sequence[dict[str, Any]]) -> list[Take]:
    """Return what the service tells of takes, best first."""
    return [
        Take(one["path"], one["seed"], one.get("score"), one["note"] if one.get("dry") else "")
        for one in told
    ]

"""Takes sent back to the DAW whose script asked for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from daw_bridge.daws.errands.errand import read_errand
from daw_bridge.daws.errands.status import read_status
from daw_bridge.messages.jobs import JobInfo
from daw_bridge.messages.takes import TakeApply
from engine.errors import EngineError
from engine.types import ErrorInfo
from ui.background import Background
from ui.connection.link import Link
from ui.model.job_words import said

_HOSTS = {"ardour": "Ardour", "reaper": "REAPER", "audacity": "Audacity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a job's takes belong; reason says in a sentence why nobody knows, empty where one does.

    is_of_daw tells whether a DAW asked for the job, as far as is known.
    """

    job_id: str
    host: str = ""
    track: str = ""
    position_s: float = 0.0
    tempo_bpm: float | None = None
    reason: str = ""
    is_of_daw: bool = True

    @property
    def is_known(self) -> bool:
        return not self.reason

    @property
    def told(self) -> str:
        """Return DAW and track as one reads them, or the reason."""
        if self.reason:
            return self.reason
        host = _HOSTS.get(self.host, self.host) or said("the DAW")
        if not self.track:
            return said("Back to %1, at %2 s", host, f"{self.position_s:.2f}")
        return said("Back to %1, track %2, at %3 s", host, self.track, f"{self.position_s:.2f}")

    @property
    def next_step(self) -> str:
        """Return what is left to do once the take was sent: no DAW's script is told by itself yet."""
        if self.host == "ardour":
            return said("Noted. Ardour has all takes on their track already: unmute this one there.")
        if self.host in ("reaper", ""):
            return said("Noted. In REAPER, run the action: collect finished takes.")
        return said("Noted. Place the file there: drag the take over.")


class SendBack(QObject):
    """Knows where the current take belongs, and tells its DAW to use it."""

    changed = pyqtSignal()
    failed = pyqtSignal(object)
    # The file that is used now.
    sent = pyqtSignal(str)

    def __init__(self, link: Link, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self._index = 0
        self._target: Target | None = None
        self._wanted = ""
        self._background = Background(parent=self)

    @property
    def target(self) -> Target | None:
        """Return where the current take belongs; None where none is chosen, or before that is found out."""
        return self._target

    def close(self) -> None:
        self._background.close()

    def choose(self, job_id: str, index: int) -> None:
        """Say which take is meant, index from 0."""
        self._index = index
        if job_id != self._wanted:
            self._wanted, self._target = job_id, None
            self.changed.emit()
            self._link.ask(JobInfo(rid="-", job_id=job_id), self._take, self._give_up)

    def send(self) -> None:
        """Use the chosen take: whoever placed a take of the job is told to place this one."""
        target = self._target
        if target is None or not target.is_known:
            return
        where = {"track": target.track, "position_s": target.position_s}
        request = TakeApply(rid="-", job_id=target.job_id, index=self._index, target=where)
        self._link.ask(request, lambda answer: self.sent.emit(answer.path), self.failed.emit)

    def _take(self, answer: Any) -> None:
        job: dict[str, Any] = answer.job
        if job["id"] != self._wanted:
            return
        anchor = (job.get("spec", {}).get("region") or {}).get("anchor")
        if not anchor:
            self._set(Target(job_id=job["id"], reason=_NOT_OF_A_DAW, is_of_daw=False))
            return
        target = partial(
            Target,
            job_id=job["id"],
            track=anchor.get("track", ""),
            position_s=anchor.get("position_s", 0.0),
            tempo_bpm=anchor.get("tempo_bpm"),
        )
        folder = self._link.folders.errands
        self._background.run(
            partial(_host_of, folder, job["id"]),
            lambda host: self._set(target(host=host)),
            lambda _: self._set(target()),
        )

    def _give_up(self, error: ErrorInfo) -> None:
        self._set(Target(job_id=self._wanted, reason=error.message))

    def _set(self, target: Target) -> None:
        if target.job_id == self._wanted:
            self._target = target
            self.changed.emit()


_NOT_OF_A_DAW = "No DAW asked for this job, so nobody knows its place: drag the take there."


def _host_of(errands: Path, job_id: str) -> str:
    """Return the program whose script left the errand of a job; empty where that is cleared away."""
    for folder in errands.iterdir() if errands.is_dir() else ():
        status = read_status(folder)
        if status is not None and status.job == job_id:
            try:
                return read_errand(folder).host
            except EngineError:
                return ""
    return ""

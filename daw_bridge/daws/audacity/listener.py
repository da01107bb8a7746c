"""Between Audacity and the service: requests become errands, and takes come back into the project."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from daw_bridge.children import environment, module_command
from daw_bridge.client.jobs import Client
from daw_bridge.daws.audacity.asked import (
    REQUEST,
    TAKES_FILE,
    AudacityErrand,
    errands_of,
    leave,
    read_asked,
)
from daw_bridge.daws.audacity.control import Audacity
from daw_bridge.daws.audacity.project import require_project
from daw_bridge.daws.audacity.settings import open_projects
from daw_bridge.daws.audacity.takes_file import PlacedTake, write_takes_file
from daw_bridge.daws.errands.status import ErrandState, Status
from daw_bridge.daws.hosts import System
from daw_bridge.errors import (
    AudacityBusy,
    AudacityClosed,
    AudacityRefused,
    ServiceRunning,
    storage_errors,
)
from daw_bridge.messages.service import AudioProbe
from daw_bridge.service.config import Folders
from engine.errors import EngineError, SpecError, error_line, sentences

INBOX, LISTENING, PROGRESS = "audacity-inbox", "listening", "progress.txt"
LOOK_S = 0.25
# After Audacity did not take them: it may have a dialog open, or not run at all.
RETRY_S = 3.0
# Another project may be open for long, and each look at it takes the focus away for a moment.
MAX_RETRY_S = 60.0
_TOLD_AT_ONCE = 8
_PERCENT = re.compile(r"\d+%$")

Say = Callable[[str], None]


def inbox_of(folders: Folders) -> Path:
    return folders.errands / INBOX


@dataclass
class _Followed:
    """A job between its request and its place, and what was said of it last."""

    errand: AudacityErrand
    runner: subprocess.Popen[bytes] | None = None
    said: str = ""
    place_at_s: float = 0.0
    retry_s: float = RETRY_S
    is_over: bool = field(default=False)

    def put_off(self, *, is_refused: bool) -> None:
        """Look again later: ever later as long as Audacity refuses."""
        self.place_at_s = time.monotonic() + self.retry_s
        self.retry_s = min(2 * self.retry_s, MAX_RETRY_S) if is_refused else RETRY_S


class Listener:
    """Takes up what is open, from earlier starts too, until ended. There is one of a user."""

    def __init__(
        self,
        folders: Folders,
        say: Say,
        audacity: Audacity | None = None,
        projects: Callable[[], frozenset[str]] | None = None,
    ) -> None:
        self._folders = folders
        self._say = say
        self._audacity = audacity or Audacity(folders.runtime)
        self._open_projects = projects or (lambda: open_projects(System.here()))
        self._ended = threading.Event()
        self._inbox = inbox_of(folders)
        self._jobs: list[_Followed] = []
        self._minute = ""

    def end(self) -> None:
        self._ended.set()

    def serve(self) -> None:
        """Serve until ended; jobs that run then go on, and are placed by the next start.

        Raises:
            ServiceRunning: another one listens.
            OutputError, DiskFull: the folder of requests cannot be used.
        """
        with storage_errors(self._inbox):
            self._inbox.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._inbox / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise ServiceRunning("somebody listens to Audacity already", "One listener is enough.") from error
        try:
            self._serve()
        finally:
            (self._inbox / LISTENING).unlink(missing_ok=True)
            self._audacity.leave()
            lock.release()

    def _serve(self) -> None:
        self.take_up([errand for errand in errands_of(self._folders.errands) if errand.is_open])
        while not self._ended.is_set():
            self.look()
            self._ended.wait(LOOK_S)

    def take_up(self, errands: Iterable[AudacityErrand]) -> None:
        """Follow errands of earlier, and let those run that have not ended."""
        self._jobs += [_Followed(errand) for errand in errands]
        for job in self._jobs:
            self._run(job)

    def look(self) -> None:
        """Do once what serve does again and again."""
        self._tell_that_it_listens()
        for path in sorted(self._inbox.glob(f"*{REQUEST}")):
            self._take(path)
        for job in self._jobs:
            self._follow(job)
        self._tell_progress()

    def _tell_that_it_listens(self) -> None:
        """Write this minute and the next, for plug-ins that can compare texts and no more."""
        # Plug-ins know the time of the clock on the wall alone.
        now = datetime.now().astimezone()
        minutes = [(now + timedelta(minutes=one)).strftime("%Y-%m-%d %H:%M") for one in (0, 1)]
        if minutes[0] != self._minute:
            _write(self._inbox / LISTENING, "\n".join([*minutes, ""]))
            self._minute = minutes[0]

    def _take(self, path: Path) -> None:
        """Turn a request into an errand that runs; one that cannot be carried out is told and removed."""
        asked = read_asked(path)
        if asked is None:
            return
        try:
            if asked.action == "cancel":
                self._cancel_all()
            else:
                job = _Followed(leave(asked, self._folders.errands, path.stem, self._open_projects()))
                self._jobs.append(job)
                self._run(job)
        except EngineError as error:
            self._say(error_line(error.info))
            self._jobs.append(_Followed(AudacityErrand(path), said=error_line(error.info), is_over=True))
        for one in (path, path.with_suffix(".wav")):
            one.unlink(missing_ok=True)

    def _cancel_all(self) -> None:
        for job in self._jobs:
            if not job.is_over and job.errand.folder.is_dir():
                job.errand.cancel()

    def _run(self, job: _Followed) -> None:
        """Let a process of its own carry the errand out, which outlives this one."""
        status = job.errand.status
        if status is None or not status.state.has_ended:
            job.runner = subprocess.Popen(
                module_command("daw_bridge", "errand", "run", str(job.errand.folder)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=environment(),
            )

    def _follow(self, job: _Followed) -> None:
        if job.is_over:
            return
        status = job.errand.status
        has_runner = job.runner is not None and job.runner.poll() is None
        if status is None:
            self._tell(job, "waiting" if has_runner else "could not be started")
        elif status.state is ErrandState.DONE:
            if job.errand.is_placed:
                self._finish(job, "takes are in Audacity")
            elif time.monotonic() >= job.place_at_s:
                self._place(job, status)
        elif status.state.has_ended:
            self._finish(job, _failure(status))
        else:
            self._tell(job, _progress(status))

    def _place(self, job: _Followed, status: Status) -> None:
        """Put the takes into the project; where that cannot be now, they wait."""
        try:
            names = self.put_back(job.errand, status)
        except (AudacityClosed, AudacityBusy, AudacityRefused) as error:
            reason = sentences(error.message, error.hint)
            self._tell(job, f"made, but not in Audacity yet: {reason}")
            job.put_off(is_refused=isinstance(error, AudacityRefused))
        except EngineError as error:
            self._finish(job, error_line(error.info))
        else:
            self._finish(job, f"{len(names)} takes are in Audacity")

    def put_back(self, errand: AudacityErrand, status: Status, *, anywhere: bool = False) -> list[str]:
        """Import the takes of an errand and return their tracks' names.

        anywhere also takes a project that the sound did not come from.

        Raises:
            AudacityClosed, AudacityBusy, AudacityRefused: not now.
            EngineError: a take cannot be read, or the file for Audacity not be written.
        """
        takes = list(_placed(errand, status, self._folders))
        names = [take.name for take in takes]
        tracks = self._audacity.tracks()
        there = [str(track.get("name", "")) for track in tracks]
        takes_file = errand.folder / TAKES_FILE
        # An import whose answer never came has been done all the same.
        if not (takes_file.exists() and set(names) <= set(there)):
            if not anywhere:
                require_project(errand, tracks, self._open_projects())
            write_takes_file(takes_file, takes)
            self._audacity.import_file(takes_file)
        errand.mark_placed(names)
        return names

    def _tell(self, job: _Followed, what: str) -> None:
        if what != job.said:
            # Percents go by; all else is news.
            if _PERCENT.sub("", what) != _PERCENT.sub("", job.said):
                self._say(f"{job.errand.title}: {what}")
            job.said = what

    def _finish(self, job: _Followed, what: str) -> None:
        self._tell(job, what)
        job.is_over = True

    def _tell_progress(self) -> None:
        newest = self._jobs[-_TOLD_AT_ONCE:]
        text = "".join(f"{job.errand.title or 'request'}: {job.said}\n" for job in newest)
        path = self._inbox / PROGRESS
        if text and (not path.exists() or path.read_text(encoding="utf-8") != text):
            _write(path, text)


def _placed(errand: AudacityErrand, status: Status, folders: Folders) -> Iterator[PlacedTake]:
    """Yield the takes, best first; of several all but the best are muted."""
    prompt, start_s = errand.place.get("prompt", ""), float(errand.place["start_s"])
    with Client(folders) as client:
        for number, line in enumerate(status.takes):
            _, path, seed, score, *_ = line.split("\t")
            found = client.ask(AudioProbe(rid="-", path=path))
            if found.channels > 2:
                raise SpecError(f"{path} has {found.channels} channels", "Audacity's tracks have one or two.")
            likeness = f"{float(score):.2f}, " if score else ""
            yield PlacedTake(
                path=Path(path),
                name=f"{number + 1} {_plain(prompt) or 'take'} ({likeness}seed {seed})",
                start_s=start_s,
                length_samples=found.length_samples,
                sample_rate_hz=found.sample_rate_hz,
                channels=found.channels,
                is_muted=number > 0,
            )


def _plain(prompt: str) -> str:
    """Return the beginning of a prompt without what Audacity's own JSON would stumble over."""
    return " ".join(prompt.replace('"', "'").replace("\\", "/").split())[:40]


def _progress(status: Status) -> str:
    if status.state is ErrandState.WAITING:
        return "waiting"
    return f"rendering, {status.fraction:.0%}"


def _failure(status: Status) -> str:
    if status.state is ErrandState.CANCELLED:
        return "cancelled"
    return f"failed: {sentences(status.message, status.hint)}"


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    with suppress(OSError):
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)

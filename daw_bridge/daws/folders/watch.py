"""A watched folder: each sound that is dropped there comes back changed, in a folder beside."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from daw_bridge.daws.errands.errand import ERRAND
from daw_bridge.daws.errands.run import run_errand
from daw_bridge.daws.errands.status import STATUS, ErrandState, Status, read_status
from daw_bridge.daws.folders.wish import Wish, leave_errand
from daw_bridge.errors import storage_errors
from daw_bridge.service.config import Folders

HOST = "watch"
# A DAW that renders into the folder writes for a while.
LOOK_S = 0.5
AT_ONCE = 4
SUFFIXES = (".wav", ".wave", ".bwf", ".rf64", ".aif", ".aiff", ".flac", ".ogg", ".mp3")

Tell = Callable[[Path, Status], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A file as it was at one look."""

    path: Path
    size_bytes: int
    mtime_ns: int

    @property
    def name(self) -> str:
        """Return the name of its errand: that of the same file, unchanged, is always the same."""
        told = f"{self.path}\0{self.size_bytes}\0{self.mtime_ns}"
        return f"{HOST}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


class Watch:
    """Looks at a folder again and again; a file is taken once it has stayed the same between two looks.

    Its errand is the memory of that: a new start does nothing twice, and goes on with what was open. A file
    that is written anew is taken anew.
    """

    def __init__(self, folder: Path, out: Path, wish: Wish, folders: Folders, tell: Tell) -> None:
        self._folder = folder
        self._out = out
        self._wish = wish
        self._folders = folders
        self._tell = tell
        self._ended = threading.Event()
        self._last: set[Seen] = set()
        self._taken: dict[Seen, Future[None]] = {}

    def end(self) -> None:
        """Cancel what runs, and let `serve` return."""
        self._ended.set()

    def serve(self) -> None:
        """Take files until ended; raises OutputError and DiskFull where a folder cannot be used."""
        with storage_errors(self._out):
            self._out.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="watched") as pool:
            try:
                while not self._ended.wait(LOOK_S):
                    self._look(pool)
            finally:
                self.end()

    def _look(self, pool: ThreadPoolExecutor) -> None:
        now = set(_sounds(self._folder))
        for seen in sorted(now & self._last - self._taken.keys(), key=lambda one: one.mtime_ns):
            self._taken[seen] = pool.submit(self._carry_out, seen)
        self._last = now
        for future in self._taken.values():
            if future.done():
                # What nobody foresaw is nobody's to hide.
                future.result()

    def _carry_out(self, seen: Seen) -> None:
        folder = self._folders.errands / seen.name
        if (before := read_status(folder)) is not None and before.state.has_ended:
            return
        if not (folder / ERRAND).exists():
            leave_errand(folder, self._wish.errand(seen.path, self._out, host=HOST))
        status = run_errand(folder, self._folders, self._ended.is_set)
        if self._ended.is_set() and status.state is ErrandState.CANCELLED:
            # The next start takes it up: the user stopped watching, which says nothing of this file.
            (folder / STATUS).unlink(missing_ok=True)
        self._tell(seen.path, status)


def _sounds(folder: Path) -> Iterator[Seen]:
    with storage_errors(folder), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.lower().endswith(SUFFIXES):
                continue
            try:
                found = entry.stat()
            except FileNotFoundError:
                continue
            if entry.is_file() and found.st_size:
                yield Seen(path=Path(entry.path), size_bytes=found.st_size, mtime_ns=found.st_mtime_ns)

"""What the history does about takes' files: looks whether they are there, and removes them.

Removed is only what it surely wrote: a plain file, in a folder that a job of the history named and that is
no link to elsewhere by now, of the size and time that it had when it was written. What a user has edited
since is the user's, and what a job that waits or runs still reads stays too.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from daw_bridge.history.database import Database, storable, stored_text
from daw_bridge.history.entries import Freed, TakeFile
from daw_bridge.history.files import end_removal, is_plain, is_untouched, real_path, remove_take

_TOTAL = "SELECT coalesce(sum(total_bytes), 0) AS bytes FROM takes WHERE file = 'present'"
_PRESENT = "SELECT takes.*, state FROM takes JOIN jobs USING (job_seq) WHERE file = 'present'"


def check_files(database: Database) -> int:
    """Note which takes' files are gone or are back; return how many have just been found gone.

    A removal in which the process was killed is ended.
    """
    rows = database.rows("SELECT * FROM takes WHERE file <> 'removed'")
    gone = [row for row in rows if row["file"] == "present" and not is_plain(_path(row))]
    back = [row for row in rows if row["file"] == "missing" and _is_untouched(row)]
    if gone or back:
        folders = _real_folders(database)
        with database.transaction():
            removed = [row for row in gone if _has_ended_removal(row, folders)]
            _mark(database, gone, TakeFile.MISSING)
            _mark(database, removed, TakeFile.REMOVED)
            _mark(database, back, TakeFile.PRESENT)
        return len(gone) - len(removed)
    return 0


def keep_within(database: Database, max_bytes: int, folders: Sequence[Path] | None = None) -> Freed:
    """Remove the oldest takes' files until all together are within the budget.

    With folders, only takes in and below these count and go: those that were delivered elsewhere belong to
    whoever wanted them there. Favourites count and stay. So do the takes of the latest job that has any,
    however small the budget: they may not have been heard yet.
    """
    where, bounds = _below(folders)
    (total,) = database.rows(f"{_TOTAL}{where}", *bounds)
    if total["bytes"] <= max_bytes:
        return Freed()
    found = database.rows(f"{_PRESENT}{where} ORDER BY take_seq", *bounds)
    rows = [row for row in found if _is_untouched(row)]
    latest = max((row["job_seq"] for row in rows), default=0)
    excess_bytes = sum(row["total_bytes"] for row in rows) - max_bytes
    remover = _Remover(database)
    with database.transaction():
        for row in rows:
            if remover.freed_bytes >= excess_bytes:
                break
            if not (row["is_favourite"] or row["job_seq"] == latest or row["state"] in ("queued", "running")):
                remover.remove(row)
    return remover.freed()


def _below(folders: Sequence[Path] | None) -> tuple[str, tuple[str | bytes, ...]]:
    """Return what a query asks of takes' paths so that they lie below folders, and the values for it."""
    if folders is None:
        return "", ()
    names = sorted({name for folder in folders for name in (str(folder), real_path(folder))})
    bounds = [storable(name + end) for name in names for end in (os.sep, chr(ord(os.sep) + 1))]
    # As a range of paths, which the index finds.
    return f" AND ({' OR '.join(['path > ? AND path < ?'] * len(names))})", tuple(bounds)


def forget_jobs(database: Database, job_seqs: Iterable[int]) -> Freed:
    """Remove ended jobs from the history together with their takes' files, favourites too."""
    remover = _Remover(database)
    with database.transaction():
        for job_seq in job_seqs:
            for row in database.rows(_PRESENT + " AND job_seq = ?", job_seq):
                remover.remove(row)
            _forget_row(database, job_seq)
    return remover.freed()


def _forget_row(database: Database, job_seq: int) -> None:
    (job,) = database.rows("SELECT spec_id FROM jobs WHERE job_seq = ?", job_seq)
    database.execute("DELETE FROM jobs WHERE job_seq = ?", job_seq)
    if database.rows("SELECT 1 FROM jobs WHERE spec_id = ? LIMIT 1", job["spec_id"]):
        return
    database.execute("DELETE FROM specs WHERE spec_id = ?", job["spec_id"])
    if database.has_words:
        database.execute("DELETE FROM spec_words WHERE rowid = ?", job["spec_id"])


class _Remover:
    """Removes takes' files where it may, and notes which are gone; use it within a transaction.

    A file goes only after its note was taken, so that a disk that refuses the note keeps the file. Where the
    process dies in between, check_files finds what is gone.
    """

    def __init__(self, database: Database) -> None:
        self.freed_bytes = 0
        self._takes = 0
        self._database = database
        self._real_folders = _real_folders(database)
        inputs = database.rows(
            "SELECT DISTINCT path FROM inputs JOIN jobs USING (spec_id) WHERE state IN ('queued', 'running')"
        )
        self._inputs = {real_path(_path(row)) for row in inputs}

    def remove(self, row: sqlite3.Row) -> None:
        """Remove a take's files, unless they are not surely ours, or still needed."""
        path = _path(row)
        real_folder = self._real_folders.get(str(Path(path).parent))
        if real_folder is None or not _is_untouched(row) or real_path(path) in self._inputs:
            return
        _mark(self._database, [row], TakeFile.REMOVED)
        if not remove_take(path, real_folder):
            _mark(self._database, [row], TakeFile.PRESENT)
            return
        self._takes += 1
        self.freed_bytes += row["total_bytes"]

    def freed(self) -> Freed:
        return Freed(takes=self._takes, total_bytes=self.freed_bytes)


def _real_folders(database: Database) -> dict[str, str]:
    """Return where the folders are, links resolved, in which the history may remove anything."""
    folders = database.rows("SELECT path, real_path FROM folders")
    return {stored_text(row["path"]): stored_text(row["real_path"]) for row in folders}


def _has_ended_removal(row: sqlite3.Row, real_folders: Mapping[str, str]) -> bool:
    real_folder = real_folders.get(str(Path(_path(row)).parent))
    facts = row["audio_bytes"], row["audio_mtime_ns"]
    return real_folder is not None and end_removal(_path(row), real_folder, *facts)


def _mark(database: Database, rows: Iterable[sqlite3.Row], file: TakeFile) -> None:
    for row in rows:
        database.execute("UPDATE takes SET file = ? WHERE take_seq = ?", file.value, row["take_seq"])


def _path(row: sqlite3.Row) -> str:
    return stored_text(row["path"])


def _is_untouched(row: sqlite3.Row) -> bool:
    return is_untouched(_path(row), row["audio_bytes"], row["audio_mtime_ns"])

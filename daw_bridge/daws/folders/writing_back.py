"""A DAW's file replaced by another sound at once, and what it was kept beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daw_bridge.errors import storage_errors
from engine.errors import AudioIOError, AudioMissing, NotFound

# DAWs find the file by its name; those of what it was are found beside it.
BEFORE = ".before-"
LOSSY = (".mp3", ".ogg", ".oga", ".opus")


@dataclass(frozen=True, slots=True)
class Stamp:
    """By what a file is seen to be the one that it was."""

    size_bytes: int
    changed_ns: int
    inode: int


def stamp_of(path: Path) -> Stamp:
    """Return a file's stamp; raises AudioMissing where it is not there."""
    try:
        found = path.stat()
    except OSError as error:
        raise AudioMissing(f"{path} is not there", "Give the file that the DAW has open.") from error
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)


def require_lossless(path: Path) -> None:
    """Raise AudioIOError for a file that no take can become without another format."""
    if path.suffix.lower() in LOSSY:
        raise AudioIOError(
            f"{path.name} cannot be edited in place: a take of {path.suffix} is a WAV",
            "Let the DAW hand over WAV, AIFF or FLAC.",
        )


def keep(path: Path) -> Path:
    """Copy a file to a free name beside it and return that; raises OutputError and DiskFull."""
    number = 1 + max((number for number, _ in all_kept(path)), default=0)
    kept = path.with_name(f"{path.stem}{BEFORE}{number}{path.suffix}")
    with storage_errors(kept):
        shutil.copy2(path, kept)
    return kept


def replace(path: Path, sound: Path) -> None:
    """Put the bytes of another sound where the file is, at once; it keeps its permissions.

    Raises:
        AudioIOError: the other one has another format by its name.
        OutputError, DiskFull: the file cannot be written; it stays as it was.
    """
    if sound.suffix.lower() != path.suffix.lower():
        raise AudioIOError(
            f"{path.name} cannot be replaced: the take is {sound.suffix} and not {path.suffix}",
            f"The take is {sound}.",
        )
    part = path.with_name(f"{path.name}.part")
    with storage_errors(path):
        try:
            shutil.copyfile(sound, part)
            shutil.copymode(path, part)
            os.replace(part, path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def undo(path: Path) -> Path:
    """Put back what a file was before its last edit, and return where that was kept.

    Raises:
        NotFound: nothing was kept.
        OutputError, DiskFull: the file cannot be written.
    """
    path = path.resolve()
    numbered = sorted(all_kept(path))
    if not numbered:
        raise NotFound(f"nothing was kept of {path}", "Only daw-bridge edit keeps what a file was.")
    _, kept = numbered[-1]
    with storage_errors(path):
        os.replace(kept, path)
    return kept


def all_kept(path: Path) -> Iterator[tuple[int, Path]]:
    """Yield what was kept of a file, each with its number."""
    beginning = f"{path.stem}{BEFORE}"
    with storage_errors(path.parent):
        names = [entry.name for entry in os.scandir(path.parent)]
    for name in names:
        number = name.removeprefix(beginning).removesuffix(path.suffix)
        if name.startswith(beginning) and name.endswith(path.suffix) and number.isdigit():
            yield int(number), path.with_name(name)

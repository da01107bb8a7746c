"""Folders and files of models: checksums, room on the disk, atomic replacement."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from engine.errors import DiskFull, OutputError

PART_SUFFIX = ".part"
OLD_SUFFIX = ".old"
STALE_AFTER_S = 24 * 3600
ROOM_HINT = "Free some space, or set DAW_BRIDGE_MODELS to a folder on another disk."


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_room(folder: Path, wanted_bytes: int, hint: str = ROOM_HINT) -> None:
    """Raise DiskFull unless so much fits on the folder's disk; the folder need not exist yet."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < wanted_bytes:
        raise DiskFull(
            f"{existing} has {free_bytes / 1e9:.1f} GB free, {wanted_bytes / 1e9:.1f} GB are needed.",
            hint,
        )


@contextmanager
def writing(folder: Path, hint: str = ROOM_HINT) -> Iterator[None]:
    """Turn a failure to write into DiskFull or OutputError that names the folder."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            raise DiskFull(f"There is no room left to write {folder}.", hint) from error
        raise OutputError(
            f"{folder} cannot be written: {error}.", "Choose a folder you may write."
        ) from error


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of another as a whole, or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    restore(folder)
    _remove_stale_parts(folder)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=PART_SUFFIX, dir=folder.parent))
    part.chmod(0o755)
    try:
        yield part
        _swap(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a file beside another, in whose place it comes as a whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}{PART_SUFFIX}")
    try:
        yield part
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def restore(folder: Path) -> None:
    """Bring back a folder whose replacement was cut off between its two renames."""
    old = _old_of(folder)
    if old.exists() and not folder.exists():
        os.replace(old, folder)


def _swap(part: Path, folder: Path) -> None:
    old = _old_of(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(part, folder)
    shutil.rmtree(old, ignore_errors=True)


def _old_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}{OLD_SUFFIX}")


def _remove_stale_parts(folder: Path) -> None:
    """Remove what a process that was ended left; a younger part may be another process at work."""
    for part in folder.parent.glob(f".{folder.name}.*{PART_SUFFIX}"):
        if time.time() - part.stat().st_mtime > STALE_AFTER_S:
            shutil.rmtree(part, ignore_errors=True)

"""Folders and files of models: checksums, room on the disk, atomic replacement."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import DiskFull

PART_SUFFIX = ".part"
OLD_SUFFIX = ".old"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_room(folder: Path, wanted_bytes: int) -> None:
    """Raise DiskFull unless so much fits on the folder's disk; the folder need not exist yet."""
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < wanted_bytes:
        raise DiskFull(
            f"{existing} has {free_bytes / 1e9:.1f} GB free, {wanted_bytes / 1e9:.1f} GB are needed.",
            "Free some space, or set DAW_BRIDGE_MODELS to a folder on another disk.",
        )


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of another as a whole, or not at all."""
    part = folder.with_name(folder.name + PART_SUFFIX)
    restore(folder)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    _swap(part, folder)


def restore(folder: Path) -> None:
    """Bring back a folder whose replacement was cut off between its two renames."""
    old = folder.with_name(folder.name + OLD_SUFFIX)
    if old.exists() and not folder.exists():
        os.replace(old, folder)


def _swap(part: Path, folder: Path) -> None:
    old = folder.with_name(folder.name + OLD_SUFFIX)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(part, folder)
    shutil.rmtree(old, ignore_errors=True)

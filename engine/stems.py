"""Names under which a job's files stand together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.errors import OutputError

_SUFFIXES = (".wav", ".flac", ".aiff", ".json", ".png")


def free_stem(folder: Path, stem: str, endings: Sequence[str] = ("",)) -> str:
    """Return the stem, or with -2, -3, ... after it, so that with none of the endings a file exists already.

    Raises:
        OutputError: the stem is not a plain file name.
    """
    if not stem or stem != Path(stem).name or stem.startswith("."):
        raise OutputError(f"{stem!r} is not a plain file name", "Give a name without folders.")
    candidate, number = stem, 1
    while any(_taken(folder, f"{candidate}{ending}") for ending in endings):
        number += 1
        candidate = f"{stem}-{number}"
    return candidate


def _taken(folder: Path, name: str) -> bool:
    return any((folder / f"{name}{suffix}").exists() for suffix in _SUFFIXES)

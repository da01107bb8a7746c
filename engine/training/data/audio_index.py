"""Finding sounds by the names that data sets give them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engine.errors import NotFound

AUDIO_SUFFIXES = frozenset(
    (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".w64", ".caf", ".au")
)


def audio_below(root: Path) -> Iterator[str]:
    """Yield the sounds below a folder, in the order of their names, relative and with slashes.

    Hidden files and folders are left out. Raises NotFound where there is no such folder.
    """
    if not root.is_dir():
        raise NotFound(f"{root} is not a folder.", "Name the folder of the sounds by --audio.")
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() in AUDIO_SUFFIXES and not name.startswith("."):
                yield (Path(folder) / name).relative_to(root).as_posix()


class AudioIndex:
    """The sounds below a folder by name, with or without ending, whichever folder they are in.

    Freesound's own files, as 1234__somebody__title.wav, are found by their number too.
    """

    def __init__(self, root: Path) -> None:
        self._paths: dict[str, str] = {}
        for path in audio_below(root):
            name = path.rpartition("/")[2]
            stem = name.rpartition(".")[0]
            for key in (path, name, stem, stem.partition("__")[0]):
                self._paths.setdefault(key, path)

    def find(self, *names: str) -> str | None:
        """Return the path of the first of the names that is there."""
        return next((self._paths[name] for name in names if name in self._paths), None)

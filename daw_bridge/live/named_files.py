"""What presets and chains have in common: files by name, of the user's over those that the program brings."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daw_bridge.messages.arguments import label
from daw_bridge.spec_options import slug
from engine.errors import NotFound, OutputError, SpecError
from engine.text_files import file_errors

_NAME = label("name", "warm pads")
_PLAIN = re.compile("[a-z0-9_-]+( [a-z0-9_-]+)*")
_DEVICES = re.compile("con|prn|aux|nul|(com|lpt)[0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFiles:
    """The files of one kind in a folder of the user's, which need not exist, and in one of the program's.

    kind is what a file holds, for sentences, and listing the request that lists them.
    """

    folder: Path
    factory: Path | None
    suffix: str
    kind: str
    listing: str

    def all(self) -> list[Path]:
        """Return all files by their names; one of the user's hides one of the program's.

        Raises:
            OutputError: a folder that may not be read.
        """
        files = [*_files(self.factory, self.suffix), *_files(self.folder, self.suffix)]
        return list({path.name: path for path in files}.values())

    def find(self, name: str) -> Path:
        """Return the file of a name, the user's before the program's.

        Raises:
            NotFound: there is none.
            SpecError: not a name.
        """
        file = file_name(name, self.suffix)
        folders = [folder for folder in (self.folder, self.factory) if folder is not None]
        for path in (folder / file for folder in folders):
            with file_errors("read", path), suppress(FileNotFoundError):
                path.lstat()
                return path
        raise self.missing(name)

    def is_shipped(self, path: Path) -> bool:
        """Tell whether a file is one of those that the program brings."""
        return path.parent == self.factory

    def has_shipped(self, name: str) -> bool:
        """Tell whether the program brings something of this name, which the user's may hide."""
        return self.factory is not None and (self.factory / file_name(name, self.suffix)).exists()

    def own(self, name: str) -> Path:
        """Return where the user's file of a name is or would be; raises SpecError where it is no name."""
        return self.folder / file_name(name, self.suffix)

    def delete(self, name: str, path: Path) -> None:
        """Remove a file of the user's; one of the program's of the same name is then seen again.

        Raises:
            OutputError: it is the program's, or cannot be removed.
        """
        if path.parent != self.folder:
            raise OutputError(f"the {self.kind} {name!r} belongs to the program and stays")
        with file_errors("delete", path):
            path.unlink()

    def missing(self, name: str) -> NotFound:
        return NotFound(f"no {self.kind} {name!r}", f"Ask {self.listing}.")


def file_name(name: str, suffix: str) -> str:
    """Return the file name of something named: another one for each name, on any system and disk.

    A name of small letters is kept. Any other, which a disk might take for a similar one or not take at all,
    becomes what is left of it and a part of its SHA-256.

    Raises:
        SpecError: not a name that a file may have.
    """
    try:
        _NAME.read(name)
    except ValueError as error:
        raise SpecError(f"name {error}") from error
    if _PLAIN.fullmatch(name) and not _DEVICES.fullmatch(name):
        return f"{name}{suffix}"
    return f"{slug(name)}~{hashlib.sha256(name.encode()).hexdigest()[:24]}{suffix}"


def _files(folder: Path | None, suffix: str) -> list[Path]:
    if folder is None:
        return []
    with file_errors("read", folder), suppress(FileNotFoundError), os.scandir(folder) as entries:
        return sorted(Path(entry) for entry in entries if entry.name.endswith(suffix))
    return []

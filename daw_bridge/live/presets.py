"""Presets as files: one JSON file each, in a folder of the user's, over those that the program brings along.

A preset's name decides the name of its file, and is in the file too.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daw_bridge.live.morph import Preset
from daw_bridge.live.parameters import checked
from daw_bridge.messages.live import PRESET
from daw_bridge.messages.parameters import PROMPT
from daw_bridge.resources import shipped
from daw_bridge.spec_options import slug
from engine.errors import BadJson, DiskFull, EngineError, NotFound, OutputError, SpecError, UnsupportedVersion
from engine.spec_json import parse_json

SCHEMA_VERSION = 1
FACTORY = Path("render")
MAX_BYTES = 100_000
_HINT = "Compare it with a preset that was saved, or delete it."
_PLAIN = re.compile("[a-z0-9_-]+( [a-z0-9_-]+)*")
_DEVICES = re.compile("con|prn|aux|nul|(com|lpt)[0-9]")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All presets by name, in their order, and why files of the folder are none."""

    presets: dict[str, Preset] = field(default_factory=dict)
    damaged: dict[str, EngineError] = field(default_factory=dict)


class PresetStore:
    """Reads and writes the presets of a folder, which need not exist yet.

    A preset of the user's hides one of the program's with the same name, until it is deleted; a damaged one
    hides it too, since nothing else would tell that it is damaged.
    """

    def __init__(self, folder: Path, factory: Path | None = None) -> None:
        self._folder = folder
        self._factory = shipped(FACTORY) if factory is None else factory

    def list(self) -> Listing:
        """Read all presets.

        Raises:
            OutputError: a folder that may not be read.
        """
        files = {path.name: path for path in [*_files(self._factory), *_files(self._folder)]}
        presets: dict[str, Preset] = {}
        damaged: dict[str, EngineError] = {}
        for path in files.values():
            try:
                name, preset = _read(path)
                presets[name] = preset
            except EngineError as error:
                damaged[path.name] = error
        return Listing(presets=dict(sorted(presets.items())), damaged=damaged)

    def load(self, name: str) -> Preset:
        """Return a preset.

        Raises:
            NotFound: no preset has this name.
            BadJson: its file is damaged.
            UnsupportedVersion: another version of the program wrote it.
            OutputError: its file may not be read.
            SpecError: not a name.
        """
        return _read(self._path(name))[1]

    def save(self, name: str, preset: Preset) -> None:
        """Write a preset, whole or not at all, in the place of the one of this name.

        Raises:
            OutputError: the folder or the file cannot be written.
            DiskFull: no room.
            SpecError: not a name.
        """
        path = self._folder / file_name(name)
        content: dict[str, object] = {"schema_version": SCHEMA_VERSION, "name": name}
        content["values"] = dict(preset.values)
        if preset.prompt_b is not None:
            content["prompt_b"] = preset.prompt_b
        with _file_errors("write", path):
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")

    def delete(self, name: str) -> None:
        """Remove a preset of the user's; one of the program's of the same name is then seen again.

        Raises:
            NotFound: no preset has this name.
            OutputError: it is the program's, or its file cannot be removed.
            SpecError: not a name.
        """
        path = self._path(name)
        if path.parent != self._folder:
            raise OutputError(f"the preset {name!r} belongs to the program and stays")
        with _file_errors("delete", path):
            path.unlink()

    def _path(self, name: str) -> Path:
        """Return the file of a preset, the user's before the program's; raises NotFound."""
        folders = [folder for folder in (self._folder, self._factory) if folder is not None]
        for path in (folder / file_name(name) for folder in folders):
            with _file_errors("read", path), suppress(FileNotFoundError):
                path.lstat()
                return path
        raise NotFound(f"no preset {name!r}", "Ask preset/list.")


def file_name(name: str) -> str:
    """Return the file name of a preset: another one for each name, on any system and disk.

    A name of small letters is kept. Any other, which a disk might take for a similar one or not take at all,
    becomes what is left of it and a part of its SHA-256.

    Raises:
        SpecError: not a name that a preset may have.
    """
    try:
        PRESET.read(name)
    except ValueError as error:
        raise SpecError(f"name {error}") from error
    if _PLAIN.fullmatch(name) and not _DEVICES.fullmatch(name):
        return f"{name}.json"
    return f"{slug(name)}~{hashlib.sha256(name.encode()).hexdigest()[:24]}.json"


def _files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    with _file_errors("read", folder), suppress(FileNotFoundError), os.scandir(folder) as entries:
        return sorted(Path(entry) for entry in entries if entry.name.endswith(".json"))
    return []


def _read(path: Path) -> tuple[str, Preset]:
    """Return the name and the preset in a file; what it raises tells the name of the file."""
    try:
        name, preset = _decoded(parse_json(_text(path)))
        expected = file_name(name)
    except UnsupportedVersion as error:
        raise UnsupportedVersion(f"{path.name}: {error.message}", error.hint) from error
    except SpecError as error:
        raise BadJson(f"{path.name}: {error.message}", _HINT) from error
    if expected != path.name:
        raise BadJson(
            f"{path.name}: a preset named {name!r} is in a file of another name", f"Use {expected}."
        )
    return name, preset


def _text(path: Path) -> str:
    # What is no plain file may never come to an end.
    with _file_errors("read", path):
        if not path.is_file():
            raise BadJson("is not a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise BadJson(f"is larger than {MAX_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJson("is not UTF-8 text") from error


def _decoded(content: Any) -> tuple[str, Preset]:
    if not isinstance(content, dict):
        raise BadJson("must be an object")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise UnsupportedVersion(
            f"schema_version is {version!r:.60}, this version reads {SCHEMA_VERSION}", "Update the program."
        )
    for key in content:
        if key not in ("schema_version", "name", "values", "prompt_b"):
            raise BadJson(f"{key:.60} is not a known key")
    name, values, prompt_b = (content.get(key) for key in ("name", "values", "prompt_b"))
    if not isinstance(name, str) or not isinstance(values, dict):
        raise BadJson("must have a text as name and an object as values")
    read = {key: checked(key, value) for key, value in values.items()}
    try:
        return name, Preset(values=read, prompt_b=None if prompt_b is None else PROMPT.read(prompt_b))
    except ValueError as error:
        raise BadJson(f"prompt_b: {error}") from error


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def _file_errors(verb: str, path: Path) -> Iterator[None]:
    """Turn what the system refuses into DiskFull or OutputError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"no room left for {path}", "Free some space and try again.") from error
        reason = (error.strerror or "the system refused").lower()
        raise OutputError(f"cannot {verb} {path}: {reason}", "Check its permissions.") from error

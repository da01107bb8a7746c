"""Presets as files: one JSON file each, in a folder of the user's, over those that the program brings along.

A preset's name decides the name of its file, and is in the file too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daw_bridge.live.morph import Preset
from daw_bridge.live.named_files import NamedFiles, file_name
from daw_bridge.live.parameters import checked
from daw_bridge.messages.parameters import PROMPT
from daw_bridge.resources import shipped
from engine.errors import BadJson, EngineError, SpecError, UnsupportedVersion
from engine.spec_json import parse_json
from engine.text_files import read_text, write_text

SCHEMA_VERSION = 1
FACTORY = Path("live")
MAX_BYTES = 100_000
SUFFIX = ".json"
_HINT = "Compare it with a preset that was saved, or delete it."


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
        factory = shipped(FACTORY) if factory is None else factory
        self._files = NamedFiles(
            folder=folder, factory=factory, suffix=SUFFIX, kind="preset", listing="preset/list"
        )

    def list(self) -> Listing:
        """Read all presets.

        Raises:
            OutputError: a folder that may not be read.
        """
        presets: dict[str, Preset] = {}
        damaged: dict[str, EngineError] = {}
        for path in self._files.all():
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
        return _read(self._files.find(name))[1]

    def save(self, name: str, preset: Preset) -> None:
        """Write a preset, whole or not at all, in the place of the one of this name.

        Raises:
            OutputError: the folder or the file cannot be written.
            DiskFull: no room.
            SpecError: not a name.
        """
        path = self._files.own(name)
        content: dict[str, object] = {"schema_version": SCHEMA_VERSION, "name": name}
        content["values"] = dict(preset.values)
        if preset.prompt_b is not None:
            content["prompt_b"] = preset.prompt_b
        write_text(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")

    def delete(self, name: str) -> None:
        """Remove a preset of the user's; one of the program's of the same name is then seen again.

        Raises:
            NotFound: no preset has this name.
            OutputError: it is the program's, or its file cannot be removed.
            SpecError: not a name.
        """
        self._files.delete(name, self._files.find(name))


def _read(path: Path) -> tuple[str, Preset]:
    """Return the name and the preset in a file; what it raises tells the name of the file."""
    try:
        name, preset = _decoded(parse_json(read_text(path, MAX_BYTES)))
        expected = file_name(name, SUFFIX)
    except UnsupportedVersion as error:
        raise UnsupportedVersion(f"{path.name}: {error.message}", error.hint) from error
    except SpecError as error:
        raise BadJson(f"{path.name}: {error.message}", _HINT) from error
    if expected != path.name:
        raise BadJson(
            f"{path.name}: a preset named {name!r} is in a file of another name", f"Use {expected}."
        )
    return name, preset


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

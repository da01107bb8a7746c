"""Presets as files: one JSON file each, in a folder of the user's, over those that the program brings along.

A preset's name decides the name of its file, and is in the file too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    """All presets by name, in their order; which are the program's, or hide one of these; damaged files."""

    presets: dict[str, Preset] = field(default_factory=dict)
    shipped: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
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
        shipped: set[str] = set()
        damaged: dict[str, EngineError] = {}
        for path in self._files.all():
            try:
                name, preset = _read(path)
                presets[name] = preset
                shipped |= {name} if self._files.is_shipped(path) else set()
            except EngineError as error:
                damaged[path.name] = error
        changed = {name for name in presets.keys() - shipped if self._files.has_shipped(name)}
        return Listing(
            presets=dict(sorted(presets.items())),
            shipped=frozenset(shipped),
            changed=frozenset(changed),
            damaged=damaged,
        )

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
        write_preset(self._files.own(name), name, preset)

    def delete(self, name: str) -> None:
        """Remove a preset of the user's; one of the program's of the same name is then seen again.

        Raises:
            NotFound: no preset has this name.
            OutputError: it is the program's, or its file cannot be removed.
            SpecError: not a name.
        """
        self._files.delete(name, self._files.find(name))


def read_preset(path: Path) -> tuple[str, Preset]:
    """Return the name and the preset in a file, whatever that is called; an error tells the file's name.

    Raises:
        BadJson: no preset.
        UnsupportedVersion: another version of the program wrote it.
        OutputError: it may not be read.
    """
    try:
        name, preset = _decoded(parse_json(read_text(path, MAX_BYTES)))
        file_name(name, SUFFIX)
    except UnsupportedVersion as error:
        raise UnsupportedVersion(f"{path.name}: {error.message}", error.hint) from error
    except SpecError as error:
        raise BadJson(f"{path.name}: {error.message}", _HINT) from error
    return name, preset


def write_preset(path: Path, name: str, preset: Preset) -> None:
    """Write a preset, whole or not at all; raises OutputError, or DiskFull."""
    content: dict[str, object] = {"schema_version": SCHEMA_VERSION, "name": name}
    content["values"] = dict(preset.values)
    if preset.prompt_b is not None:
        content["prompt_b"] = preset.prompt_b
    write_text(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def _read(path: Path) -> tuple[str, Preset]:
    """Return the name and the preset in a file of a folder of presets; raises as read_preset."""
    name, preset = read_preset(path)
    expected = file_name(name, SUFFIX)
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
    return name, _preset(values, prompt_b)


def preset_of_values(content: Mapping[str, Any]) -> Preset:
    """Read a preset from its values by name, the second prompt of a prompt morph among them.

    Raises:
        SpecError: no such parameter, or a value that it does not take.
    """
    return _preset(
        {key: value for key, value in content.items() if key != "prompt_b"}, content.get("prompt_b")
    )


def _preset(values: Mapping[str, Any], prompt_b: object) -> Preset:
    read = {key: checked(key, value) for key, value in values.items()}
    try:
        return Preset(values=read, prompt_b=None if prompt_b is None else PROMPT.read(prompt_b))
    except ValueError as error:
        raise BadJson(f"prompt_b: {error}") from error

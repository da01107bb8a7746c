"""Effect chains as TOML files that users write by hand; their comments survive an edit.

A file has name, description, tail and tail_s at its top and one `[[effects]]` table for each step: effect or
plugin, mix, bypass, and `[effects.parameters]`. Paths may be relative to the file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from engine.chain_json import chain_from_dict, chain_to_dict
from engine.chains import Chain
from engine.effects import EFFECTS, checked
from engine.errors import NotFound, OutputError, SpecError
from engine.text_files import read_text, write_text

SUFFIX = ".toml"
MAX_FILE_BYTES = 8_000_000
_MOST_DOTS = 32
_HINT = "docs/effects.md shows how such a file is written."

# What a file leaves out: these are the values of an Effect and a Chain that has nothing else.
_CHAIN_DEFAULTS = {"name": "", "description": "", "tail": "cut", "tail_s": 5.0}
_EFFECT_DEFAULTS: Mapping[str, object] = {
    "effect": "",
    "plugin": "",
    "name": "",
    "parameters": {},
    "raw_state": "",
    "mix": 1.0,
    "bypass": False,
}


def read_chain(path: Path) -> Chain:
    """Read and check a chain.

    Raises:
        NotFound: no such file.
        OutputError: it may not be read.
        SpecError: what is not a chain, with the file and the key.
    """
    try:
        content = parse_toml(_text(path))
        content.setdefault("name", path.stem)
        return checked(chain_from_dict(_absolute(content, path.parent)))
    except SpecError as error:
        raise SpecError(f"{path}: {error.message}", error.hint or _HINT) from error


def write_chain(path: Path, chain: Chain, like: Path | None = None) -> None:
    """Write a chain in one go; of a file that is there, or else of `like`, comments and order stay.

    Raises:
        SpecError: a chain that could not be read back.
        OutputError, DiskFull: a place that cannot be written.
    """
    content = _sparse(chain_to_dict(checked(chain)))
    document = _document(path if like is None or path.exists() else like)
    _update(document, content, path.parent)
    write_text(path, tomlkit.dumps(document))


def list_chains(folder: Path) -> tuple[str, ...]:
    """Return the names of the chains in a folder, sorted; none where there is no folder."""
    return tuple(sorted(path.stem for path in folder.glob(f"*{SUFFIX}") if path.is_file()))


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML of keys that are not nested without end, over which a parser takes hours and all memory.

    Raises:
        SpecError: anything else.
    """
    for line in text.splitlines():
        if not line.lstrip().startswith("#") and line.partition("=")[0].count(".") > _MOST_DOTS:
            raise SpecError(f"is not valid TOML for a chain: a key of more than {_MOST_DOTS} parts", _HINT)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"is not valid TOML: {error}", _HINT) from error
    except RecursionError as error:
        raise SpecError("is not valid TOML for a chain: it is nested too deeply", _HINT) from error


def _text(path: Path) -> str:
    if not path.exists():
        raise NotFound(f"there is no chain {path}")
    return read_text(path, MAX_FILE_BYTES)


def _absolute(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the content with paths that stand alone; what is mistyped is left for the reader to refuse."""
    effects = content.get("effects")
    if not isinstance(effects, list):
        return content
    return {**content, "effects": [_absolute_effect(one, folder) for one in effects]}


def _absolute_effect(effect: Any, folder: Path) -> Any:
    if not isinstance(effect, dict):
        return effect
    changed = dict(effect)
    if effect.get("plugin"):
        changed["plugin"] = _resolved(effect["plugin"], folder)
    parameters = effect.get("parameters")
    if isinstance(parameters, dict):
        files = _file_parameters(effect)
        changed["parameters"] = {
            key: _resolved(value, folder) if key in files else value for key, value in parameters.items()
        }
    return changed


def _file_parameters(effect: Mapping[str, Any]) -> set[str]:
    built_in = EFFECTS.get(str(effect.get("effect", "")))
    return set() if built_in is None else {name for name, one in built_in.parameters.items() if one.is_file}


def _resolved(value: Any, folder: Path) -> Any:
    if not isinstance(value, str) or not value:
        return value
    # Of os.path, since these neither follow links nor fail on a ~ that is nobody's.
    return os.path.abspath(folder / os.path.expanduser(value))  # noqa: PTH100, PTH111


def _sparse(content: Mapping[str, object]) -> dict[str, Any]:
    """Leave out what has its default."""
    top = {key: content[key] for key, default in _CHAIN_DEFAULTS.items() if content[key] != default}
    effects = content["effects"]
    assert isinstance(effects, list)
    top["effects"] = [
        {key: value for key, value in one.items() if value != _EFFECT_DEFAULTS[key]} for one in effects
    ]
    return top


def _document(path: Path) -> tomlkit.TOMLDocument:
    """Return the file to edit, an empty one where it is missing or no chain: what is wrong must not stay."""
    with suppress(NotFound, OutputError, SpecError, TOMLKitError):
        read_chain(path)
        return tomlkit.parse(_text(path))
    return tomlkit.document()


def _update(document: tomlkit.TOMLDocument, content: Mapping[str, Any], folder: Path) -> None:
    for key, default in _CHAIN_DEFAULTS.items():
        _assign(document, key, content.get(key, default if key in document else None))
    tables = document.get("effects")
    if not isinstance(tables, AoT):
        document.pop("effects", None)
        tables = tomlkit.aot()
    _pair(tables, content["effects"], folder)
    if "effects" not in document and len(tables):
        document.append("effects", tables)
    elif not len(tables):
        document["effects"] = tomlkit.array()


def _pair(tables: AoT, effects: list[dict[str, Any]], folder: Path) -> None:
    """Let each step take over the table of the same kind that comes next, with its comments."""
    old = list(tables)
    new = [_table_for(effect, old, folder) for effect in effects]
    tables.clear()
    for table in new:
        tables.append(table)


def _table_for(effect: dict[str, Any], old: list[Any], folder: Path) -> Table:
    kind = _kind(effect, folder)
    table = next((one for one in old if _kind(one, folder) == kind), None)
    if table is not None:
        # Steps before it were taken out or moved; equal ones keep their order.
        old.remove(table)
    table = tomlkit.table() if table is None else table
    for key, default in _EFFECT_DEFAULTS.items():
        if key != "parameters":
            beside = folder if key == "plugin" else None
            _assign(table, key, effect.get(key, default if key in table else None), beside)
    _assign_parameters(table, effect, folder)
    return table


def _kind(effect: Mapping[str, Any], folder: Path) -> tuple[str, str, str]:
    plugin = _resolved(str(effect.get("plugin", "")), folder)
    return str(effect.get("effect", "")), plugin, str(effect.get("name", ""))


def _assign_parameters(table: Table, effect: Mapping[str, Any], folder: Path) -> None:
    parameters, files = effect.get("parameters", {}), _file_parameters(effect)
    if not parameters:
        table.pop("parameters", None)
        return
    if not isinstance(table.get("parameters"), Mapping):
        table.pop("parameters", None)
        table.append("parameters", tomlkit.table())
    inner: Any = table["parameters"]
    for key in [key for key in inner if key not in parameters]:
        del inner[key]
    for key, value in parameters.items():
        _assign(inner, key, value, folder if key in files else None)


def _assign(table: Any, key: str, value: Any, folder: Path | None = None) -> None:
    """Set a value, or take it away where it is None; one that is the same stays as it was written.

    With a folder it is a path, which may be written as it is seen from there.
    """
    if value is None:
        table.pop(key, None)
        return
    there = table.get(key)
    if there is not None and _same(there, value, folder):
        return
    table[key] = value


def _same(there: Any, value: Any, folder: Path | None) -> bool:
    if isinstance(there, bool) or isinstance(value, bool):
        return isinstance(there, bool) and isinstance(value, bool) and there == value
    return bool(there == value) or (folder is not None and bool(_resolved(there, folder) == value))

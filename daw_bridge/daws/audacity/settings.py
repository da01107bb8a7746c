"""Changes in Audacity's own settings files, which keep everything else in them as it is.

Both files have groups in brackets and keys beneath. audacity.cfg says which modules may be loaded: the name
alone is not enough, Audacity wants to see the same file with the same time as when it was asked last.
pluginregistry.cfg lists the plug-ins that are known: for one that is new, Audacity starts helpers that load
the modules too and take its pipe away, until it is started again.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from daw_bridge.daws.hosts import System
from engine.errors import SpecError

SETTINGS = "audacity.cfg"
MODULE = "mod-script-pipe"
_PROJECTS = "ActiveProjects"
# Of the list of plug-ins; another one may ask for other keys, and then Audacity had better ask itself.
REGISTRY_VERSION = "1.2"
_ENABLED = "1"
_NOT_ASKED = "4"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginEntry:
    """A Nyquist plug-in as Audacity lists it; kind is Tool or Analyze."""

    path: Path
    name: str
    kind: str
    version: str
    is_interactive: bool = True


def settings_folders(system: System) -> Iterator[Path]:
    """Yield where Audacity may keep its settings, the likeliest first."""
    if system.platform == "win32":
        yield Path(system.environment.get("APPDATA", system.home / "AppData" / "Roaming")) / "audacity"
    elif system.platform == "darwin":
        yield system.home / "Library" / "Application Support" / "audacity"
    else:
        yield Path(system.environment.get("XDG_CONFIG_HOME") or system.home / ".config") / "audacity"
        yield system.home / ".audacity-data"
        yield system.home / ".var" / "app" / "org.audacityteam.Audacity" / "config" / "audacity"


def open_projects(system: System) -> frozenset[str]:
    """Return the files of all open projects, also of those never saved; none where it is not told."""
    found: set[str] = set()
    for folder in settings_folders(system):
        with suppress(OSError):
            lines = (folder / SETTINGS).read_text(encoding="utf-8", errors="replace").splitlines()
            start, end = _bounds(lines, _PROJECTS)
            found.update(line.partition("=")[2] for line in lines[start:end] if "=" in line)
    return frozenset(found)


def enable_module(module: Path, modified: datetime) -> Callable[[bytes | None], bytes]:
    """Return the change that lets Audacity load the module; modified is the time of its file."""
    wanted = {
        "Module": _ENABLED,
        "ModulePath": str(module),
        "ModuleDateTime": modified.strftime("%Y-%m-%dT%H:%M:%S"),
    }

    def put(before: bytes | None) -> bytes:
        lines = _lines(before or b"")
        for group, value in wanted.items():
            lines = _with_key(lines, group, MODULE, value)
        return _joined(lines, before)

    return put


def disable_module(before: bytes) -> bytes:
    """Let Audacity ask about the module again, as if it were new."""
    lines = _lines(before)
    if _value(lines, "Module", MODULE) != _ENABLED:
        return before
    return _joined(_with_key(lines, "Module", MODULE, _NOT_ASKED), before)


def module_state(content: bytes | None) -> str:
    """Return what a settings file says of the module: 1 enabled, 0 disabled, empty where it says nothing."""
    return _value(_lines(content or b""), "Module", MODULE)


def register(entries: Sequence[PluginEntry]) -> Callable[[bytes | None], bytes]:
    """Return the change that makes plug-ins known; a list of another version stays as it is."""

    def put(before: bytes | None) -> bytes:
        lines = _lines(before or b"")
        if _value(lines, "", "pluginregistryversion") != REGISTRY_VERSION:
            return before or b""
        for entry in entries:
            for key, value in _keys(entry).items():
                lines = _with_key(lines, _group(entry), key, value)
        return _joined(lines, before)

    return put


def unregister(entries: Sequence[PluginEntry]) -> Callable[[bytes], bytes]:
    def take(before: bytes) -> bytes:
        groups = {_group(entry) for entry in entries}
        return _joined(list(_without(_lines(before), groups)), before)

    return take


def _keys(entry: PluginEntry) -> Mapping[str, str]:
    return {
        "Path": str(entry.path),
        "Symbol": entry.name,
        "Name": entry.name,
        "Version": entry.version,
        "Vendor": "DAW Bridge",
        "Description": "",
        "ProviderID": "Module__The Audacity Team_Nyquist Effects_",
        "Enabled": "1",
        "Valid": "1",
        "EffectType": entry.kind,
        "EffectFamily": "Nyquist",
        "EffectDefault": "0",
        "EffectInteractive": str(int(entry.is_interactive)),
        "EffectRealtime": "0",
        "EffectAutomatable": "1",
    }


def _group(entry: PluginEntry) -> str:
    told = f"Effect_Nyquist_DAW Bridge_{entry.name}_{entry.path}"
    name = base64.b64encode(told.encode()).decode()
    # As Audacity writes names of groups: what is no letter or digit has a backslash before it.
    return "pluginregistry/Effect/base64\\:" + "".join(
        letter if letter.isalnum() else f"\\{letter}" for letter in name
    )


def _lines(content: bytes) -> list[str]:
    try:
        return content.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise SpecError("a settings file of Audacity is not UTF-8", "Let Audacity write it anew.") from error


def _joined(lines: list[str], before: bytes | None) -> bytes:
    end = "\r\n" if b"\r\n" in (before or b"") else "\n"
    after = "".join(f"{line}{end}" for line in lines).encode()
    return before if before is not None and _lines(before) == lines else after


def _value(lines: list[str], group: str, key: str) -> str:
    start, end = _bounds(lines, group)
    found = [line.partition("=")[2] for line in lines[start:end] if line.partition("=")[0] == key]
    return found[0] if found else ""


def _with_key(lines: list[str], group: str, key: str, value: str) -> list[str]:
    """Return the lines with a key set, in its place where it has one."""
    start, end = _bounds(lines, group)
    if start < 0:
        return [*lines, f"[{group}]", f"{key}={_escaped(value)}"]
    for number in range(start, end):
        if lines[number].partition("=")[0] == key:
            return [*lines[:number], f"{key}={_escaped(value)}", *lines[number + 1 :]]
    return [*lines[:end], f"{key}={_escaped(value)}", *lines[end:]]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\")


def _bounds(lines: list[str], group: str) -> tuple[int, int]:
    """Return where the keys of a group begin and end; -1 where there is no such group."""
    heads = [number for number, line in enumerate(lines) if line.startswith("[")]
    if not group:
        return 0, (heads or [len(lines)])[0]
    found = [number for number in heads if lines[number] == f"[{group}]"]
    if not found:
        return -1, -1
    later = [number for number in heads if number > found[0]]
    return found[0] + 1, (later or [len(lines)])[0]


def _without(lines: list[str], groups: set[str]) -> Iterator[str]:
    is_kept = True
    for line in lines:
        if line.startswith("["):
            is_kept = line[1:-1] not in groups
        if is_kept:
            yield line

"""Audacity 3: where it is found, which plug-ins go where, and what its settings must say."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from importlib.resources import files as packaged
from pathlib import Path

from daw_bridge.daws.audacity.listener import inbox_of
from daw_bridge.daws.audacity.settings import (
    SETTINGS,
    PluginEntry,
    disable_module,
    enable_module,
    module_state,
    register,
    settings_folders,
    unregister,
)
from daw_bridge.daws.hosts import Edit, Host, Place, ScriptFile, System
from engine.types import SamplerSpec

LIBRARY = "daw-bridge.lsp"
# By file: the name in Audacity's menu, and in which menu.
PLUGINS = {
    "daw-bridge-change.ny": ("DAW Bridge Change", "Analyze"),
    "daw-bridge-generate.ny": ("DAW Bridge Generate", "Tool"),
    "daw-bridge-again.ny": ("DAW Bridge Again", "Tool"),
    "daw-bridge-cancel.ny": ("DAW Bridge Cancel", "Tool"),
    "daw-bridge-progress.ny": ("DAW Bridge Progress", "Tool"),
}
_WITHOUT_DIALOG = ("daw-bridge-cancel.ny", "daw-bridge-progress.ny")
_MODULES = {
    "linux": (
        "/usr/lib/audacity/modules/mod-script-pipe.so",
        "/usr/local/lib/audacity/modules/mod-script-pipe.so",
        "/usr/lib64/audacity/modules/mod-script-pipe.so",
    ),
    "darwin": ("/Applications/Audacity.app/Contents/modules/mod-script-pipe.so",),
    "win32": ("C:/Program Files/Audacity/modules/mod-script-pipe.dll",),
}
_PROCESS = {"linux": "audacity", "darwin": "Audacity"}
_REGISTRY = "pluginregistry.cfg"


def find(system: System) -> tuple[Place, ...]:
    """Return the user's Audacity folder: where it has its settings, on Linux the older place too."""
    found = (folder for folder in settings_folders(system) if (folder / SETTINGS).is_file())
    return tuple(Place(folder=folder, version=_version(folder / SETTINGS)) for folder in found)


def files(system: System, place: Place) -> tuple[ScriptFile, ...]:
    inbox = inbox_of(system.folders)
    library = inbox / LIBRARY
    values = {
        "inbox": _lisp(inbox.as_posix()),
        "library": _lisp(library.as_posix()),
        "listen": _lisp(_shown((*system.command, "audacity", "listen"), system.platform)),
        "version": version("daw-bridge"),
        "strength": f"{SamplerSpec().strength:g}",
    }
    written = [(library, LIBRARY), *((_plugins(system, place) / name, name) for name in PLUGINS)]
    return tuple(ScriptFile(path=path, content=_filled(name, values)) for path, name in written)


def edits(system: System, place: Place) -> tuple[Edit, ...]:
    """Return the changes in the settings; a list of plug-ins that Audacity has not begun is left to it."""
    entries = tuple(_entries(system, place))
    listed = place.folder / _REGISTRY
    known = [Edit(path=listed, put=register(entries), take=unregister(entries))] if listed.is_file() else []
    module = _module(system)
    if module is None:
        return tuple(known)
    modified = datetime.fromtimestamp(int(module.stat().st_mtime)).astimezone()
    enabled = Edit(path=place.folder / SETTINGS, put=enable_module(module, modified), take=disable_module)
    return (enabled, *known)


def problems(system: System, place: Place) -> tuple[str, ...]:
    return tuple(_problems(system, place))


def _problems(system: System, place: Place) -> Iterator[str]:
    if _runs(system):
        yield "Audacity runs, and writes its settings when it ends: quit it, and install again"
    if _module(system) is None:
        yield (
            "mod-script-pipe was not found where Audacity has it by default: enable it in Audacity's "
            "Preferences, Modules, and start Audacity again"
        )
    elif module_state((place.folder / SETTINGS).read_bytes()) != "1":
        yield ("mod-script-pipe is not enabled, so no take can come back: quit Audacity, and install again")
    if not (place.folder / _REGISTRY).is_file():
        yield "Audacity has not listed its plug-ins yet: start it, quit it, and install again"


def _plugins(system: System, place: Place) -> Path:
    """Return the folder of plug-ins, which is beside the settings but where Linux keeps data apart."""
    is_apart = system.platform not in ("win32", "darwin") and place.folder.name == "audacity"
    if not is_apart:
        return place.folder / "Plug-Ins"
    if ".var" in place.folder.parts:
        return place.folder.parent.parent / "data" / "audacity" / "Plug-Ins"
    data = Path(system.environment.get("XDG_DATA_HOME") or system.home / ".local" / "share")
    return data / "audacity" / "Plug-Ins"


def _entries(system: System, place: Place) -> Iterator[PluginEntry]:
    for file, (name, kind) in PLUGINS.items():
        yield PluginEntry(
            path=_plugins(system, place) / file,
            name=name,
            kind=kind,
            version=version("daw-bridge"),
            is_interactive=file not in _WITHOUT_DIALOG,
        )


def _module(system: System) -> Path | None:
    told = system.environment.get("AUDACITY_MODULES_PATH", "")
    candidates = [*told.split(":"), *_MODULES.get(system.platform, ())]
    paths = (Path(one) for one in candidates if one)
    return next((path for path in paths if path.is_file()), None)


def _version(settings: Path) -> str:
    lines = settings.read_text(encoding="utf-8", errors="replace").splitlines()
    start = lines.index("[Version]") + 1 if "[Version]" in lines else len(lines)
    parts = dict(line.split("=", 1) for line in lines[start : start + 3] if "=" in line)
    return ".".join(parts[key] for key in ("Major", "Minor", "Micro") if key in parts)


def _runs(system: System) -> bool:
    """Tell whether Audacity runs, as far as this machine can be asked."""
    name = _PROCESS.get(system.platform)
    if system.platform != sys.platform or name is None:
        return False
    with suppress(OSError):
        return subprocess.run(["pgrep", "-x", name], capture_output=True, check=False).returncode == 0
    return False


def _shown(command: tuple[str, ...], platform: str) -> str:
    return subprocess.list2cmdline(command) if platform == "win32" else shlex.join(command)


def _lisp(text: str) -> str:
    """Return a text as it is between Lisp's quotes, and as what replaces a placeholder."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _filled(name: str, values: dict[str, str]) -> bytes:
    text = (packaged(__package__) / "scripts" / name).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value)
    return text.encode()


HOST = Host(
    name="audacity",
    title="Audacity",
    find=find,
    files=files,
    edits=edits,
    problems=problems,
    next_steps=(
        "In a terminal: daw-bridge audacity listen. It brings the takes back; leave it open.",
        "Start Audacity, select some sound, then Analyze > DAW Bridge Change.",
    ),
)

"""SuperCollider: a class library extension with help, in the folder for extensions of the user's own."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from daw_bridge.daws.hosts import Host, Place, ScriptFile, System
from daw_bridge.service.config import VERSION


def find(system: System) -> tuple[Place, ...]:
    """Return SuperCollider's folder of this user, which may still have to be made."""
    folder = _support(system)
    is_there = folder.is_dir() or shutil.which("sclang", path=system.environment.get("PATH", ""))
    return (Place(folder=folder),) if is_there else ()


def files(system: System, place: Place) -> tuple[ScriptFile, ...]:
    """Return the class library and its help, told where the service is."""
    root = resources.files(__package__) / "scripts"
    values = _values(system)
    return tuple(
        ScriptFile(path=place.folder / "Extensions" / path, content=_filled(source, values))
        for path, source in _sources(root, Path())
    )


def _support(system: System) -> Path:
    if system.platform == "darwin":
        return system.home / "Library" / "Application Support" / "SuperCollider"
    if system.platform == "win32":
        local = system.environment.get("LOCALAPPDATA", "")
        return (Path(local) if local else system.home / "AppData" / "Local") / "SuperCollider"
    data = system.environment.get("XDG_DATA_HOME", "")
    return (Path(data) if data else system.home / ".local" / "share") / "SuperCollider"


def _sources(folder: Traversable, path: Path) -> list[tuple[Path, Traversable]]:
    found: list[tuple[Path, Traversable]] = []
    for item in sorted(folder.iterdir(), key=lambda one: one.name):
        found += _sources(item, path / item.name) if item.is_dir() else [(path / item.name, item)]
    return found


def _filled(source: Traversable, values: Mapping[str, str]) -> bytes:
    text = source.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", _literal(value))
    return text.encode("utf-8")


def _values(system: System) -> dict[str, str]:
    return {
        "VERSION": VERSION,
        "START": _command_line(system),
        "SERVICE": str(system.folders.runtime / "service.json"),
        "FOLDER": str(system.folders.errands),
    }


def _command_line(system: System) -> str:
    """Return what starts the service, as unixCmd hands it to the shell of the system."""
    # Not the service itself: it would inherit sclang's sockets, and end with sclang.
    words = (*system.command, "errand", "check")
    return subprocess.list2cmdline(words) if system.platform == "win32" else shlex.join(words)


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


HOST = Host(
    name="supercollider",
    title="SuperCollider",
    find=find,
    files=files,
    next_steps=(
        "In SuperCollider: Language > Recompile Class Library (Ctrl+Shift+L).",
        'Boot the server and evaluate: DAWBridge.generate("rain on a tin roof", 3, action: { |b| b.play })',
        "Help: select DAWBridge and press Ctrl+D.",
    ),
)

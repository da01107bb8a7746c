"""Pure Data: abstractions with help patches, in the folder for externals of the user's own."""

from __future__ import annotations

import shlex
import subprocess
from importlib import resources
from pathlib import Path

from daw_bridge.daws.hosts import Host, Place, ScriptFile, System

FOLDER = "dawbridge"


def find(system: System) -> tuple[Place, ...]:
    """Return the folder in which Pd looks for externals of this user, where Pd has made it or was set up."""
    folder = _externals(system)
    signs = (folder, *_signs(system))
    return (Place(folder=folder),) if any(sign.exists() for sign in signs) else ()


def files(system: System, place: Place) -> tuple[ScriptFile, ...]:
    """Return the abstractions and their help, told where the service is."""
    root = resources.files(__package__) / "scripts" / FOLDER
    values = _values(system)
    found = []
    for source in sorted(root.iterdir(), key=lambda one: one.name):
        text = source.read_text(encoding="utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name}@", _atom(value))
        found.append(ScriptFile(path=place.folder / FOLDER / source.name, content=text.encode("utf-8")))
    return tuple(found)


def _externals(system: System) -> Path:
    """Return the folder for externals that Pd proposes; on Linux one that it always searches."""
    if system.platform == "linux":
        return system.home / ".local" / "lib" / "pd" / "extra"
    return system.home / "Documents" / "Pd" / "externals"


def _signs(system: System) -> tuple[Path, ...]:
    """Return what tells that Pd is here, or was."""
    if system.platform == "darwin":
        return (system.home / "Library" / "Preferences" / "org.puredata.pd.plist",)
    if system.platform == "win32":
        programs = system.environment.get("PROGRAMFILES", "")
        return (Path(programs) / "Pd",) if programs else ()
    config = system.environment.get("XDG_CONFIG_HOME", "")
    roots = (Path(config) if config else system.home / ".config") / "Pd", system.home / ".pdsettings"
    return (*roots, Path("/usr/bin/pd"), Path("/usr/local/bin/pd"))


def _values(system: System) -> dict[str, str]:
    words = (*system.command, "serve")
    is_windows = system.platform == "win32"
    return {
        "FOLDER": _slashes(system, str(system.folders.errands)),
        "SERVICE": _slashes(system, str(system.folders.runtime / "service.json")),
        "COMMAND": subprocess.list2cmdline(words) if is_windows else shlex.join(words),
    }


def _slashes(system: System, path: str) -> str:
    """Return a path as Pd writes it: with slashes, on Windows too."""
    return path.replace("\\", "/") if system.platform == "win32" else path


def _atom(text: str) -> str:
    """Return a text as one word of a patch."""
    return "".join(f"\\{char}" if char in "\\ ,;$" else char for char in text)


HOST = Host(
    name="puredata",
    title="Pure Data",
    find=find,
    files=files,
    next_steps=(
        "Start the service: daw-bridge serve",
        "In Pd, create [dawbridge/dawbridge.generate], right-click on it and choose Help.",
        "To write [dawbridge.generate] alone, add the folder dawbridge under File > Preferences > Path.",
    ),
)

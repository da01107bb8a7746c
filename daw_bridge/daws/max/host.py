"""Max and Max for Live: a package with the abstraction, its help, the script and a device."""

from __future__ import annotations

import json
from pathlib import Path

from daw_bridge.daws.hosts import Host, Place, ScriptFile, System
from daw_bridge.daws.max.content import SCRIPT, abstraction, device, help_patcher
from daw_bridge.service.config import VERSION

PACKAGE = "DAW Bridge"
_SCRIPTS = Path(__file__).parent / "scripts"
_VERSIONS = (9, 8)


def find(system: System) -> tuple[Place, ...]:
    """Return the package folders of the versions of Max that have run here; there is none for Linux."""
    folders = [(number, system.home / "Documents" / f"Max {number}") for number in _VERSIONS]
    found = [(number, folder) for number, folder in folders if folder.is_dir()]
    return tuple(Place(folder=folder / "Packages", version=str(number)) for number, folder in found)


def files(_: System, place: Place) -> tuple[ScriptFile, ...]:
    package = place.folder / PACKAGE
    regions = package / "regions"
    # Max writes paths with slashes on all systems.
    script = (_SCRIPTS / SCRIPT).read_text(encoding="utf-8").replace("@REGIONS@", regions.as_posix())
    contents = {
        package / "package-info.json": _info(),
        package / "javascript" / SCRIPT: script.encode(),
        package / "patchers" / "dawbridge.maxpat": abstraction().json(),
        package / "help" / "dawbridge.maxhelp": help_patcher().json(),
        package / "devices" / "DAW Bridge.amxd": device().amxd(),
        # Max makes no folders.
        regions / "readme.txt": b"Regions of buffers that were sent to DAW Bridge; they may be deleted.\n",
    }
    return tuple(ScriptFile(path=path, content=content) for path, content in contents.items())


def _info() -> bytes:
    content = {
        "name": PACKAGE,
        "version": VERSION,
        "author": "DAW Bridge",
        "description": "Sounds from words and sounds, by OSC from the DAW Bridge service",
        "max_version_min": "8.0",
        "os": {
            "macintosh": {"platform": ["x64", "aarch64"], "min_version": "none"},
            "windows": {"platform": ["x64"], "min_version": "none"},
        },
    }
    return json.dumps(content, indent=2).encode() + b"\n"


HOST = Host(
    name="max",
    title="Max and Max for Live",
    find=find,
    files=files,
    next_steps=(
        "Start the service: daw-bridge serve.",
        "In Max: make an object dawbridge, and open its help.",
        f"In Live: drag DAW Bridge.amxd from Packages/{PACKAGE}/devices onto an audio track.",
    ),
)

"""Bitwig Studio: a controller script in the folder where the user's own ones are."""

from __future__ import annotations

from pathlib import Path

from daw_bridge.daws.hosts import Host, Place, ScriptFile, System
from daw_bridge.service.config import VERSION

SCRIPT = "DAW Bridge.control.js"
_SCRIPTS = Path(__file__).parent / "scripts"


def find(system: System) -> tuple[Place, ...]:
    """Return the folder of controller scripts of a Bitwig Studio that has run on this machine."""
    # On Linux Bitwig does not ask the desktop where documents are.
    above = system.home if system.platform == "linux" else system.home / "Documents"
    folder = above / "Bitwig Studio"
    return (Place(folder=folder / "Controller Scripts"),) if folder.is_dir() else ()


def files(_: System, place: Place) -> tuple[ScriptFile, ...]:
    text = (_SCRIPTS / SCRIPT).read_text(encoding="utf-8").replace("@VERSION@", VERSION)
    return (ScriptFile(path=place.folder / "DAW Bridge" / SCRIPT, content=text.encode()),)


HOST = Host(
    name="bitwig",
    title="Bitwig Studio",
    find=find,
    files=files,
    next_steps=(
        "Start the service: daw-bridge serve.",
        "In Bitwig: Settings, Controllers, Add controller, DAW Bridge.",
        "Open the Studio I/O panel: prompt, length, takes and the button Make takes are there.",
    ),
)

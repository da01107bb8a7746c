"""TouchOSC and other OSC surfaces: the layout goes into a folder from which it can be opened."""

from __future__ import annotations

from pathlib import Path

from daw_bridge.daws.hosts import Host, Place, ScriptFile, System
from daw_bridge.daws.touchosc.controls import SURFACE_PORT
from daw_bridge.daws.touchosc.document import tosc

VARIABLE = "DAW_BRIDGE_SURFACES"
FILE = "DAW Bridge.tosc"


def find(system: System) -> tuple[Place, ...]:
    """Return the folder that the user named, else that of TouchOSC's documents where there is one."""
    named = system.environment.get(VARIABLE, "")
    folder = Path(named) if named else system.home / "Documents" / "TouchOSC"
    return (Place(folder=folder),) if named or folder.is_dir() else ()


def files(_: System, place: Place) -> tuple[ScriptFile, ...]:
    return (ScriptFile(path=place.folder / FILE, content=tosc()),)


HOST = Host(
    name="touchosc",
    title="TouchOSC",
    find=find,
    files=files,
    next_steps=(
        f"Open {FILE} in TouchOSC's editor, or send it to the tablet.",
        f"Its connections: OSC, UDP, this machine's address, send port 9000, receive port {SURFACE_PORT}.",
        "Press connect on the surface: the faders go to where the parameters are.",
    ),
)

"""daw-bridge install-scripts: what musicians run once for each DAW."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click

from daw_bridge.daws.hosts import Host, Place, System
from daw_bridge.daws.install import Change, differences, install, remove
from daw_bridge.daws.installed import Installations
from daw_bridge.daws.registry import HOSTS, host_named
from daw_bridge.display import say
from engine.errors import NotFound, SpecError

_SAID = {
    "written": "wrote",
    "kept": "kept what was there as",
    "edited": "changed",
    "removed": "removed",
    "left": "left, since somebody changed it,",
}


@click.command(name="install-scripts")
@click.argument("names", nargs=-1, metavar="[HOST]...")
@click.option("--remove", "is_removal", is_flag=True, help="Take the scripts out again.")
@click.option(
    "--list", "is_list", is_flag=True, help="Tell the hosts, where they are, and what is installed."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="The user folder of the one HOST, where it is not found by itself.",
)
def install_scripts(names: tuple[str, ...], is_removal: bool, is_list: bool, folder: Path | None) -> None:
    """Put our scripts into the DAWs of this machine, or into those named, and tell what to click next.

    Called again it renews them. Files of others are never lost: they are kept beside under another name.

    Example: daw-bridge install-scripts ardour
    """
    system = System.here()
    hosts = [host_named(name) for name in names] or list(HOSTS)
    if folder is not None and len(names) != 1:
        raise SpecError("--folder goes with exactly one HOST", "As in: install-scripts ardour --folder DIR")
    if is_list:
        for host in hosts:
            say("\n".join(_listed(system, host)))
        return
    found = [(host, place) for host in hosts for place in _places(system, host, folder, is_removal)]
    _require_found(found, hosts, bool(names))
    for host, place in found:
        for line in _removed(system, host, place) if is_removal else _installed(system, host, place):
            say(line)


def _places(system: System, host: Host, folder: Path | None, is_removal: bool) -> tuple[Place, ...]:
    if folder is not None:
        if not is_removal and not folder.is_dir():
            raise NotFound(f"{folder} is not a folder", "Make it first, or see to its name.")
        return (Place(folder=folder.absolute()),)
    if is_removal:
        known = Installations(system.folders.state).all()
        return tuple(Place(folder=Path(place)) for name, place in known if name == host.name)
    return host.find(system)


def _require_found(found: list[tuple[Host, Place]], hosts: list[Host], is_named: bool) -> None:
    missing = [host.title for host in hosts if host not in [one for one, _ in found]]
    if found and not (is_named and missing):
        return
    what = ", ".join(missing) if is_named else "any DAW that there are scripts for"
    raise NotFound(
        f"not found for this user: {what}",
        f"Start it once: it makes its folder. Or name one: install-scripts {hosts[0].name} --folder DIR.",
    )


def _installed(system: System, host: Host, place: Place) -> Iterator[str]:
    changes = install(system, host, place)
    yield _head(host, place, f"scripts of version {version('daw-bridge')}" if changes else "up to date")
    yield from (f"  ! {problem}" for problem in host.problems(system, place))
    yield from _told(changes)
    yield from (f"  {number}. {step}" for number, step in enumerate(host.next_steps, 1))


def _removed(system: System, host: Host, place: Place) -> Iterator[str]:
    changes = remove(system, host, place)
    yield _head(host, place, "scripts removed" if changes else "nothing of ours is there")
    yield from _told(changes)


def _listed(system: System, host: Host) -> Iterator[str]:
    places = host.find(system)
    known = [Path(place) for name, place in Installations(system.folders.state).all() if name == host.name]
    others = [Place(folder=folder) for folder in known if folder not in [place.folder for place in places]]
    if not places and not others:
        yield f"{host.name:<14} not found"
    for place in (*places, *others):
        yield f"{host.name:<14} {place.folder}: {_state(system, host, place)}"


def _state(system: System, host: Host, place: Place) -> str:
    return "; ".join(differences(system, host, place)) or "installed"


def _head(host: Host, place: Place, what: str) -> str:
    return f"{host.title}, {place.folder}: {what}"


def _told(changes: tuple[Change, ...]) -> Iterator[str]:
    return (f"  {_SAID[change.verb]} {change.path}" for change in changes)

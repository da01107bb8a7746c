"""What it takes to put scripts into a host: where it is found, which files go where, what to click then."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daw_bridge.children import module_command
from daw_bridge.service.config import Folders


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The machine and the user that scripts are installed for; another one in tests."""

    # As sys.platform: linux, darwin or win32.
    platform: str
    home: Path
    environment: Mapping[str, str]
    folders: Folders
    # What starts this program, e.g. (".venv/bin/python", "-P", "-m", "daw_bridge"), with absolute paths.
    command: tuple[str, ...]

    @classmethod
    def here(cls) -> System:
        """Return the machine that this process runs on."""
        return cls(
            platform=sys.platform,
            home=Path.home(),
            environment=dict(os.environ),
            folders=Folders.of_user(),
            command=module_command("daw_bridge"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A user folder of a host, found on this machine."""

    folder: Path
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFile:
    """A file of ours in a host's folder: it is replaced by upgrades and goes with removal."""

    path: Path
    content: bytes
    is_program: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change in a file of the host's own, which keeps everything else in it.

    put gets what the file holds (None where there is no file yet) and returns what it shall hold; take
    returns it without our part again. Both change nothing where nothing is to be done.
    """

    path: Path
    put: Callable[[bytes | None], bytes]
    take: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A program whose users we serve, and how scripts get into it."""

    # On the command line and in folder names: letters alone.
    name: str
    # As its makers write it.
    title: str
    # The user folders of this host that exist; none where it is not installed.
    find: Callable[[System], tuple[Place, ...]]
    files: Callable[[System, Place], tuple[ScriptFile, ...]]
    # What the user does next in the host, one line each; told after installing.
    next_steps: tuple[str, ...]
    edits: Callable[[System, Place], tuple[Edit, ...]] = field(default=lambda _system, _place: ())
    # Files that the scripts write there by themselves; they go with removal, whatever is in them.
    leavings: Callable[[System, Place], tuple[Path, ...]] = field(default=lambda _system, _place: ())
    # What of the host's own is not as the scripts need it, one sentence each; for daw-bridge doctor.
    problems: Callable[[System, Place], tuple[str, ...]] = field(default=lambda _system, _place: ())

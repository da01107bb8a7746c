"""daw-bridge errand: what scripts of hosts run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click

from daw_bridge.children import environment, module_command
from daw_bridge.client.jobs import Client
from daw_bridge.daws.errands.errand import ERRAND
from daw_bridge.daws.errands.run import run_side_by_side
from daw_bridge.daws.errands.status import ErrandState, Status, read_status
from daw_bridge.display import complain, say
from daw_bridge.messages.connection import Status as ServiceStatus
from daw_bridge.option_types import Number
from daw_bridge.service.config import Folders
from engine.errors import EngineError, NotFound, error_line
from engine.types import ErrorCode, ErrorInfo

_DAY_S = 86_400.0


@click.group()
def errand() -> None:
    """Jobs that scripts inside DAWs leave in folders; docs/daws/errands.md tells how."""


@errand.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--detach", is_flag=True, help="Return at once; each folder's status.txt tells the rest.")
def run(folders: tuple[Path, ...], detach: bool) -> int:
    """Carry out the errands in FOLDERS, side by side; what has ended stays as it is."""
    whole = [folder.absolute() for folder in folders]
    if missing := [folder for folder in whole if not (folder / ERRAND).is_file()]:
        raise NotFound(f"{missing[0]} holds no {ERRAND}", "Scripts write it last, and then run this.")
    if detach:
        _detached(whole)
        return 0
    ended = [_show(status) for status in run_side_by_side(whole, Folders.of_user())]
    return 0 if all(ended) else 1


@errand.command()
def check() -> None:
    """Tell in one line whether jobs can be sent; the service is started where it does not run."""
    with Client() as client:
        found = client.ask(ServiceStatus(rid="-"))
    say(f"ok: daw-bridge {version('daw-bridge')}, {found.queued} jobs waiting, {found.running} running")


@errand.command(name="list")
def list_() -> None:
    """List the errands that are there, the newest last."""
    for folder in _errands():
        status = read_status(folder)
        say("  ".join((folder.name, *(_told(status) if status else ("not run",)))))


@errand.command()
@click.option(
    "--days", type=Number(min=0), required=True, help="Remove what has ended and is older than this."
)
def tidy(days: float) -> None:
    """Remove the folders of old errands, and of old regions that were sent without one.

    The regions in them are what their takes were made from: without them these cannot be made again.
    """
    before_s = time.time() - days * _DAY_S
    root = Folders.of_user().errands
    there = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    old = [folder for folder in there if folder.stat().st_mtime < before_s and not _is_open(folder)]
    for folder in old:
        shutil.rmtree(folder)
    say(f"{len(old)} errands removed.")


def _show(status: Status | EngineError) -> bool:
    """Tell how an errand ended and return whether it ended well."""
    if isinstance(status, EngineError):
        complain(status.info)
        return False
    if status.state is not ErrandState.DONE:
        complain(_info(status))
        return False
    for line in status.takes:
        say(line.split("\t")[1])
    return True


def _info(status: Status) -> ErrorInfo:
    return ErrorInfo(code=ErrorCode(status.code), message=status.message, hint=status.hint)


def _detached(folders: list[Path]) -> None:
    """Start this command in a process that outlives the one that asked for it."""
    flags = getattr(subprocess, "DETACHED_PROCESS", 0) if sys.platform == "win32" else 0
    subprocess.Popen(
        [*module_command("daw_bridge", "errand", "run"), *map(str, folders)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=flags,
        env=environment(),
    )


def _errands() -> Iterator[Path]:
    root = Folders.of_user().errands
    found = [path.parent for path in root.glob(f"*/{ERRAND}")]
    yield from sorted(found, key=lambda folder: (folder / ERRAND).stat().st_mtime)


def _is_open(folder: Path) -> bool:
    """Tell whether something is still to be done there; regions that were sent by OSC have no errand."""
    status = read_status(folder)
    has_ended = status is not None and status.state.has_ended
    return (folder / ERRAND).exists() and not has_ended


def _told(status: Status) -> Iterator[str]:
    yield status.state.value
    if status.code:
        yield error_line(_info(status))
    elif status.takes:
        yield f"{len(status.takes)} takes"

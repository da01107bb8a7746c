"""daw-bridge audacity: the listener between Audacity and the service, and Audacity worked from a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from daw_bridge.daws.audacity.asked import AudacityErrand, errands_of
from daw_bridge.daws.audacity.control import IMPORT_S, Audacity
from daw_bridge.daws.audacity.listener import Listener, inbox_of
from daw_bridge.daws.audacity.pipe import quoted
from daw_bridge.daws.errands.status import ErrandState
from daw_bridge.display import say
from daw_bridge.errors import AudacityRefused
from daw_bridge.option_types import Number
from daw_bridge.service.config import Folders
from engine.errors import NotFound, SpecError
from engine.types import MAX_TAKES, SamplerSpec

Command = TypeVar("Command", bound=Callable[..., Any])
_CHANGE = {
    "transfer": "Change the sound",
    "inpaint": "Make the spectral selection anew",
    "superres": "Add highs",
}
_REQUESTED_S = 5.0
# Lisp counts no further.
MAX_SEED = 2**31 - 1


@click.group()
def audacity() -> None:
    """Work with Audacity 3: docs/daws/audacity.md tells how.

    All but listen and place choose an entry of Audacity's own menu, as a key or a macro could, and need the
    listener to be there.
    """


@audacity.command()
def listen() -> None:
    """Carry out what is asked for in Audacity, and put the takes into its project, until interrupted."""
    listener = Listener(Folders.of_user(), say)
    say("Listening to Audacity. Ctrl-C ends it; jobs go on, and what they make comes with the next start.")
    listener.serve()


def _required(_context: click.Context, _parameter: click.Parameter, prompt: str) -> str:
    """Refuse here what the plug-in refuses by a dialog, which nobody at a terminal sees."""
    if not prompt.strip():
        raise SpecError("the prompt is empty", "Say what you want to hear.")
    return prompt


_prompt = click.argument("prompt", callback=_required)


def _take_options(command: Command) -> Command:
    for option in (
        click.option("--takes", type=click.IntRange(1, MAX_TAKES), default=3, show_default=True),
        click.option("--seed", type=click.IntRange(0, MAX_SEED), help="A new one if left out."),
    ):
        command = option(command)
    return command


@audacity.command()
@_prompt
@click.option(
    "--strength",
    type=Number(min=0, max=1),
    default=SamplerSpec().strength,
    show_default=True,
    help="How far from the original.",
)
@_take_options
def transfer(prompt: str, strength: float, takes: int, seed: int | None) -> None:
    """Make Audacity's selection sound like PROMPT, of a spectral selection only those bands."""
    _change("transfer", prompt=prompt, strength=strength, takes=takes, seed=seed)


@audacity.command()
@_prompt
@_take_options
def inpaint(prompt: str, takes: int, seed: int | None) -> None:
    """Make Audacity's spectral selection anew."""
    _change("inpaint", prompt=prompt, takes=takes, seed=seed)


@audacity.command()
@_take_options
def superres(takes: int, seed: int | None) -> None:
    """Make the highs that Audacity's selection lacks."""
    _change("superres", takes=takes, seed=seed)


@audacity.command()
@_prompt
@click.option(
    "--seconds", type=Number(min=0.2), default=5.0, show_default=True, help="Where nothing is selected."
)
@_take_options
def generate(prompt: str, seconds: float, takes: int, seed: int | None) -> None:
    """Make a new sound at Audacity's cursor, or as long as its selection."""
    _choose(
        "DawBridgeGenerate", prompt=prompt, seconds=seconds, takes=takes, seed=-1 if seed is None else seed
    )


@audacity.command()
@click.option(
    "--vary",
    type=Number(min=0, max=1),
    default=0.0,
    show_default=True,
    help="Vary the best take; 0: new seeds.",
)
@click.option("--takes", type=click.IntRange(1, MAX_TAKES), default=3, show_default=True)
def again(vary: float, takes: int) -> None:
    """Do the last job again, with other seeds or as variations of its best take."""
    _choose("DawBridgeAgain", vary=vary, takes=takes)


@audacity.command()
def cancel() -> None:
    """Cancel all jobs of Audacity."""
    _choose("DawBridgeCancel")


@audacity.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def place(folder: Path | None) -> None:
    """Put takes into the open project: those of an errand's FOLDER, or the newest that wait."""
    folders = Folders.of_user()
    errand = AudacityErrand(folder.absolute()) if folder else _newest_open(folders)
    status = errand.status
    if status is None or status.state is not ErrandState.DONE:
        raise SpecError(f"{errand.folder} has no takes", "See: daw-bridge errand list.")
    (errand.folder / "takes.aup").unlink(missing_ok=True)
    listener = Listener(folders, say)
    for name in listener.put_back(errand, status, anywhere=True):
        say(name)


def _newest_open(folders: Folders) -> AudacityErrand:
    found = [one for one in errands_of(folders.errands) if one.is_open and one.status]
    if not found:
        raise NotFound(
            "all takes are in Audacity already", "Name an errand's folder to put its takes in again."
        )
    return found[-1]


def _change(ask: str, *, seed: int | None, **values: object) -> None:
    _choose("DawBridgeChange", ask=_CHANGE[ask], **values, seed=-1 if seed is None else seed)


def _choose(entry: str, **values: object) -> None:
    """Choose an entry of ours in Audacity's menu, and require that it left a request."""
    folders = Folders.of_user()
    seen = _RequestSeen(inbox_of(folders))
    told = " ".join(f"{key}={quoted(str(value))}" for key, value in values.items())
    client = Audacity(folders.runtime)
    try:
        client.do(f"{entry}: {told}", IMPORT_S)
    finally:
        client.leave()
    seen.require(entry)
    say("asked")


class _RequestSeen:
    """Whether a plug-in left a request: its own answer says nothing of that."""

    def __init__(self, inbox: Path) -> None:
        self._errands = inbox.parent
        self._inbox = inbox
        self._before = self._now()

    def require(self, entry: str) -> None:
        waited = threading.Event()
        for _ in range(int(_REQUESTED_S / 0.1)):
            if self._now() - self._before or entry == "DawBridgeCancel":
                return
            waited.wait(0.1)
        raise AudacityRefused(
            "Audacity sent nothing",
            "A dialog in Audacity may say why. Is something selected, and are the plug-ins installed?",
        )

    def _now(self) -> set[str]:
        requests = {path.stem for path in self._inbox.glob("*.request")}
        return requests | {path.name for path in self._errands.glob("audacity-*")}

"""daw-bridge watch and daw-bridge edit: for DAWs that have no scripts of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from daw_bridge.daws.errands.status import ErrandState, Status
from daw_bridge.daws.folders.external import edit_in_place
from daw_bridge.daws.folders.watch import Watch
from daw_bridge.daws.folders.wish import Wish, wish_options
from daw_bridge.daws.folders.writing_back import undo
from daw_bridge.display import complain, say
from daw_bridge.service.config import Folders
from engine.errors import NotFound
from engine.types import ErrorCode, ErrorInfo


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where takes go [default: FOLDER/takes].")
@wish_options
def watch(folder: Path, out: Path | None, **options: Any) -> None:
    """Change each sound that is dropped or rendered into FOLDER, until Ctrl-C.

    A text file of the same name beside a sound is its own prompt. Without any, the service's live prompt is
    taken, which any OSC surface sets.

    Example: daw-bridge watch ~/drop --prompt "a harp" --takes 3
    """
    if not folder.is_dir():
        raise NotFound(f"{folder} is not a folder", "Make it first.")
    whole = folder.absolute()
    watching = Watch(whole, (out or whole / "takes").absolute(), Wish(**options), Folders.of_user(), _tell)
    say(f"watching {whole}; Ctrl-C ends it")
    watching.serve()


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--undo", "is_undo", is_flag=True, help="Put back what FILE was before the last edit.")
@wish_options
def edit(file: Path, is_undo: bool, **options: Any) -> None:
    """Replace FILE by a take of it, as a DAW's external editor; what it was is kept beside it.

    Where no prompt is given, the service's live prompt is taken, which any OSC surface sets.

    Example: daw-bridge edit clip.wav --prompt "a harp" --strength 0.6
    """
    whole = file.absolute()
    if is_undo:
        say(f"{file.name} is again what {undo(whole).name} kept")
        return
    status = edit_in_place(whole, Wish(**options), Folders.of_user())
    best, *others = (line.split("\t") for line in status.takes)
    say(
        f"{file.name}: seed {best[2]}, likeness to the prompt {best[3]}; daw-bridge edit --undo takes it back"
    )
    for line in others:
        say(f"also made: {line[1]}")


def _tell(path: Path, status: Status) -> None:
    if status.state is ErrandState.DONE:
        say("\n".join([path.name, *(f"  {line.split(chr(9))[1]}" for line in status.takes)]))
    elif status.code:
        message = f"{path.name}: {status.message}"
        complain(ErrorInfo(code=ErrorCode(status.code), message=message, hint=status.hint))

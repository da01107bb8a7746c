"""daw-bridge panel: the desktop window, a process of its own."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import click

from daw_bridge.children import environment, module_command
from daw_bridge.daws.folders.writing_back import require_lossless, stamp_of
from engine.errors import NotFound, SpecError

_DISPLAY = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--edit", is_flag=True, help="As a DAW's external editor: FILE becomes the take that is applied."
)
@click.option("--engine", metavar="HOST:PORT", help="An engine on another machine.")
@click.option("--token-file", type=click.Path(path_type=Path), help="What that engine asks for.")
def panel(file: Path | None, edit: bool, engine: str | None, token_file: Path | None) -> int:
    """Open the window, with FILE in it where one is given.

    Example: daw-bridge panel loop.wav
    """
    if edit:
        require_editable(file)
    if find_spec("PyQt6") is None:
        raise NotFound("the panel needs PyQt6, which is not installed", "Run: pip install PyQt6")
    options = [str(file.absolute())] if file else []
    options += ["--edit"] if edit else []
    options += ["--engine", engine] if engine else []
    options += ["--token-file", str(token_file.absolute())] if token_file else []
    return run_panel(options)


def require_editable(file: Path | None) -> None:
    """Refuse before a window opens what could not be written back."""
    if file is None:
        raise SpecError("--edit needs the file to edit", "Example: daw-bridge panel --edit clip.wav")
    stamp_of(file)
    require_lossless(file)


def run_panel(options: list[str]) -> int:
    """Run the panel until its window is closed; return its exit status."""
    if os.name == "posix" and os.uname().sysname == "Linux" and not any(map(os.environ.get, _DISPLAY)):
        raise NotFound("there is no screen to open a window on", "Set DISPLAY, or use the command line.")
    return subprocess.run([*module_command("ui"), *options], env=environment(), check=False).returncode

"""daw-bridge models: what is installed, and how more gets here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from daw_bridge.display import JobDisplay, say
from daw_bridge.runner import Runner


@click.group()
def models() -> None:
    """List, fetch, check and remove models."""


@models.command("list")
def list_models() -> None:
    """Show what is installed and what can be pulled."""
    for line in _listed(_do("list")):
        say(line)


@models.command()
@click.argument("name")
def pull(name: str) -> None:
    """Download the model NAME; an interrupted download goes on where it stopped."""
    _report(_do("pull", name=name))


@models.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", default="", help="What to call it [default: the file's name].")
@click.option(
    "--clap", type=click.Path(path_type=Path), help="A LAION CLAP checkpoint to rank and hear with."
)
def import_model(path: Path, name: str, clap: Path | None) -> None:
    """Install a checkpoint from PATH: .ckpt, a diffusers folder, or a bundle of this program."""
    _report(_do("import", path=str(path.absolute()), name=name, clap=str(clap.absolute()) if clap else ""))


@models.command()
@click.argument("name", default="")
def verify(name: str) -> None:
    """Compare the files of NAME, or of all models, with their checksums."""
    _report(_do("verify", name=name))


@models.command()
@click.argument("name")
def remove(name: str) -> None:
    """Delete the model NAME from this machine."""
    _report(_do("remove", name=name))


def _do(action: str, **arguments: object) -> dict[str, Any]:
    with Runner() as runner, JobDisplay(f"models {action}") as display:
        return runner.models(action, display.show, **arguments)


def _report(result: Mapping[str, Any]) -> None:
    say(str(result.get("message", "done")))


def _listed(result: Mapping[str, Any]) -> list[str]:
    rows = [tuple(str(cell) for cell in row) for row in result.get("rows", [])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]

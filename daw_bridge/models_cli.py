"""daw-bridge models: what is installed, and how more gets here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from daw_bridge.client.jobs import Client
from daw_bridge.display import JobDisplay, say
from daw_bridge.messages.service import ModelCancel, ModelList, ModelPull, ModelRemove
from daw_bridge.service.chores import Chores
from daw_bridge.service.config import Folders
from daw_bridge.workers.asking import OnProgress
from daw_bridge.workers.process import ProcessWorker, ProcessWorkerConfig

_FILE = click.Path(path_type=Path)
_MOST = 500
_HEADER = ("NAME", "STATE", "SIZE", "LICENCE")


@click.group()
def models() -> None:
    """List, fetch, export, check and remove models."""


@models.command("list")
def list_models() -> None:
    """Show what is installed and what can be pulled."""
    result = _do("list")
    for line in table([_HEADER, *(_row(entry) for entry in result["models"])]):
        say(line)
    say(f"Models are in {result['folder']}.")


@models.command()
@click.argument("name")
@click.option("--agree", is_flag=True, help="Agree to the model's licence without being asked.")
def pull(name: str, agree: bool) -> None:
    """Download the model NAME; an interrupted download goes on where it stopped.

    Example: daw-bridge models pull audioldm-s-full
    """
    with Client() as client:
        # Of a model that nobody knows the engine says what there is.
        licence = client.ask(ModelList(rid="-", limit=_MOST)).models.get(name, {}).get("licence", "none")
        if licence != "none" and not agree:
            say(f"{name} is under the licence {licence}.")
            click.confirm("Do you agree to it?", abort=True, err=True)
        with JobDisplay("models pull") as display:
            request = ModelPull(rid="-", name=name, licence=licence)
            client.ask_long(request, ModelCancel(rid="-", name=name), display.show)
    say(f"pulled: {name}")


@models.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="What to call it [default: the file's name].")
@click.option("--clap", type=_FILE, help="A LAION CLAP file, for a model that comes without ears.")
@click.option("--tokenizer", type=_FILE, help="RoBERTa's tokenizer, for a model that comes without.")
@click.option("--vocoder", type=_FILE, help="A HiFi-GAN checkpoint, for a model that comes without.")
@click.option("--weights", type=click.Choice(["ema", "live"]), default="ema", show_default=True)
@click.option("--diffusers-compatible", is_flag=True, help="Count attention heads as diffusers does.")
@click.option("--full-precision", is_flag=True, help="Keep 32 bits for each weight.")
def import_model(path: Path, **options: Any) -> None:
    """Install a model from PATH: a .ckpt file, a diffusers folder, or a bundle of this program."""
    paths = {key: str(value.absolute()) for key, value in options.items() if isinstance(value, Path)}
    _say_done("imported", _do("import", path=str(path.absolute()), **(options | paths)))


@models.command()
@click.argument("name")
@click.option("--layout", type=click.Choice(["original", "diffusers"]), required=True)
@click.option(
    "--into", metavar="PATH", type=_FILE, required=True, help="The file, or diffusers' folder, to write."
)
@click.option("--force", is_flag=True, help="Also in the place of an export that there is.")
def export(name: str, layout: str, into: Path, force: bool) -> None:
    """Write the model NAME for other programs; NAME may be the folder of a bundle, too.

    original is one .ckpt under the names of AudioLDM's releases, diffusers a folder for AudioLDMPipeline.
    What a layout has no place for is refused, or said where it does not matter for generating.

    Example: daw-bridge models export mine --layout diffusers --into mine-diffusers
    """
    place, path = str(into.absolute()), str(Path(name).absolute())
    done = _do("export", name=name, path=path, layout=layout, into=place, force=force)
    say(f"exported: {into} ({done['size_bytes'] / 1e6:,.0f} MB)")
    for sentence in done["left_out"]:
        say(sentence)


@models.command()
@click.argument("name", default="")
def verify(name: str) -> None:
    """Compare the files of NAME, or of all models, with their checksums."""
    _say_done("intact", _do("verify", name=name))


@models.command()
@click.argument("name")
def remove(name: str) -> None:
    """Delete the model NAME from this machine."""
    with Client() as client:
        client.ask(ModelRemove(rid="-", name=name))
    say(f"removed: {name}")


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines with the columns aligned."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return ["  ".join(cells).rstrip() for cells in padded]


def _do(action: str, **arguments: object) -> dict[str, Any]:
    with JobDisplay(f"models {action}") as display:
        return asyncio.run(_asked({"action": action, **arguments}, display.show_chore))


async def _asked(arguments: Mapping[str, object], on_progress: OnProgress) -> dict[str, Any]:
    """Ask a render process of this command's own: no service need run."""
    config = ProcessWorkerConfig(log_path=Folders.of_user().log / "models.log")
    chores = Chores(lambda on_event: ProcessWorker(on_event, config))
    try:
        return await chores.ask("models", arguments, on_progress)
    finally:
        await chores.close()


def _say_done(what: str, result: Mapping[str, Any]) -> None:
    for entry in result["models"]:
        say(f"{what}: {entry['name']}")


def _row(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    state = "installed" if entry["installed"] else "can be pulled or imported"
    size = f"{entry['size_bytes'] / 1e6:,.0f} MB" if entry["size_bytes"] else "?"
    return (entry["name"], entry["problem"] or state, size, entry["licence"])

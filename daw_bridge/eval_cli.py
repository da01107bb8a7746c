"""daw-bridge eval: a set of clips measured against another, in a process of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import click

from daw_bridge.children import environment, module_command

_PATH = click.Path(path_type=Path)
_BACKBONES = ("clap", "classifier", "panns", "vggish")


@click.command("eval")
@click.argument("generated", type=_PATH)
@click.argument("reference", type=_PATH)
@click.option(
    "--backbone",
    type=click.Choice(_BACKBONES),
    multiple=True,
    help="Whose features are compared; repeatable [default: clap, and those with --weights].",
)
@click.option(
    "--weights",
    multiple=True,
    metavar="BACKBONE=PATH",
    help="Weights of panns (Cnn14) or vggish, or the training folder of a classifier; repeatable.",
)
@click.option(
    "--captions",
    type=_PATH,
    metavar="CSV",
    help="What was asked for, as file,caption [default: the prompts of takes].",
)
@click.option("--model", default="starter", show_default=True, help="The model whose CLAP hears.")
@click.option(
    "--pictures",
    type=click.IntRange(0, 100),
    default=6,
    show_default=True,
    help="Of how many pairs the page shows spectrograms.",
)
@click.option(
    "--out", type=_PATH, help="A new folder for the report [default: the next free out/eval-GENERATED]."
)
def evaluate(
    generated: Path,
    reference: Path,
    captions: Path | None,
    out: Path | None,
    **chosen: str | int | tuple[str, ...],
) -> int:
    """Measure how near the clips of the folder GENERATED are to those of REFERENCE.

    Clips of one name are compared with each other too. The report is a page, tables (CSV) and JSON.

    Example: daw-bridge eval out references --weights panns=Cnn14_16k_mAP=0.438.pth
    """
    words = [*_words(chosen), *_words({"captions": _text(captions), "out": _text(out)})]
    # What begins with a dash is a folder, too.
    command = module_command("engine.evaluation", "measure", *words, "--", str(generated), str(reference))
    return subprocess.run(command, env=environment(), check=False).returncode


def _words(options: dict[str, str | int | tuple[str, ...]]) -> Iterator[str]:
    for name, value in options.items():
        for one in value if isinstance(value, tuple) else (value,):
            if one != "":
                yield f"--{name}={one}"


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)

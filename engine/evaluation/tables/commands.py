"""The tables of the paper at the size of the starter, on the command line."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from engine.errors import NotFound
from engine.evaluation.tables.kinds import TableKind

CLIPS, CLIPS_OF_TRAINED, TRAININGS = 64, 160, 3
PROJECTS = Path("presets/training")
_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("kind", metavar="TABLE", type=click.Choice([kind.value for kind in TableKind]))
@click.option(
    "--clips",
    type=click.IntRange(10, 10_000),
    show_default=f"{CLIPS}, or {CLIPS_OF_TRAINED} where models are trained",
    help="Of how many sounds.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of all noise.")
@click.option(
    "--trainings",
    type=click.IntRange(2, 100),
    default=TRAININGS,
    show_default=True,
    help="How many of each model, with other seeds, by the tables that compare trainings.",
)
@click.option("--model", default="starter", show_default=True)
@click.option(
    "--project",
    type=_PATH,
    show_default=f"that of the table in {PROJECTS}",
    help="Training project whose sounds are rendered.",
)
@click.option(
    "--folder",
    type=_PATH,
    default=Path("runs/ablations"),
    show_default=True,
    help="Where models are trained, by the tables that compare trainings.",
)
@click.option(
    "--trials",
    type=_PATH,
    default=Path("runs/tables"),
    show_default=True,
    help="Folder of single results, by which a stopped call goes on.",
)
@click.option("--out", type=_PATH, default=Path("docs/results"), show_default=True)
def tables(
    *,
    kind: str,
    clips: int | None,
    seed: int,
    trainings: int,
    model: str,
    project: Path | None,
    folder: Path,
    trials: Path,
    out: Path,
) -> None:
    """Measure a TABLE of the paper at the size of the starter, and write its page.

    conditions, compression and ablations train what they compare, and go on where they were stopped.
    """
    table = TableKind(kind)
    if table.trains:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        # Rendering true sounds, and what that needs, is no part of an installed program.
        from engine.evaluation.tables.runs import TableRun, run_table  # noqa: PLC0415
    except ModuleNotFoundError as error:
        missing = f"the tables need {error.name}, which is not installed"
        raise NotFound(missing, "Run: pip install 'daw-bridge[train]'") from error
    run = TableRun(
        kind=table,
        clips=clips or (CLIPS_OF_TRAINED if table.trains else CLIPS),
        trainings=trainings,
        seed=seed,
        model=model,
        project=project or PROJECTS / f"{table.project}.toml",
        folder=folder,
        trials=trials,
        out=out,
    )
    click.echo(str(run_table(run)))

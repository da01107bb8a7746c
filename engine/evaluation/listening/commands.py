"""The listening test on the command line."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import click

from engine.audio.io import write_files
from engine.errors import SpecError
from engine.evaluation.listening.building import HANDED_OUT, KEY_FILE, PAGE_FILE, ListeningConfig, build_test
from engine.evaluation.listening.key import read_answers, read_key
from engine.evaluation.listening.scores import Scores, scores, scores_table
from engine.evaluation.objective.files import require_free

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--system", "systems", multiple=True, required=True, metavar="NAME=FOLDER", help="Repeatable.")
@click.option("--captions", type=_PATH, required=True, help="CSV: file,caption; of systems and recordings.")
@click.option("--real", type=_PATH, required=True, help="Recordings, of which attention items are made.")
@click.option("--texts", type=click.IntRange(1), default=60, show_default=True, help="Of how many sounds.")
@click.option("--attention", type=click.IntRange(2), default=10, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", type=_PATH, required=True)
def questionnaire(
    systems: tuple[str, ...], captions: Path, real: Path, texts: int, attention: int, seed: int, out: Path
) -> None:
    """Write a blinded questionnaire: hand out OUT/questionnaire, keep OUT/key.json."""
    require_free(out)
    config = ListeningConfig(
        systems=_folders(systems), captions=captions, real=real, texts=texts, attention=attention, seed=seed
    )
    key = build_test(config, out)
    click.echo(f"{out / HANDED_OUT / PAGE_FILE}: {len(key.items)} sounds, to hand out with its folder")
    click.echo(f"{out / KEY_FILE}: what each sound is, for nobody who listens")


@click.command()
@click.argument("key", type=_PATH)
@click.argument("files", nargs=-1, required=True, type=_PATH)
@click.option("--out", type=_PATH, help="A folder for the result as JSON and CSV.")
def answers(key: Path, files: tuple[Path, ...], out: Path | None) -> None:
    """Average the answers in FILES by the KEY of their questionnaire, without those who did not listen."""
    if out is not None:
        require_free(out)
    known = read_key(key)
    found = scores(known, [read_answers(file, known) for file in files])
    click.echo(scores_table(found), nl=False)
    if out is not None:
        content = json.dumps(asdict(found), indent=1, ensure_ascii=False) + "\n"
        write_files({out / "scores.json": content.encode(), out / "scores.csv": scores_csv(found).encode()})


def scores_csv(found: Scores) -> str:
    """Return a line for each system and score."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("system", "score", "mean", "low", "high", "clips", "ratings"))
    for one in found.systems:
        for name, value in (("ovl", one.ovl), ("rel", one.rel)):
            writer.writerow((one.system, name, value.value, value.low, value.high, one.clips, one.ratings))
    return buffer.getvalue()


def _folders(systems: tuple[str, ...]) -> dict[str, Path]:
    folders: dict[str, Path] = {}
    for text in systems:
        name, sign, folder = text.partition("=")
        if not (name and sign and folder) or name in folders:
            raise SpecError(
                f"--system {text} is not NAME=FOLDER, or the second of its name", "Name each once."
            )
        folders[name] = Path(folder)
    return folders

"""Evaluate from the command line: python -m engine.evaluation --help."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine.errors import EngineError, SpecError, error_line
from engine.evaluation.listening.commands import answers, questionnaire
from engine.evaluation.objective.backbones import BackboneName
from engine.evaluation.objective.compare import comparison, comparison_page
from engine.evaluation.objective.files import PAGE_FILE, free_folder, require_free, told, write_report
from engine.evaluation.objective.measure import EvalConfig, evaluate
from engine.evaluation.objective.report import Report, read_report
from engine.evaluation.tables.commands import tables
from engine.text_files import write_text

PICTURES = 6
_PATH = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """Measure sets of clips, compare what was measured, and ask listeners."""


@main.command()
@click.argument("generated", type=_PATH)
@click.argument("reference", type=_PATH)
@click.option("--backbone", "names", type=click.Choice([name.value for name in BackboneName]), multiple=True)
@click.option("--weights", multiple=True, metavar="BACKBONE=PATH")
@click.option("--captions", type=_PATH)
@click.option("--model", default="starter", show_default=True)
@click.option("--pictures", type=click.IntRange(0, 100), default=PICTURES, show_default=True)
@click.option("--out", type=_PATH)
def measure(
    *,
    generated: Path,
    reference: Path,
    names: tuple[str, ...],
    weights: tuple[str, ...],
    captions: Path | None,
    model: str,
    pictures: int,
    out: Path | None,
) -> None:
    """Compare the clips of GENERATED with those of REFERENCE; `daw-bridge eval --help` tells more."""
    files = dict(map(parse_weights, weights))
    chosen = tuple(map(BackboneName, names)) or (BackboneName.CLAP, *files)
    folder = out or free_folder(Path("out") / f"eval-{generated.absolute().name}")
    require_free(folder)
    config = EvalConfig(
        generated=generated,
        reference=reference,
        backbones=tuple(dict.fromkeys(chosen)),
        weights=files,
        captions=captions,
        model=model,
    )
    found = evaluate(config, _tell if sys.stderr.isatty() else lambda done, total, what: None)
    write_report(found, folder, pictures)
    for line in summary(found.report):
        click.echo(line)
    click.echo(f"{folder / PAGE_FILE}")


@main.command()
@click.argument("reports", nargs=-1, required=True, type=_PATH)
@click.option("--page", type=_PATH, help="Also write the table as a page (.html).")
def compare(reports: tuple[Path, ...], page: Path | None) -> None:
    """Set REPORTS, two folders or more, side by side; tells what makes them not comparable."""
    found = [read_report(path) for path in reports]
    click.echo(comparison(found), nl=False)
    if page is not None:
        if page.exists():
            raise SpecError(f"{page} is there already", "Choose another name with --page.")
        write_text(page, comparison_page(found))


main.add_command(questionnaire)
main.add_command(answers)
main.add_command(tables)


def parse_weights(text: str) -> tuple[BackboneName, Path]:
    """Read BACKBONE=PATH; paths may hold a further sign of equality."""
    name, sign, path = text.partition("=")
    known = [one.value for one in BackboneName if one is not BackboneName.CLAP]
    if not sign or not path or name not in known:
        raise SpecError(
            f"--weights {text} does not say of which backbone",
            f"Write one of {', '.join(known)}, =, and a path.",
        )
    return BackboneName(name), Path(path)


def summary(report: Report) -> list[str]:
    """Return the figures as lines, then what to know of them."""
    width = max((len(figure.title) for figure in report.figures), default=0)
    lines = [
        f"{figure.title.ljust(width)}  {told(figure)}{f'  ({figure.note})' if figure.note else ''}"
        for figure in report.figures
    ]
    skipped = (
        f"left out: {one.file}: {one.reason}"
        for info in (report.generated, report.reference)
        for one in info.skipped
    )
    return [*lines, *report.notes, *skipped]


def _tell(done: int, total: int, what: str) -> None:
    click.echo(f"\r{done + 1} of {total}: {what[:50]:50}", err=True, nl=done + 1 >= total)


def run() -> None:
    """Run the command line; an expected failure ends it with one sentence."""
    try:
        main(standalone_mode=True)
    except EngineError as error:
        raise SystemExit(error_line(error.info)) from error


if __name__ == "__main__":
    run()

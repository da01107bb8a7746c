"""A report as files: JSON for programs, CSV for tables, a page for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path

from engine.audio.io import write_files
from engine.errors import SpecError
from engine.evaluation import html
from engine.evaluation.objective.measure import Evaluation
from engine.evaluation.objective.pictures import histograms_png, maps_png, pair_png, spread_over
from engine.evaluation.objective.report import (
    METRICS,
    REPORT_FILE,
    BackboneUsed,
    Better,
    Figure,
    Report,
    SetInfo,
    report_json,
)

UNKNOWN = "-"
PAGE_FILE, FIGURES_FILE, CLIPS_FILE = "report.html", "figures.csv", "clips.csv"


def require_free(folder: Path) -> None:
    """Raise SpecError where a report would overwrite anything."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SpecError(f"{folder} is there already and not empty", "Choose another folder with --out.")


def free_folder(wanted: Path) -> Path:
    """Return the folder, or with the next number after its name that is free."""
    numbered = (wanted.with_name(f"{wanted.name}_{number}") for number in count(2))
    return next(folder for folder in chain((wanted,), numbered) if not folder.exists())


def write_report(evaluation: Evaluation, folder: Path, pictures: int) -> None:
    """Write a report into a folder, all of its files or none; raises OutputError and DiskFull."""
    report = evaluation.report
    write_files(
        {
            folder / REPORT_FILE: _encoded(report_json(report)),
            folder / FIGURES_FILE: _encoded(figures_csv(report)),
            folder / CLIPS_FILE: _encoded(clips_csv(report)),
            folder / PAGE_FILE: _encoded(page(evaluation, pictures)),
        }
    )


def _encoded(text: str) -> bytes:
    """Return the text in UTF-8; bytes of a file's name that are no text come as backslashes and numbers."""
    return text.encode(errors="backslashreplace")


def figures_csv(report: Report) -> str:
    """Return a line for each figure, with all that it depends on."""
    columns = ("metric", "backbone", "value", "deviation", "low", "high", "count", "better", "note")
    rows = (
        (
            *(figure.metric.value, figure.backbone),
            *map(_cell, (figure.value, figure.deviation, figure.low, figure.high)),
            *(figure.count, METRICS[figure.metric].better.value, figure.note, report.resampler),
            _weights(report, figure.backbone),
        )
        for figure in report.figures
    )
    return _csv((*columns, "resampler", "weights"), rows)


def clips_csv(report: Report) -> str:
    """Return a line for each generated clip; what could not be measured is empty."""
    keys = sorted({key for row in report.rows for key in row.values})
    rows = ((row.name, row.caption, *(_cell(row.values.get(key)) for key in keys)) for row in report.rows)
    return _csv(("file", "caption", *keys), rows)


def page(evaluation: Evaluation, pictures: int) -> str:
    """Return a page that needs no other file; pictures is of how many pairs it shows spectrograms."""
    report = evaluation.report
    title = f"{Path(report.generated.folder).name} against {Path(report.reference.folder).name}"
    parts = [html.heading("Figures"), figures_table(report.figures), *_notes(report)]
    parts += [html.heading("What they are of"), _conditions(report), _sets(report), *_skipped(report)]
    return html.page(title, [*parts, *_pictures(evaluation, pictures)])


def figures_table(figures: Sequence[Figure]) -> str:
    rows = [
        (
            *(figure.title, told(figure), _arrow(figure), str(figure.count)),
            *(METRICS[figure.metric].definition, figure.note),
        )
        for figure in figures
    ]
    return html.table(("metric", "value", "better", "of", "definition", "note"), rows, numbers=(1, 3))


def told(figure: Figure) -> str:
    """Return a figure as people read it: with its deviation, or its 95 % interval."""
    if figure.value is None:
        return UNKNOWN
    if figure.deviation is not None:
        return f"{figure.value:.4g} ± {figure.deviation:.2g}"
    if figure.low is not None and figure.high is not None:
        return f"{figure.value:.4g} [{figure.low:.4g}, {figure.high:.4g}]"
    return f"{figure.value:.4g}"


def _arrow(figure: Figure) -> str:
    return "↓" if METRICS[figure.metric].better is Better.LOWER else "↑"


def _notes(report: Report) -> list[str]:
    return [html.listed(report.notes)] if report.notes else []


def _conditions(report: Report) -> str:
    rows = [("program", report.program), ("resampler", report.resampler)]
    rows += [(f"backbone {one.name}", _described(one)) for one in report.backbones]
    rows += [("pairs", str(report.pairs)), ("clips with a caption", str(report.captions))]
    return html.table(("", ""), rows)


def _described(used: BackboneUsed) -> str:
    heard = f"{used.network}; {used.sample_rate_hz} Hz; channels: {used.channels}"
    return f"{heard}; weights {used.weights}, sha256 {used.sha256}"


def _sets(report: Report) -> str:
    columns = ("set", "folder", "clips", "left out", "seconds", "rates in Hz", "sha256")
    rows = [
        _set_row(name, info)
        for name, info in (("generated", report.generated), ("reference", report.reference))
    ]
    return html.table(columns, rows, numbers=(2, 3, 4))


def _set_row(name: str, info: SetInfo) -> tuple[str, ...]:
    rates = ", ".join(map(str, info.rates_hz))
    counts = (str(info.clips), str(len(info.skipped)), f"{info.duration_s:.1f}")
    return (name, info.folder, *counts, rates, info.sha256)


def _skipped(report: Report) -> list[str]:
    rows = [
        (name, one.file, one.reason)
        for name, info in (("generated", report.generated), ("reference", report.reference))
        for one in info.skipped
    ]
    return [html.heading("Left out"), html.table(("set", "file", "why"), rows)] if rows else []


def _pictures(evaluation: Evaluation, most: int) -> Iterator[str]:
    report = evaluation.report
    if (png := maps_png(evaluation.generated, evaluation.reference)) is not None:
        yield html.heading("Both sets as the backbones hear them")
        yield html.picture(png, "features of both sets along two axes")
    if (png := histograms_png(report.rows)) is not None:
        yield html.heading("Measures of single clips")
        yield html.picture(png, "histograms")
    names = spread_over(report.rows, evaluation.pairs, most)
    if names:
        yield html.heading("Pairs, from the nearest to the farthest by LSD")
    for name in names:
        yield html.picture(
            pair_png(evaluation.generated, evaluation.reference, name), f"spectrograms of {name}"
        )


def _weights(report: Report, backbone: str) -> str:
    return next((f"{one.weights} {one.sha256}" for one in report.backbones if one.name == backbone), "")


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.9g}"


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()

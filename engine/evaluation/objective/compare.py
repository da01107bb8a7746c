"""Reports side by side, and whether their figures may be compared at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import SpecError
from engine.evaluation import html, markdown
from engine.evaluation.objective.files import UNKNOWN, told
from engine.evaluation.objective.report import METRICS, Better, Figure, Metric, Report

Key = tuple[Metric, str]


def comparison(reports: Sequence[Report]) -> str:
    """Return a Markdown table, a column for each report, the best value of each line bold; then warnings.

    Raises SpecError for fewer than two reports.
    """
    if len(reports) < 2:
        raise SpecError("a comparison needs two reports or more", "Give the folders of two.")
    names = labels(reports)
    lines = [[_title(key), *_cells(reports, key)] for key in _keys(reports)]
    warnings = [f"Not comparable: {text}" for text in differences(reports)]
    return "\n\n".join([markdown.table(("metric", *names), lines), *warnings]) + "\n"


def comparison_page(reports: Sequence[Report]) -> str:
    """Return the same as a page."""
    rows = [[_title(key), *(cell.strip("*") for cell in _cells(reports, key))] for key in _keys(reports)]
    columns = ("metric", *labels(reports))
    warnings = html.listed([f"Not comparable: {text}" for text in differences(reports)])
    numbers = range(1, len(columns))
    return html.page("Reports compared", [html.table(columns, rows, numbers=numbers), warnings])


def labels(reports: Sequence[Report]) -> list[str]:
    """Return the generated folders' names, with what is above them where two are the same."""
    paths = [Path(report.generated.folder) for report in reports]
    short = [path.name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def differences(reports: Sequence[Report]) -> Iterator[str]:
    """Yield each reason for which figures of these reports differ without a difference of the clips."""
    if len({report.reference.sha256 for report in reports}) > 1:
        yield "the references are not the same clips."
    if len({report.resampler for report in reports}) > 1:
        yield "another resampler, which alone can move FD by tens."
    used: dict[str, set[tuple[str, int]]] = {}
    for report in reports:
        for one in report.backbones:
            used.setdefault(one.name, set()).add((one.sha256, one.sample_rate_hz))
    for name, kinds in used.items():
        if len(kinds) > 1:
            yield f"the backbone {name} has other weights or another rate."
    if len({report.generated.clips for report in reports}) > 1:
        yield "the sets have not the same number of clips, on which FD, FAD and IS depend."


def _keys(reports: Sequence[Report]) -> list[Key]:
    return list(dict.fromkeys((one.metric, one.backbone) for report in reports for one in report.figures))


def _cells(reports: Sequence[Report], key: Key) -> list[str]:
    figures = [_figure(report, key) for report in reports]
    values = [one.value for one in figures if one is not None and one.value is not None]
    pick = min if METRICS[key[0]].better is Better.LOWER else max
    best = pick(values) if len(values) > 1 else None
    return [_cell(one, best) for one in figures]


def _cell(figure: Figure | None, best: float | None) -> str:
    if figure is None:
        return UNKNOWN
    return f"**{told(figure)}**" if best is not None and figure.value == best else told(figure)


def _figure(report: Report, key: Key) -> Figure | None:
    return next((one for one in report.figures if (one.metric, one.backbone) == key), None)


def _title(key: Key) -> str:
    arrow = "↓" if METRICS[key[0]].better is Better.LOWER else "↑"
    return f"{Figure(metric=key[0], backbone=key[1]).title} {arrow}"

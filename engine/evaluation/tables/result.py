"""A table as files: Markdown with its picture, and CSV."""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.audio.io import write_files
from engine.evaluation.estimates import Estimate
from engine.evaluation.markdown import table, wrapped
from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.scores import Scores

UNKNOWN = "-"
OF_CLIPS = "`±` is half of the 95 % interval of a bootstrap over clips."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """One line: what it is of, and its figures."""

    names: tuple[str, ...]
    scores: Scores


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A table of figures by name; arrows say whether less (↓) or more (↑) of each is better."""

    title: str
    names: tuple[str, ...]
    figures: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """All of a page.

    findings are sentences on whether the directions are those of the paper, interval one on what `±` is.
    """

    stem: str
    title: str
    told: str
    parts: tuple[Part, ...]
    findings: tuple[str, ...]
    picture: bytes
    interval: str = OF_CLIPS


def write_result(folder: Path, result: Result, bench: Bench, command: str) -> Path:
    """Write page and CSV into a folder, the picture into ../images/results; return the page's path."""
    page = folder / f"{result.stem}.md"
    image = folder.parent / "images" / "results" / f"{result.stem}.png"
    write_files({
        page: _page(result, bench, command, f"../images/results/{image.name}").encode(),
        page.with_suffix(".csv"): _csv(result).encode(),
        image: result.picture,
    })  # fmt: skip
    return page


def told_estimate(one: Estimate) -> str:
    """Return a figure and half of its interval, with three figures or so."""
    half = (one.high - one.low) / 2
    places = 3 if abs(one.value) < 10 else 2
    # No minus before what is rounded to nothing.
    return f"{round(one.value, places) + 0.0:.{places}f} ± {half:.{places}f}"


def _page(result: Result, bench: Bench, command: str, image: str) -> str:
    findings = "\n".join(wrapped(f"- {one}").replace("\n", "\n  ") for one in result.findings)
    tables = [f"## {part.title}\n\n{_table(part)}" for part in result.parts]
    head = [f"# {result.title}", wrapped(f"{_measured(bench)} {result.interval}"), wrapped(result.told)]
    again = f"To measure again: `{command}`"
    sections = [*head, again, "## Against the paper", findings, *tables, f"![{result.title}]({image})"]
    return "\n\n".join(sections) + "\n"


def _measured(bench: Bench) -> str:
    sounds = bench.sounds
    return (
        f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d} on one of {os.cpu_count()} cores ({_processor()}, "
        f"torch {torch.__version__}) with the model {bench.bundle.card.name}, seed {bench.seed}: "
        f"{len(sounds)} held-out renders of {len(set(sounds.concepts))} sounds that no training saw, "
        f"{sounds.audio_NS.shape[1] / sounds.rate_hz:g} s each. FD is the Fréchet distance of CLAP "
        "features (unbiased covariances; with fewer clips than features it is too large, so compare it "
        "only on this page), KL is of CLAP's opinions which of the sounds' names fits a clip; the model "
        "was trained with this CLAP, which makes it no neutral judge."
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _table(part: Part) -> str:
    return table(
        (*part.names, *part.figures), [(*line.names, *_cells(line, part.figures)) for line in part.lines]
    )


def _cells(line: Line, figures: Sequence[str]) -> list[str]:
    found = [line.scores.figures.get(_bare(name)) for name in figures]
    return [UNKNOWN if one is None else told_estimate(one) for one in found]


def _bare(name: str) -> str:
    """Return a figure's name without what its column tells besides."""
    return name.removesuffix(" (kept)").rstrip(" ↓↑")


def _csv(result: Result) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("table", "line", "figure", "value", "low", "high"))
    for part in result.parts:
        for line in part.lines:
            for name, one in line.scores.figures.items():
                values = (f"{value:.6g}" for value in (one.value, one.low, one.high))
                writer.writerow((part.title, " ".join(line.names), name, *values))
    return buffer.getvalue()

"""The page of results that tells how fast recipes train, and what the paper's training would take."""

from __future__ import annotations

import datetime as dt
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from engine.evaluation.markdown import table, wrapped
from engine.evaluation.paper_cost import PaperRun, paper_runs
from engine.evaluation.throughput import BUILDERS, Throughput, matrix_peak, measure_recipe, prepare
from engine.training.config import ProjectConfig

HOUR_S, DAY_S, YEAR_S = 3600, 86_400, 31_557_600
_ABOUT_RECIPES = """One operation is a multiplication or an addition in a convolution, a matrix product or
an attention, forwards and backwards, as torch.utils.flop_counter counts them. The share is of the better of
the two peaks. What is not counted takes its time all the same: norms, activations, Fourier transforms, the
optimiser, and the reading of clips. Judges take part where the recipe gets as far as to train them. Seconds
are those that the threads computed, here and for the peak; the last column is their share of the time that
passed, the rest of which went to others on the machine or to waiting."""
_ABOUT_PAPER = """Batches and steps are those of the paper, sec. 4.1 and app. C to E; of its vocoder it names
no steps, 2.5 million are HiFi-GAN's own (Kong et al. 2020). The CLAP that it uses came from others. The
operations are counted on networks of the paper's sizes. The time is that of the same threads, were they to
compute at the rate of the recipe that is named; for other machines divide the operations by theirs."""


def measure(config: ProjectConfig, source: str, seconds: float) -> str:
    """Return the page on the recipes of a project file, measured now, as long for each."""
    peaks = {
        str(dtype).removeprefix("torch."): matrix_peak(dtype) for dtype in (torch.float32, torch.bfloat16)
    }
    with tempfile.TemporaryDirectory() as folder:
        project = prepare(config, Path(folder))
        rates = [measure_recipe(name, project, seconds) for name in BUILDERS]
    return page(source, peaks, rates, paper_runs(), seconds)


def page(
    source: str,
    peaks: dict[str, float],
    rates: Sequence[Throughput],
    runs: Sequence[PaperRun],
    seconds: float,
) -> str:
    """Return the page of what was measured."""
    peak = max(peaks.values())
    found = ", ".join(f"{rate / 1e9:.0f} GFLOP/s in {dtype}" for dtype, rate in peaks.items())
    setting = wrapped(
        f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d} with {_threads()} on "
        f"{os.cpu_count()} cores ({platform.machine()}), torch {torch.__version__}, Python "
        f"{platform.python_version()}: each recipe of {source} for {seconds:.0f} s, with its seeds. "
        f"The machine's best product of two square matrices of 2048: {found}."
    )
    options = f"--threads {torch.get_num_threads()} throughput --seconds {seconds:.0f}"
    parts = (
        "# Throughput of training",
        setting,
        f"To measure again: `python -m engine.training {options}`",
        "## The recipes",
        _recipe_table(rates, peak),
        wrapped(_ABOUT_RECIPES),
        "## The paper's training, projected",
        _paper_table(runs, {rate.name: rate for rate in rates}),
        wrapped(_ABOUT_PAPER),
    )
    return "\n\n".join(parts) + "\n"


def _recipe_table(rates: Sequence[Throughput], peak: float) -> str:
    columns = ("recipe", "batch", "clips/s", "GFLOP a clip", "GFLOP/s", "share of the peak", "computed")
    lines = [
        (
            rate.name,
            str(rate.batch),
            f"{rate.clips_per_s:.1f}",
            f"{rate.operations_per_clip / 1e9:.2f}",
            f"{rate.operations_per_s / 1e9:.1f}",
            f"{rate.operations_per_s / peak:.0%}",
            f"{rate.had:.0%}",
        )
        for rate in rates
    ]
    return table(columns, lines)


def _paper_table(runs: Sequence[PaperRun], rates: dict[str, Throughput]) -> str:
    columns = ("training", "batch", "steps", "GFLOP a clip", "EFLOP in all", "at the rate of", "time here")
    lines = [
        (
            run.name,
            str(run.batch),
            f"{run.steps / 1e6:.2g} M",
            f"{run.operations_per_clip / 1e9:.0f}",
            f"{run.operations / 1e18:.2g}",
            run.like,
            duration(run.operations / rates[run.like].operations_per_s),
        )
        for run in runs
    ]
    return table(columns, lines)


def _threads() -> str:
    count = torch.get_num_threads()
    return f"{count} threads" if count > 1 else "one thread"


def duration(seconds: float) -> str:
    """Return a time to two digits, in the unit that suits it."""
    for unit_s, unit in ((YEAR_S, "years"), (DAY_S, "days"), (HOUR_S, "hours")):
        if seconds >= 2 * unit_s:
            return f"{float(f'{seconds / unit_s:.2g}'):g} {unit}"
    return f"{seconds / 60:.0f} minutes"

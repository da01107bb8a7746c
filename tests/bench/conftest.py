"""Options of the bench, and the report that its cases fill: a table at the end, and a JSON file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from tests.bench.report import Report, machine
from tests.unit.twins import Inputs, Ours, Theirs, twins

ROOT = Path(__file__).parents[2]
REPORT = pytest.StashKey[Report]()
CELLS_FULL = 256
REGIONS_S = "2,10,60,300,600"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchConfig:
    """How much is measured.

    cells: length of the latents; 256 are 10.24 s.
    rounds: pairs of measurements (ours, theirs) for each short case.
    full: measure all of their 200 steps, and compare renders at full length.
    regions_s: how long the regions are whose edits are measured.
    """

    cells: int
    rounds: int
    full: bool
    threads: int
    regions_s: tuple[float, ...]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bench")
    group.addoption("--full", action="store_true", help="measure all 200 DDIM steps instead of extrapolating")
    group.addoption("--cells", type=int, default=CELLS_FULL, help="latent length; 256 cells are 10.24 s")
    group.addoption("--rounds", type=int, default=5, help="interleaved pairs of measurements")
    group.addoption("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of torch")
    group.addoption("--regions", default=REGIONS_S, help="seconds of the regions of the cost curve")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = Report(machine=machine(config.getoption("threads", 1)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    report = config.stash[REPORT]
    if report.rows:
        path = report.write(ROOT / "build" / "bench")
        terminalreporter.section("speed and memory: S size, random weights, float32; edits: starter model")
        terminalreporter.write_line(report.table())
        terminalreporter.write_line(f"also in {path.relative_to(ROOT)}")


@pytest.fixture(scope="session")
def config(request: pytest.FixtureRequest) -> BenchConfig:
    option = request.config.getoption
    return BenchConfig(
        cells=option("cells"),
        rounds=option("rounds"),
        full=option("full"),
        threads=option("threads"),
        regions_s=tuple(float(region_s) for region_s in option("regions").split(",")),
    )


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    return request.config.stash[REPORT]


@pytest.fixture(scope="module")
def both(config: BenchConfig) -> Iterator[tuple[Ours, Theirs]]:
    """Return the same weights in our networks and in their pipeline, for the threads asked for."""
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    yield twins()
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def inputs(config: BenchConfig) -> Inputs:
    return Inputs.of_length(config.cells)

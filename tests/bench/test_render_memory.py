"""Peak memory of a whole render, each side in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.bench.conftest import ROOT, BenchConfig
from tests.bench.report import Report, Row

GIB = 2**30
LARGE_GOAL_GIB = 24.0

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as Linux gives it")


def measured(case: str, config: BenchConfig) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.child", case, str(config.cells)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(config.threads)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def described(found: dict[str, int]) -> str:
    return f"{found['anonymous'] / GIB:.2f} anonymous, {found['file'] / GIB:.2f} of files"


def test_render(config: BenchConfig, report: Report) -> None:
    ours, theirs = measured("ours", config), measured("theirs", config)
    row = Row(
        what="peak memory of a render",
        ours=ours["peak"] / GIB,
        theirs=theirs["peak"] / GIB,
        unit="GiB",
        ratio=ours["peak"] / theirs["peak"],
        note=f"ours {described(ours)}; theirs {described(theirs)}",
    )
    report.add(row)


def test_large_model_has_room_to_render(config: BenchConfig, report: Report) -> None:
    found = measured("large", config)
    row = Row(
        what="peak memory, guided step of L",
        ours=found["peak"] / GIB,
        unit="GiB",
        goal=LARGE_GOAL_GIB,
        note=f"loaded from 16 bit, {described(found)}",
    )
    report.add(row)

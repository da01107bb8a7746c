"""What the bench found: rows of ours beside theirs, and the machine they were measured on."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

import torch

# A shared machine is noisy: a goal counts as missed only beyond this factor.
CLEARLY = 1.05
_COLUMNS = ("what", "ours", "theirs", "unit", "ratio", "goal", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One comparison; the goal is the largest ratio, or without theirs the largest value, to aim at."""

    what: str
    ours: float
    theirs: float | None = None
    unit: str
    ratio: float | None = None
    goal: float | None = None
    note: str = ""

    @property
    def judged(self) -> float:
        return self.ours if self.ratio is None else self.ratio

    @property
    def clearly_missed(self) -> bool:
        return self.goal is not None and self.judged > self.goal * CLEARLY

    def cells(self) -> tuple[str, ...]:
        goal = (
            "" if self.goal is None else f"<= {_plain(self.goal)}{' MISSED' if self.clearly_missed else ''}"
        )
        numbers = (_plain(self.ours), _plain(self.theirs))
        return (self.what, *numbers, self.unit, _plain(self.ratio), goal, self.note)


@dataclass(slots=True, kw_only=True)
class Report:
    machine: dict[str, object]
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Keep a row, and fail the case where its goal is clearly missed."""
        self.rows.append(row)
        assert not row.clearly_missed, f"{row.what}: {row.judged:.3g} where the goal is {row.goal:.3g}"

    def table(self) -> str:
        lines = [_COLUMNS, *(row.cells() for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
        padded = (
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
        )
        about = ", ".join(f"{key} {value}" for key, value in self.machine.items())
        return "\n".join([about, *(line.rstrip() for line in padded)])

    def write(self, folder: Path) -> Path:
        """Write the report as JSON, named after the time, and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {"machine": self.machine, "rows": [dataclasses.asdict(row) for row in self.rows]}
        path = folder / f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}.json"
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return path


def machine(threads: int) -> dict[str, object]:
    """Describe the machine as far as it matters to the figures."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _plain(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"

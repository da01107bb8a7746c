"""One table measured, from options to its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.editing import editing_table
from engine.evaluation.tables.guidance import guidance_table
from engine.evaluation.tables.kinds import TableKind
from engine.evaluation.tables.reconstruction import reconstruction_table
from engine.evaluation.tables.result import Result, write_result
from engine.evaluation.tables.sounds import held_out_sounds
from engine.evaluation.tables.steps import steps_table
from engine.evaluation.tables.strength import strength_table
from engine.models.bundle import load_bundle
from engine.models.store import model_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRun:
    """What to measure, with what, and where its page goes; trials is the folder of single results."""

    kind: TableKind
    clips: int
    seed: int
    model: str
    project: Path
    trials: Path
    out: Path

    @property
    def command(self) -> str:
        own = {"--clips": self.clips, "--seed": self.seed, "--model": self.model}
        told = " ".join(f"{name} {value}" for name, value in own.items())
        return f"python -m engine.evaluation tables {self.kind.value} {told}"


TABLES: Mapping[TableKind, Callable[[Bench], Result]] = {
    TableKind.STEPS: steps_table,
    TableKind.RECONSTRUCTION: reconstruction_table,
    TableKind.EDITING: editing_table,
    TableKind.STRENGTH: strength_table,
    TableKind.GUIDANCE: guidance_table,
}


def run_table(run: TableRun) -> Path:
    """Measure what is missing and write the page, on one core; return the page's path.

    Raises NotFound and SpecError for a project that is none, ModelMissing for a model that cannot hear.
    """
    torch.set_num_threads(1)
    folder = model_folder(run.model)
    sounds, others = held_out_sounds(run.project, run.clips)
    bench = Bench(bundle=load_bundle(folder), sounds=sounds, others=others, folder=run.trials, seed=run.seed)
    return write_result(run.out, TABLES[run.kind](bench), bench, run.command)

"""One table measured, from options to its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.evaluation.tables.ablations import ablations_table
from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.compression import compression_table
from engine.evaluation.tables.conditions import conditions_table
from engine.evaluation.tables.editing import editing_table
from engine.evaluation.tables.guidance import guidance_table
from engine.evaluation.tables.kinds import TableKind
from engine.evaluation.tables.reconstruction import reconstruction_table
from engine.evaluation.tables.result import Result, write_result
from engine.evaluation.tables.sounds import held_out_sounds
from engine.evaluation.tables.steps import steps_table
from engine.evaluation.tables.strength import strength_table
from engine.evaluation.tables.trained import Comparison, TrainedRun
from engine.models.bundle import Bundle, load_bundle
from engine.models.store import model_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRun:
    """What to measure, with what, and where its page goes.

    trials is the folder of single results, folder that of the models that some tables train.
    """

    kind: TableKind
    clips: int
    trainings: int
    seed: int
    model: str
    project: Path
    folder: Path
    trials: Path
    out: Path

    @property
    def command(self) -> str:
        own: dict[str, object] = {"--clips": self.clips, "--seed": self.seed, "--model": self.model}
        if self.kind.trains:
            own |= {"--trainings": self.trainings, "--project": str(self.project)}
        told = " ".join(f"{name} {value}" for name, value in own.items())
        return f"python -m engine.evaluation tables {self.kind.value} {told}"


TRAINED_TABLES: Mapping[TableKind, Callable[[Comparison], Result]] = {
    TableKind.CONDITIONS: conditions_table,
    TableKind.COMPRESSION: compression_table,
    TableKind.ABLATIONS: ablations_table,
}
TABLES: Mapping[TableKind, Callable[[Bench], Result]] = {
    TableKind.STEPS: steps_table,
    TableKind.RECONSTRUCTION: reconstruction_table,
    TableKind.EDITING: editing_table,
    TableKind.STRENGTH: strength_table,
    TableKind.GUIDANCE: guidance_table,
}


def run_table(run: TableRun) -> Path:
    """Train and measure what is missing and write the page, on one core; return the page's path.

    Raises NotFound and SpecError for a project that is none, ModelMissing for a model that cannot hear.
    """
    torch.set_num_threads(1)
    folder = model_folder(run.model)
    if run.kind.trains:
        return _run_trained(run, load_bundle(folder))
    sounds, others = held_out_sounds(run.project, run.clips)
    bench = Bench(bundle=load_bundle(folder), sounds=sounds, others=others, folder=run.trials, seed=run.seed)
    return write_result(run.out, TABLES[run.kind](bench), bench, run.command)


def _run_trained(run: TableRun, starter: Bundle) -> Path:
    trained = TrainedRun(
        project=run.project,
        folder=run.folder,
        trials=run.trials,
        clips=run.clips,
        trainings=run.trainings,
        seed=run.seed,
    )
    comparison = Comparison(run=trained, starter=starter)
    result = TRAINED_TABLES[run.kind](comparison)
    return write_result(run.out, result, comparison.bench, run.command)

"""One training loop for every recipe: resumable, deterministic by seed, bounded in time."""

from __future__ import annotations

import csv
import logging
import math
import os
import pickle
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from engine.errors import Cancelled, ModelCorrupt, NanOutput, SpecError
from engine.models.files import writing
from engine.training import parallel
from engine.training.ema import Ema
from engine.training.interrupts import noted_interrupts

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"
# As many steps as no run gets to: the minutes end it.
ENDLESS = 10**9

Metrics = dict[str, float]


class Recipe(Protocol):
    """What the loop trains: one network, or a network and its discriminators.

    `train_step` must depend on nothing but the state and the step number, so that a resumed run
    equals an uninterrupted one. Where several processes train, the metrics are those of the whole batch.
    """

    @property
    def device(self) -> torch.device: ...

    def train_step(self, step: int) -> Metrics: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Stateful(Protocol):
    """A network, an average or an optimiser."""

    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


class Parts:
    """The part of a recipe that is saved: the states of its named members."""

    _parts: Mapping[str, Stateful]
    device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Train there; to be called before the first step."""
        self.device = device
        for part in vars(self).values():
            if isinstance(part, nn.Module | Ema):
                part.to(device)

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, part in self._parts.items():
            part.load_state_dict(state[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """How long to train and how often to save; minutes bounds this call, steps the whole run."""

    steps: int
    minutes: float = float("inf")
    save_minutes: float = 3.0
    log_seconds: float = 60.0


def train(recipe: Recipe, folder: Path, config: LoopConfig) -> int:
    """Train until the steps or the minutes are used up; return the step reached.

    Raises NanOutput at the first metric that is not finite; the last checkpoint stays as it was.
    Raises SpecError while another call trains into the folder.
    Raises Cancelled after Ctrl-C or SIGTERM, with the step that ran then saved, where one process trains.
    Of several processes only the first one writes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder) if parallel.is_first() else nullcontext():
        start = resume(recipe, folder)
        if parallel.processes() > 1:
            parallel.require_agreement((start, _checksum(recipe.state_dict())))
        records = _Records(recipe, folder, config, start) if parallel.is_first() else None
        reached = _train(recipe, folder, config, start, records)
    parallel.wait_for_all()
    return reached


def _train(recipe: Recipe, folder: Path, config: LoopConfig, start: int, records: _Records | None) -> int:
    # Of several processes each would hear of it at another step.
    with noted_interrupts() if parallel.processes() == 1 else nullcontext(_never) as is_interrupted:
        reached = _run_steps(recipe, folder, config, start, records, is_interrupted)
        if records is not None:
            records.close(reached)
    if is_interrupted() and reached < config.steps:
        raise Cancelled(f"Stopped after step {reached}; {folder} has it.", "The same command goes on.")
    return reached


def _run_steps(
    recipe: Recipe,
    folder: Path,
    config: LoopConfig,
    start: int,
    records: _Records | None,
    is_interrupted: Callable[[], bool],
) -> int:
    deadline_s = time.monotonic() + 60 * config.minutes
    step = start
    for step in _progress(start, config.steps, folder.name):
        metrics = recipe.train_step(step)
        _require_finite(metrics, step, folder)
        if records is not None:
            records.add(step, metrics)
        if is_interrupted() or _is_late(deadline_s, recipe.device):
            break
    return min(step + 1, config.steps) if start < config.steps else start


def _is_late(deadline_s: float, device: torch.device) -> bool:
    """Return what the first process's clock says, so that all stop after the same step."""
    late = time.monotonic() >= deadline_s
    return math.isfinite(deadline_s) and parallel.decided_by_first(late, device)


def _never() -> bool:
    return False


class _Records:
    """What a run leaves in its folder: checkpoints every few minutes, and its journal."""

    def __init__(self, recipe: Recipe, folder: Path, config: LoopConfig, start: int) -> None:
        self._recipe, self._folder, self._config = recipe, folder, config
        self._journal = _Journal(folder, start)
        self._plan_save()

    def add(self, step: int, metrics: Metrics) -> None:
        self._journal.add(step, metrics, self._config.log_seconds)
        if time.monotonic() >= self._next_save_s:
            save(self._recipe, self._folder, step + 1)
            self._plan_save()

    def close(self, reached: int) -> None:
        save(self._recipe, self._folder, reached)
        self._journal.close(reached)

    def _plan_save(self) -> None:
        self._next_save_s = time.monotonic() + 60 * self._config.save_minutes


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise SpecError(
            f"Another call is training into {folder}.", "Wait for it, or train into another folder."
        ) from error


def save(recipe: Recipe, folder: Path, step: int) -> None:
    """Write the checkpoint whole or not at all."""
    part = folder / f"{CHECKPOINT}.part"
    with writing(folder):
        try:
            _write_state({"step": step, "recipe": recipe.state_dict()}, part)
            os.replace(part, folder / CHECKPOINT)
        finally:
            part.unlink(missing_ok=True)


def _write_state(state: dict[str, object], path: Path) -> None:
    """Write what PyTorch reads; where there is no room raise the OSError, not what PyTorch makes of it."""
    try:
        with path.open("wb") as file:
            torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def resume(recipe: Recipe, folder: Path) -> int:
    """Load the folder's checkpoint where there is one; return the step to go on with.

    Raises ModelCorrupt where it is damaged or belongs to another recipe.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True, mmap=True)
        recipe.load_state_dict(state["recipe"])
    except (RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ModelCorrupt(
            f"{path} does not fit this recipe: {error}.", "Train into another folder."
        ) from error
    return int(state["step"])


def _checksum(state: Any, so_far: int = 0) -> int:
    """Return a number of all the tensors in a state that differs where one bit of them differs."""
    if isinstance(state, Tensor):
        values = state.detach().cpu().contiguous().view(-1).view(torch.uint8)
        return zlib.crc32(values.numpy().tobytes(), so_far)
    parts = list(state.values()) if isinstance(state, Mapping) else state
    for part in parts if isinstance(parts, list | tuple) else ():
        so_far = _checksum(part, so_far)
    return so_far


def _progress(start: int, stop: int, name: str) -> Iterator[int]:
    hidden = not parallel.is_first()
    steps = range(start, stop)
    # Of None it would take the length of the steps.
    total = math.inf if stop == ENDLESS else stop
    return iter(tqdm(steps, initial=start, total=total, desc=name, mininterval=10.0, disable=hidden))


def _require_finite(metrics: Metrics, step: int, folder: Path) -> None:
    bad = [name for name, value in metrics.items() if not math.isfinite(value)]
    if bad:
        raise NanOutput(
            f"Training {folder} diverged at step {step}: {', '.join(bad)} is not finite.",
            "Lower its learning_rate; the run goes on from its last checkpoint.",
        )


class _Journal:
    """Average metrics and write them once per interval to the log, a CSV and TensorBoard.

    What an interrupted call wrote beyond the step it is resumed from is forgotten.
    """

    def __init__(self, folder: Path, start: int) -> None:
        self._table = _Table(folder / "metrics.csv")
        self._table.forget_after(start)
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=start)
        self._values: dict[str, list[float]] = {}
        self._since_s, self._since_step = time.monotonic(), start

    def add(self, step: int, metrics: Metrics, interval_s: float) -> None:
        for name, value in metrics.items():
            self._values.setdefault(name, []).append(value)
        if time.monotonic() - self._since_s >= interval_s:
            self._flush(step + 1)

    def close(self, step: int) -> None:
        if self._values:
            self._flush(step)
        self._writer.close()

    def _flush(self, step: int) -> None:
        elapsed_s = time.monotonic() - self._since_s
        means = {name: sum(values) / len(values) for name, values in self._values.items()}
        means["steps_per_s"] = (step - self._since_step) / elapsed_s
        log.info("step %d %s", step, " ".join(f"{name} {value:.4g}" for name, value in means.items()))
        self._table.append({"step": float(step), "elapsed_s": elapsed_s, **means})
        for name, value in means.items():
            self._writer.add_scalar(name, value, step)
        self._values, self._since_s, self._since_step = {}, time.monotonic(), step


class _Table:
    """A CSV of metrics; columns that first appear later, as losses do, are empty before."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, row: Metrics) -> None:
        rows = self._read()
        rows.append({name: f"{value:.6g}" for name, value in row.items()})
        self._write(rows)

    def forget_after(self, step: int) -> None:
        rows = self._read()
        kept = [row for row in rows if float(row["step"]) <= step]
        if len(kept) < len(rows):
            self._write(kept)

    def _read(self) -> list[dict[str, str]]:
        if not self._path.exists():
            return []
        with self._path.open(newline="") as file:
            return [
                {name: value for name, value in row.items() if name}
                for row in csv.DictReader(file, restval="")
            ]

    def _write(self, rows: list[dict[str, str]]) -> None:
        part = self._path.with_name(self._path.name + ".part")
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, sorted({name for row in rows for name in row}), restval="")
            writer.writeheader()
            writer.writerows(rows)
        os.replace(part, self._path)

"""Transfers measured: how near they come to the prompt, and what they keep of their source.

`python -m engine.evaluation.transfer --judge runs/starter` makes the edits that are missing, each editor at
each strength on each pair, and ends with a table. `--pairs 6 --editors renoise --strengths 0.3 0.5` is a
quick look. With `--page docs/results/transfer.md` it makes the page of results, and what only that needs.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import torch

from engine.errors import EngineError, SpecError, error_line
from engine.evaluation.transfer_page import Shown, write_page
from engine.evaluation.transfer_pairs import Pair, transfer_pairs
from engine.evaluation.transfer_rows import KEEPS, RowFile, Setup, Trial
from engine.evaluation.transfer_summary import summary
from engine.evaluation.transfer_trials import Job, Studio, StudioConfig, measured, reference_trials
from engine.models.card import ModelCard, read_card, settings_digest
from engine.models.store import model_folder
from engine.text_files import write_text
from engine.types import DEFAULT_EDITOR, Editor, SamplerSpec

ROWS_FILE, MODEL_FILE = "rows.csv", "model.json"
# Inversion is judged at its best.
STEPS = {Editor.RENOISE: 20, Editor.INVERT: 100, Editor.DIRECT: 20}
STRENGTHS = tuple(sorted({0.3, 0.5, 0.85, 1.0, SamplerSpec().strength}))
COMPARED_STEPS = (10, 20, 100)
MOST_PROCESSES = 2
_LOG = logging.getLogger(__name__)
_LOG_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to try: each editor at each strength with each number of steps and guidance; no steps: its own."""

    editors: tuple[Editor, ...] = tuple(Editor)
    strengths: tuple[float, ...] = STRENGTHS
    steps: tuple[int, ...] = ()
    guidance: tuple[float, ...] = (SamplerSpec().guidance,)
    keep: tuple[str, ...] = ()
    described: bool = False

    def trials(self) -> Iterator[Trial]:
        for editor, guidance in product(self.editors, self.guidance):
            for steps, strength in product(self.steps or (STEPS[editor],), self.strengths):
                yield Trial(setup=self._setup(editor, steps, guidance), strength=strength)

    def _setup(self, editor: Editor, steps: int, guidance: float) -> Setup:
        kept = "+".join(what for what in KEEPS if what in self.keep)
        return Setup(way=editor.value, steps=steps, guidance=guidance, keep=kept, described=self.described)


def step_trials() -> Iterator[Trial]:
    """Yield what tells how many steps an editor needs, at the strength that a transfer has unasked."""
    for editor, steps in product((Editor.INVERT, Editor.DIRECT), COMPARED_STEPS):
        yield from Plan(editors=(editor,), strengths=(SamplerSpec().strength,), steps=(steps,)).trials()


def keep_trials() -> Iterator[Trial]:
    """Yield what tells what each `keep_*` puts back: the default with none, each and all of them."""
    default = default_trial()
    for keep in ("", *KEEPS, "+".join(KEEPS)):
        yield replace(default, setup=replace(default.setup, keep=keep))


def default_trial() -> Trial:
    """Return what a transfer does for which nothing but a prompt was chosen."""
    usual = SamplerSpec()
    setup = Setup(way=DEFAULT_EDITOR.value, steps=usual.steps, guidance=usual.guidance)
    return Trial(setup=setup, strength=usual.strength)


def missing(
    rows: RowFile, pairs: Sequence[Pair], trials: Iterable[Trial], again: Iterable[Trial] = ()
) -> list[Job]:
    """Return the jobs that have no row yet or are to be done again, a pair's together."""
    anew = set(again)
    done = {row.key for row in rows.rows() if row.trial not in anew}
    wanted = tuple(dict.fromkeys(trials))
    return [(pair, trial) for pair, trial in product(pairs, wanted) if (pair.name, trial) not in done]


def run(config: StudioConfig, jobs: Sequence[Job], processes: int) -> None:
    """Measure jobs and append their rows; tell each minute how far it is."""
    rows = RowFile(config.folder / ROWS_FILE)
    started_s = told_s = time.monotonic()
    for done, row in enumerate(measured(config, jobs, processes), start=1):
        rows.append([row])
        now_s = time.monotonic()
        if now_s - told_s >= _LOG_EVERY_S:
            told_s = now_s
            left_s = (now_s - started_s) / done * (len(jobs) - done)
            _LOG.info("%d of %d edits, about %.0f min to go", done, len(jobs), left_s / 60)


def require_same_model(folder: Path, card: ModelCard) -> None:
    """Raise SpecError where rows are of another model; note whose they are where there are none yet."""
    told = json.dumps({"settings": settings_digest(card), "files": dict(card.files)}, sort_keys=True)
    note = folder / MODEL_FILE
    known = note.read_text(encoding="utf-8") if note.is_file() else None
    if known != told and (folder / ROWS_FILE).is_file():
        raise SpecError(f"The edits in {folder} are of another model.", "Name another folder with --out.")
    write_text(note, told)


def main() -> None:
    """Measure what is missing, then show a table, or write the page."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    config = StudioConfig(
        folder=options.out, model=options.model, project=options.project, judge=options.judge
    )
    pairs = transfer_pairs()[: options.pairs]
    shown = _shown(_plan(options), pairs)
    for_page = (*shown.steps, *shown.keeps, default_trial()) if options.page else ()
    trials = tuple(dict.fromkeys([*reference_trials(), *_plan(options).trials(), *for_page]))
    rows = RowFile(options.out / ROWS_FILE)
    again = _plan(options).trials() if options.again else ()
    require_same_model(options.out, read_card(model_folder(options.model)))
    run(config, missing(rows, pairs, trials, again), options.processes)
    names, wanted = {pair.name for pair in pairs}, set(trials)
    found = [row for row in rows.rows() if row.pair in names and row.trial in wanted]
    sys.stdout.write(summary(found) + "\n")
    if options.page:
        write_page(options.page, found, shown, Studio.open(config))


def _plan(options: argparse.Namespace) -> Plan:
    """Return what the options ask for; SpecError where no transfer could be so."""
    plan = Plan(
        editors=tuple(map(Editor, options.editors)),
        strengths=tuple(options.strengths),
        steps=tuple(options.steps),
        guidance=tuple(options.guidance),
        keep=tuple(options.keep),
        described=options.described,
    )
    for trial in plan.trials():
        setup = trial.setup
        try:
            SamplerSpec(steps=setup.steps, guidance=setup.guidance, strength=trial.strength)
        except ValueError as error:
            raise SpecError(str(error), "See --help.") from error
    return plan


def _shown(plan: Plan, pairs: Sequence[Pair]) -> Shown:
    """Return what the page tells of: the default's setup has a curve, if only of one point."""
    setups = dict.fromkeys([*(trial.setup for trial in plan.trials()), default_trial().setup])
    return Shown(
        pairs=tuple(pairs),
        setups=tuple(setups),
        steps=tuple(step_trials()),
        keeps=tuple(keep_trials()),
        default=default_trial(),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    editors = [editor.value for editor in Editor]
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"), help="rows and audio lie here")
    parser.add_argument(
        "--page", type=Path, help="Markdown file of results; pictures go to ../images beside it"
    )
    parser.add_argument("--pairs", type=int, default=None, help="use the first so many pairs")
    parser.add_argument("--editors", nargs="+", choices=editors, default=editors)
    parser.add_argument("--strengths", nargs="+", type=float, default=STRENGTHS)
    parser.add_argument("--steps", nargs="+", type=int, default=(), help="of every editor [default: its own]")
    parser.add_argument("--guidance", nargs="+", type=float, default=(SamplerSpec().guidance,))
    parser.add_argument("--keep", nargs="+", choices=KEEPS, default=())
    parser.add_argument(
        "--again", action="store_true", help="measure anew what has rows: the code is another"
    )
    parser.add_argument("--described", action="store_true", help="tell editors what the source is")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--project", type=Path, default=Path("presets/training/starter.toml"))
    parser.add_argument("--judge", type=Path, help="training folder with a classifier, as runs/starter")
    parser.add_argument("--processes", type=int, choices=range(1, MOST_PROCESSES + 1), default=1)
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except EngineError as error:
        raise SystemExit(error_line(error.info)) from error

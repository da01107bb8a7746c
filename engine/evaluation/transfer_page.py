"""The page, its pictures and its rows, made of what was measured and of the audio that was kept.

N clips, S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.audio.io import write_files
from engine.evaluation.transfer_curves import CHANGE, JUDGED, LAYERS, PROMPT, Rows
from engine.evaluation.transfer_pairs import OTHER_NUMBERS, REFERENCE_NUMBERS, Pair
from engine.evaluation.transfer_plots import Strip, curves_png, strengths_png, strips_png
from engine.evaluation.transfer_rows import UNTOUCHED, Row, Setup, Trial, as_csv
from engine.evaluation.transfer_sets import SetJudge, features_of
from engine.evaluation.transfer_tables import Findings, SetFigures, page
from engine.evaluation.transfer_trials import Studio, reference_trials

_PICTURED = 4
_FEWEST_OF_A_TARGET = 2
_COMMAND = "python -m engine.evaluation.transfer --judge runs/starter --page docs/results/transfer.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page is about."""

    pairs: tuple[Pair, ...]
    setups: tuple[Setup, ...]
    steps: tuple[Trial, ...]
    keeps: tuple[Trial, ...]
    default: Trial


def write_page(path: Path, rows: Sequence[Row], shown: Shown, studio: Studio) -> None:
    """Write the page, its pictures into ../images beside its folder, and the rows as CSV beside it."""
    found = Rows.of(rows)
    pairs = [pair for pair in shown.pairs if pair.name in next(iter(found.by_trial.values()))]
    sets = _sets(found, shown, pairs, studio)
    images = path.parent.parent / "images"
    findings = Findings(
        rows=found,
        setups=shown.setups,
        steps=shown.steps,
        keeps=shown.keeps,
        default=shown.default,
        sets=sets,
        images=f"../{images.name}/{path.stem}",
        command=_COMMAND,
    )
    measures = (PROMPT, CHANGE, LAYERS, *((JUDGED,) if studio.judge is not None else ()))
    distances = {one.name: {trial: each.value for trial, each in one.distances.items()} for one in sets}
    write_files({
        path: page(findings).encode(),
        path.with_suffix(".csv"): as_csv(rows).encode(),
        images / f"{path.stem}_curves.png": curves_png(found, shown.setups, shown.default),
        images / f"{path.stem}_strengths.png": strengths_png(found, shown.setups, measures, distances),
        images / f"{path.stem}_spectrograms.png": strips_png(
            [_strip(pair, shown, studio) for pair in pairs[:_PICTURED]], studio.rate_hz
        ),
    })  # fmt: skip


def _sets(rows: Rows, shown: Shown, pairs: Sequence[Pair], studio: Studio) -> tuple[SetFigures, ...]:
    by_target = {pair.target: [one for one in pairs if one.target == pair.target] for pair in pairs}
    if min(map(len, by_target.values())) < _FEWEST_OF_A_TARGET:
        return ()
    trials = [*reference_trials(), *(trial for setup in shown.setups for trial in rows.trials(setup))]
    clips = {trial: _clips(by_target, trial, studio) for trial in trials}
    true, others = (
        {target: studio.held_out.clips(target, numbers) for target in by_target}
        for numbers in (REFERENCE_NUMBERS, OTHER_NUMBERS)
    )
    rebuilt = {
        target: np.stack([studio.rebuilt(one_S) for one_S in audio_NS]) for target, audio_NS in others.items()
    }
    figures = []
    for name, features in features_of(studio.bundle.clap, studio.judge, studio.rate_hz):
        judge = SetJudge(features, true)
        figures.append(
            SetFigures(
                name=name,
                share=judge.share,
                distances={trial: judge.distance(clips[trial]) for trial in trials},
                true=judge.distance(others),
                rebuilt=judge.distance(rebuilt),
            )
        )
    return tuple(figures)


def _clips(by_target: dict[str, list[Pair]], trial: Trial, studio: Studio) -> dict[str, np.ndarray]:
    return {
        target: np.stack([studio.audio(pair, trial) for pair in own]) for target, own in by_target.items()
    }


def _strip(pair: Pair, shown: Shown, studio: Studio) -> Strip:
    source = Trial(setup=Setup(way=UNTOUCHED), strength=0.0)
    edits = [Trial(setup=setup, strength=shown.default.strength) for setup in shown.setups]
    clips = {pair.source: studio.audio(pair, source)}
    clips |= {trial.setup.label: studio.audio(pair, trial) for trial in edits}
    return Strip(title=f"to {pair.target}", clips=clips)

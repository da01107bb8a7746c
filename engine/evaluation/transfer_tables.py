"""The page that tells how transfers do, from measured rows."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.evaluation.estimates import mean_estimate
from engine.evaluation.markdown import table, wrapped
from engine.evaluation.transfer_curves import (
    CHANGE,
    CHROMA,
    JUDGED,
    KEPT,
    LAYERS,
    LEVEL,
    ONSETS,
    PROMPT,
    SOURCE,
    TRANSPOSED,
    Measure,
    Rows,
    curve,
    lead_at,
    standing,
)
from engine.evaluation.transfer_pairs import Kind
from engine.evaluation.transfer_rows import REFERENCES, Row, Setup, Trial
from engine.evaluation.transfer_sets import AXES, SetDistance

MEASURES = (PROMPT, JUDGED, CHROMA, TRANSPOSED, ONSETS, LEVEL, SOURCE, LAYERS, CHANGE)
STEP_MEASURES = (PROMPT, JUDGED, CHROMA, ONSETS, LEVEL, SOURCE, LAYERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFigures:
    """Fréchet distances in the features of one network: of trials, of other true sounds, of those rebuilt.

    rebuilt went through VAE and vocoder, as every edit does; share is that of the variance that is looked at.
    """

    name: str
    distances: Mapping[Trial, SetDistance]
    true: SetDistance
    rebuilt: SetDistance
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that the page tells of: setups have curves, steps and keeps are compared at one strength."""

    rows: Rows
    setups: tuple[Setup, ...]
    steps: tuple[Trial, ...]
    keeps: tuple[Trial, ...]
    default: Trial
    sets: tuple[SetFigures, ...]
    images: str
    command: str


def page(findings: Findings) -> str:
    """Return the results as Markdown."""
    assert findings.default in findings.rows.by_trial, "the default was not measured"
    parts = (
        _head(findings),
        _curves(findings),
        _default(findings),
        _strengths(findings),
        _sets(findings),
        _steps(findings),
        _keeps(findings),
        _targets(findings),
        _pictures(findings),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(findings: Findings) -> str:
    rows = [row for own in findings.rows.by_trial.values() for row in own.values()]
    kinds = {kind: len({row.pair for row in rows if row.kind == kind.value}) for kind in Kind}
    told = wrapped(
        f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d} on one of {os.cpu_count()} cores "
        f"({platform.machine()}) with the starter model: {findings.rows.pairs} held-out renders that no "
        f"training saw, 2.56 s each ({kinds[Kind.PITCHED]} pitched, {kinds[Kind.RHYTHMIC]} rhythmic, "
        f"{kinds[Kind.OTHER]} other sounds), each transferred to the bare name of another sound, through the "
        "whole pipeline with matched level. `CLAP to the prompt` and `CLAP to the source` are cosines; the "
        "model was trained with this CLAP, so `judge` is the probability that a classifier, which saw "
        "renders only, gives the target. Chroma is told of the pitched pairs, onsets (within 50 ms) of "
        "pitched and rhythmic ones. Intervals are 95 % of a bootstrap over pairs."
    )
    return f"# Transfers\n\n{told}\n\nTo measure again: `{findings.command}`"


def _curves(findings: Findings) -> str:
    told = wrapped(
        "A line is an editor, a dot a strength, larger where it is stronger. Each line begins at the round "
        "trip, which is what VAE and vocoder alone leave of a source: no edit keeps more. The dashed line is "
        "the outer hull of all: nothing that was tried keeps as much and comes nearer to the prompt. The "
        "ring is the default, and the dotted line what another source of its kind has in common with the "
        "source by chance."
    )
    references = [Trial(setup=Setup(way=way), strength=0.0) for way in REFERENCES]
    trials = references + [trial for setup in findings.setups for trial in findings.rows.trials(setup)]
    lines = [
        [trial.setup.label, f"{trial.strength:g}", *(_mean(findings.rows, trial, one) for one in MEASURES)]
        for trial in trials
    ]
    columns = ["", "strength", *(measure.title for measure in MEASURES)]
    picture = f"![Similarity to the prompt over what is kept]({findings.images}_curves.png)"
    return f"## What is reached, and what is kept\n\n{picture}\n\n{told}\n\n{table(columns, lines)}"


def _default(findings: Findings) -> str:
    default = findings.default
    lines = [_default_line(findings, kept) for kept in KEPT]
    others = [setup for setup in findings.setups if setup != default.setup]
    told = wrapped(
        f"The default is {default.setup.label} at strength {default.strength:g}. `gap` is how much nearer "
        "the prompt the outer hull is where as much is kept, 0 on the hull; `on it` the share of resamples "
        "in which the gap is below 0.01, and `beaten by` how many of all strengths of all editors keep more "
        "and reach more. `ahead of` compares with the outer hull of one other editor where that keeps as "
        "much."
    )
    columns = ["kept", "value", "gap", "on it", "beaten by", *(f"ahead of {one.label}" for one in others)]
    return f"## The default and the outer hull\n\n{table(columns, lines)}\n\n{told}"


def _default_line(findings: Findings, kept: Measure) -> list[str]:
    rows, default = findings.rows, findings.default
    curves = {setup: curve(rows, setup, kept) for setup in findings.setups}
    found = standing(list(curves.values()), default)
    leads = [
        str(lead_at(curves[default.setup], curves[setup], default))
        for setup in findings.setups
        if setup != default.setup
    ]
    value = _mean(rows, default, kept)
    beaten = f"{len(found.dominated_by)} of {sum(len(one.trials) - 1 for one in curves.values())}"
    return [kept.title, value, str(found.gap), f"{100 * found.on_hull:.0f} %", beaten, *leads]


def _strengths(findings: Findings) -> str:
    rows, setups = findings.rows, findings.setups
    strengths = sorted({trial.strength for setup in setups for trial in rows.trials(setup)})
    lines = [
        [
            f"{strength:g}",
            *(_at(rows, setup, strength, measure) for measure in (CHANGE, LAYERS) for setup in setups),
        ]
        for strength in strengths
    ]
    columns = [
        "strength",
        *(f"{measure.title}: {setup.label}" for measure in (CHANGE, LAYERS) for setup in setups),
    ]
    picture = f"![Measures over strength]({findings.images}_strengths.png)"
    told = wrapped("How much changes at one strength, editor by editor: it should be about as much.")
    return f"## What a strength means\n\n{picture}\n\n{told}\n\n{table(columns, lines)}"


def _sets(findings: Findings) -> str:
    if not findings.sets:
        return ""
    trials = [trial for setup in findings.setups for trial in findings.rows.trials(setup)]
    references = [trial for trial in findings.sets[0].distances if trial.setup.way in REFERENCES]
    lines = [
        [trial.setup.label, f"{trial.strength:g}", *(str(one.distances[trial]) for one in findings.sets)]
        for trial in [*references, *trials]
        if trial in findings.sets[0].distances
    ]
    lines.append(["true sounds, round trip", "", *(str(one.rebuilt) for one in findings.sets)])
    lines.append(["true sounds", "", *(str(one.true) for one in findings.sets)])
    shares = ", ".join(f"{one.name} {100 * one.share:.0f} %" for one in findings.sets)
    told = wrapped(
        "Squared Fréchet distance of the edits to held-out renders of their target, target by target, then "
        "averaged; true sounds of all targets have a mean squared distance of 1 from their common centre. "
        f"VGGish is not at hand: the features are those of CLAP and of the judge, on the {AXES} axes along "
        f"which true sounds of all targets differ most ({shares} of their variance). The edits of a target "
        "are few, so their covariance is shrunk (Ledoit and Wolf). The last lines are other true sounds, as "
        "few: through VAE and vocoder, where all edits have been, and as they are."
    )
    columns = ["", "strength", *(f"distance by {one.name}" for one in findings.sets)]
    return f"## Distance to true sounds of the target\n\n{table(columns, lines)}\n\n{told}"


def _steps(findings: Findings) -> str:
    if not findings.steps:
        return ""
    rows = findings.rows
    lines = [
        [
            trial.setup.label,
            *(_mean(rows, trial, measure) for measure in STEP_MEASURES),
            *_times(rows, trial),
        ]
        for trial in findings.steps
    ]
    columns = ["", *(measure.title for measure in STEP_MEASURES), "edit, s", "sampling, s"]
    strength = findings.steps[0].strength
    told = wrapped(
        f"All at strength {strength:g}. Seconds are medians, with one thread; as other programs ran beside, "
        "it is their ratios that count."
    )
    against = _against(findings)
    return f"## Steps and time\n\n{table(columns, lines)}\n\n{told}" + (f"\n\n{against}" if against else "")


def _keeps(findings: Findings) -> str:
    if not findings.keeps:
        return ""
    measures = (PROMPT, JUDGED, CHROMA, ONSETS, LEVEL, SOURCE)
    lines = [
        [
            trial.setup.keep.replace("+", ", ") or "nothing",
            *(_mean(findings.rows, trial, measure) for measure in measures),
            *_times(findings.rows, trial),
        ]
        for trial in findings.keeps
    ]
    columns = ["kept", *(measure.title for measure in measures), "edit, s", "sampling, s"]
    return f"## What is kept on purpose, at the default\n\n{table(columns, lines)}"


def _against(findings: Findings) -> str:
    """Compare direct editing with few steps with inversion with many, pair by pair."""
    few, many = (
        next((one for one in findings.steps if (one.setup.way, one.setup.steps) == wanted), None)
        for wanted in (("direct", 20), ("invert", 100))
    )
    if few is None or many is None:
        return ""
    lines = []
    for measure in STEP_MEASURES:
        first_P, second_P = (findings.rows.values_P(trial, measure, measure.kinds) for trial in (few, many))
        if np.isnan(first_P).any():
            continue
        better = measure.sign * (first_P - second_P) > 0
        difference = str(mean_estimate(first_P - second_P))
        lines.append([measure.title, difference, f"{int(better.sum())} of {len(better)}"])
    title = f"{few.setup.label}, less {many.setup.label}"
    return table([title, "difference", "better in"], lines)


def _targets(findings: Findings) -> str:
    rows, default = findings.rows, findings.default
    trials = [Trial(setup=setup, strength=default.strength) for setup in findings.setups]
    trials = [trial for trial in trials if trial in rows.by_trial]
    targets = sorted({row.target for row in rows.by_trial[default].values()})
    lines = [
        [
            target,
            *(_of_target(rows, trial, target, one) for one in (PROMPT, SOURCE, LEVEL) for trial in trials),
        ]
        for target in targets
    ]
    columns = [
        "target",
        *(f"{one.title}: {trial.setup.label}" for one in (PROMPT, SOURCE, LEVEL) for trial in trials),
    ]
    return f"## By target, at strength {default.strength:g}\n\n{table(columns, lines)}"


def _pictures(findings: Findings) -> str:
    picture = f"![Mel spectrograms of sources and edits]({findings.images}_spectrograms.png)"
    told = wrapped("Sources and their edits at the default strength; 64 mel bands, 60 dB.")
    return f"## Seen\n\n{picture}\n\n{told}"


def _of_target(rows: Rows, trial: Trial, target: str, measure: Measure) -> str:
    values = [measure.of(row) for row in rows.by_trial[trial].values() if row.target == target]
    return f"{np.mean(values):.2f}"


def _mean(rows: Rows, trial: Trial, measure: Measure) -> str:
    values_P = rows.values_P(trial, measure, measure.kinds)
    return "" if not len(values_P) or np.isnan(values_P).any() else mean_estimate(values_P).short


def _at(rows: Rows, setup: Setup, strength: float, measure: Measure) -> str:
    trial = Trial(setup=setup, strength=strength)
    return _mean(rows, trial, measure) if trial in rows.by_trial else ""


def _times(rows: Rows, trial: Trial) -> tuple[str, str]:
    own: Sequence[Row] = list(rows.by_trial[trial].values())
    return (
        f"{np.median([row.seconds for row in own]):.2f}",
        f"{np.median([row.sampling_s for row in own]):.2f}",
    )

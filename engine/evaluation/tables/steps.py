"""Table 7 of the paper: how many steps sampling needs, with each sampler.

N clips, D features.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.evaluation.sampling import SamplingConfig
from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.generated import generated_features
from engine.evaluation.tables.plots import Chart, charts_png
from engine.evaluation.tables.rebuilt import UNLIKE, unlike
from engine.evaluation.tables.result import Line, Part, Result
from engine.evaluation.tables.scores import CLAP, FD, KL, Scores, scored
from engine.evaluation.tables.verdicts import Direction, verdict
from engine.types import SamplerName

PAPER_STEPS = (10, 25, 50, 100, 200)
# Where a small model, which is done by ten steps, shows what the paper shows from there on.
FEWER_STEPS = (3, 5)
OTHER_STEPS = (5, 10, 20)
FEW_STEPS = 20
AWAY = "away"

Setting = tuple[SamplerName, int]


def settings(
    ddim: tuple[int, ...] = (*FEWER_STEPS, *PAPER_STEPS), others: tuple[int, ...] = OTHER_STEPS
) -> tuple[Setting, ...]:
    """Return samplers with steps: DDIM as in the paper, the others up to where they no longer gain."""
    further = [name for name in SamplerName if name is not SamplerName.DDIM]
    return (
        *((SamplerName.DDIM, steps) for steps in ddim),
        *((name, steps) for name in further for steps in others),
    )


def steps_table(bench: Bench, chosen: tuple[Setting, ...] = settings()) -> Result:
    """Generate each text with each setting from the same noise, and score what comes out."""
    features = {
        setting: generated_features(
            bench, SamplingConfig(sampler=setting[0], steps=setting[1], seed=bench.seed)
        )
        for setting in chosen
    }
    most = max(steps for name, steps in chosen if name is SamplerName.DDIM)
    end_ND = features[SamplerName.DDIM, most]
    found = {
        setting: scored(bench, own_ND, {AWAY: unlike(own_ND, end_ND), UNLIKE: unlike(own_ND, bench.true_ND)})
        for setting, own_ND in features.items()
    }
    true = scored(bench, bench.other_ND, {UNLIKE: unlike(bench.other_ND, bench.true_ND)})
    lines = [Line(names=(name.value, str(steps)), scores=one) for (name, steps), one in found.items()]
    part = Part(
        title="Samplers and steps",
        names=("sampler", "steps"),
        figures=(f"{FD} ↓", f"{KL} ↓", f"{CLAP} ↑", AWAY),
        lines=(*lines, Line(names=("other true sounds", ""), scores=true)),
    )
    return Result(
        stem="steps",
        title="Sampling steps (table 7)",
        told=(
            "Each clip is generated from the caption of a true one, all settings from the same noise, "
            f"with guidance {SamplingConfig().guidance:g}. `{AWAY}` is 1 less the cosine, in CLAP's "
            f"features, of a clip and that of {most} DDIM steps: how far sampling itself has still to go. "
            "Other true sounds of the same kinds show what no model can do better by much. DDPM draws "
            "noise at each step: its clips are others, which are away however many steps it takes."
        ),
        parts=(part,),
        findings=_findings(found, true, most),
        picture=charts_png([_chart(found, name, true) for name in (FD, KL, CLAP, AWAY)]),
    )


def _findings(found: Mapping[Setting, Scores], true: Scores, most: int) -> tuple[str, ...]:
    ddim = {steps: one for (name, steps), one in found.items() if name is SamplerName.DDIM}
    fewest, middle = min(ddim), sorted(ddim)[-2]
    first = min(set(ddim) & set(PAPER_STEPS), default=fewest)
    falls = Direction.FALLS
    spans = (
        *((name, first, most, falls) for name in (FD, KL)),
        (FD, middle, most, falls),
        *((name, fewest, first, None) for name in (FD, KL, AWAY)),
    )
    told = [
        verdict(name, f"from {low} to {high} DDIM steps", (ddim[low], ddim[high]), paper)
        for name, low, high, paper in spans
        if low < high
    ]
    return (*told, _convergence(ddim, true, first, most), *_few(found, ddim[most], most))


def _convergence(ddim: Mapping[int, Scores], true: Scores, first: int, most: int) -> str:
    left = ddim[first].figures
    return (
        f"Why more than {first} steps gain little: clips of {first} steps are {left[AWAY].value:.3f} away "
        f"from those of {most}, in the measure in which they are {left[UNLIKE].value:.3f} away from the "
        f"true clips (other true sounds of the kinds: {true.figures[UNLIKE].value:.3f})."
    )


def _few(found: Mapping[Setting, Scores], end: Scores, most: int) -> tuple[str, ...]:
    few = {setting[0]: one.figures[FD].value for setting, one in found.items() if setting[1] == FEW_STEPS}
    if not few:
        return ()
    best = min(few, key=few.__getitem__)
    more = 100.0 * (few[best] / end.figures[FD].value - 1.0)
    told = (
        f"{FEW_STEPS} steps of the best sampler here, {best.value}, have an FD of {few[best]:.3f}, "
        f"{more:+.1f} % beside {most} DDIM steps."
    )
    return (told,)


def _chart(found: Mapping[Setting, Scores], figure: str, true: Scores) -> Chart:
    names = dict.fromkeys(name for name, _ in found)
    curves = {
        name.value: [
            (float(steps), one.figures[figure]) for (own, steps), one in found.items() if own is name
        ]
        for name in names
    }
    levels = {"other true sounds": true.figures[figure].value} if figure in true.figures else {}
    return Chart(over="steps", figure=figure, curves=curves, levels=levels, logarithmic=True)

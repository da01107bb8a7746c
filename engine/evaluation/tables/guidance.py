"""Figure 6 of the paper: what guidance does to distance, kind and text."""

from __future__ import annotations

from engine.evaluation.sampling import SamplingConfig
from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.generated import generated_features
from engine.evaluation.tables.plots import Chart, charts_png
from engine.evaluation.tables.result import Line, Part, Result
from engine.evaluation.tables.scores import CLAP, FD, KL, Scores, change, scored
from engine.evaluation.tables.verdicts import Direction, verdict

SCALES = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
PAPER_BEST = 3.0


def guidance_table(bench: Bench, scales: tuple[float, ...] = SCALES) -> Result:
    """Generate each text at each scale of guidance from the same noise."""
    found = {
        scale: scored(bench, generated_features(bench, SamplingConfig(guidance=scale, seed=bench.seed)))
        for scale in scales
    }
    true = scored(bench, bench.other_ND)
    lines = [Line(names=(f"{scale:g}",), scores=one) for scale, one in found.items()]
    usual = SamplingConfig()
    figures = (f"{FD} ↓", f"{KL} ↓", f"{CLAP} ↑")
    return Result(
        stem="guidance",
        title="Guidance scale (figure 6)",
        told=(
            f"Each clip is generated from the caption of a true one by {usual.steps} steps of "
            f"{usual.sampler.value}, all scales from the same noise. A scale of 1 is no guidance."
        ),
        parts=(
            Part(
                title="Scales",
                names=("scale",),
                figures=figures,
                lines=(*lines, Line(names=("other true sounds",), scores=true)),
            ),
        ),
        findings=_findings(found),
        picture=charts_png([_chart(found, true, name) for name in (FD, KL, CLAP)]),
    )


def _findings(found: dict[float, Scores]) -> tuple[str, ...]:
    least, most = min(found), max(found)
    lowest = {name: min(found, key=lambda scale: found[scale].figures[name].value) for name in (FD, KL)}
    told = [_lowest(lowest)]
    for name, best in lowest.items():
        # Where the lowest is at the end, the last two scales tell whether it is about to rise.
        last = best if best < most else sorted(found)[-2]
        sides = ((least, best, Direction.FALLS), (last, most, Direction.RISES))
        told += [
            verdict(name, f"from scale {low:g} to {high:g}", (found[low], found[high]), paper)
            for low, high, paper in sides
            if low < high
        ]
    if lowest[KL] > lowest[FD]:
        told.append(_why_later(found, lowest))
    return (*told, _text(found))


def _lowest(lowest: dict[str, float]) -> str:
    return (
        f"The lowest FD is at {lowest[FD]:g}, the lowest KL at {lowest[KL]:g}; in the paper both are at "
        f"{PAPER_BEST:g}, and rise on both sides of it."
    )


def _why_later(found: dict[float, Scores], lowest: dict[str, float]) -> str:
    first, last = lowest[FD], lowest[KL]
    kind = change(found[first], found[last], KL)
    distance = change(found[first], found[last], FD)
    return (
        "Why KL has its lowest value later: it asks only which name of a sound fits, not how the sound "
        f"is. From scale {first:g} to {last:g} that gains {-kind.value:.3f} while FD, which hears both, "
        f"is worse by {distance.value:.3f}."
    )


def _text(found: dict[float, Scores]) -> str:
    nearest = max(found, key=lambda scale: found[scale].figures[CLAP].value)
    gained = change(found[min(found)], found[nearest], CLAP)
    return (
        f"The text is met best at scale {nearest:g}: the CLAP score is {gained.value:+.3f} "
        f"[{gained.low:.3f}, {gained.high:.3f}] beside scale {min(found):g}. The paper does not tell it."
    )


def _chart(found: dict[float, Scores], true: Scores, figure: str) -> Chart:
    curve = [(scale, one.figures[figure]) for scale, one in found.items()]
    levels = {"other true sounds": true.figures[figure].value}
    return Chart(over="guidance scale", figure=figure, curves={"generated": curve}, levels=levels)

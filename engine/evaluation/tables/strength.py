"""Figure 3 of the paper: what the strength of a style transfer leaves of a source.

N clips, T strengths, S samples, D features.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from engine.evaluation.estimates import mean_estimate
from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.cache import Arrays
from engine.evaluation.tables.jobs import swept
from engine.evaluation.tables.plots import Chart, charts_png
from engine.evaluation.tables.rebuilt import Way, rebuilt
from engine.evaluation.tables.result import Line, Part, Result
from engine.evaluation.tables.scores import Scores, change
from engine.evaluation.tables.verdicts import Direction, verdict
from engine.types import Editor, Region, RenderSpec, Task

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
SOURCE, TARGET, TEXT = "source", "target", "text"


def strength_table(bench: Bench, strengths: tuple[float, ...] = STRENGTHS) -> Result:
    """Transfer each clip to the text of the next one, at rising strength."""
    found = _at_strengths(bench, strengths)
    untouched, again = _untouched(bench), _rebuilt(bench)
    ends = (("untouched", untouched), ("0: VAE, vocoder", again))
    named = (*ends, *((f"{strength:g}", one) for strength, one in found.items()))
    lines = tuple(Line(names=(name,), scores=one) for name, one in named)
    figures = (f"{SOURCE} (kept)", f"{TARGET} ↑", f"{TEXT} ↑")
    return Result(
        stem="strength",
        title="Strength of style transfer (figure 3)",
        told=(
            "Each clip is transferred to the caption of another, as a job of a user is, with the paper's "
            f"editor (`{Editor.RENOISE.value}`, eq. 10), whose n0/N the strength is. `{SOURCE}` is the "
            f"cosine of CLAP's features of result and source, `{TARGET}` that of the result and the true "
            f"clip with that caption, `{TEXT}` that of the result and the caption. "
            "[Transfers](transfer.md) compares the other editors."
        ),
        parts=(Part(title="Strengths", names=("strength",), figures=figures, lines=lines),),
        findings=_findings(found, again),
        picture=charts_png([_chart(found, again, name) for name in (SOURCE, TARGET, TEXT)]),
    )


def _at_strengths(bench: Bench, strengths: tuple[float, ...]) -> dict[float, Scores]:
    def make() -> Arrays:
        texts = _moved(bench.sounds.texts)
        takes_NTS = swept(bench, bench.sounds.audio_NS, lambda *asked: _spec(strengths, *asked), texts)
        return {f"{strength:g}": bench.hear(takes_NTS[:, row]) for row, strength in enumerate(strengths)}

    arrays = bench.trial({"trial": "transferred", "strengths": list(strengths)}, make)
    return {strength: _likeness(bench, arrays[f"{strength:g}"]) for strength in strengths}


def _spec(strengths: tuple[float, ...], text: str, seed: int) -> RenderSpec:
    return RenderSpec(
        task=Task.TRANSFER,
        prompt=text,
        region=Region(path="clip.wav"),
        editor=Editor.RENOISE,
        sweep=strengths,
        seed=seed,
    )


def _untouched(bench: Bench) -> Scores:
    return _likeness(bench, bench.true_ND)


def _rebuilt(bench: Bench) -> Scores:
    def make() -> Arrays:
        return {"features": bench.hear(rebuilt(bench.bundle, bench.sounds.audio_NS, Way.VAE_VOCODER))}

    return _likeness(bench, bench.trial({"trial": "round trip"}, make)["features"])


def _likeness(bench: Bench, features_ND: np.ndarray) -> Scores:
    by_clip = {
        SOURCE: (features_ND * bench.true_ND).sum(axis=1),
        TARGET: (features_ND * np.roll(bench.true_ND, -1, axis=0)).sum(axis=1),
        TEXT: (features_ND * np.roll(bench.text_ND, -1, axis=0)).sum(axis=1),
    }
    figures = {name: mean_estimate(values_N) for name, values_N in by_clip.items()}
    return Scores(figures=figures, by_clip=by_clip)


def _moved(texts: tuple[str, ...]) -> tuple[str, ...]:
    return (*texts[1:], texts[0])


def _findings(found: dict[float, Scores], again: Scores) -> tuple[str, ...]:
    least, most = min(found), max(found)
    between = f"from strength {least:g} to {most:g}"
    return (
        verdict(f"{SOURCE}", between, (found[least], found[most]), Direction.FALLS),
        verdict(f"{TARGET}", between, (found[least], found[most]), Direction.RISES),
        _largest_step(found, again),
    )


def _largest_step(found: dict[float, Scores], again: Scores) -> str:
    """Say between which strengths most of the source goes."""
    steps = {
        (low, high): change(before, after, SOURCE).value
        for (low, before), (high, after) in pairwise(((0.0, again), *sorted(found.items())))
    }
    low, high = min(steps, key=steps.__getitem__)
    return (
        f"Most of the source goes between strength {low:g} and {high:g} ({steps[low, high]:+.3f}). The "
        "paper has no numbers for this figure; its text says that the changes are larger at 0.75."
    )


def _chart(found: dict[float, Scores], again: Scores, figure: str) -> Chart:
    curve = [(strength, one.figures[figure]) for strength, one in found.items()]
    levels = {"VAE and vocoder alone": again.figures[figure].value}
    return Chart(over="strength", figure=f"likeness: {figure}", curves={"renoise": curve}, levels=levels)

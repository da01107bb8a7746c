"""Tables of models that are trained for them: variants of one project, each measured in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.evaluation.estimates import Estimate
from engine.evaluation.sampling import SamplingConfig
from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.judged import EVENLY, IS, NAMED, Jury
from engine.evaluation.tables.result import Line, Part
from engine.evaluation.tables.scores import CLAP, FD, KL, Scores, change
from engine.evaluation.tables.sounds import sounds_as_trained
from engine.evaluation.tables.variants import Variant
from engine.evaluation.tables.verdicts import Direction, direction_of, verdict
from engine.evaluation.tables.workshop import Trained, Workshop
from engine.models.bundle import Bundle
from engine.training.config import ProjectConfig, load_project

COLUMNS = (f"{FD} ↓", f"{IS} ↑", f"{KL} ↓", f"{CLAP} ↑", f"{NAMED} ↑", f"{EVENLY} ↑")
OTHERS = "other true sounds"
JUDGED = (FD, IS, KL, CLAP, NAMED, EVENLY)
_LESS_IS_BETTER = (FD, KL)
# What the paper says of each: worse in all three.
WORSE: Mapping[str, Direction] = {FD: Direction.RISES, IS: Direction.FALLS, KL: Direction.RISES}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRun:
    """What to train and measure with: folder keeps the trainings, trials the measurements."""

    project: Path
    folder: Path
    trials: Path
    clips: int
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Variants, trained and scored as they are asked for."""

    run: TrainedRun
    starter: Bundle

    @cached_property
    def config(self) -> ProjectConfig:
        return load_project(self.run.project)

    @cached_property
    def workshop(self) -> Workshop:
        return Workshop(config=self.config, starter=self.starter, folder=self.run.folder)

    @cached_property
    def bench(self) -> Bench:
        sounds, others = sounds_as_trained(self.run.project, self.run.clips)
        return Bench(
            bundle=self.starter, sounds=sounds, others=others, folder=self.run.trials, seed=self.run.seed
        )

    @cached_property
    def jury(self) -> Jury:
        judge, run = self.workshop.judge()
        names = tuple(concept.name for concept in self.config.store.catalogue)
        return Jury(bench=self.bench, judge=judge, run=run, names=names)

    @cached_property
    def others(self) -> Scores:
        return self.jury.others()

    def measured(self, variants: Sequence[Variant]) -> dict[Variant, tuple[Trained, Scores]]:
        """Train and score variants, each as soon as it is trained."""
        return {variant: self._measured(variant) for variant in variants}

    def _measured(self, variant: Variant) -> tuple[Trained, Scores]:
        trained = self.workshop.trained(variant)
        return trained, self.jury.generated(trained, SamplingConfig(seed=self.run.seed))

    def part(self, title: str, scores: Mapping[Variant, Scores]) -> Part:
        lines = [Line(names=(variant.value,), scores=one) for variant, one in scores.items()]
        return Part(
            title=title,
            names=("model",),
            figures=COLUMNS,
            lines=(*lines, Line(names=(OTHERS,), scores=self.others)),
        )

    def against(self, before: tuple[str, Scores], after: tuple[str, Scores]) -> list[str]:
        """Say where the figures go from one variant to another that the paper finds worse."""
        between = f"from {before[0]} to {after[0]}"
        return [verdict(name, between, (before[1], after[1]), way) for name, way in WORSE.items()]

    def by_chance(self, base: Scores, other: Scores) -> str:
        """Say how far another seed of the training alone moves each figure."""
        moved = {name: change(base, other, name) for name in JUDGED}
        told = ", ".join(f"{name} {one.value:+.3f}" for name, one in moved.items())
        sure = [name for name, one in moved.items() if direction_of(one) is not None]
        beyond = f"; {', '.join(sure)} beyond the interval" if sure else ""
        return (
            "The intervals are of clips, and each variant is trained once. Another seed of the same training "
            f"moves {told}{beyond}: what moves a figure by no more than that tells nothing."
        )

    def beside_both(self, name: str, one: Scores, bases: Sequence[Scores]) -> str:
        """Say in which figures a variant is better or worse than all trainings of the base."""
        sides = {"better": 1.0, "worse": -1.0}
        found = {side: [n for n in JUDGED if _beyond(one, bases, n, sign)] for side, sign in sides.items()}
        told = [f"{side} in {', '.join(names)}" for side, names in found.items() if names]
        among = [n for n in JUDGED if not any(n in names for names in found.values())]
        told += [f"among them in {', '.join(among)}"] if among else []
        return f"Beside the base's two seeds, {name} is {'; '.join(told)}."

    def told(self, found: Sequence[Trained]) -> str:
        """Say what was trained, on what, and for how long."""
        store, ldm, usual = self.config.store, self.config.ldm, SamplingConfig()
        trainings = ", ".join(f"{one.variant.value} {one.minutes:.1f}" for one in found)
        sizes = sorted(one.parameters for one in found)
        size = " to ".join(dict.fromkeys(f"{count / 1e6:.1f}" for count in (sizes[0], sizes[-1])))
        return (
            f"Each model is a U-Net of {size} million parameters, trained from nothing by "
            f"{self.run.project}: {ldm.optimiser.steps} steps of {ldm.batch} clips, of {store.clips} renders "
            f"of {len(store.catalogue)} sounds, of which the most frequent has {store.shares.max():.0%} of "
            f"the clips and the rarest {store.shares.min():.1%}. Minutes by the clock of one thread, on a "
            f"machine that others shared, for the U-Nets: {trainings}. The sounds to compare with are of the "
            f"kinds in the shares of the training, as the paper's are. `{IS}` is by the logits of a "
            "classifier which learnt from other renders, of all kinds alike, and never heard a model; "
            f"`{NAMED}` is the share of clips in which it hears the sound of the caption, and `{EVENLY}` the "
            "same with each kind of sound weighed alike. Clips are generated from the captions by "
            f"{usual.steps} steps of {usual.sampler.value} with guidance {usual.guidance:g}, all from the "
            "same noise."
        )

    def bars(self, scores: Mapping[Variant, Scores]) -> list[tuple[str, dict[str, Estimate]]]:
        named = {**{variant.value: one for variant, one in scores.items()}, OTHERS: self.others}
        return [
            (name, {own: one.figures[name] for own, one in named.items()})
            for name in (FD, IS, KL, NAMED, EVENLY)
        ]


def _beyond(one: Scores, bases: Sequence[Scores], name: str, sign: float) -> bool:
    """Tell whether a figure is better (sign 1) or worse (-1) than each of some others."""
    better = -sign if name in _LESS_IS_BETTER else sign
    return all(better * (one.figures[name].value - base.figures[name].value) > 0.0 for base in bases)

"""Tables of models that are trained for them: variants of one project, each measured in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean

from engine.evaluation.estimates import Estimate
from engine.evaluation.sampling import SamplingConfig
from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.judged import EVENLY, IS, NAMED, Jury
from engine.evaluation.tables.result import Line, Part
from engine.evaluation.tables.scores import CLAP, FD, KL, Scores, change, over_trainings, spread
from engine.evaluation.tables.sounds import sounds_as_trained
from engine.evaluation.tables.variants import Variant
from engine.evaluation.tables.verdicts import Direction, direction_of, verdict
from engine.evaluation.tables.workshop import Trained, Workshop
from engine.models.bundle import Bundle
from engine.training.config import ProjectConfig, load_project

COLUMNS = (f"{FD} ↓", f"{IS} ↑", f"{KL} ↓", f"{CLAP} ↑", f"{NAMED} ↑", f"{EVENLY} ↑")
OTHERS = "other true sounds"
EACH = "Each training"
OF_TRAININGS = (
    "`±` is half of a 95 % interval: of a bootstrap over clips, and for the means of a model's trainings of "
    "Student's t over these, too."
)
JUDGED = (FD, IS, KL, CLAP, NAMED, EVENLY)
_LESS_IS_BETTER = (FD, KL)
# What the paper says of each: worse in all three.
WORSE: Mapping[str, Direction] = {FD: Direction.RISES, IS: Direction.FALLS, KL: Direction.RISES}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRun:
    """What to train, how many times, and measure with.

    folder keeps the trainings, trials the measurements; seed is that of the noise that clips are made of.
    """

    project: Path
    folder: Path
    trials: Path
    clips: int
    trainings: int
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """The trainings of one variant, each of them scored, and all together."""

    trained: tuple[Trained, ...]
    each: tuple[Scores, ...]

    @cached_property
    def scores(self) -> Scores:
        return over_trainings(self.each)

    @property
    def parameters(self) -> int:
        return self.trained[0].parameters

    @property
    def minutes(self) -> float:
        """Return how long a training of the U-Net took, on average."""
        return fmean(one.minutes for one in self.trained)

    @property
    def vae_minutes(self) -> float:
        return fmean(one.vae_minutes for one in self.trained)


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

    def measured(self, variants: Sequence[Variant]) -> dict[Variant, Measured]:
        """Train and score variants, each training as soon as it is there."""
        return {variant: self._measured(variant) for variant in variants}

    def _measured(self, variant: Variant) -> Measured:
        sampling = SamplingConfig(seed=self.run.seed)
        trained, each = [], []
        for training in range(self.run.trainings):
            trained.append(self.workshop.trained(variant, training))
            each.append(self.jury.generated(trained[-1], sampling))
        return Measured(trained=tuple(trained), each=tuple(each))

    def rebuilt(self, one: Measured) -> Scores:
        """Score the true sounds as VAE and vocoder of each training give them back."""
        return over_trainings([self.jury.rebuilt(trained) for trained in one.trained])

    def parts(self, title: str, measured: Mapping[Variant, Measured]) -> tuple[Part, Part]:
        """Return the table of the models' means, and that of each of their trainings."""
        return self._means(title, measured), self._each(measured)

    def _means(self, title: str, measured: Mapping[Variant, Measured]) -> Part:
        lines = [Line(names=(variant.value,), scores=one.scores) for variant, one in measured.items()]
        return Part(
            title=title,
            names=("model",),
            figures=COLUMNS,
            lines=(*lines, Line(names=(OTHERS,), scores=self.others)),
        )

    def _each(self, measured: Mapping[Variant, Measured]) -> Part:
        lines = [
            Line(names=(variant.value, str(number)), scores=scores)
            for variant, one in measured.items()
            for number, scores in enumerate(one.each, start=1)
        ]
        return Part(title=EACH, names=("model", "training"), figures=COLUMNS, lines=tuple(lines))

    def against(self, before: tuple[str, Scores], after: tuple[str, Scores]) -> list[str]:
        """Say where the figures go from one variant to another that the paper finds worse."""
        between = f"from {before[0]} to {after[0]}"
        return [verdict(name, between, (before[1], after[1]), way) for name, way in WORSE.items()]

    def by_chance(self, measured: Iterable[Measured]) -> str:
        """Say how far the seed of a training alone moves each figure."""
        scores = [one.scores for one in measured]
        told = ", ".join(f"{name} {spread(scores, name):.3f}" for name in JUDGED)
        return (
            f"Each model was trained {self.run.trainings} times, with other seeds, and changes are between "
            "trainings of the same seed. From one training to another of the same model figures move by "
            f"(standard deviation) {told}. Each interval is at 95 % by itself: of so many a few go astray."
        )

    def beside(self, name: str, one: Scores, base: Scores) -> str:
        """Say in which figures a variant is better or worse than the base, beyond chance."""
        moved = {figure: direction_of(change(base, one, figure)) for figure in JUDGED}
        sides = {
            "better": [figure for figure, way in moved.items() if way is _better(figure)],
            "worse": [figure for figure, way in moved.items() if way not in {None, _better(figure)}],
            "not to be told from it": [figure for figure, way in moved.items() if way is None],
        }
        told = [f"{side} in {', '.join(names)}" for side, names in sides.items() if names]
        return f"Beside the base, {name} is {'; '.join(told)}."

    def told(self, found: Mapping[Variant, Measured]) -> str:
        """Say what was trained, on what, and for how long."""
        store, ldm, usual = self.config.store, self.config.ldm, SamplingConfig()
        trainings = ", ".join(f"{variant.value} {one.minutes:.1f}" for variant, one in found.items())
        sizes = sorted(one.parameters for one in found.values())
        size = " to ".join(dict.fromkeys(f"{count / 1e6:.1f}" for count in (sizes[0], sizes[-1])))
        return (
            f"Each model is a U-Net of {size} million parameters, trained from nothing by "
            f"{self.run.project}: {ldm.optimiser.steps} steps of {ldm.batch} clips, of {store.clips} renders "
            f"of {len(store.catalogue)} sounds, of which the most frequent has {store.shares.max():.0%} of "
            f"the clips and the rarest {store.shares.min():.1%}. Minutes by the clock of one thread, on a "
            f"machine that others shared, for a training of the U-Nets: {trainings}. The sounds to compare "
            f"with are of the kinds in the shares of the training, as the paper's are. `{IS}` is by the "
            "logits of a classifier which learnt from other renders, of all kinds alike, and never heard a "
            f"model; `{NAMED}` is the share of clips in which it hears the sound of the caption, and "
            f"`{EVENLY}` the same with each kind of sound weighed alike. Clips are generated from captions "
            f"by {usual.steps} steps of {usual.sampler.value} with guidance {usual.guidance:g}, all from the "
            "same noise."
        )

    def bars(self, measured: Mapping[Variant, Measured]) -> list[tuple[str, dict[str, Estimate]]]:
        named = {**{variant.value: one.scores for variant, one in measured.items()}, OTHERS: self.others}
        return [
            (name, {own: one.figures[name] for own, one in named.items()})
            for name in (FD, IS, KL, NAMED, EVENLY)
        ]


def _better(name: str) -> Direction:
    return Direction.FALLS if name in _LESS_IS_BETTER else Direction.RISES

"""What each of two processes runs for the tests of training in several: every recipe, cut and uncut.

Started by torchrun, with the folders of clips and latents, and one for what comes out.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import EngineError
from engine.training import parallel
from engine.training.latents import LatentStore
from engine.training.loop import LoopConfig, Metrics, Recipe, train
from engine.training.precision import Precision
from engine.training.recipes.ldm import LdmRecipe
from engine.training.store import ClipStore
from engine.training.tally import Tally
from tests.unit import training_setups as setups

STEPS = 3
# Where a gradient is nothing but rounding, Adam would make it a whole step: not where it is below epsilon.
OPTIMISER = replace(setups.OPTIMISER, epsilon=1e-4)

Build = Callable[[ClipStore, LatentStore], Recipe]
RECIPES: dict[str, Build] = {
    "vae": lambda clips, _: setups.vae(clips, optimiser=OPTIMISER, adversarial_from=1),
    "vocoder": lambda clips, _: setups.vocoder(clips, optimiser=OPTIMISER, adversarial_from=1),
    "clap": lambda clips, _: setups.clap(
        clips, optimiser=OPTIMISER, batch=5, extra_texts=4, concept_weight=0.5, dropout=0.3
    ),
    "roberta": lambda clips, _: setups.roberta(clips, optimiser=OPTIMISER, batch=5, dropout=0.3),
    "ldm": lambda _, latents: setups.ldm(latents, optimiser=OPTIMISER, text_probability=0.3, shards=2),
    "classifier": lambda clips, _: setups.classifier(clips, optimiser=OPTIMISER),
}


class Watched:
    """A recipe whose metrics are kept, and whose process may end in the middle of a step."""

    def __init__(self, recipe: Recipe, killed_at: int | None = None) -> None:
        self.recipe, self._killed_at = recipe, killed_at
        self.state_dict, self.load_state_dict = recipe.state_dict, recipe.load_state_dict
        self.device = recipe.device
        self.metrics: list[Metrics] = []

    def train_step(self, step: int) -> Metrics:
        self.metrics.append(self.recipe.train_step(step))
        if step == self._killed_at:
            raise KeyboardInterrupt
        return self.metrics[-1]


class Failing(Watched):
    """A recipe that fails in the second process alone."""

    def train_step(self, step: int) -> Metrics:
        if step == STEPS - 1 and not parallel.is_first():
            raise EngineError("The second one has had enough.")
        return super().train_step(step)


class Overflowing(LdmRecipe):
    """A recipe whose gradients overflow in the second process alone, at one step."""

    def _gradients(self, step: int, tally: Tally) -> Iterator[Sequence[Tensor]]:
        factor = math.inf if step == 1 and not parallel.is_first() else 1.0
        for gradients in super()._gradients(step, tally):
            yield [factor * gradient for gradient in gradients]


def overflowed(latents: LatentStore, folder: Path) -> dict[str, Any]:
    """Return metrics and state of a run in float16 one step of which has to be skipped."""
    watched = Watched(
        Overflowing(setups.ldm_config(precision=Precision.FLOAT16, optimiser=OPTIMISER), latents)
    )
    train(watched, folder, LoopConfig(steps=STEPS))
    return {"metrics": watched.metrics, "state": watched.recipe.state_dict()}


def trained(build: Build, clips: ClipStore, latents: LatentStore, folder: Path) -> dict[str, Any]:
    """Return metrics and state of a run, and the state of one that was killed and resumed."""
    whole, resumed = Watched(build(clips, latents)), build(clips, latents)
    train(whole, folder / "whole", LoopConfig(steps=STEPS))
    try:
        killed = Watched(build(clips, latents), killed_at=STEPS - 2)
        train(killed, folder / "cut", LoopConfig(steps=STEPS, save_minutes=0.0))
    except KeyboardInterrupt:
        parallel.wait_for_all()
    train(resumed, folder / "cut", LoopConfig(steps=STEPS))
    return {
        "metrics": whole.metrics,
        "state": whole.recipe.state_dict(),
        "resumed": resumed.state_dict(),
    }


def main(clips: Path, latents: Path, out: Path) -> None:
    """Train every recipe, and end with an error in one of the processes, in the middle of a step."""
    torch.set_num_threads(1)
    with parallel.joined():
        results = {
            name: trained(build, ClipStore(clips), LatentStore(latents), out / name)
            for name, build in RECIPES.items()
        }
        results["overflow"] = overflowed(LatentStore(latents), out / "overflow")
        torch.save(results, out / ("first.pt" if parallel.is_first() else "second.pt"))
        train(Failing(setups.ldm(LatentStore(latents))), out / "failing", LoopConfig(steps=STEPS))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

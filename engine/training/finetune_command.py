"""Train a finished model on: python -m engine.training finetune MODEL SOUNDS --into FOLDER."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from engine.errors import NotFound, SpecError
from engine.models.card import CARD_FILE, read_card
from engine.models.store import model_folder
from engine.training import parallel
from engine.training.call import MAX_FILE_BYTES, STARTER_RUN, Call, require_replaceable
from engine.training.clips import Clips
from engine.training.data.own_sounds import cut_like, prepare_own
from engine.training.data.prepared import HELD_OUT, PreparedClips
from engine.training.data.preparing import summary
from engine.training.finetune import RUN, FinetuneConfig, finetuned, judged, save_finetuned
from engine.training.precision import Precision

_DEFAULT = FinetuneConfig()


class _Positive(click.FloatRange):
    """A finite number above 0."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


_POSITIVE = _Positive()


@click.command()
@click.argument("model")
@click.argument("sounds", type=Path, required=False)
@click.option("--into", type=Path, required=True, help="Folder of the new model.")
@click.option(
    "--lora-rank",
    type=click.IntRange(0),
    default=_DEFAULT.lora_rank,
    show_default=True,
    help="0 trains all weights of the U-Net.",
)
@click.option(
    "--steps", type=click.IntRange(1), help=f"Of all calls [default: {_DEFAULT.steps}; none with --minutes]."
)
@click.option("--minutes", type=_POSITIVE, help="Stop training after so long; the same call goes on.")
@click.option("--batch", type=click.IntRange(1), default=_DEFAULT.batch, show_default=True)
@click.option("--learning-rate", type=_POSITIVE, default=_DEFAULT.learning_rate, show_default=True)
@click.option(
    "--precision",
    type=click.Choice([one.value for one in Precision]),
    default=_DEFAULT.precision.value,
    show_default=True,
)
@click.pass_obj
def finetune(
    call: Call,
    /,
    *,
    model: str,
    sounds: Path | None,
    into: Path,
    steps: int | None,
    minutes: float | None,
    precision: str,
    **how: Any,
) -> None:
    """Train a finished MODEL on with your own SOUNDS, and tell what that changed.

    MODEL is the name of an installed model or a folder with one, SOUNDS a folder of sounds (or a list that
    `prepare` takes). They are cut to the length of the model's clips; a text beside a sound, or else the
    name of its folder, says what it is. A tenth of them is kept back to measure by. Without SOUNDS those of
    the --project are taken. What is made on the way lies in --folder [default: runs/ and the name of --into].
    Under torchrun all its processes share each batch.

    Example: python -m engine.training finetune starter ~/sounds/doors --into models/doors
    """
    if steps is None and minutes is None:
        steps = _DEFAULT.steps
    config = FinetuneConfig(steps=steps, minutes=minutes, precision=Precision(precision), **how)
    found = _folder_of(model)
    _require_other(into, found)
    folder = call.folder or (Path("runs") / into.name if sounds else STARTER_RUN)
    with parallel.joined() as device:
        first = parallel.is_first()
        clips, held_out = _own(sounds, folder / RUN / "clips", found) if sounds else _of_project(call)
        tuned = finetuned(clips, found, folder, config, device)
    # The others are done, and wait for nobody.
    if first:
        saved = judged(tuned, held_out, into.name)
        save_finetuned(saved, into, MAX_FILE_BYTES)
        click.echo(json.dumps(saved.card.metrics["finetuning"], indent=2))


def _folder_of(model: str) -> Path:
    folder = Path(model)
    if (folder / CARD_FILE).is_file():
        return folder
    if folder.is_absolute() or len(folder.parts) > 1:
        raise NotFound(
            f"{folder} holds no {CARD_FILE}.", "Give the folder of a model, or the name of an installed one."
        )
    return model_folder(model)


def _own(sounds: Path, into: Path, model: Path) -> tuple[Clips, Clips]:
    """Return what the first process makes of some sounds: clips to learn from, and those held out."""
    if parallel.is_first():
        own = prepare_own(sounds, into, cut_like(read_card(model)))
        for part in (own.clips, own.held_out):
            click.echo(summary(part))
    parallel.wait_for_all()
    return PreparedClips(into), PreparedClips(into / HELD_OUT)


def _of_project(call: Call) -> tuple[Clips, Clips]:
    project = call.project()
    return project.clips, project.held_out


def _require_other(into: Path, model: Path) -> None:
    require_replaceable(into)
    if into.resolve() == model.resolve():
        raise SpecError(f"{into} is the model that is trained on.", "Write the new one into another folder.")

"""Train from the command line: python -m engine.training STAGE [OPTIONS]."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import click
import torch

from engine.audio.mel import MelFrontEnd
from engine.errors import EngineError, error_line
from engine.evaluation import throughput_page
from engine.evaluation.classifier import ClassifierRecipe
from engine.evaluation.model_page import read_journals, write_model_page
from engine.evaluation.parts import measure_vae, measure_vocoder
from engine.evaluation.sampling import SamplingConfig
from engine.evaluation.starter import report
from engine.models.bundle import load_bundle, save_bundle
from engine.models.mel_matching import matched
from engine.training import parallel
from engine.training.call import MAX_FILE_BYTES, STARTER_RUN, Call, require_replaceable, with_project
from engine.training.config import ProjectConfig
from engine.training.data.command import prepare
from engine.training.finetune_command import finetune
from engine.training.loop import LoopConfig, train
from engine.training.project import Project, TrainableRecipe
from engine.training.recipes.roberta import RobertaRecipe
from engine.training.store import StoreConfig, render_store
from engine.training.warm_start import begin_from

HELD_OUT_CLIPS = 1200
STAGES: dict[str, Callable[[Project], TrainableRecipe]] = {
    "vae": Project.vae_recipe,
    "vocoder": Project.vocoder_recipe,
    "clap": Project.clap_recipe,
    "roberta": Project.roberta_recipe,
    "ldm": Project.ldm_recipe,
    "classifier": Project.classifier_recipe,
}


@click.group()
@click.option("--project", "project_path", type=Path, default=Path("presets/training/starter.toml"))
@click.option("--folder", type=Path, help=f"Where stores and runs lie [default: {STARTER_RUN}].")
@click.option("--threads", default=torch.get_num_threads(), show_default=True)
@click.pass_context
def main(context: click.Context, project_path: Path, folder: Path | None, threads: int) -> None:
    """Train a model stage by stage: data or prepare, vae, vocoder, clap, latents, ldm, classifier."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    torch.set_num_threads(threads)
    context.obj = Call(project_path=project_path, folder=folder)


@main.command()
@click.option("--processes", default=2, show_default=True)
@with_project
def data(project: Project, processes: int) -> None:
    """Render the training clips and a small held-out set."""
    render_store(project.folder / "clips", project.config.store, processes)
    render_store(project.folder / "held_out", held_out_config(project.config), processes)


main.add_command(prepare)


@main.command()
@click.argument("stage", type=click.Choice(sorted(STAGES)))
@click.option("--minutes", type=float, default=float("inf"), help="Stop this call after so long.")
@click.option("--start-from", type=Path, help="Folder of a model whose weights a new run begins with.")
@with_project
def fit(project: Project, stage: str, minutes: float, start_from: Path | None) -> None:
    """Train one network for as many steps as its recipe says, going on from its last checkpoint.

    Under torchrun all its processes share each batch, one GPU each where there are GPUs.
    """
    with parallel.joined() as device:
        recipe = STAGES[stage](project)
        if start_from is not None:
            _begin(recipe, stage, project.folder / stage, start_from)
        recipe.to(device)
        config = LoopConfig(steps=recipe.config.optimiser.steps, minutes=minutes)
        train(recipe, project.folder / stage, config)


def _begin(recipe: TrainableRecipe, stage: str, folder: Path, model: Path) -> None:
    if isinstance(recipe, ClassifierRecipe | RobertaRecipe):
        raise click.UsageError(f"--start-from: no model holds a {stage}.")
    if parallel.is_first():
        begin_from(recipe, stage, folder, model)
    parallel.wait_for_all()


@main.command()
@with_project
def latents(project: Project) -> None:
    """Encode the clips for the diffusion training."""
    project.cache_latents()


@main.command()
@click.argument("stage", type=click.Choice(["vae", "vocoder"]))
@click.option("--clips", default=480, show_default=True, help="Held-out clips to rebuild.")
@click.option("--judge", "judge_folder", type=Path, help="Folder with a judge [default: --folder].")
@with_project
def measure(project: Project, stage: str, clips: int, judge_folder: Path | None) -> None:
    """Tell how well a trained VAE or vocoder rebuilds held-out clips; needs the classifier."""
    judge = Project(project.config, judge_folder or project.folder).classifier()
    if stage == "vae":
        figures = measure_vae(project.vae(), judge, project.held_out, clips)
    else:
        vocoder = matched(project.vocoder(), MelFrontEnd(project.config.mel), project.config.mel_matching)
        figures = measure_vocoder(vocoder, judge, project.held_out, clips)
    click.echo(json.dumps(asdict(figures), indent=2))


@main.command()
@click.option("--name", default="starter", show_default=True)
@click.option("--licence", default="Apache-2.0", show_default=True)
@click.option("--per-concept", default=4, show_default=True, help="Clips to generate of each concept.")
@click.option("--guidance", default=2.5, show_default=True)
@click.option("--into", type=Path, required=True, help="Folder of the finished model.")
@with_project
def export(project: Project, name: str, licence: str, per_concept: int, guidance: float, into: Path) -> None:
    """Measure the trained model and write it, with its card, as a bundle."""
    require_replaceable(into)
    bundle = project.bundle(name, licence)
    config = SamplingConfig(guidance=guidance)
    figures = report(bundle, project.classifier(), project.held_out, per_concept, config)
    saved = save_bundle(into, bundle, replace(bundle.card, metrics=figures), max_file_bytes=MAX_FILE_BYTES)
    click.echo(json.dumps(saved.metrics, indent=2))


@main.command()
@click.argument("model", type=Path)
@click.option("--page", type=Path, default=Path("docs/results/starter.md"), show_default=True)
@with_project
def card(project: Project, model: Path, page: Path) -> None:
    """Write a page on a MODEL that was exported: figures, curves of its training, spectrograms, failures."""
    write_model_page(page, load_bundle(model), read_journals(project.folder), project.held_out)
    click.echo(page)


main.add_command(finetune)


@main.command()
@click.option("--seconds", default=20.0, show_default=True, help="How long to train each recipe.")
@click.option("--page", type=Path, default=Path("docs/results/throughput.md"), show_default=True)
@click.pass_obj
def throughput(call: Call, seconds: float, page: Path) -> None:
    """Measure how fast the recipes train here, and project the cost of the paper's training."""
    text = throughput_page.measure(call.project().config, str(call.project_path), seconds)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text)
    click.echo(text)


def held_out_config(config: ProjectConfig) -> StoreConfig:
    """Return the store of clips that no training sees."""
    return replace(config.store, singles=HELD_OUT_CLIPS, mixtures=0, held_out=True)


def run() -> None:
    """Run the command line; an expected failure ends it with one sentence."""
    try:
        main(standalone_mode=True)
    except EngineError as error:
        raise SystemExit(error_line(error.info)) from error


if __name__ == "__main__":
    run()

"""How fast each recipe trains on this machine, beside what the machine can do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.training.config import ProjectConfig
from engine.training.latents import LatentStore, save_latents
from engine.training.loop import save
from engine.training.project import Project, TrainableRecipe
from engine.training.recipes.ldm import LdmRecipe
from engine.training.recipes.vae import VaeRecipeConfig
from engine.training.recipes.vocoder import VocoderRecipeConfig
from engine.training.store import render_store

CLIPS = 256
MATRIX_WIDTH = 2048
MATRIX_PRODUCTS = 12
BUILDERS: dict[str, Callable[[Project], TrainableRecipe]] = {
    "vae": Project.vae_recipe,
    "vocoder": Project.vocoder_recipe,
    "clap": Project.clap_recipe,
    # Its latents are of no VAE, for which the project's own recipe would look.
    "ldm": lambda project: LdmRecipe(project.config.ldm, LatentStore(project.folder / "latents")),
    "classifier": Project.classifier_recipe,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What a recipe does on this machine; one operation is a multiplication or an addition.

    Seconds are those that its threads computed: what else the machine does meanwhile does not count.
    had is the share of its threads' time that the machine gave it: less than one where others work, too.
    """

    name: str
    batch: int
    clips_per_s: float
    operations_per_clip: int
    had: float = 1.0

    @property
    def operations_per_s(self) -> float:
        return self.clips_per_s * self.operations_per_clip


def matrix_peak(dtype: torch.dtype) -> float:
    """Return the operations per second of the best of some square matrix products."""
    left, right = (torch.randn(MATRIX_WIDTH, MATRIX_WIDTH).to(dtype) for _ in range(2))
    fastest_s = min(_seconds(lambda: torch.mm(left, right)) for _ in range(MATRIX_PRODUCTS))
    return 2 * MATRIX_WIDTH**3 / fastest_s


def operations_of(work: Callable[[], object]) -> int:
    """Return the operations of all convolutions and matrix products in some work, backward passes too."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def measure_recipe(name: str, project: Project, seconds: float) -> Throughput:
    """Train a recipe for some seconds on what `prepare` wrote, with its judges where its run gets to them."""
    recipe = BUILDERS[name](project)
    step = _typical_step(recipe)
    operations = _operations_of_step(name, project, step)
    recipe.train_step(step)
    done, began_s, began_cpu_s = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began_s < seconds or done < 2:
        done += 1
        recipe.train_step(step + done)
    took_s, took_cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    batch = min(recipe.config.batch, len(project.clips))
    return Throughput(
        name=name,
        batch=batch,
        clips_per_s=batch * done * torch.get_num_threads() / took_cpu_s,
        operations_per_clip=round(operations / batch),
        had=min(1.0, took_cpu_s / (took_s * torch.get_num_threads())),
    )


def prepare(config: ProjectConfig, folder: Path, clips: int = CLIPS) -> Project:
    """Render a few clips like the project's; its VAE is an untrained one, and its latents are noise."""
    render_store(folder / "clips", replace(config.store, singles=clips, mixtures=0), processes=1)
    project = Project(config, folder)
    (folder / "vae").mkdir()
    save(project.vae_recipe(), folder / "vae", step=1)
    network, ratio = config.ldm.network, config.vae.network.ratio
    frames = project.clips.config.clip_samples // config.mel.hop_samples
    rng = np.random.default_rng(0)
    shape = (clips, network.in_channels, frames // ratio, config.mel.mel_bins // ratio)
    rows = rng.standard_normal((2, clips, network.condition_width))
    arrays: dict[str, np.ndarray] = {
        "mean": rng.standard_normal(shape).astype(np.float16),
        "std": np.full(shape, 0.1, np.float16),
        "audio_embedding": rows[0].astype(np.float16),
        "text_embedding": rows[1].astype(np.float16),
        "empty": rows[0, 0].astype(np.float32),
    }
    save_latents(folder / "latents", arrays, encoders="noise")
    return project


def _operations_of_step(name: str, project: Project, step: int) -> int:
    # The counter sees its own thread alone.
    config = replace(project.config, ldm=replace(project.config.ldm, shards=1))
    recipe = BUILDERS[name](Project(config, project.folder))
    return operations_of(lambda: recipe.train_step(step))


def _typical_step(recipe: TrainableRecipe) -> int:
    """Return the first step that is like most of a run's: with judges, if it gets as far as to have them."""
    config = recipe.config
    if isinstance(config, VaeRecipeConfig | VocoderRecipeConfig):
        return config.adversarial_from if config.adversarial_from < config.optimiser.steps else 0
    return 0


def _seconds(work: Callable[[], object]) -> float:
    began_s = time.process_time()
    work()
    return (time.process_time() - began_s) / torch.get_num_threads()

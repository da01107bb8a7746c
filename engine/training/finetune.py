"""A finished model trained on with sounds of one's own, and what that changed.

B batch, S samples, C latent channels, H latent time, W latent frequency, E embedding.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.errors import SpecError
from engine.evaluation.sampling import SamplingConfig, encode, generate
from engine.models.bundle import Bundle, load_bundle, save_bundle
from engine.models.clap import TransformersClap
from engine.models.companions import plain_name
from engine.training import parallel
from engine.training.clips import Clips
from engine.training.draws import Draws
from engine.training.latents import LatentStore, cache_latents, weights_digest
from engine.training.loop import CHECKPOINT, ENDLESS, LoopConfig, train
from engine.training.lora import fold_low_rank
from engine.training.losses import diffusion_loss
from engine.training.optimise import OptimiserConfig
from engine.training.precision import Precision
from engine.training.project import averaged
from engine.training.recipes.ldm import LdmRecipe, LdmRecipeConfig
from engine.training.warm_start import ORIGIN, begin_from

RUN = "finetuned"
LATENTS = "latents"
CPU = torch.device("cpu")
JUDGED_CLIPS = 24
NOISE_LEVELS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneConfig:
    """How a model is trained on; lora_rank 0 trains all of its U-Net.

    minutes bounds each call. With no number of steps the learning rate stays what it is until the minutes are
    over, and another call goes on.
    """

    lora_rank: int = 8
    steps: int | None = 400
    minutes: float | None = None
    batch: int = 8
    learning_rate: float = 5e-4
    text_probability: float = 0.7
    precision: Precision = Precision.BFLOAT16
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise SpecError("Nothing says when to stop.", "Give a number of steps or of minutes.")

    def recipe(self, bundle: Bundle) -> LdmRecipeConfig:
        return LdmRecipeConfig(
            network=bundle.card.configs.unet,
            lora_rank=self.lora_rank,
            batch=self.batch,
            text_probability=self.text_probability,
            snr_floor=1.0,
            posterior_noise=False,
            optimiser=self._optimiser(),
            ema_decay=0.99,
            precision=self.precision,
            seed=self.seed,
        )

    def loop(self) -> LoopConfig:
        minutes = math.inf if self.minutes is None else self.minutes
        return LoopConfig(steps=ENDLESS if self.steps is None else self.steps, minutes=minutes)

    def _optimiser(self) -> OptimiserConfig:
        config = OptimiserConfig(learning_rate=self.learning_rate, warmup_steps=20, weight_decay=0.0)
        if self.steps is None:
            return replace(config, final_ratio=1.0)
        return replace(config, steps=self.steps)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finetuned:
    """A model before and after it was trained on, so many steps with so many clips."""

    before: Bundle
    after: Bundle
    config: FinetuneConfig
    clips: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How well a model does on clips that it was not trained on.

    noise_error is the mean square of what its U-Net leaves of the noise, over even levels; the others are
    cosines of CLAP between what it generates for the clips' captions and those clips, or those captions.
    """

    noise_error: float
    to_clips: float
    to_captions: float


def finetuned(
    clips: Clips, model: Path, folder: Path, config: FinetuneConfig, device: torch.device = CPU
) -> Finetuned:
    """Train a model's U-Net on clips; processes that were joined share each batch.

    The run lies in `folder` and goes on from its last checkpoint. Raises SpecError where the model hears
    another rate than that of the clips, where it has no CLAP that this project trains on, or where the run
    began with another model or other clips.
    """
    bundle = load_bundle(model)
    clap = _require_fit(bundle, clips)
    run = folder / RUN
    if parallel.is_first() and (run / CHECKPOINT).exists():
        _require_same_start(run, bundle, clips)
    elif parallel.is_first():
        cache_latents(clips, run / LATENTS, bundle.vae, bundle.mel, clap, bundle.scale_factor)
    parallel.wait_for_all()
    recipe = LdmRecipe(config.recipe(bundle), LatentStore(run / LATENTS))
    if parallel.is_first() and not (run / CHECKPOINT).exists():
        begin_from(recipe, "ldm", run, model)
    parallel.wait_for_all()
    recipe.to(device)
    steps = train(recipe, run, config.loop())
    network = averaged(recipe).to(CPU)
    fold_low_rank(network)
    after = replace(bundle, unet=network)
    return Finetuned(before=bundle, after=after, config=config, clips=len(clips), steps=steps)


def judged(tuned: Finetuned, held_out: Clips, name: str) -> Bundle:
    """Return the trained model by its own name, with a card that tells how it and the first one do."""
    config, card = tuned.config, tuned.before.card
    before, after = (likeness(bundle, held_out, config.seed) for bundle in (tuned.before, tuned.after))
    report = {"before": asdict(before), "after": asdict(after)}
    history = {**asdict(config), "began_with": card.name, "clips": tuned.clips, "steps": tuned.steps}
    told = replace(
        card,
        name=plain_name(name),
        training={**card.training, "finetuning": history},
        metrics={**card.metrics, "finetuning": report},
    )
    return replace(tuned.after, card=told)


def save_finetuned(tuned: Bundle, into: Path, max_file_bytes: int) -> None:
    """Write a fine-tuned model and the report on it."""
    save_bundle(into, tuned, tuned.card, max_file_bytes=max_file_bytes)
    (into / "finetuning.json").write_text(json.dumps(tuned.card.metrics["finetuning"], indent=2))


@torch.no_grad()
def likeness(bundle: Bundle, held_out: Clips, seed: int) -> Likeness:
    """Measure a model on the first held-out clips, with the same noise for every model."""
    indices = np.arange(min(JUDGED_CLIPS, len(held_out)))
    captions, real_BS = held_out.captions(indices), torch.from_numpy(held_out.audio(indices))
    frames = held_out.config.clip_samples // bundle.mel.config.hop_samples
    made_BS = generate(bundle, captions, frames, SamplingConfig(seed=seed))
    rate_hz = bundle.mel.config.sample_rate_hz
    made_BE = bundle.clap.embed_audio(made_BS, rate_hz)
    real_BE, text_BE = bundle.clap.embed_audio(real_BS, rate_hz), bundle.clap.embed_text(captions)
    return Likeness(
        noise_error=noise_error(bundle, encode(bundle, real_BS), text_BE, seed),
        to_clips=_cosine(made_BE, real_BE),
        to_captions=_cosine(made_BE, text_BE),
    )


@torch.no_grad()
def noise_error(bundle: Bundle, z_BCHW: Tensor, condition_BE: Tensor, seed: int) -> float:
    """Return what the U-Net leaves of the noise on scaled latents, the mean over even levels."""
    errors = []
    for step in np.linspace(0, bundle.schedule.steps - 1, NOISE_LEVELS, dtype=int).tolist():
        noise_BCHW = Draws(seed, step, slice(0, len(z_BCHW))).normal(*z_BCHW.shape[1:])
        t_B = torch.full((len(z_BCHW),), step)
        predicted_BCHW = bundle.unet(bundle.schedule.diffuse(z_BCHW, t_B, noise_BCHW), t_B, condition_BE)
        errors.append(diffusion_loss(predicted_BCHW, noise_BCHW, torch.ones(len(z_BCHW))).item())
    return sum(errors) / len(errors)


def _cosine(first_BE: Tensor, second_BE: Tensor) -> float:
    return torch.nn.functional.cosine_similarity(first_BE, second_BE).mean().item()


def _require_fit(bundle: Bundle, clips: Clips) -> TransformersClap:
    if not isinstance(bundle.clap, TransformersClap):
        raise SpecError(f"{bundle.card.name} has a CLAP that nothing here trains on.")
    rate_hz = bundle.mel.config.sample_rate_hz
    if clips.config.sample_rate_hz != rate_hz:
        raise SpecError(
            f"The clips have {clips.config.sample_rate_hz} Hz, but {bundle.card.name} hears {rate_hz} Hz.",
            "Prepare them at the model's rate.",
        )
    return bundle.clap


def _require_same_start(run: Path, bundle: Bundle, clips: Clips) -> None:
    """Raise SpecError unless a run that goes on began with this model and these clips."""
    began_with = json.loads((run / ORIGIN).read_text()).get("weights")
    if began_with != weights_digest(bundle.unet):
        raise _other_start(run, "another model")
    latents = LatentStore(run / LATENTS)
    if len(latents) != len(clips):
        raise _other_start(run, f"{len(latents)} clips, not with these {len(clips)}")


def _other_start(run: Path, what: str) -> SpecError:
    return SpecError(
        f"The training in {run} began with {what}.", "Name another --folder, or remove that one."
    )

"""The only pipeline: a spec, a model and a clip in, finished takes out.

Legend: B batch, S samples, T mel frames, M mel bins, C latent channels, H latent time,
W latent frequency.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from torch import Tensor

from engine.audio.grid import LatentGrid, latent_mask
from engine.audio.io import AudioClip
from engine.audio.level import decibels, peak, rms
from engine.canvas import (
    Canvas,
    canvas_of,
    edited_clip,
    effective_mask,
    empty_canvas,
    generated_clip,
    region_of,
)
from engine.conditioning import Conditioning, conditioning, similarity
from engine.diffusion.denoiser import Denoise, conditional_denoiser
from engine.diffusion.guidance import Guidance, guided
from engine.diffusion.masks import MASK_PASSES, inpainting
from engine.diffusion.noise import SeededNoise
from engine.diffusion.samplers import StepInfo, sampler_named, spacing_for, starting_latent
from engine.errors import Cancelled, EngineError, NanOutput, OutOfMemory, SilentOutput, SpecError
from engine.models.bundle import Bundle
from engine.models.packed import packed
from engine.types import ErrorInfo, Mask, RenderSpec, Task

SILENT_PEAK = 1e-4
_SEED_HINT = "Try another seed or prompt."
_OOM_PHRASES = ("out of memory", "not enough memory", "can't allocate memory")
_OOM_HINT = "Close other programs, or choose a shorter region or a smaller model."


class Stage(Enum):
    ENCODE = "encode"
    SAMPLE = "sample"
    DECODE = "decode"
    RANK = "rank"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """step of total are done in this stage of this take; takes count from 1."""

    stage: Stage
    step: int
    total: int
    take: int
    takes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeDropped:
    """A take that failed while others go on."""

    seed: int
    error: ErrorInfo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenderedTake:
    """A finished result, not yet in a file; a take's list is ordered best first."""

    clip: AudioClip
    seed: int
    clap_score: float
    peak_db: float
    rms_db: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preview:
    """What a take would be if the model's present guess were the end; step counts from 1, takes too."""

    clip: AudioClip
    step: int
    take: int


OnEvent = Callable[[Progress | TakeDropped | Preview], None]
IsCancelled = Callable[[], bool]


def render(
    spec: RenderSpec,
    bundle: Bundle,
    clip: AudioClip | None,
    on_event: OnEvent,
    cancelled: IsCancelled,
    preview_every: int = 0,
) -> list[RenderedTake]:
    """Render all takes of a spec, ranked by CLAP similarity to what was asked, ties by seed.

    The clip is the spec's region with its context, None for a generation. Take i uses seed + i and
    comes out the same however many takes there are. A take that fails is reported and left out. With
    preview_every, each so many steps a preview is told, which changes nothing about the takes.

    Raises:
        SpecError: a mask or cutoff that does not fit the clip and model.
        Cancelled: cancelled() was true between two steps.
        NanOutput, SilentOutput: no take came out.
        OutOfMemory: the device or machine has too little memory.
    """
    assert (clip is None) == (not spec.task.needs_region), "edits need a clip, generations none"
    with torch.inference_mode(), _memory_errors():
        reporter = _Reporter(
            on_event=on_event, cancelled=cancelled, takes=spec.takes, preview_every=preview_every
        )
        job = _prepared(spec, bundle, clip, reporter)
        takes: list[RenderedTake] = []
        failures: list[EngineError] = []
        for index in range(spec.takes):
            try:
                takes.append(_rendered(job, index, reporter))
            except (NanOutput, SilentOutput) as error:
                failures.append(error)
                on_event(TakeDropped(seed=spec.seed + index, error=error.info))
        if not takes:
            raise failures[0]
        return sorted(takes, key=lambda take: (-take.clap_score, take.seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reporter:
    on_event: OnEvent
    cancelled: IsCancelled
    takes: int
    preview_every: int = 0

    def wants_preview(self, info: StepInfo) -> bool:
        """Tell whether a step is one of the chosen; the last one is followed by the take itself."""
        done = info.index + 1
        return self.preview_every > 0 and done % self.preview_every == 0 and done < info.steps

    def report(self, stage: Stage, step: int, total: int, index: int) -> None:
        """Tell of progress, and stop here if the job was cancelled."""
        self.on_event(Progress(stage=stage, step=step, total=total, take=index + 1, takes=self.takes))
        self.check()

    def check(self) -> None:
        if self.cancelled():
            raise Cancelled("the render was cancelled")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Job:
    """What all takes of a render share."""

    spec: RenderSpec
    bundle: Bundle
    clip: AudioClip | None
    grid: LatentGrid
    canvas: Canvas
    conditioning: Conditioning
    mask: Mask | None
    source_BCHW: Tensor | None
    regenerate_HW: Tensor | None


def _prepared(spec: RenderSpec, bundle: Bundle, clip: AudioClip | None, reporter: _Reporter) -> _Job:
    reporter.check()
    _require_able(spec, bundle)
    grid = LatentGrid.of(bundle.mel.config, bundle.vae.config.ratio)
    mask = None if clip is None else effective_mask(spec, clip, grid)
    canvas = _canvas(spec, clip, grid, bundle.card.canvas_s)
    regenerate_HW = None
    if mask is not None:
        cells = grid.cells(canvas.length_samples)
        drawn_HW = latent_mask(mask, grid, cells=cells, offset_samples=canvas.offset_samples)
        regenerate_HW = torch.from_numpy(drawn_HW)
    wanted = conditioning(spec, bundle, clip)
    source_BCHW = None if clip is None else _encoded(bundle, canvas)
    reporter.report(Stage.ENCODE, 1, 1, 0)
    return _Job(
        spec=spec,
        bundle=bundle,
        clip=clip,
        grid=grid,
        canvas=canvas,
        conditioning=wanted,
        mask=mask,
        source_BCHW=source_BCHW,
        regenerate_HW=regenerate_HW,
    )


def _require_able(spec: RenderSpec, bundle: Bundle) -> None:
    if spec.task not in bundle.card.tasks:
        able = ", ".join(task.value for task in bundle.card.tasks)
        raise SpecError(f"the model {bundle.card.name} cannot {spec.task.value}; it can: {able}")
    if spec.sampler.steps > bundle.schedule.steps:
        raise SpecError(f"steps must be at most {bundle.schedule.steps}, got {spec.sampler.steps}")


def _canvas(spec: RenderSpec, clip: AudioClip | None, grid: LatentGrid, canvas_s: float) -> Canvas:
    if clip is not None:
        return canvas_of(clip, grid, canvas_s)
    assert spec.duration_s is not None
    return empty_canvas(spec.duration_s, grid, canvas_s)


def _encoded(bundle: Bundle, canvas: Canvas) -> Tensor:
    """Return the scaled latent of the canvas, the posterior's mode."""
    audio_BS = torch.from_numpy(canvas.audio_S.astype(np.float32))[None].to(_device(bundle))
    mel_BTM = bundle.mel(audio_BS)
    return bundle.vae.encode(mel_BTM).mode() * bundle.scale_factor


def _rendered(job: _Job, index: int, reporter: _Reporter) -> RenderedTake:
    latent_BCHW = _sampled(job, index, reporter)
    reporter.report(Stage.DECODE, 0, 1, index)
    audio_S = _decoded(job.bundle, latent_BCHW)
    seed = job.spec.seed + index
    _require_sound(audio_S, seed)
    reporter.report(Stage.DECODE, 1, 1, index)
    clip = _finished(job, audio_S)
    score = similarity(clip, job.bundle, job.conditioning.positive_BE)
    reporter.report(Stage.RANK, 1, 1, index)
    return RenderedTake(
        clip=clip,
        seed=seed,
        clap_score=score,
        peak_db=decibels(peak(clip.audio_NS)),
        rms_db=decibels(rms(clip.audio_NS)),
    )


def _decoded(bundle: Bundle, latent_BCHW: Tensor) -> np.ndarray:
    mel_BTM = bundle.vae.decode(latent_BCHW / bundle.scale_factor)
    return bundle.vocoder(mel_BTM)[0].float().cpu().numpy()


def _preview(job: _Job, info: StepInfo, index: int) -> Preview | None:
    """Make the predicted result audible; None where it is no sound yet."""
    audio_S = _decoded(job.bundle, info.x0_BCHW)
    try:
        _require_sound(audio_S, job.spec.seed + index)
    except (NanOutput, SilentOutput):
        return None
    return Preview(clip=_finished(job, audio_S), step=info.index + 1, take=index + 1)


def _sampled(job: _Job, index: int, reporter: _Reporter) -> Tensor:
    """Sample one take's scaled latent (1, C, H, W)."""
    sampling = job.spec.sampler
    # Inpainting and super-resolution start their part from pure noise, as a generation does.
    strength = sampling.strength if job.spec.task is Task.TRANSFER else 1.0
    trajectory = job.bundle.schedule.trajectory(sampling.steps, strength, spacing_for(sampling.name))
    noise = SeededNoise(job.spec.seed + index, _latent_shape(job), device=_device(job.bundle))
    sampler = sampler_named(sampling.name, sampling.eta)
    if job.regenerate_HW is not None:
        assert job.source_BCHW is not None
        keep_HW = 1.0 - job.regenerate_HW.to(job.source_BCHW.device)
        sampler = inpainting(sampler, job.source_BCHW, keep_HW, passes=MASK_PASSES)

    def on_step(info: StepInfo) -> None:
        reporter.report(Stage.SAMPLE, info.index + 1, info.steps, index)
        if reporter.wants_preview(info) and (preview := _preview(job, info, index)) is not None:
            reporter.on_event(preview)

    start_BCHW = starting_latent(trajectory, noise, job.source_BCHW)
    return sampler(_denoiser(job), start_BCHW, trajectory, noise=noise, on_step=on_step)


def _denoiser(job: _Job) -> Denoise:
    sampling = job.spec.sampler
    guidance = Guidance(
        scale=sampling.guidance,
        interval_from=sampling.guidance_from,
        interval_to=sampling.guidance_to,
        rescale=sampling.guidance_rescale,
    )
    device = _device(job.bundle)
    wanted = job.conditioning
    return guided(
        conditional_denoiser(packed(job.bundle.unet)),
        wanted.positive_BE.to(device),
        wanted.negative_BE.to(device),
        guidance,
    )


def _latent_shape(job: _Job) -> tuple[int, int, int, int]:
    cells = job.grid.cells(job.canvas.length_samples)
    return (1, job.bundle.vae.config.latent_channels, cells, job.grid.width)


def _finished(job: _Job, audio_S: np.ndarray) -> AudioClip:
    if job.clip is None:
        return generated_clip(job.canvas, audio_S, job.grid.sample_rate_hz)
    new_S = region_of(job.canvas, audio_S, job.grid.sample_rate_hz, job.clip)
    return edited_clip(job.spec, job.clip, new_S, job.mask)


def _require_sound(audio_S: np.ndarray, seed: int) -> None:
    if not math.isfinite(float(np.sum(audio_S, dtype=np.float64))):
        raise NanOutput(f"the model's output for seed {seed} is not a finite signal", _SEED_HINT)
    if peak(audio_S) < SILENT_PEAK:
        raise SilentOutput(f"the model's output for seed {seed} is silent", _SEED_HINT)


def _device(bundle: Bundle) -> torch.device:
    return next(bundle.unet.parameters()).device


@contextmanager
def _memory_errors() -> Iterator[None]:
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise OutOfMemory("there is not enough memory for this render", _OOM_HINT) from error
    except RuntimeError as error:
        if not any(phrase in str(error).lower() for phrase in _OOM_PHRASES):
            raise
        raise OutOfMemory("there is not enough memory for this render", _OOM_HINT) from error

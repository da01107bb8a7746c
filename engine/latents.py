"""One canvas in latent space: encoded, masked, sampled, decoded.

Legend: B batch (one row for each voice, of each take), V voices, S samples, T mel frames, M mel bins,
C latent channels, H latent time, W latent frequency. What is longer than the clips a model was trained on
goes through it in windows of that length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.audio.grid import LatentGrid, latent_mask, samples_at
from engine.audio.level import peak
from engine.audio.rhythm import preferred_cuts_s
from engine.conditioning import Conditioning
from engine.diffusion.course import blended
from engine.diffusion.denoiser import Denoise, conditional_denoiser, unet_denoiser
from engine.diffusion.editors import EDITORS, Source, starting_strength
from engine.diffusion.guidance import Guidance, guided
from engine.diffusion.noise import NoiseSource, SeededNoise, StackedNoise, VariedNoise
from engine.diffusion.samplers import OnStep, sampler_named, spacing_for
from engine.diffusion.windows import WindowPlan, plan_windows, windowed
from engine.edit.canvas import Canvas
from engine.errors import NanOutput, SilentOutput
from engine.models.bundle import Bundle
from engine.models.packed import packed
from engine.models.stretches import decode_long, encode_long
from engine.types import Anchor, Editor, Mask, RenderSpec, SamplerSpec, Task

# The network's windows: it knows no more than 10 s of the released models, and those trained on shorter
# clips do as well on this (and cost half of what windows of 2.56 s do). Neighbours share an eighth.
WINDOW_S = 10.24
SILENT_PEAK = 1e-4
_SEED_HINT = "Try another seed or prompt."
_OVERLAP_SHARE = 8
# What the first feature map of one call may hold, guidance not counted: 4 clips of 10.24 s with an S model.
_CALL_FLOATS = 2**21


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatentPart:
    """A latent to sample: from a source, None for a generation; where regenerate is 0 the source stays.

    The plan says through which windows the network sees it, times_H where in the sound its cells are, in
    seconds from the start of that.
    """

    shape_BCHW: tuple[int, int, int, int]
    plan: WindowPlan
    times_H: Tensor
    source_BCHW: Tensor | None = None
    regenerate_HW: Tensor | None = None


def empty_part(bundle: Bundle, cells: int) -> LatentPart:
    """Return a latent of so many cells to be made from nothing."""
    grid = LatentGrid.of(bundle.mel.config, bundle.vae.config.ratio)
    shape_BCHW = (1, bundle.vae.config.latent_channels, cells, grid.width)
    return LatentPart(
        shape_BCHW=shape_BCHW, plan=_plan(bundle, grid, cells), times_H=_times_H(grid, cells, 0)
    )


def encoded_part(
    bundle: Bundle, canvas: Canvas, mask: Mask | None, grid: LatentGrid, anchor: Anchor | None = None
) -> LatentPart:
    """Encode a canvas as the posterior's mode, scaled, and draw the mask on its cells; what is known stays.

    Windows meet at bar lines where the anchor knows the tempo, else where sounds begin.
    """
    audio_BS = torch.from_numpy(canvas.audio_VS.astype(np.float32)).to(_device(bundle))
    source_BCHW = encode_long(bundle, audio_BS) * bundle.scale_factor
    for known in canvas.known:
        where = slice(known.first_cell, known.first_cell + known.latent_CHW.shape[1])
        source_BCHW[known.voice, :, where] = torch.from_numpy(known.latent_CHW).to(source_BCHW)
    regenerate_HW = None
    if mask is not None:
        drawn_HW = latent_mask(mask, grid, cells=canvas.patch.cells, offset_samples=-canvas.first_sample)
        regenerate_HW = torch.from_numpy(drawn_HW)
    batch, channels, cells, width = source_BCHW.shape
    plan = _plan(bundle, grid, cells, canvas, anchor)
    if regenerate_HW is not None:
        plan = plan.only_for(regenerate_HW.any(dim=1).tolist())
    return LatentPart(
        shape_BCHW=(batch, channels, cells, width),
        plan=plan,
        times_H=_times_H(grid, cells, canvas.first_sample),
        source_BCHW=source_BCHW,
        regenerate_HW=regenerate_HW,
    )


def takes_per_call(bundle: Bundle, part: LatentPart) -> int:
    """Return how many takes of a part the network may get at once; the memory for more would be too much."""
    rows, _, _, width = part.shape_BCHW
    cells = max((window.cells for window in part.plan.windows), default=part.plan.cells)
    floats = rows * cells * width * bundle.card.configs.unet.base_channels
    return max(1, _CALL_FLOATS // floats)


def sampled(
    takes: Sequence[RenderSpec],
    bundle: Bundle,
    part: LatentPart,
    wanted: Conditioning,
    *,
    on_step: OnStep,
    check: Callable[[], None],
) -> Tensor:
    """Sample a part's scaled latents (B, C, H, W) for takes that differ by noise alone, one after the other.

    A take's rows share their noise. check is called before each window of each step, and may raise to stop.
    """
    spec, sampling = takes[0], takes[0].sampler
    editor, strength = _start_of(spec)
    trajectory = bundle.schedule.trajectory(sampling.steps, strength, spacing_for(sampling.name))
    noise = StackedNoise([_noise(each, part, _device(bundle)) for each in takes])
    sampler = sampler_named(sampling.name, sampling.eta)
    target = _along(sampling, bundle, part, wanted, check)
    if part.source_BCHW is None:
        return sampler(target, noise.initial(), trajectory, noise=noise, on_step=on_step)
    source = _source(bundle, part, wanted, len(takes), check)
    return EDITORS[editor](target, source, trajectory, sampler=sampler, noise=noise, on_step=on_step)


def steps_of(spec: RenderSpec) -> int:
    """Return how many of its steps a take goes through: fewer where it begins with some of the source."""
    return math.ceil(_start_of(spec)[1] * spec.sampler.steps)


def _start_of(spec: RenderSpec) -> tuple[Editor, float]:
    """Return the editor and the strength that a take starts at."""
    if spec.task is Task.TRANSFER:
        return spec.editor, starting_strength(spec.editor, spec.sampler.strength)
    # Inpainting and super-resolution start their part from pure noise, as a generation does.
    return Editor.RENOISE, 1.0


def _source(
    bundle: Bundle, part: LatentPart, wanted: Conditioning, takes: int, check: Callable[[], None]
) -> Source:
    """Return what is edited, once for each take, and how the model sees it as what it is."""
    assert part.source_BCHW is not None
    denoise = None
    if wanted.source_1E is not None:
        alone = unet_denoiser(packed(bundle.unet), wanted.source_1E.to(_device(bundle)))
        denoise = windowed(alone, part.plan, on_window=lambda _index, _total: check())
    return Source(
        latent_BCHW=part.source_BCHW.repeat(takes, 1, 1, 1),
        denoise=denoise,
        keep_BCHW=None if part.regenerate_HW is None else 1.0 - part.regenerate_HW.to(_device(bundle)),
    )


def _noise(spec: RenderSpec, part: LatentPart, device: torch.device) -> NoiseSource:
    if spec.variation == 0.0:
        return SeededNoise(spec.seed, part.shape_BCHW, device=device, shared=True)
    first, second = (
        SeededNoise(seed, part.shape_BCHW, shared=True) for seed in (spec.seed, spec.variation_seed)
    )
    return VariedNoise(first, second, spec.variation, device=device)


def decoded(bundle: Bundle, latent_BCHW: Tensor) -> np.ndarray:
    """Return the audio (V, S) of a scaled latent at the model's rate and level."""
    return np.asarray(decode_long(bundle, latent_BCHW / bundle.scale_factor).float().cpu().numpy())


def require_sound(audio_VS: np.ndarray, seed: int) -> None:
    """Refuse what is no sound: raise NanOutput or SilentOutput."""
    if not math.isfinite(float(np.sum(audio_VS, dtype=np.float64))):
        raise NanOutput(f"the model's output for seed {seed} is not a finite signal", _SEED_HINT)
    if peak(audio_VS) < SILENT_PEAK:
        raise SilentOutput(f"the model's output for seed {seed} is silent", _SEED_HINT)


def _plan(
    bundle: Bundle, grid: LatentGrid, cells: int, canvas: Canvas | None = None, anchor: Anchor | None = None
) -> WindowPlan:
    window = _window_cells(bundle, grid)
    # Looking for onsets takes time, which one window need not spend.
    cuts = () if canvas is None or cells <= window else _cuts(bundle, grid, canvas, anchor)
    return plan_windows(cells, window, window // _OVERLAP_SHARE, cuts)


def _window_cells(bundle: Bundle, grid: LatentGrid) -> int:
    return grid.cells(samples_at(max(bundle.card.canvas_s, WINDOW_S), grid.sample_rate_hz))


def _cuts(bundle: Bundle, grid: LatentGrid, canvas: Canvas, anchor: Anchor | None) -> list[float]:
    """Return where windows had better meet, in cells of the canvas."""
    tempo_bpm = None if anchor is None else anchor.tempo_bpm
    position_s = canvas.first_sample / grid.sample_rate_hz + (0.0 if anchor is None else anchor.position_s)
    cuts_s = preferred_cuts_s(
        canvas.audio_VS,
        grid.sample_rate_hz,
        tempo_bpm=tempo_bpm,
        position_s=position_s,
        longest_s=WINDOW_S / 2,
    )
    return [cut_s * grid.sample_rate_hz / grid.cell_samples for cut_s in cuts_s]


def _along(
    sampling: SamplerSpec,
    bundle: Bundle,
    part: LatentPart,
    wanted: Conditioning,
    check: Callable[[], None],
) -> Denoise:
    """Follow the conditions on their course; where one of them does not count, it is not asked."""
    weights_KH = wanted.course.weights_KH(part.times_H)
    counts_K = weights_KH.amax(dim=1) > 0.0
    denoisers = [
        windowed(
            _denoiser(sampling, bundle, row_E[None], wanted.negative_1E),
            part.plan if len(weights_KH) == 1 else part.plan.only_for((weights_H > 0.0).tolist()),
            on_window=lambda _index, _total: check(),
        )
        for row_E, weights_H in zip(wanted.course.rows_KE[counts_K], weights_KH[counts_K], strict=True)
    ]
    return blended(denoisers, weights_KH[counts_K])


def _denoiser(sampling: SamplerSpec, bundle: Bundle, positive_1E: Tensor, negative_1E: Tensor) -> Denoise:
    guidance = Guidance(
        scale=sampling.guidance,
        interval_from=sampling.guidance_from,
        interval_to=sampling.guidance_to,
        rescale=sampling.guidance_rescale,
    )
    device = _device(bundle)
    return guided(
        conditional_denoiser(packed(bundle.unet)), positive_1E.to(device), negative_1E.to(device), guidance
    )


def _times_H(grid: LatentGrid, cells: int, first_sample: int) -> Tensor:
    """Return the middle of each cell."""
    middle_H = first_sample + (torch.arange(cells, dtype=torch.float64) + 0.5) * grid.cell_samples
    return middle_H / grid.sample_rate_hz


def _device(bundle: Bundle) -> torch.device:
    return next(bundle.unet.parameters()).device

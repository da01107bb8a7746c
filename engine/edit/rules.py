"""What each task regenerates of a region, and what cannot be asked of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.signal import welch

from engine.audio.grid import LatentGrid, require_inside
from engine.audio.io import AudioClip
from engine.audio.raster import shape_low_hz
from engine.edit.patches import masked_spans
from engine.errors import SpecError
from engine.types import Mask, MaskOp, RectShape, RenderSpec, Task, TimeSpan

SUPERRES_FEATHER_HZ = 150.0
_FULL_SHARE = 0.95
_LOWEST_CUTOFF_HZ = 200.0
_NOTHING_SHARE = 1e-6
_RESOLVED_S = 0.04
_FINEST_STEP, _STEP_OF_16_BITS, _STEP_OF_8_BITS = 2.0**-23, 2.0**-15, 2.0**-7
# Rounding with triangular dither leaves a quarter of a squared step of noise (Lipshitz et al. 1992),
# without it a twelfth, of whatever spectrum. Twice the former is more than chance makes of it.
_ROUNDED_STEPS = 0.5


def effective_mask(spec: RenderSpec, clip: AudioClip, grid: LatentGrid) -> Mask | None:
    """Return what a task regenerates, None for all of it; what lies above all that can be made is left out.

    Raises:
        SpecError: a mask or cutoff outside the region or above what model and file can hold.
    """
    top_hz = min(grid.high_hz, clip.sample_rate_hz / 2)
    if spec.mask is not None:
        require_inside(spec.mask, clip.duration_s)
        mask = _below(spec.mask, top_hz)
        spec = replace(spec, mask=mask)
        if not masked_spans(mask, clip):
            raise SpecError("the mask covers less than one sample", "Use a larger shape.")
    return _superres_mask(spec, clip, grid, top_hz) if spec.task is Task.SUPERRES else spec.mask


def _superres_mask(spec: RenderSpec, clip: AudioClip, grid: LatentGrid, top_hz: float) -> Mask:
    cutoff_hz = _missing_from_hz(clip, top_hz) if spec.cutoff_hz is None else spec.cutoff_hz
    if not 0.0 < cutoff_hz < top_hz:
        raise SpecError(
            f"the cutoff of {cutoff_hz:g} Hz is not below {top_hz:g} Hz, the highest that can be rendered",
            "Give a lower --cutoff, or convert the file to a higher sample rate first.",
        )
    whole = TimeSpan(start_s=0.0, end_s=clip.duration_s)
    if spec.mask is None:
        above = RectShape(span=whole, low_hz=cutoff_hz)
        return Mask(shapes=(above,), feather_hz=SUPERRES_FEATHER_HZ)
    below = RectShape(span=whole, high_hz=cutoff_hz, op=MaskOp.SUBTRACT)
    return replace(spec.mask, shapes=(*spec.mask.shapes, below))


def _missing_from_hz(clip: AudioClip, top_hz: float) -> float:
    """Return where the highs of a region end.

    Raises:
        SpecError: they reach as far as anything that could be rendered.
    """
    ends_hz = bandwidth_hz(clip)
    if ends_hz > _FULL_SHARE * top_hz:
        raise SpecError(
            f"nothing is missing: the region reaches {ends_hz:.0f} Hz, the model makes up to {top_hz:.0f} Hz",
            "Give --cutoff to make anew what lies above it.",
        )
    return max(ends_hz, _LOWEST_CUTOFF_HZ)


def bandwidth_hz(clip: AudioClip) -> float:
    """Return the highest frequency with more than a millionth of the strongest one's power.

    What lies above it together is more than rounding to the clip's steps may have left: that is no sound of
    its own, but reaches as far as the file does, and in a quiet one far above a millionth.
    """
    rate_hz = clip.sample_rate_hz
    segment = min(clip.length_samples, 2 ** round(math.log2(_RESOLVED_S * rate_hz)))
    freqs_hz, power_NF = welch(clip.audio_NS.astype(np.float64), rate_hz, nperseg=segment, axis=1)
    power_F = power_NF.sum(axis=0)
    above_F = power_F[::-1].cumsum()[::-1] * (freqs_hz[1] - freqs_hz[0])
    rounded = clip.channels * _ROUNDED_STEPS * rounding_step(clip) ** 2
    audible_F = np.flatnonzero((power_F > _NOTHING_SHARE * power_F.max()) & (above_F > rounded))
    return float(freqs_hz[audible_F[-1]]) if audible_F.size else 0.0


def rounding_step(clip: AudioClip) -> float:
    """Return the step that all samples of a clip are multiples of, 0 where they are finer than 24 bits.

    It is taken for no coarser than that of 16 bits unless the file has 8: few levels may be the sound itself.
    """
    levels_NS = clip.audio_NS.astype(np.float64) / _FINEST_STEP
    if np.any(levels_NS != np.rint(levels_NS)):
        return 0.0
    bits = int(np.bitwise_or.reduce(np.abs(levels_NS).astype(np.int64), axis=None))
    coarsest = _STEP_OF_8_BITS if clip.subtype in ("PCM_U8", "PCM_S8") else _STEP_OF_16_BITS
    return min(coarsest, (bits & -bits) * _FINEST_STEP)


def _below(mask: Mask, top_hz: float) -> Mask:
    """Return the mask without shapes that begin above top_hz: harmonics of a stroke reach there.

    Raises:
        SpecError: nothing is left that could be made anew.
    """
    shapes = tuple(shape for shape in mask.shapes if shape_low_hz(shape) < top_hz)
    if not any(shape.op is MaskOp.ADD for shape in shapes):
        lowest_hz = min(shape_low_hz(shape) for shape in mask.shapes if shape.op is MaskOp.ADD)
        raise SpecError(
            f"the mask starts at {lowest_hz:g} Hz, but only {top_hz:g} Hz can be rendered",
            "Mark something lower.",
        )
    return replace(mask, shapes=shapes)

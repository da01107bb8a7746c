"""The only place with hop sizes: seconds, samples, mel frames, latent cells, and masks on them.

Legend: S samples, T mel frames, F mel bins, H latent time, W latent frequency.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engine.audio.mel_scale import MelConfig, hz_to_mel, mel_to_hz
from engine.audio.raster import rasterise, shape_span
from engine.errors import SpecError
from engine.types import Mask, MaskOp, RectShape, TimeSpan

_FINE_PER_FRAME = 2
_FINE_PER_BIN = 2
_MASK_TOLERANCE_S = 0.001
_NOTHING_LEFT = "Use a larger shape or subtract less."


def samples_at(seconds: float, sample_rate_hz: int) -> int:
    """Return the nearest sample index, halves upwards."""
    return math.floor(seconds * sample_rate_hz + 0.5)


def seconds_at(samples: int, sample_rate_hz: int) -> float:
    return samples / sample_rate_hz


def resampled_length(samples: int, from_hz: int, to_hz: int) -> int:
    """Return how many samples at to_hz cover what samples at from_hz cover."""
    return -(-samples * to_hz // from_hz)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentGrid:
    """The model's own grid: a latent cell is ratio mel frames long and ratio mel bins high."""

    sample_rate_hz: int
    hop_samples: int
    mel_bins: int
    low_hz: float
    high_hz: float
    ratio: int

    @classmethod
    def of(cls, mel: MelConfig, ratio: int) -> LatentGrid:
        """Take hop, bins and band from the model's mel configuration."""
        return cls(
            sample_rate_hz=mel.sample_rate_hz,
            hop_samples=mel.hop_samples,
            mel_bins=mel.mel_bins,
            low_hz=mel.low_hz,
            high_hz=mel.high_hz,
            ratio=ratio,
        )

    @property
    def cell_samples(self) -> int:
        return self.hop_samples * self.ratio

    @property
    def width(self) -> int:
        return self.mel_bins // self.ratio

    def cells(self, samples: int) -> int:
        """Return the latent cells that cover samples, at least one."""
        return max(1, -(-samples // self.cell_samples))

    def whole_samples(self, samples: int) -> int:
        """Round samples up to whole latent cells."""
        return self.cells(samples) * self.cell_samples

    def frames(self, samples: int) -> int:
        """Return the mel frames of whole latent cells that cover samples."""
        return self.cells(samples) * self.ratio

    def bin_edges_hz(self) -> np.ndarray:
        """Return mel_bins + 1 edges, halfway in mel between the filters' centres."""
        low, high = hz_to_mel(np.array([self.low_hz, self.high_hz]))
        step = (high - low) / (self.mel_bins + 1)
        edges = mel_to_hz(low + step * (np.arange(self.mel_bins + 1) + 0.5))
        edges[0], edges[-1] = self.low_hz, self.high_hz
        return edges


def latent_mask(mask: Mask, grid: LatentGrid, *, cells: int, offset_samples: int = 0) -> np.ndarray:
    """Draw the mask as float32 (H, W), 1 = regenerate every cell it touches.

    offset_samples is where the mask's time zero lies on the canvas, at the model's rate.

    Raises:
        SpecError: the mask touches no cell.
    """
    frames = cells * grid.ratio
    fine_s = grid.hop_samples / grid.sample_rate_hz / _FINE_PER_FRAME
    start_s = seconds_at(offset_samples, grid.sample_rate_hz)
    times_s = np.arange(frames * _FINE_PER_FRAME + 1) * fine_s - start_s
    fine_TF = rasterise(mask, times_s, _refined(grid.bin_edges_hz(), _FINE_PER_BIN))
    blocks = fine_TF[:, : grid.width * grid.ratio * _FINE_PER_BIN].reshape(
        cells, grid.ratio * _FINE_PER_FRAME, grid.width, grid.ratio * _FINE_PER_BIN
    )
    mask_HW = np.asarray(blocks.any(axis=(1, 3)))
    if not mask_HW.any():
        raise SpecError("the mask leaves nothing to regenerate in the model's band", _NOTHING_LEFT)
    return mask_HW.astype(np.float32)


def spans(mask: Mask) -> tuple[TimeSpan, ...]:
    """Return the stretches of time outside which the mask regenerates nothing, merged, in order."""
    found = [shape_span(shape) for shape in mask.shapes if shape.op is MaskOp.ADD]
    merged: list[TimeSpan] = []
    for span in sorted((span for span in found if span is not None), key=lambda span: span.start_s):
        if merged and span.start_s <= merged[-1].end_s:
            end_s = max(merged[-1].end_s, span.end_s)
            merged[-1] = TimeSpan(start_s=merged[-1].start_s, end_s=end_s)
        else:
            merged.append(span)
    return tuple(merged)


def covers_all_bands(mask: Mask) -> bool:
    """Tell whether the mask only chooses times: full-height rectangles, none subtracted."""
    return all(
        isinstance(shape, RectShape)
        and shape.op is MaskOp.ADD
        and shape.low_hz == 0.0
        and shape.high_hz is None
        for shape in mask.shapes
    )


def require_inside(mask: Mask, duration_s: float) -> None:
    """Refuse a mask that reaches out of its region.

    Raises:
        SpecError: an added rectangle ends after the region, or any added shape lies all outside.
    """
    limit_s = duration_s + _MASK_TOLERANCE_S
    for shape in mask.shapes:
        span = shape_span(shape) if shape.op is MaskOp.ADD else None
        if span is None:
            continue
        if span.start_s >= duration_s or (isinstance(shape, RectShape) and span.end_s > limit_s):
            raise SpecError(
                f"the mask covers {span.start_s:g} to {span.end_s:g} s, the region is {duration_s:g} s long",
                "Mask times count from the start of the region.",
            )


def _refined(edges: np.ndarray, parts: int) -> np.ndarray:
    positions = np.arange((len(edges) - 1) * parts + 1) / parts
    return np.interp(positions, np.arange(len(edges)), edges)

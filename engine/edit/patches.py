"""The stretches of a region that have to be rendered for its mask: what is masked, and context around it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.audio.grid import LatentGrid, resampled_length, samples_at, spans
from engine.audio.io import AudioClip
from engine.types import Mask, TimeSpan

# On both sides of what is masked: a beat or two for the model to join.
CONTEXT_S = 0.64
# Models trained on longer clips than this work as well on this much, in half the time.
LONGEST_USEFUL_S = 5.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Whole latent cells, counted from the region's start and perhaps from before it.

    covered_s is what it must hold of the region. origin_samples, at the model's rate, is where the grid of
    the cells begins: at the region's start, or less than a cell before it.
    """

    first_cell: int
    cells: int
    covered_s: TimeSpan
    origin_samples: int = 0

    @property
    def past_cell(self) -> int:
        return self.first_cell + self.cells


def patches_of(
    clip: AudioClip, mask: Mask | None, grid: LatentGrid, canvas_s: float, origin_samples: int = 0
) -> tuple[Patch, ...]:
    """Cover what a mask regenerates, all of the region without one, by stretches that lie apart."""
    whole = TimeSpan(start_s=0.0, end_s=clip.duration_s)
    wanted = [whole] if mask is None else masked_spans(mask, clip)
    cells = _Cells(grid=grid, origin_samples=origin_samples)
    room = cells.room(clip)
    least = grid.cells(
        samples_at(canvas_s if mask is None else min(canvas_s, LONGEST_USEFUL_S), grid.sample_rate_hz)
    )
    context_s = 0.0 if mask is None else CONTEXT_S
    patches: list[Patch] = []
    for span in wanted:
        patch = cells.around(span, least, context_s, room)
        if patches and patch.first_cell <= patches[-1].past_cell:
            covered_s = TimeSpan(start_s=patches[-1].covered_s.start_s, end_s=span.end_s)
            patch = cells.around(covered_s, least, context_s, room)
            patches.pop()
        patches.append(patch)
    return tuple(patches)


def masked_spans(mask: Mask, clip: AudioClip) -> list[TimeSpan]:
    """Return the masked stretches of a clip that hold a sample at least."""
    whole = TimeSpan(start_s=0.0, end_s=clip.duration_s)
    found = (part for span in spans(mask) if (part := span.intersect(whole)) is not None)
    rate_hz = clip.sample_rate_hz
    return [part for part in found if samples_at(part.start_s, rate_hz) < samples_at(part.end_s, rate_hz)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """Cells of a grid that begins at the region's start or less than a cell before it."""

    grid: LatentGrid
    origin_samples: int

    def room(self, clip: AudioClip) -> tuple[int, int]:
        """Return the first whole cell of what is there, zero or less, and the cell after its last."""
        rates_hz = clip.sample_rate_hz, self.grid.sample_rate_hz
        before = resampled_length(clip.before_NS.shape[1], *rates_hz) + self.origin_samples
        there = resampled_length(clip.length_samples + clip.after_NS.shape[1], *rates_hz)
        first = -(max(0, before) // self.grid.cell_samples)
        return first, self.grid.cells(there - self.origin_samples)

    def around(self, span: TimeSpan, least: int, context_s: float, room: tuple[int, int]) -> Patch:
        """Widen a span to at least so many cells, into what is there as far as possible."""
        # A rounding error must not cost a cell.
        first = max(math.floor(self._cell_at(span.start_s - context_s) + 1e-6), min(0, room[0]))
        past = min(math.ceil(self._cell_at(span.end_s + context_s) - 1e-6), room[1])
        missing = max(0, least - (past - first))
        first, past = first - missing // 2, past + missing - missing // 2
        # What would stick out at one end goes to the other, where there is something to hear.
        shift = max(0, room[0] - first) or -min(max(0, past - room[1]), max(0, first - room[0]))
        first, past = first + shift, past + shift
        return Patch(first_cell=first, cells=past - first, covered_s=span, origin_samples=self.origin_samples)

    def _cell_at(self, time_s: float) -> float:
        """Return how many cells lie between the grid's beginning and a time of the region."""
        grid = self.grid
        return time_s / (grid.cell_samples / grid.sample_rate_hz) - self.origin_samples / grid.cell_samples

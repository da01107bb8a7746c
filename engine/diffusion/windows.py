"""A long latent, denoised through overlapping windows of the length a model was trained on.

All windows see one noise and one state. At each level their predictions are blended (MultiDiffusion,
Bar-Tal et al. 2023, eq. 5), so that neighbours agree on their overlap before they commit to anything.

Shapes: B batch, C latent channels, H latent time (of the whole or of a window), W latent frequency.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoise, Prediction
from engine.diffusion.schedule import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Cells start..stop that a network sees at once.

    The window hands over from its left neighbour around the cell border `rises_at`, and to its right one
    around `falls_at`; None where the latent ends. What lies beyond its fades is context.
    """

    start: int
    stop: int
    rises_at: int | None = None
    falls_at: int | None = None

    @property
    def cells(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPlan:
    """Windows in order over so many cells, and how long the fade around each seam is."""

    cells: int
    fade_cells: int
    windows: tuple[Window, ...]

    @property
    def seams(self) -> tuple[int, ...]:
        """Return the cell borders where one window hands over to the next."""
        return tuple(window.falls_at for window in self.windows if window.falls_at is not None)

    @property
    def is_whole(self) -> bool:
        """Tell whether one window sees everything."""
        return self.windows == (Window(start=0, stop=self.cells),)

    def weights_H(self, window: Window, per_cell: int = 1) -> Tensor:
        """Return what the window counts for in each of its cells, or of their per_cell parts, in float64.

        Over all windows of `plan_windows` these sum to one everywhere.
        """
        place_H = window.start + (torch.arange(window.cells * per_cell, dtype=torch.float64) + 0.5) / per_cell
        weights_H = torch.ones_like(place_H)
        if window.rises_at is not None:
            weights_H = self._risen_H(place_H, window.rises_at)
        if window.falls_at is not None:
            weights_H = weights_H - self._risen_H(place_H, window.falls_at)
        return weights_H

    def missing_H(self) -> Tensor:
        """Return what is missing to one in the sum of all weights of each cell: nothing in a full plan."""
        missing_H = torch.ones(self.cells, dtype=torch.float64)
        for window in self.windows:
            missing_H[window.start : window.stop] -= self.weights_H(window)
        return missing_H

    def only_for(self, wanted: Sequence[bool]) -> WindowPlan:
        """Leave out the windows that count in no wanted cell; elsewhere nothing may then be predicted.

        For inpainting, which replaces the prediction wherever it keeps the original.
        """
        assert len(wanted) == self.cells, f"{len(wanted)} flags for {self.cells} cells"
        wanted_H = torch.tensor(wanted, dtype=torch.bool)
        kept = tuple(
            window
            for window in self.windows
            if bool((self.weights_H(window)[wanted_H[window.start : window.stop]] > 0.0).any())
        )
        return replace(self, windows=kept)

    def _risen_H(self, place_H: Tensor, seam: int) -> Tensor:
        """Return a raised cosine from 0 to 1 around a seam; a step where there is no fade."""
        if self.fade_cells == 0:
            return (place_H >= seam).double()
        part_H = (place_H - (seam - self.fade_cells // 2)) / self.fade_cells
        return torch.sin(part_H.clamp(0.0, 1.0) * (math.pi / 2)).square()


def plan_windows(cells: int, window_cells: int, overlap_cells: int, cuts: Sequence[float] = ()) -> WindowPlan:
    """Cover the cells with windows of exactly window_cells, neighbours sharing at least overlap_cells.

    Where all fits into one window, that is the whole, however short. Seams lie at the cut nearest to an
    even division of what is left, if it leaves the window at least half of what it could advance;
    else, or without cuts, they divide evenly. cuts are cell positions, whole or not, in any order.
    """
    assert 0 <= overlap_cells < window_cells, "windows must advance by a cell at least"
    assert cells > 0, "nothing to cover"
    if cells <= window_cells:
        whole = Window(start=0, stop=cells)
        return WindowPlan(cells=cells, fade_cells=overlap_cells, windows=(whole,))
    seams = _seams(cells, window_cells, overlap_cells, cuts)
    sides = zip((None, *seams), (*seams, None), strict=True)
    windows = tuple(_window(cells, window_cells, overlap_cells, *both) for both in sides)
    return WindowPlan(cells=cells, fade_cells=overlap_cells, windows=windows)


OnWindow = Callable[[int, int], None]


def ignore_window(index: int, total: int) -> None:
    pass


def windowed(
    denoise: Denoise, plan: WindowPlan, *, together: int = 1, on_window: OnWindow = ignore_window
) -> Denoise:
    """Make a denoiser of windows one of the plan's whole length.

    Guidance belongs inside, inpainting outside. `together` windows share a call, as further items of
    the batch; more of them need more memory and less time where a single one leaves the device idle.
    on_window is told which window of how many comes next, and may raise to stop. With one window over
    all, this is `denoise` itself.
    """
    if plan.is_whole:
        return denoise
    groups = [plan.windows[i : i + together] for i in range(0, len(plan.windows), together)]

    def blended(x_BCHW: Tensor, level: Level) -> Prediction:
        assert x_BCHW.shape[2] == plan.cells, f"a latent of {x_BCHW.shape[2]} cells, a plan of {plan.cells}"
        blend = _Blend(plan, x_BCHW)
        for index, group in enumerate(groups):
            on_window(index * together, len(plan.windows))
            blend.add(group, denoise(_cut_out(x_BCHW, group), level))
        return blend.finished(level)

    return blended


class _Blend:
    """The weighted mean of the windows' predictions of one level.

    Only eps is averaged: x0 follows from it, so that both agree with x exactly. Where no window counts,
    all of x is taken for noise.
    """

    def __init__(self, plan: WindowPlan, x_BCHW: Tensor) -> None:
        self._plan, self._x_BCHW = plan, x_BCHW
        self._eps_BCHW = plan.missing_H()[:, None].to(x_BCHW) * x_BCHW
        self._restarted_BCHW: Tensor | None = None

    def add(self, group: Sequence[Window], prediction: Prediction) -> None:
        for window, eps_BCHW in zip(group, prediction.eps_BCHW.chunk(len(group)), strict=True):
            weights_H1 = self._plan.weights_H(window)[:, None].to(eps_BCHW)
            self._eps_BCHW[:, :, window.start : window.stop] += weights_H1 * eps_BCHW
        if prediction.restarted_BCHW is not None:
            self._restart(group, prediction.restarted_BCHW.expand_as(prediction.eps_BCHW))

    def finished(self, level: Level) -> Prediction:
        prediction = Prediction.from_eps(self._eps_BCHW, self._x_BCHW, level)
        return replace(prediction, restarted_BCHW=self._restarted_BCHW)

    def _restart(self, group: Sequence[Window], restarted_BCHW: Tensor) -> None:
        if self._restarted_BCHW is None:
            self._restarted_BCHW = torch.zeros_like(self._x_BCHW, dtype=torch.bool)
        for window, part_BCHW in zip(group, restarted_BCHW.chunk(len(group)), strict=True):
            self._restarted_BCHW[:, :, window.start : window.stop] |= part_BCHW


def _cut_out(x_BCHW: Tensor, group: Sequence[Window]) -> Tensor:
    return torch.cat([x_BCHW[:, :, window.start : window.stop] for window in group])


def _seams(cells: int, window_cells: int, overlap_cells: int, cuts: Sequence[float]) -> list[int]:
    """Place as many seams as are needed for no two neighbours to be further apart than a window reaches."""
    reach = window_cells - overlap_cells
    borders = sorted({math.floor(cut + 0.5) for cut in cuts})
    # The ends count as seams whose fades just fit in.
    at, end = overlap_cells // 2, cells - (overlap_cells - overlap_cells // 2)
    seams: list[int] = []
    while end - at > reach:
        even = at + (end - at) // -(-(end - at) // reach)
        near = borders[bisect_left(borders, at + (reach + 1) // 2) : bisect_right(borders, at + reach)]
        at = min(near, key=lambda border: abs(border - even), default=even)
        seams.append(at)
    return seams


def _window(
    cells: int, window_cells: int, fade_cells: int, rises_at: int | None, falls_at: int | None
) -> Window:
    """Place a window around its fades, with as much context on either side as there is."""
    first = 0 if rises_at is None else rises_at - fade_cells // 2
    last = cells if falls_at is None else falls_at - fade_cells // 2 + fade_cells
    start = min(max(0, (first + last - window_cells) // 2), cells - window_cells)
    return Window(start=start, stop=start + window_cells, rises_at=rises_at, falls_at=falls_at)

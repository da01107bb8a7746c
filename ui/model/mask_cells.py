"""How much of a region is masked, counted on the model's grid in a thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PyQt6.QtCore import QObject, pyqtSignal

from engine.types import TimeSpan
from ui.background import Background
from ui.model.harmonics import Drawn, spread
from ui.model.mask_edit import MaskEdit
from ui.model.mask_grid import Rasteriser
from ui.model.mask_shapes import seen_from
from ui.sound.model_grid import ModelGrid


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The cells of a region (H in time, W in frequency) that are made anew."""

    span: TimeSpan
    grid: ModelGrid
    cells_HW: np.ndarray = field(repr=False, compare=False)
    count: int

    @property
    def share(self) -> float:
        """Return the part of the region that is masked, 0 to 1."""
        return self.count / self.cells_HW.size


class MaskCells(QObject):
    """Follows a mask, the region and the model, and counts: newest wish first, one at a time."""

    changed = pyqtSignal()
    failed = pyqtSignal(Exception)

    def __init__(
        self, edit: MaskEdit, grid: ModelGrid, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._edit, self._grid, self._background = edit, grid, background
        self._region: TimeSpan | None = None
        self._passing: tuple[Drawn, ...] = ()
        self._rasteriser: Rasteriser | None = None
        self._counted: Counted | None = None
        self._is_busy = self._is_stale = False
        edit.changed.connect(self._forget_passing)
        edit.extent_changed.connect(self._renew)
        self._count()

    @property
    def counted(self) -> Counted | None:
        """Return the last count; None before the first."""
        return self._counted

    @property
    def span(self) -> TimeSpan:
        """Return the region, the whole sound where none is chosen."""
        return self._region or self._edit.extent.span

    @property
    def is_part(self) -> bool:
        """Tell whether only a part of the sound is chosen."""
        return self._region is not None

    @property
    def is_settled(self) -> bool:
        """Tell whether the last count is of what is drawn now."""
        return not self._is_busy and self._counted is not None

    def set_region(self, region: TimeSpan | None) -> None:
        """Count in a region only; None is the whole sound."""
        if region != self._region:
            self._region = region
            self._renew()

    def set_grid(self, grid: ModelGrid) -> None:
        """Count on the grid of another model."""
        if grid != self._grid:
            self._grid = grid
            self._renew()

    def show(self, passing: tuple[Drawn, ...]) -> None:
        """Count what is being drawn too, until the mask changes."""
        self._passing = passing
        self._count()

    def _forget_passing(self) -> None:
        self._passing = ()
        self._count()

    def _renew(self) -> None:
        self._rasteriser = None
        self._count()

    def _count(self) -> None:
        if self._is_busy:
            self._is_stale = True
            return
        self._is_busy = True
        span = self.span
        self._rasteriser = self._rasteriser or Rasteriser(self._grid, span.duration_s)
        shapes = (*self._edit.shapes, *self._passing)
        self._background.run(
            partial(_counted, self._rasteriser, shapes, span),
            self._done(self._take),
            self._done(self.failed.emit),
        )

    def _take(self, counted: Counted) -> None:
        self._counted = counted
        self.changed.emit()

    def _done(self, tell: Callable[..., None]) -> Callable[..., None]:
        def done(result: object) -> None:
            self._is_busy = False
            again, self._is_stale = self._is_stale, False
            if again:
                self._count()
            tell(result)

        return done


def _counted(rasteriser: Rasteriser, shapes: tuple[Drawn, ...], span: TimeSpan) -> Counted:
    cut = [seen for shape in shapes if (seen := seen_from(shape, span)) is not None]
    cells_HW = rasteriser.cells_HW(spread(cut))
    return Counted(span=span, grid=rasteriser.grid, cells_HW=cells_HW, count=int(cells_HW.sum()))

"""The mask that is drawn: shapes over the whole sound, each change with a name that can be taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

from PyQt6.QtCore import QObject, pyqtSignal

from engine.errors import EngineError, SpecError, TooLarge
from engine.spec_json import mask_from_json, mask_to_dict
from engine.types import Mask, MaskOp, RectShape, TimeSpan
from ui.model.harmonics import Drawn, gathered, spread
from ui.model.mask_shapes import (
    Bounds,
    Extent,
    everything,
    fitted,
    is_inside,
    is_whole_band,
    later,
    moved,
    rounded,
    seen_from,
    turned_over,
)
from ui.model.undo import Undo

# A request may have 65536 characters; prompts, effects and a region's shifted times need some of them.
MAX_CHARACTERS = 48_000
COARSER_PX = (1.5, 4.0)
DEFAULT_FEATHER_S = 0.01
MAX_FEATHER_S, MAX_FEATHER_HZ = 2.0, 2000.0

# Drawn anew with fewer points, given by how many pixels they may be off.
Coarser = Callable[[float], tuple[Drawn, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskState:
    """Shapes in their order, in seconds from the file's start and Hz, and how soft their edges are."""

    shapes: tuple[Drawn, ...] = ()
    feather_s: float = DEFAULT_FEATHER_S
    feather_hz: float = 0.0


class MaskEdit(QObject):
    """Draws, changes and hands out a mask."""

    changed = pyqtSignal()
    selection_changed = pyqtSignal()
    extent_changed = pyqtSignal()
    refused = pyqtSignal(object)
    noticed = pyqtSignal(str)

    def __init__(self, extent: Extent, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._extent = extent
        self._undo = Undo(MaskState())
        self._selected: int | None = None

    @property
    def extent(self) -> Extent:
        return self._extent

    @property
    def state(self) -> MaskState:
        return self._undo.state

    @property
    def shapes(self) -> tuple[Drawn, ...]:
        return self._undo.state.shapes

    @property
    def selected(self) -> int | None:
        """Return the place of the shape that is chosen."""
        return self._selected

    @property
    def chosen(self) -> Drawn | None:
        return None if self._selected is None else self.shapes[self._selected]

    @property
    def undo_name(self) -> str:
        return self._undo.undo_name

    @property
    def redo_name(self) -> str:
        return self._undo.redo_name

    @property
    def characters(self) -> int:
        """Return how long the mask is as JSON, of MAX_CHARACTERS."""
        return _characters(self.shapes)

    def open(self, extent: Extent) -> None:
        """Begin with another sound: nothing is masked and nothing can be taken back."""
        self._extent = extent
        self._undo = Undo(replace(self.state, shapes=()))
        self._selected = None
        self.extent_changed.emit()
        self.selection_changed.emit()
        self.changed.emit()

    def add(self, shapes: Sequence[Drawn], name: str, coarser: Coarser | None = None) -> bool:
        """Put shapes on top of the others, with fewer points where the mask would become too long.

        What does not fit even so is refused, and nothing changes.
        """
        added = tuple(rounded(shape) for shape in shapes)
        for tolerance_px in COARSER_PX:
            if coarser is None or _fits((*self.shapes, *added)):
                break
            added = tuple(rounded(shape) for shape in coarser(tolerance_px))
            if _fits((*self.shapes, *added)):
                self.noticed.emit(self.tr("The mask has hardly room for more: the stroke was smoothed."))
        return bool(added) and self._fitting(name, (*self.shapes, *added))

    def replace(self, index: int, shape: Drawn, name: str, joins: str = "") -> bool:
        """Put another shape in the place of one; steps in a row that join the same are taken back as one."""
        shapes = (*self.shapes[:index], rounded(shape), *self.shapes[index + 1 :])
        return self._fitting(name, shapes, f"{joins} {index}" if joins else "", select=index)

    def fit(self, index: int, bounds: Bounds) -> bool:
        """Give a shape other bounds, as numbers."""
        try:
            shape = fitted(self.shapes[index], bounds)
        except ValueError as error:
            self.refused.emit(SpecError(str(error), self.tr("Change one of the numbers.")).info)
            return False
        return self.replace(index, shape, self.tr("Change by numbers"))

    def nudge(self, by_s: float, lifted: Callable[[float], float]) -> bool:
        """Move the chosen shape a little; nudges in a row are taken back as one."""
        if self._selected is None or self.chosen is None:
            return False
        shape = moved(self.chosen, by_s, lifted, self._extent)
        return self.replace(self._selected, shape, self.tr("Move shape"), joins="nudge")

    def remove(self, index: int) -> bool:
        shapes = (*self.shapes[:index], *self.shapes[index + 1 :])
        return self._change(self.tr("Delete shape"), replace(self.state, shapes=shapes), select=None)

    def turn_over(self, index: int) -> bool:
        """Let a shape take away what it added, or add what it took away."""
        return self.replace(index, turned_over(self.shapes[index]), self.tr("Add or subtract"))

    def invert(self) -> bool:
        """Mask what is not masked, and nothing else: all, less each shape, in their order."""
        shapes = tuple(turned_over(shape) for shape in self.shapes)
        if self.shapes and self._is_everything(self.shapes[0]):
            shapes = shapes[1:]
        else:
            shapes = (everything(self._extent), *shapes)
        return self._change(self.tr("Invert"), replace(self.state, shapes=shapes), select=None)

    def clear(self) -> bool:
        return self._change(self.tr("Clear mask"), replace(self.state, shapes=()), select=None)

    def set_feather(self, *, feather_s: float | None = None, feather_hz: float | None = None) -> bool:
        """Set how far inside its edges the mask fades, in seconds or Hz; None leaves one as it is."""
        now = self.state
        feather_s = now.feather_s if feather_s is None else min(max(0.0, feather_s), MAX_FEATHER_S)
        feather_hz = now.feather_hz if feather_hz is None else min(max(0.0, feather_hz), MAX_FEATHER_HZ)
        state = replace(now, feather_s=feather_s, feather_hz=feather_hz)
        return self._change(self.tr("Feather"), state, "feather", self._selected)

    def undo(self) -> bool:
        return self._told(self._undo.undo())

    def redo(self) -> bool:
        return self._told(self._undo.redo())

    def part(self) -> None:
        """Let the next change be taken back by itself, as when a key or a button is let go."""
        self._undo.part()

    def select(self, index: int | None) -> None:
        if index is not None and not 0 <= index < len(self.shapes):
            index = None
        if index != self._selected:
            self._selected = index
            self._undo.part()
            self.selection_changed.emit()

    def index_at(self, time_s: float, freq_hz: float) -> int | None:
        """Return the place of the topmost shape there."""
        places = range(len(self.shapes) - 1, -1, -1)
        return next((at for at in places if is_inside(self.shapes[at], (time_s, freq_hz))), None)

    def mask(self, span: TimeSpan | None = None) -> Mask | None:
        """Return the mask of a region, in seconds from its start; None where nothing of it is masked."""
        span = span or self._extent.span
        cut = tuple(seen for shape in self.shapes if (seen := seen_from(shape, span)) is not None)
        if not any(shape.op is MaskOp.ADD for shape in cut):
            return None
        return Mask(shapes=spread(cut), feather_s=self.state.feather_s, feather_hz=self.state.feather_hz)

    def load(self, mask: Mask | None, at_s: float = 0.0) -> bool:
        """Put a whole mask in the place of this one, as of a take that is recalled."""
        if mask is None:
            return self.clear()
        shapes = self._within(mask, at_s)
        state = MaskState(shapes=shapes, feather_s=mask.feather_s, feather_hz=mask.feather_hz)
        return self._change(self.tr("Recall mask"), state, select=None)

    def copied(self, span: TimeSpan | None = None) -> str | None:
        """Return the mask of a region as JSON as requests have it; None where nothing is masked."""
        mask = self.mask(span)
        return None if mask is None else json.dumps(mask_to_dict(mask))

    def paste(self, text: str, at_s: float = 0.0) -> bool:
        """Put a copied mask on top, for a region that starts there; what is no mask is refused."""
        try:
            shapes = self._pasted(text, at_s)
        except EngineError as error:
            self.refused.emit(error.info)
            return False
        mask_feather = None if self.shapes else mask_from_json(text)
        state = replace(self.state, shapes=(*self.shapes, *shapes))
        if mask_feather is not None:
            state = replace(state, feather_s=mask_feather.feather_s, feather_hz=mask_feather.feather_hz)
        return self._change(self.tr("Paste mask"), state, select=None)

    def _pasted(self, text: str, at_s: float) -> tuple[Drawn, ...]:
        shapes = self._within(mask_from_json(text), at_s)
        if not shapes:
            raise SpecError(
                self.tr("Nothing of the copied mask lies within this sound."),
                self.tr("Choose a region before its end, then paste."),
            )
        if not _fits((*self.shapes, *shapes)):
            raise self._too_complex()
        return shapes

    def _within(self, mask: Mask, at_s: float) -> tuple[Drawn, ...]:
        placed = (later(shape, at_s) for shape in gathered(mask.shapes))
        return tuple(seen for shape in placed if (seen := seen_from(shape, self._extent.span)) is not None)

    def _is_everything(self, shape: Drawn) -> bool:
        return (
            isinstance(shape, RectShape)
            and shape.op is MaskOp.ADD
            and is_whole_band(shape)
            and shape.span.start_s <= 0.0
            and shape.span.end_s >= self._extent.duration_s
        )

    def _fitting(
        self, name: str, shapes: tuple[Drawn, ...], joins: str = "", select: int | None = None
    ) -> bool:
        if not _fits(shapes) and _characters(shapes) > self.characters:
            self.refused.emit(self._too_complex().info)
            return False
        return self._change(name, replace(self.state, shapes=shapes), joins, select)

    def _too_complex(self) -> TooLarge:
        return TooLarge(
            self.tr("The mask would be more complex than a request can carry."),
            self.tr("Delete shapes, or draw with fewer and simpler strokes."),
        )

    def _change(self, name: str, state: MaskState, joins: str = "", select: int | None = None) -> bool:
        return self._told(self._undo.do(name, state, joins), select)

    def _told(self, is_other: bool, select: int | None = None) -> bool:
        if is_other:
            before, self._selected = self._selected, select
            self.changed.emit()
            if before != select:
                self.selection_changed.emit()
        return is_other


def _fits(shapes: tuple[Drawn, ...]) -> bool:
    return _characters(shapes) <= MAX_CHARACTERS


def _characters(shapes: tuple[Drawn, ...]) -> int:
    return sum(_length(shape) + 2 for shape in shapes)


@lru_cache(maxsize=4096)
def _length(shape: Drawn) -> int:
    # A mask needs a shape that adds; "subtract" is the longer word.
    parts = tuple(replace(part, op=MaskOp.ADD) for part in spread((shape,)))
    content = cast("list[Any]", mask_to_dict(Mask(shapes=parts))["shapes"])
    return len(json.dumps(content)) - 2 + len(parts) * (len(MaskOp.SUBTRACT.value) - len(MaskOp.ADD.value))

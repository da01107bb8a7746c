"""What is selected and painted, as region and mask of the draft; and back, when a take is recalled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject

from engine.types import MAX_DURATION_S, Mask, RectShape, Region, Task, TimeSpan
from ui.model.mask_shapes import Extent

if TYPE_CHECKING:
    from ui.model.draft import Draft, DraftModel
    from ui.model.mask_edit import MaskEdit
    from ui.model.region import RegionModel

# Of a sound too long to be a region, what is rendered hears so much of on both sides.
CONTEXT_S = 30.0


class Selection(QObject):
    """Keeps the draft in step with the sound that is open, in both directions.

    Where a part is to be made anew and nothing is painted, what is selected in time is the mask. Its region
    is the whole sound then, or what lies around it in a long one.
    """

    def __init__(
        self, region: RegionModel, edit: MaskEdit, draft: DraftModel, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._region, self._edit, self._draft = region, edit, draft
        self._pending: Region | None = None
        self._pending_mask: Mask | None = None
        region.opened.connect(self._open)
        region.failed.connect(self._give_up)
        region.span_changed.connect(self._tell)
        edit.changed.connect(self._tell)
        draft.changed.connect(self._tell)
        draft.recalled.connect(self.restore)

    def restore(self, draft: Draft) -> None:
        """Open what a draft is about, as after a start or once a take was recalled."""
        self._pending, self._pending_mask = draft.region, draft.mask
        if self._pending is None or not self._pending.path:
            self._pending = None
            return
        if self._pending.path == self._region.path:
            self._put_back()
        else:
            self._region.open(self._pending.path)

    def open(self, region: Region) -> None:
        """Open a sound, or a part of one with its place in a DAW."""
        self._pending, self._pending_mask = region, None
        self._region.open(region.path)

    @property
    def is_opening(self) -> bool:
        """Tell whether another sound is about to take the place of the one that is open."""
        return self._pending is not None

    @property
    def region_span(self) -> TimeSpan | None:
        """Return what of the file the draft's region is; None where it is all of it."""
        region = self._draft.draft.region
        return None if region is None else region.span

    def _open(self) -> None:
        self._edit.open(Extent(duration_s=self._region.duration_s, top_hz=self._region.scale.top_hz))
        if self._pending is not None and self._pending.path == self._region.path:
            self._put_back()
        else:
            self._pending = None
            self._tell()

    def _give_up(self, _: object) -> None:
        """Stay with the sound that is open where another one cannot be."""
        if self._pending is not None:
            self._pending = self._pending_mask = None
            if not self._region.path:
                self._draft.set_region(None)
            self._tell()

    def _put_back(self) -> None:
        pending, mask = self._pending, self._pending_mask
        assert pending is not None, "nothing was to be put back"
        at_s = _start_s(pending)
        if mask is not None:
            self._edit.load(mask, at_s)
        self._region.select(pending.span)
        self._pending = self._pending_mask = None
        if pending.anchor is not None and pending.anchor.tempo_bpm:
            self._region.set_beats(pending.anchor.tempo_bpm)
        self._draft.set_region(pending)
        self._tell()

    def _tell(self) -> None:
        if self._pending is not None or not self._region.path:
            return
        span, mask = self._span_and_mask()
        region = Region(path=self._region.path, span=span)
        length_s = self._region.duration_s if span is None else span.duration_s
        self._draft.set_region(_anchored(region, self._draft.draft.region), length_s)
        self._draft.set_mask(mask)

    def _span_and_mask(self) -> tuple[TimeSpan | None, Mask | None]:
        span = self._region.span
        if self._draft.draft.task is not Task.INPAINT:
            return span, self._edit.mask(span)
        if self._edit.shapes or span is None:
            return span, self._edit.mask(span)
        around = self._around(span)
        shift_s = around.start_s if around is not None else 0.0
        state = self._edit.state
        shape = RectShape(span=span.shifted(-shift_s))
        return around, Mask(shapes=(shape,), feather_s=state.feather_s, feather_hz=state.feather_hz)

    def _around(self, span: TimeSpan) -> TimeSpan | None:
        if self._region.duration_s <= MAX_DURATION_S:
            return None
        whole = TimeSpan(start_s=0.0, end_s=self._region.duration_s)
        return span.padded(CONTEXT_S, CONTEXT_S).intersect(whole)


def _anchored(region: Region, former: Region | None) -> Region:
    """Return the region where the DAW has it, as far as that is known of another part of the same file."""
    if former is None or former.path != region.path or former.anchor is None:
        return region
    by_s = _start_s(region) - _start_s(former)
    position_s = former.anchor.position_s + by_s
    return replace(region, anchor=replace(former.anchor, position_s=position_s))


def _start_s(region: Region) -> float:
    return region.span.start_s if region.span is not None else 0.0

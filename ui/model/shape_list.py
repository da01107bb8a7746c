"""The shapes of a mask as a list that can be read aloud, chosen from and deleted in."""

from __future__ import annotations

from PyQt6.QtCore import QAbstractListModel, QModelIndex, QObject, Qt

from engine.types import BrushShape, MaskOp, PolygonShape, RectShape
from ui.model.harmonics import Drawn, Harmonics
from ui.model.mask_edit import MaskEdit
from ui.model.mask_numbers import band_text, pitch_text, span_text, time_text
from ui.model.mask_shapes import bounds_of
from ui.sound.beats import BeatGrid


class ShapeList(QAbstractListModel):
    """One row for each shape, in the order in which they apply."""

    def __init__(self, edit: MaskEdit, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._edit = edit
        self._beats: BeatGrid | None = None
        self._shown: tuple[Drawn, ...] = edit.shapes
        edit.changed.connect(self._renew)

    def set_beats(self, beats: BeatGrid | None) -> None:
        """Tell times in bars; None in seconds."""
        self._beats = beats
        self._renew()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - as Qt has it
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> str | None:
        if not index.isValid():
            return None
        shape = self._shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self.line(shape)
        is_long = role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole)
        return self.text(shape) if is_long else None

    def line(self, shape: Drawn) -> str:
        """Return what a shape is and where, as short as it can be told."""
        bounds = bounds_of(shape)
        sign = "+" if shape.op is MaskOp.ADD else "-"
        times = f"{time_text(bounds.start_s, self._beats)} to {time_text(bounds.end_s, self._beats)}"
        return f"{sign} {self._kind(shape)}  {times.replace(' s to', ' to')}"

    def text(self, shape: Drawn) -> str:
        """Return what a shape does, what it is and where, in words."""
        does = self.tr("adds") if shape.op is MaskOp.ADD else self.tr("takes away")
        bounds = bounds_of(shape)
        band = band_text(bounds) or self.tr("all frequencies")
        return f"{self._kind(shape)} {does}: {span_text(bounds, self._beats)}, {band}"

    def _kind(self, shape: Drawn) -> str:
        if isinstance(shape, Harmonics):
            freqs_hz = [freq_hz for _, freq_hz in shape.fundamental.points]
            text = self.tr("Harmonics of %1, 1 to %2").replace("%2", str(shape.count))
            return text.replace("%1", pitch_text(min(freqs_hz), max(freqs_hz)))
        kinds = {
            RectShape: self.tr("Rectangle"),
            PolygonShape: self.tr("Outline"),
            BrushShape: self.tr("Stroke"),
        }
        return kinds[type(shape)]

    def _renew(self) -> None:
        self.beginResetModel()
        self._shown = self._edit.shapes
        self.endResetModel()

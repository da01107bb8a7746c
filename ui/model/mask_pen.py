"""With what a mask is drawn: the tool, its size, whether it adds, and what it snaps to."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from engine.types import MaskOp

LEAST_TIP_S, MOST_TIP_S = 0.002, 5.0
LEAST_TIP_HZ, MOST_TIP_HZ = 5.0, 5000.0
MOST_HARMONICS = 32
_SEMITONE = 2.0 ** (1.0 / 12.0)
_A4_HZ = 440.0


class Tool(Enum):
    """What the pointer does. HAND chooses, moves and resizes shapes, and leaves what is beside them alone."""

    HAND = "hand"
    RECT = "rect"
    LASSO = "lasso"
    BRUSH = "brush"
    HARMONICS = "harmonics"
    TIME = "time"
    BAND = "band"

    @property
    def has_tip(self) -> bool:
        return self in (Tool.BRUSH, Tool.HARMONICS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """The tool and all that it depends on; the tip is half as wide and as high as what it draws."""

    tool: Tool = Tool.HAND
    op: MaskOp = MaskOp.ADD
    tip_s: float = 0.05
    tip_hz: float = 150.0
    harmonic_tip_hz: float = 30.0
    harmonics: int = 16
    snaps_to_notes: bool = False
    shows_cells: bool = False

    def __post_init__(self) -> None:
        if not (LEAST_TIP_S <= self.tip_s <= MOST_TIP_S):
            raise ValueError(f"tip_s must be from {LEAST_TIP_S} to {MOST_TIP_S}, got {self.tip_s}")
        if not all(LEAST_TIP_HZ <= hz <= MOST_TIP_HZ for hz in (self.tip_hz, self.harmonic_tip_hz)):
            raise ValueError(f"a tip's height must be from {LEAST_TIP_HZ} to {MOST_TIP_HZ} Hz")
        if not 1 <= self.harmonics <= MOST_HARMONICS:
            raise ValueError(f"harmonics must be from 1 to {MOST_HARMONICS}, got {self.harmonics}")

    @property
    def radius_hz(self) -> float:
        """Return half the height of what the present tool draws."""
        return self.harmonic_tip_hz if self.tool is Tool.HARMONICS else self.tip_hz

    def at_note(self, freq_hz: float) -> float:
        """Return the nearest note where strokes snap to notes, else the frequency itself."""
        return _nearest_note(freq_hz, 0.0) if self.snaps_to_notes else freq_hz

    def between_notes(self, freq_hz: float) -> float:
        """Return the nearest place halfway between notes, so that edges cut none in two."""
        return _nearest_note(freq_hz, 0.5) if self.snaps_to_notes else freq_hz


class PenModel(QObject):
    """Holds the pen that the tools choose and the layer draws with."""

    changed = pyqtSignal()

    def __init__(self, pen: Pen | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pen = pen or Pen()

    @property
    def pen(self) -> Pen:
        return self._pen

    def change(self, **fields: Any) -> None:
        """Take other values for some fields of the pen."""
        pen = replace(self._pen, **fields)
        if pen != self._pen:
            self._pen = pen
            self.changed.emit()

    def resize(self, factor: float) -> None:
        """Make the tip larger or smaller, both ways, within its limits."""
        pen = self._pen
        field = "harmonic_tip_hz" if pen.tool is Tool.HARMONICS else "tip_hz"
        tip_hz = min(max(LEAST_TIP_HZ, getattr(pen, field) * factor), MOST_TIP_HZ)
        tip_s = min(max(LEAST_TIP_S, pen.tip_s * factor), MOST_TIP_S)
        self.change(**{field: tip_hz, "tip_s": tip_s})


def _nearest_note(freq_hz: float, offset: float) -> float:
    if freq_hz < 1.0:
        return freq_hz
    semitones = 12.0 * math.log2(freq_hz / _A4_HZ)
    return float(_A4_HZ * _SEMITONE ** (round(semitones - offset) + offset))

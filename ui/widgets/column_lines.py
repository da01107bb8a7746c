"""Upright lines from arrays, without an object for each. Legend: C columns."""

from __future__ import annotations

import numpy as np
from PyQt6.QtCore import QLineF
from PyQt6.QtGui import QPainter
from pyqtgraph.Qt import internals


class ColumnLines:
    def __init__(self) -> None:
        self._lines = internals.PrimitiveArray(QLineF, 4)

    def draw(self, painter: QPainter, x_C: np.ndarray, top_C: np.ndarray, bottom_C: np.ndarray) -> None:
        """Draw with the painter's pen, in its coordinates."""
        self._lines.resize(len(x_C))
        lines = self._lines.ndarray()
        lines[:, 0], lines[:, 1], lines[:, 2], lines[:, 3] = x_C, top_C, x_C, bottom_C
        painter.drawLines(*self._lines.drawargs())

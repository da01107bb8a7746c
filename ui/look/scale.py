"""Spacings and type sizes; nothing in the panel has others."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from PyQt6.QtGui import QFont, QFontDatabase
from PyQt6.QtWidgets import QApplication


class Space(IntEnum):
    """Distances in device-independent pixels, on a grid of four."""

    HAIR = 2
    TIGHT = 4
    SMALL = 8
    MEDIUM = 12
    LARGE = 16
    WIDE = 24


class Size(IntEnum):
    """Sizes of things that are pressed, in device-independent pixels."""

    ICON = 16
    CONTROL = 28
    MAIN_CONTROL = 36
    RADIUS = 4


class Type(IntEnum):
    """Type sizes in points, relative to the system's."""

    SMALL = -1
    BODY = 0
    STRONG = 1
    TITLE = 3


_SMALLEST_PT: Final = 7


def font(step: Type = Type.BODY, *, is_bold: bool = False) -> QFont:
    """Return the system's font in a size of the scale."""
    made = QFont(QApplication.font())
    made.setPointSize(max(made.pointSize() + int(step), _SMALLEST_PT))
    made.setBold(is_bold)
    return made


def number_font(step: Type = Type.BODY) -> QFont:
    """Return a font whose digits are of one width, so that running numbers stand still."""
    made = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    made.setPointSize(max(QApplication.font().pointSize() + int(step), _SMALLEST_PT))
    return made

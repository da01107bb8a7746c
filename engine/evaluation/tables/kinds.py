"""Which tables there are."""

from __future__ import annotations

from enum import Enum


class TableKind(Enum):
    """Tables 7, 8 and 5, and figures 3 and 6, of the paper."""

    STEPS = "steps"
    RECONSTRUCTION = "reconstruction"
    EDITING = "editing"
    STRENGTH = "strength"
    GUIDANCE = "guidance"

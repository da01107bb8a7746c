"""Which tables there are."""

from __future__ import annotations

from enum import Enum


class TableKind(Enum):
    """Tables 7, 8 and 5, figures 3 and 6, tables 1 and 3, 4, and 6, of the paper."""

    STEPS = "steps"
    RECONSTRUCTION = "reconstruction"
    EDITING = "editing"
    STRENGTH = "strength"
    GUIDANCE = "guidance"
    CONDITIONS = "conditions"
    COMPRESSION = "compression"
    ABLATIONS = "ablations"

    @property
    def trains(self) -> bool:
        """Tell whether the table is of models that are trained for it."""
        return self in _TRAINED

    @property
    def project(self) -> str:
        """Return the name of the training project that it is of, unless told otherwise."""
        return _TRAINED.get(self, "starter")


_TRAINED = {
    TableKind.CONDITIONS: "ablations",
    TableKind.ABLATIONS: "ablations",
    TableKind.COMPRESSION: "compression",
}

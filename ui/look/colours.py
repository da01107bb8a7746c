"""The colours of both themes; text on its ground has a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Theme(Enum):
    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """Colours by what they are for, as #rrggbb.

    ground is behind everything, panel behind groups, field behind what can be edited, line between them;
    faint is text of less weight; accent is what acts and what is chosen, on_accent text on it; wave and mask
    are the sound and what of it is made anew; good, warn and bad tell states.
    """

    is_dark: bool
    ground: str
    panel: str
    field: str
    line: str
    text: str
    faint: str
    accent: str
    on_accent: str
    wave: str
    wave_rms: str
    mask: str
    playhead: str
    selection: str
    good: str
    warn: str
    bad: str


LIGHT = Colours(
    is_dark=False,
    ground="#f4f5f7",
    panel="#ffffff",
    field="#ffffff",
    line="#cfd4dc",
    text="#1c2430",
    faint="#566072",
    accent="#1f5fbf",
    on_accent="#ffffff",
    wave="#3f7cc8",
    wave_rms="#1f4f8f",
    mask="#c2410c",
    playhead="#b00058",
    selection="#1f5fbf",
    good="#1a7a3c",
    warn="#8a5a00",
    bad="#b3261e",
)
DARK = Colours(
    is_dark=True,
    ground="#15181d",
    panel="#1d2128",
    field="#12151a",
    line="#39414d",
    text="#e6e9ef",
    faint="#a0a9b8",
    accent="#7db1ff",
    on_accent="#0d1a2e",
    wave="#6fa8f5",
    wave_rms="#b7d4ff",
    mask="#ff9d5c",
    playhead="#ff6bb0",
    selection="#7db1ff",
    good="#6fd28f",
    warn="#f0c060",
    bad="#ff8f85",
)

"""How a sound is shown: which of the sounds, on which scales, in which colours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ui.sound.scales import ScaleKind

LOWEST_FLOOR_DB, HIGHEST_FLOOR_DB = -126.0, -30.0
SMALLEST_RANGE_DB, LARGEST_RANGE_DB = 10.0, 126.0
LARGEST_GAIN = 256.0
WINDOWS_SAMPLES = (512, 1024, 2048, 4096, 8192)


class Shown(Enum):
    """Which sound is seen: the file, the file with a take in its place, or what the take adds."""

    ORIGINAL = "original"
    TAKE = "take"
    DIFFERENCE = "difference"


class Snap(Enum):
    """What times are drawn to while something is selected."""

    OFF = "off"
    BEATS = "beats"
    TRANSIENTS = "transients"


class TimeUnit(Enum):
    SECONDS = "seconds"
    BARS = "bars"


class ColourMap(Enum):
    """Colours of a spectrogram; all rise evenly in lightness (grey: from black to white)."""

    MAGMA = "magma"
    INFERNO = "inferno"
    VIRIDIS = "viridis"
    CIVIDIS = "cividis"
    GREY = "grey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """Levels from floor_db to range_db above it are told apart by colour.

    window_samples None lets the zoom decide how long the analysed frames are. wave_gain makes the waveform so
    many times as high.
    """

    scale_kind: ScaleKind = ScaleKind.MEL
    floor_db: float = -96.0
    range_db: float = 84.0
    colour_map: ColourMap = ColourMap.MAGMA
    window_samples: int | None = None
    time_unit: TimeUnit = TimeUnit.SECONDS
    is_grid_shown: bool = False
    wave_gain: float = 1.0

    def __post_init__(self) -> None:
        if not LOWEST_FLOOR_DB <= self.floor_db <= HIGHEST_FLOOR_DB:
            raise ValueError(
                f"floor_db must be from {LOWEST_FLOOR_DB} to {HIGHEST_FLOOR_DB}, got {self.floor_db}"
            )
        if not SMALLEST_RANGE_DB <= self.range_db <= LARGEST_RANGE_DB:
            raise ValueError(
                f"range_db must be from {SMALLEST_RANGE_DB} to {LARGEST_RANGE_DB}, got {self.range_db}"
            )
        if not 1.0 <= self.wave_gain <= LARGEST_GAIN:
            raise ValueError(f"wave_gain must be from 1 to {LARGEST_GAIN:g}, got {self.wave_gain}")
        if self.window_samples not in (None, *WINDOWS_SAMPLES):
            raise ValueError(f"window_samples must be one of {WINDOWS_SAMPLES}, got {self.window_samples}")

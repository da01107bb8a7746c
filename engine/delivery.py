"""How takes come back: effects, loudness, fades, file format; values, stdlib only."""

from __future__ import annotations

import math
import string
from dataclasses import dataclass
from enum import Enum

from engine.chains import Chain

MAX_FADE_S = 60.0
MAX_NAMING_CHARACTERS = 200
# What a naming pattern may hold; each stands for something of the job.
NAMING_FIELDS = ("source", "task", "prompt", "model", "seed", "chain", "preset")


class FileFormat(Enum):
    WAV = "wav"
    FLAC = "flac"
    AIFF = "aiff"


class SampleBits(Enum):
    PCM_16 = "16"
    PCM_24 = "24"
    FLOAT = "float"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What is done to a finished take before it is written.

    format and bits are by default the source's. dither adds noise of one step, triangular, where bits are
    fewer than the sound has. loudness_lufs and the fades are for takes that are new as a whole, not for what
    keeps a part of its source; so is the limiter at peak_dbtp, elsewhere it acts on the new part alone.
    naming is a pattern for file names, as "{source} {prompt}".
    """

    name: str = ""
    description: str = ""
    chain: Chain | None = None
    loudness_lufs: float | None = None
    peak_dbtp: float = -1.0
    fade_in_s: float = 0.0
    fade_out_s: float = 0.0
    format: FileFormat | None = None
    bits: SampleBits | None = None
    dither: bool = True
    naming: str = ""

    def __post_init__(self) -> None:
        if self.loudness_lufs is not None:
            _within("loudness_lufs", self.loudness_lufs, -70.0, 0.0)
        _within("peak_dbtp", self.peak_dbtp, -60.0, 0.0)
        _within("fade_in_s", self.fade_in_s, 0.0, MAX_FADE_S)
        _within("fade_out_s", self.fade_out_s, 0.0, MAX_FADE_S)
        if self.format is FileFormat.FLAC and self.bits is SampleBits.FLOAT:
            raise ValueError("flac holds 16 or 24 bits, not float")
        _require_naming(self.naming)


def _require_naming(pattern: str) -> None:
    if len(pattern) > MAX_NAMING_CHARACTERS:
        raise ValueError(f"naming may have at most {MAX_NAMING_CHARACTERS} characters")
    try:
        parts = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise ValueError(f"naming {pattern!r} is no pattern: {error}") from error
    for _, name, form, conversion in parts:
        if name is not None and (name not in NAMING_FIELDS or form or conversion):
            known = ", ".join(f"{{{one}}}" for one in NAMING_FIELDS)
            raise ValueError(f"naming {pattern!r} may only hold {known}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must be from {low:g} to {high:g}, got {value:g}")

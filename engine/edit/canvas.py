"""What the model hears of a region, and the way back into the session.

Legend: N channels, V voices, S samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.audio.grid import LatentGrid
from engine.audio.io import AudioClip
from engine.audio.level import ModelLevel, model_level
from engine.audio.resample import resample
from engine.audio.splice import mirrored
from engine.edit.patches import Patch
from engine.edit.voices import Voices

# More than a resampler's filter reaches.
_MARGIN_S = 0.05

Mix = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Canvas:
    """A patch at the model's rate; levels are how each voice was brought to the model's level."""

    patch: Patch
    audio_VS: np.ndarray
    levels: tuple[ModelLevel, ...]

    @property
    def first_sample(self) -> int:
        """Return where the canvas starts, counted from the region's start at the model's rate."""
        return self.patch.first_cell * (self.audio_VS.shape[1] // self.patch.cells)

    @property
    def heard_VS(self) -> np.ndarray:
        """Return what the model hears at the session's level."""
        return self.at_session_level(self.audio_VS)

    def at_session_level(self, audio_VS: np.ndarray) -> np.ndarray:
        pairs = zip(self.levels, audio_VS.astype(np.float64), strict=True)
        return np.stack([level.undo(voice_S) for level, voice_S in pairs])


def canvas_of(clip: AudioClip, voices: Voices, patch: Patch, grid: LatentGrid) -> Canvas:
    """Mix to voices, convert to the model's rate and level; beyond what is there come mirror images."""
    first, past = patch.first_cell * grid.cell_samples, patch.past_cell * grid.cell_samples
    heard_VS = _heard(clip, voices, first, past, grid.sample_rate_hz)
    levels = tuple(model_level(voice_S) for voice_S in heard_VS)
    audio_VS = np.stack([level.apply(voice_S) for level, voice_S in zip(levels, heard_VS, strict=True)])
    return Canvas(patch=patch, audio_VS=audio_VS, levels=levels)


def in_session(
    canvas: Canvas, audio_VS: np.ndarray, model_hz: int, rate_hz: int, start: int, stop: int
) -> np.ndarray:
    """Convert a canvas at the session's level to the session's rate: samples start to stop of the region."""
    unit, model_unit = _units(rate_hz, model_hz)
    margin = math.ceil(_MARGIN_S * rate_hz)
    first, past = (start - margin) // unit, -(-(stop + margin) // unit)
    stretch_VS = _between(audio_VS, canvas.first_sample, first * model_unit, past * model_unit)
    resampled_VS = resample(stretch_VS, model_hz, rate_hz)
    return resampled_VS[:, start - first * unit :][:, : stop - start]


def _heard(clip: AudioClip, voices: Voices, first: int, past: int, model_hz: int) -> np.ndarray:
    """Return the voices (V, S) from one sample to another, counted from the region's start."""
    unit, model_unit = _units(clip.sample_rate_hz, model_hz)
    margin = math.ceil(_MARGIN_S * model_hz)
    # Only whole units are whole numbers of samples at both rates, which keeps the region's start on a sample.
    start, stop = (first - margin) // model_unit, -(-(past + margin) // model_unit)
    heard_VS = _stretch(clip, voices, start * unit, stop * unit)
    resampled_VS = resample(heard_VS, clip.sample_rate_hz, model_hz)
    return resampled_VS[:, first - start * model_unit :][:, : past - first]


def _stretch(clip: AudioClip, voices: Voices, start: int, stop: int) -> np.ndarray:
    """Return the voices between two samples counted from the region's start."""
    parts = [part_NS for part_NS in (clip.before_NS, clip.audio_NS, clip.after_NS) if part_NS.size]
    there_NS = np.concatenate(parts, axis=1) if len(parts) > 1 else clip.audio_NS
    return _between(there_NS, -clip.before_NS.shape[1], start, stop, voices.of)


def _between(
    audio_NS: np.ndarray, first: int, start: int, stop: int, mix: Mix = lambda audio_NS: audio_NS
) -> np.ndarray:
    """Return samples start to stop of audio that begins at `first`, mixed, mirrored beyond its ends."""
    past = first + audio_NS.shape[1]
    # With little or nothing in between there would be nothing to mirror.
    near, far = min(start, past - 2), max(stop, first + 2)
    cut_NS = mix(audio_NS[:, max(0, near - first) : max(0, far - first)])
    wide_NS = mirrored(cut_NS, max(0, first - near), max(0, far - past))
    return wide_NS[:, start - near :][:, : stop - start]


def _units(rate_hz: int, model_hz: int) -> tuple[int, int]:
    """Return the least numbers of samples at both rates that last equally long."""
    common = math.gcd(rate_hz, model_hz)
    return rate_hz // common, model_hz // common

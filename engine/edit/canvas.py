"""What the model hears of a region, and the way back into the session.

Legend: N channels, V voices, S samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.audio.grid import LatentGrid, samples_at
from engine.audio.io import AudioClip
from engine.audio.level import ModelLevel
from engine.audio.resample import resample
from engine.audio.splice import between
from engine.edit.patches import Patch
from engine.edit.take_latents import KnownCells, LatentStretch, levels_and_known
from engine.edit.voices import Voices

# More than a resampler's filter reaches.
_MARGIN_S = 0.05
# Resampled at once; what is mixed and resampled takes several times the room of the region itself.
_BLOCK_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Canvas:
    """A patch at the model's rate; levels are how each voice was brought to the model's level."""

    patch: Patch
    audio_VS: np.ndarray
    levels: tuple[ModelLevel, ...]
    known: tuple[KnownCells, ...] = ()

    @property
    def cell_samples(self) -> int:
        return self.audio_VS.shape[1] // self.patch.cells

    @property
    def first_sample(self) -> int:
        """Return where the canvas starts, counted from the region's start at the model's rate."""
        return self.patch.origin_samples + self.patch.first_cell * self.cell_samples

    @property
    def heard_VS(self) -> np.ndarray:
        """Return what the model hears at the session's level."""
        return self.at_session_level(self.audio_VS)

    @property
    def means_V1(self) -> np.ndarray:
        """Return the constant that each voice has in the session: nothing that a model makes anew."""
        return np.array([[level.mean] for level in self.levels])

    def at_session_level(self, audio_VS: np.ndarray) -> np.ndarray:
        """Return voices at the session's level, without their constants."""
        gains = np.array([[level.gain] for level in self.levels])
        return np.asarray(audio_VS / gains)


def canvas_of(
    clip: AudioClip,
    voices: Voices,
    patch: Patch,
    grid: LatentGrid,
    stretches: Sequence[LatentStretch] = (),
) -> Canvas:
    """Mix to voices, convert to the model's rate and level; beyond what is there come mirror images.

    What is in the stretches, where the clip is of a take, is known already.
    """
    first = patch.origin_samples + patch.first_cell * grid.cell_samples
    past = first + patch.cells * grid.cell_samples
    heard_VS = _heard(clip, voices, first, past, grid.sample_rate_hz)
    begins = first + region_sample(clip, grid)
    levels, known = levels_and_known(stretches, voices.heard_VN, heard_VS, begins, patch.cells)
    pairs = zip(levels, heard_VS, strict=True)
    audio_VS = np.stack([level.apply(voice_S).astype(np.float32) for level, voice_S in pairs])
    return Canvas(patch=patch, audio_VS=audio_VS, levels=levels, known=known)


def region_sample(clip: AudioClip, grid: LatentGrid) -> int:
    """Return where in its file a region begins, at the model's rate."""
    return samples_at(clip.first_sample / clip.sample_rate_hz, grid.sample_rate_hz)


def in_session(
    canvas: Canvas, audio_VS: np.ndarray, model_hz: int, rate_hz: int, start: int, stop: int
) -> np.ndarray:
    """Convert a canvas at the session's level to the session's rate: samples start to stop of the region."""
    unit, model_unit = _units(rate_hz, model_hz)
    margin = math.ceil(_MARGIN_S * rate_hz)
    first, past = (start - margin) // unit, -(-(stop + margin) // unit)
    stretch_VS = between([audio_VS], canvas.first_sample, first * model_unit, past * model_unit)
    resampled_VS = resample(stretch_VS, model_hz, rate_hz)
    return resampled_VS[:, start - first * unit :][:, : stop - start]


def _heard(clip: AudioClip, voices: Voices, first: int, past: int, model_hz: int) -> np.ndarray:
    """Return the voices (V, S) from one sample to another, counted from the region's start."""
    block = samples_at(_BLOCK_S, model_hz)
    starts = range(first, past, block)
    blocks = (_heard_block(clip, voices, start, min(start + block, past), model_hz) for start in starts)
    return np.concatenate(list(blocks), axis=1)


def _heard_block(clip: AudioClip, voices: Voices, first: int, past: int, model_hz: int) -> np.ndarray:
    unit, model_unit = _units(clip.sample_rate_hz, model_hz)
    margin = math.ceil(_MARGIN_S * model_hz)
    # Only whole units are whole numbers of samples at both rates, which keeps the region's start on a sample.
    start, stop = (first - margin) // model_unit, -(-(past + margin) // model_unit)
    parts = [part_NS for part_NS in (clip.before_NS, clip.audio_NS, clip.after_NS) if part_NS.size]
    begins = -clip.before_NS.shape[1] if clip.before_NS.size else 0
    heard_VS = voices.of(between(parts or [clip.audio_NS], begins, start * unit, stop * unit))
    resampled_VS = resample(heard_VS, clip.sample_rate_hz, model_hz)
    return resampled_VS[:, first - start * model_unit :][:, : past - first]


def _units(rate_hz: int, model_hz: int) -> tuple[int, int]:
    """Return the least numbers of samples at both rates that last equally long."""
    common = math.gcd(rate_hz, model_hz)
    return rate_hz // common, model_hz // common

"""Which latent cells a finished take keeps: those whose sound is in it, changed in nothing but its level.

Legend: N channels, V voices, S samples, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from engine.audio.grid import LatentGrid, samples_at
from engine.audio.io import AudioClip
from engine.audio.level import ModelLevel, decibels, rms
from engine.edit.canvas import Canvas, region_sample
from engine.edit.edit import Edit
from engine.edit.generation import FADE_OUT_S
from engine.edit.take_latents import LatentStretch, stretch_of

# A voice that was mixed with more of another one than this is not its latent's any more.
_MOST_OTHER_SHARE = 1e-3
# Where a mask has bands, the original sounds beside the new sound, and a latent has both at one level.
_MOST_BAND_GAIN_DB = 0.5


def edited_stretches(
    edit: Edit,
    made_VS: Sequence[np.ndarray],
    placed_VS: Sequence[np.ndarray],
    latents_VCHW: Sequence[np.ndarray],
) -> Iterator[LatentStretch]:
    """Yield what a take keeps that an edit made: made are the model's sounds, placed those in the region."""
    # Of an edit that changes nothing no canvas is rendered at all.
    rendered = zip(edit.canvases, made_VS, placed_VS, latents_VCHW, strict=False)
    for canvas, made, placed, latent_VCHW in rendered:
        sounds_VS = canvas.at_session_level(made)
        for start, stop in _settled(edit, canvas):
            inside = slice(max(0, start - canvas.first_sample), stop - canvas.first_sample)
            for voice, latent_CHW in enumerate(latent_VCHW):
                level = canvas.levels[voice]
                gain = _gain(sounds_VS[voice, inside], placed[voice, inside] - level.mean)
                if gain is None or (edit.place.is_banded and abs(decibels(gain)) > _MOST_BAND_GAIN_DB):
                    continue
                heard_N = tuple(map(float, edit.voices.heard_VN[voice]))
                turned = ModelLevel(mean=level.mean, gain=level.gain / gain)
                whole = stretch_of(latent_CHW, heard_N, turned, canvas.first_sample)
                yield from whole.between(start, stop, canvas.cell_samples)


def generated_stretches(
    clip: AudioClip, made_S: np.ndarray, latent_CHW: np.ndarray, grid: LatentGrid
) -> Iterator[LatentStretch]:
    """Yield what a generation keeps: all but its end, which is faded out; nothing at another rate."""
    if clip.sample_rate_hz != grid.sample_rate_hz:
        return
    length = clip.length_samples - samples_at(FADE_OUT_S, clip.sample_rate_hz)
    gain = _gain(made_S[: max(0, length)], clip.audio_NS[0, : max(0, length)])
    if gain is not None:
        level = ModelLevel(mean=0.0, gain=1.0 / gain)
        yield from stretch_of(latent_CHW, (1.0,), level, 0).between(0, length, grid.cell_samples)


def carried_stretches(edit: Edit) -> Iterator[LatentStretch]:
    """Yield what the source, itself a take, keeps of the samples that stay as they are."""
    begins = region_sample(edit.clip, edit.grid)
    for stretch in edit.stretches:
        moved = replace(stretch.place, first_sample=stretch.place.first_sample - begins)
        for start, stop in _kept(edit):
            here = LatentStretch(place=moved, latent_CHW=stretch.latent_CHW)
            yield from here.between(start, stop, edit.grid.cell_samples)


def _settled(edit: Edit, canvas: Canvas) -> list[tuple[int, int]]:
    """Return what of a canvas's own part no fade reaches, in samples of the region at the model's rate."""
    place = replace(edit.place, within_s=canvas.patch.covered_s)
    return [(_model_sample(edit, start), _model_sample(edit, stop)) for start, stop in place.settled_samples]


def _kept(edit: Edit) -> list[tuple[int, int]]:
    """Return what of the region is not replaced, in samples at the model's rate."""
    changed = sorted(edit.place.spans_samples)
    ends = (0, *(end for span in changed for end in span), edit.clip.length_samples)
    return [
        (_model_sample(edit, start), _model_sample(edit, stop))
        for start, stop in zip(ends[::2], ends[1::2], strict=True)
    ]


def _model_sample(edit: Edit, sample: int) -> int:
    return samples_at(sample / edit.clip.sample_rate_hz, edit.grid.sample_rate_hz)


def _gain(made_S: np.ndarray, placed_S: np.ndarray) -> float | None:
    """Return what a sound was multiplied by; None where that is not all that was done to it."""
    power = float(np.dot(made_S, made_S))
    if power == 0.0:
        return None
    gain = float(np.dot(made_S, placed_S)) / power
    is_all = rms(placed_S - gain * made_S) <= _MOST_OTHER_SHARE * rms(placed_S)
    return gain if gain > 0.0 and is_all else None

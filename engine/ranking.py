"""How good a take is, as far as that can be measured: which of several to hear first.

Legend: N channels, V voices, S samples, B batch, E embedding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from engine.audio.grid import samples_at
from engine.audio.io import AudioClip
from engine.audio.level import decibels, in_blocks, rms
from engine.conditioning import embed_clip
from engine.edit.canvas import Canvas
from engine.edit.contract import Contract
from engine.edit.edit import Edit, changed_part
from engine.edit.loudness import CEILING_DBTP, true_peak_db
from engine.models.bundle import Bundle
from engine.types import RenderSpec, Task

CLIPPING_WEIGHT, SILENCE_WEIGHT, SEAM_WEIGHT = 0.2, 0.5, 0.2
INPAINT_PROMPT_WEIGHT, SUPERRES_PROMPT_WEIGHT = 0.75, 0.5
# The limiter brings what was too high to the ceiling itself.
_AT_CEILING_DB = 0.05
_LIMITED_COSTS = 0.5
_FULL_SCALE, _WORST_CLIPPED_SHARE = 0.999, 0.01
_QUIET_DB, _SILENT_DB, _INAUDIBLE_DB = -20.0, -40.0, -60.0
_WORST_SEAM_DB = 12.0
# A generation replaces nothing; this is a common level of finished audio.
_USUAL_DB = -20.0
_AROUND_S, _LEAST_AROUND_S = 5.0, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """A take's measures, penalties from 0 to 1, and its score.

    total = prompt_weight * prompt_score + (1 - prompt_weight) * source_score
            - 0.2 * clipping - 0.5 * silence - 0.2 * seam

    prompt_score is the cosine of the new sound to what was asked for; source_score that to what a transfer
    or super-resolution started from, and to the surroundings of an inpainting; None is not known and counts
    0. prompt_weight is the strength of a transfer, 0.75 for an inpainting, 0.5 for a super-resolution and 1
    for a generation. clipped_share is that of the model's samples at full scale, true_peak_dbtp the new
    sound's; clipping is 1 from 1 % of samples on and at least 0.5 where the limiter has been at work.
    level_db compares the new sound, before its level is matched, with what it replaced, a generation with
    -20 dBFS; None beside silence; silence rises from 0 at -20 dB to 1 at -40 dB. seam is 1 from a seam_db of
    12 on and 0 where there is no click.
    """

    prompt_score: float
    source_score: float | None
    prompt_weight: float
    true_peak_dbtp: float
    clipped_share: float
    level_db: float | None
    seam_db: float | None
    clipping: float
    silence: float
    seam: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """What all takes of a job are compared with, one unit row each; None where the model cannot hear."""

    wanted_1E: Tensor | None
    source_1E: Tensor | None

    @classmethod
    def of(cls, bundle: Bundle, wanted_1E: Tensor, edit: Edit | None) -> Reference:
        """Listen to the source of an edit once."""
        if not bundle.card.clap_hears:
            return cls(wanted_1E=None, source_1E=None)
        source_1E = None if edit is None else embed_clip(_compared_with(edit), bundle.clap)
        return cls(wanted_1E=wanted_1E, source_1E=source_1E)


def ranked(
    spec: RenderSpec,
    bundle: Bundle,
    reference: Reference,
    clip: AudioClip,
    model_output: Sequence[np.ndarray],
    edit: Edit | None = None,
    kept: Contract | None = None,
) -> Ranking:
    """Measure a take; the spec gives it alone, model_output (V, S) is what the edit's canvases became."""
    heard = clip if edit is None else changed_part(edit, clip)
    prompt_score, source_score = _scores(bundle, reference, heard)
    is_whole = kept is not None and edit is not None and edit.mask is None
    return ranking_of(
        prompt_score=prompt_score,
        source_score=source_score,
        prompt_weight=prompt_weight(spec),
        true_peak_dbtp=kept.true_peak_dbtp if kept and is_whole else true_peak_db(heard.audio_NS),
        clipped_share=clipped_share(model_output),
        level_db=_level_db(model_output, edit),
        seam_db=None if kept is None else kept.seam_db,
    )


def ranking_of(
    *,
    prompt_score: float,
    source_score: float | None,
    prompt_weight: float,
    true_peak_dbtp: float,
    clipped_share: float,
    level_db: float | None,
    seam_db: float | None,
) -> Ranking:
    """Turn measures into penalties and the score; the formula is the class's."""
    clipping, silence, seam = (
        _clipping(true_peak_dbtp, clipped_share),
        0.0 if level_db is None else _share(_QUIET_DB - level_db, _QUIET_DB - _SILENT_DB),
        0.0 if seam_db is None else _share(seam_db, _WORST_SEAM_DB),
    )
    likeness = prompt_weight * prompt_score + (1.0 - prompt_weight) * (source_score or 0.0)
    penalty = CLIPPING_WEIGHT * clipping + SILENCE_WEIGHT * silence + SEAM_WEIGHT * seam
    return Ranking(
        prompt_score=prompt_score,
        source_score=source_score,
        prompt_weight=prompt_weight,
        true_peak_dbtp=true_peak_dbtp,
        clipped_share=clipped_share,
        level_db=level_db,
        seam_db=seam_db,
        clipping=clipping,
        silence=silence,
        seam=seam,
        total=likeness - penalty,
    )


def prompt_weight(spec: RenderSpec) -> float:
    """Return how much the prompt counts beside the source."""
    weights = {
        Task.GENERATE: 1.0,
        Task.TRANSFER: spec.sampler.strength,
        Task.INPAINT: INPAINT_PROMPT_WEIGHT,
        Task.SUPERRES: SUPERRES_PROMPT_WEIGHT,
    }
    return weights[spec.task]


def clipped_share(model_output: Sequence[np.ndarray]) -> float:
    """Return which share of samples is at full scale."""
    samples = sum(audio_VS.size for audio_VS in model_output)
    clipped = sum(
        int(np.count_nonzero(np.abs(block_VS) >= _FULL_SCALE))
        for audio_VS in model_output
        for block_VS in in_blocks(audio_VS)
    )
    return clipped / samples if samples else 0.0


def surroundings(edit: Edit) -> AudioClip:
    """Return up to 5 s on both sides of what an edit changes; the part itself where there is too little."""
    clip, ends = edit.clip, edit.place.spans_samples
    start, stop = ends[0][0], ends[-1][1]
    around = samples_at(_AROUND_S, clip.sample_rate_hz)
    pieces = [*_pieces(clip, start - around, start), *_pieces(clip, stop, stop + around)]
    if sum(piece_NS.shape[1] for piece_NS in pieces) < samples_at(_LEAST_AROUND_S, clip.sample_rate_hz):
        return changed_part(edit, clip)
    return replace(clip, audio_NS=np.concatenate(pieces, axis=1))


def _pieces(clip: AudioClip, start: int, stop: int) -> Iterator[np.ndarray]:
    """Yield what of the region and its context lies between two samples, counted from the region's start."""
    parts = (
        (-clip.before_NS.shape[1], clip.before_NS),
        (0, clip.audio_NS),
        (clip.length_samples, clip.after_NS),
    )
    for first, part_NS in parts:
        piece_NS = part_NS[:, max(0, start - first) : max(0, stop - first)]
        if piece_NS.size:
            yield piece_NS


def _compared_with(edit: Edit) -> AudioClip:
    return surroundings(edit) if edit.spec.task is Task.INPAINT else changed_part(edit, edit.clip)


def _scores(bundle: Bundle, reference: Reference, heard: AudioClip) -> tuple[float, float | None]:
    if reference.wanted_1E is None:
        return 0.0, None
    heard_1E = embed_clip(heard, bundle.clap)
    source_1E = reference.source_1E
    return _cosine(heard_1E, reference.wanted_1E), None if source_1E is None else _cosine(heard_1E, source_1E)


def _cosine(one_1E: Tensor, other_1E: Tensor) -> float:
    return float((one_1E.double() * other_1E.double()).sum())


def _clipping(peak_dbtp: float, share: float) -> float:
    is_limited = peak_dbtp > CEILING_DBTP - _AT_CEILING_DB
    return max(_share(share, _WORST_CLIPPED_SHARE), _LIMITED_COSTS if is_limited else 0.0)


def _share(value: float, worst: float) -> float:
    return min(1.0, max(0.0, value / worst))


def _level_db(model_output: Sequence[np.ndarray], edit: Edit | None) -> float | None:
    """Compare the new sound with what it replaces within the mask's time, both in the session's level."""
    if edit is None:
        return decibels(rms(model_output[0])) - _USUAL_DB
    # A strength of 0 renders no canvas at all.
    pairs = list(zip(edit.canvases, model_output, strict=False))
    before = _rms_of([(canvas, canvas.audio_VS) for canvas in edit.canvases], edit.grid.sample_rate_hz)
    if not pairs or decibels(before) < _INAUDIBLE_DB:
        return None
    return decibels(_rms_of(pairs, edit.grid.sample_rate_hz)) - decibels(before)


def _rms_of(pairs: Sequence[tuple[Canvas, np.ndarray]], rate_hz: int) -> float:
    """Return the level of voices (V, S) over what their canvases cover."""
    energy, samples = 0.0, 0
    for canvas, audio_VS in pairs:
        start, stop = (
            samples_at(time_s, rate_hz) - canvas.first_sample
            for time_s in (canvas.patch.covered_s.start_s, canvas.patch.covered_s.end_s)
        )
        for block_VS in in_blocks(audio_VS, max(0, start), max(start + 1, stop)):
            energy += float(np.square(canvas.at_session_level(block_VS)).sum())
            samples += block_VS.size
    return math.sqrt(energy / samples) if samples else 0.0

"""Moments of a sound moved in time, while all that sounds keeps its pitch.

Legend: V voices, S samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.signal import correlate

# A moved moment begins that much ahead, and is faded in before that.
AHEAD_S = 0.004
_CUT_FADE_S = 0.003
# An attack is never cut into.
_ATTACK_S = 0.04
# A splice skips or repeats about that much, where the sound is most like itself; a low wave is no longer.
_SPLICE_S, _SPLICE_FADE_S, _TOLERANCE_S = 0.02, 0.012, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """From sample `begins` on, what is heard is what was at `reads`; it is faded in before that."""

    begins: int
    reads: int
    fade: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Samples first to past, to be heard from sample `begins` until sample `ends`."""

    first: int
    past: int
    begins: int
    ends: int


def moved(
    audio_VS: np.ndarray, mono_S: np.ndarray, moves: Sequence[tuple[int, int]], rate_hz: int
) -> np.ndarray:
    """Bring moments (from, to) of voices to their new places; length, start and end stay.

    Moves rise in both. What is between two of them is made longer or shorter by splices where the mono
    signal is like itself; all voices are cut alike. Nothing is resampled, and what is not moved stays bit
    for bit.
    """
    if all(start == to for start, to in moves):
        return audio_VS
    pieces = list(_pieces(mono_S, _stretches(moves, audio_VS.shape[1], rate_hz), rate_hz))
    result_VS = np.zeros_like(audio_VS)
    ends = (*(piece.begins for piece in pieces[1:]), audio_VS.shape[1])
    for piece, end in zip(pieces, ends, strict=True):
        fade = min(piece.fade, piece.begins)
        start = piece.begins - fade
        heard_VS = _read(audio_VS, piece.reads - fade, end - start)
        rise_S = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / max(1, fade))
        result_VS[:, start : piece.begins] *= (1.0 - rise_S).astype(result_VS.dtype)
        heard_VS[:, :fade] *= rise_S.astype(heard_VS.dtype)
        result_VS[:, start:end] += heard_VS
    return result_VS


def _stretches(moves: Sequence[tuple[int, int]], size: int, rate_hz: int) -> Iterator[_Stretch]:
    ahead = round(AHEAD_S * rate_hz)
    ends = [(0, 0), *((start - ahead, to - ahead) for start, to in moves), (size, size)]
    for (first, begins), (past, stop) in pairwise(ends):
        if stop > max(0, begins):
            yield _Stretch(first=first - min(0, begins), past=past, begins=max(0, begins), ends=stop)


def _pieces(mono_S: np.ndarray, stretches: Iterator[_Stretch], rate_hz: int) -> Iterator[_Piece]:
    fade = round(_CUT_FADE_S * rate_hz)
    shift: int | None = None
    for stretch in stretches:
        # Where sound goes on as it did there is nothing to cut.
        if stretch.first - stretch.begins != shift:
            yield _Piece(begins=stretch.begins, reads=stretch.first, fade=fade)
        shift = stretch.first - stretch.begins
        for piece in _splices(mono_S, stretch, rate_hz):
            yield piece
            shift = piece.reads - piece.begins


def _splices(mono_S: np.ndarray, stretch: _Stretch, rate_hz: int) -> Iterator[_Piece]:
    """Yield what makes a stretch as long as it should be, or as near that as leaves the next attack out."""
    longer = (stretch.ends - stretch.begins) - (stretch.past - stretch.first)
    fade = round(_SPLICE_FADE_S * rate_hz)
    first = stretch.begins + min(round(_ATTACK_S * rate_hz), (stretch.past - stretch.first) // 2) + fade
    count = math.ceil(abs(longer) / (_SPLICE_S * rate_hz)) if first < stretch.ends else 0
    shift = stretch.first - stretch.begins
    for number in range(count):
        at = first + (stretch.ends - first) * (number + 1) // (count + 1)
        here = min(at + shift, stretch.past)
        target = here - round(longer / (count - number))
        reach = 0 if number == count - 1 else round(_TOLERANCE_S * rate_hz)
        found = _alike(mono_S, here, target, (stretch.first, min(stretch.past, target + reach)), rate_hz)
        if found is not None:
            longer -= here - found
            yield _Piece(begins=here - shift, reads=found, fade=fade)
            shift += found - here


def _alike(mono_S: np.ndarray, here: int, target: int, within: tuple[int, int], rate_hz: int) -> int | None:
    """Return the sample near a target before which it sounds as before `here`; None without room."""
    window = 2 * round(_SPLICE_FADE_S * rate_hz)
    low = max(within[0] + window, target - round(_TOLERANCE_S * rate_hz))
    high = within[1]
    if high < low or here < window or here > len(mono_S):
        return None
    wanted_S = mono_S[here - window : here].astype(np.float64)
    there_S = mono_S[low - window : high].astype(np.float64)
    likeness = correlate(there_S, wanted_S, mode="valid")
    power = np.convolve(np.square(there_S), np.ones(window), mode="valid")
    return low + int(np.argmax(likeness / np.sqrt(power + 1e-12)))


def _read(audio_VS: np.ndarray, start: int, count: int) -> np.ndarray:
    """Return samples from a start on, silence where there are none."""
    there_VS = audio_VS[:, max(0, start) : max(0, start + count)]
    ahead = min(count, max(0, -start))
    return np.pad(there_VS, ((0, 0), (ahead, count - ahead - there_VS.shape[1])))

"""Which onsets of one sound are those of another, in order.

Legend: S samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.audio.grid import samples_at
from engine.audio.lag import onset_lag_s

# What is farther apart is another onset.
REACH_S = 0.06
# What is nearer than this is one onset.
NEAREST_S = 0.05
# What lies between two onsets can be brought to another length so far.
MOST_STRETCH = 2.0
_ROUNDING_S = 0.001
# Onsets are found within some milliseconds; how both sounds rise tells more, and whether they are one.
_LISTENED_S = 0.08
_MOST_CORRECTION_S = 0.02
# No pair looks for its predecessor among more: onsets lie at least 50 ms apart, so what is farther back fits.
_LOOK_BACK = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class OnsetPair:
    """The same onset in a source and in what was made of it: its number in each, and where it exactly is."""

    source: int
    made: int
    source_s: float
    made_s: float


def onset_pairs(
    source_S: np.ndarray,
    made_S: np.ndarray,
    source_s: Sequence[float],
    made_s: Sequence[float],
    rate_hz: int,
) -> tuple[OnsetPair, ...]:
    """Match the onsets of two sounds of one length so that most are matched and what is matched lies near.

    Only those that rise alike can be matched. Each pair counts the more the nearer it is; the best chain is
    found by dynamic programming. Between two pairs, and from the last to the end, no length changes by more
    than MOST_STRETCH, nor grows by more ahead of the first.
    """
    pairs = list(_candidates(source_S, made_S, source_s, made_s, rate_hz))
    worth: list[float] = []
    before: list[int] = []
    for number, pair in enumerate(pairs):
        others = range(max(0, number - _LOOK_BACK), number)
        follows = [other for other in others if _may_follow(pairs[other], pair)]
        best = max(follows, key=worth.__getitem__, default=-1)
        worth.append(_worth(pair) + (worth[best] if best >= 0 else 0.0))
        before.append(best)
    return tuple(_chain(pairs, worth, before))


def _chain(pairs: Sequence[OnsetPair], worth: Sequence[float], before: Sequence[int]) -> list[OnsetPair]:
    """Return the best chain, from its last pair back to its first one."""
    number = max(range(len(pairs)), key=worth.__getitem__, default=-1)
    found: list[OnsetPair] = []
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def _candidates(
    source_S: np.ndarray,
    made_S: np.ndarray,
    source_s: Sequence[float],
    made_s: Sequence[float],
    rate_hz: int,
) -> Iterator[OnsetPair]:
    """Yield all pairs that are near and alike, and leave room ahead of the first and after the last one."""
    end_s = len(source_S) / rate_hz
    made = np.array(made_s)
    for number, here_s in enumerate(source_s):
        for other in np.flatnonzero(np.abs(made - here_s) < REACH_S):
            heard = _around(source_S, here_s, rate_hz), _around(made_S, made[other], rate_hz)
            lag_s = onset_lag_s(*heard, rate_hz)
            if lag_s is None or abs(lag_s) > _MOST_CORRECTION_S:
                continue
            there_s = float(made[other]) + lag_s
            pair = OnsetPair(source=number, made=int(other), source_s=here_s, made_s=there_s)
            if here_s <= MOST_STRETCH * there_s + _ROUNDING_S and _fits(end_s - here_s, end_s - there_s):
                yield pair


def _around(audio_S: np.ndarray, time_s: float, rate_hz: int) -> np.ndarray:
    """Return what is heard around a moment (1, S), silence beyond the ends."""
    middle, reach = samples_at(time_s, rate_hz), samples_at(_LISTENED_S, rate_hz)
    there_S = audio_S[max(0, middle - reach) : middle + reach]
    ahead = max(0, reach - middle)
    return np.pad(there_S, (ahead, 2 * reach - ahead - len(there_S)))[None]


def _worth(pair: OnsetPair) -> float:
    return 1.0 - ((pair.source_s - pair.made_s) / (REACH_S + _MOST_CORRECTION_S)) ** 2


def _may_follow(earlier: OnsetPair, later: OnsetPair) -> bool:
    if later.source <= earlier.source or later.made <= earlier.made:
        return False
    return _fits(later.source_s - earlier.source_s, later.made_s - earlier.made_s)


def _fits(wanted_s: float, there_s: float) -> bool:
    return min(wanted_s, there_s) > 0.0 and 1 / MOST_STRETCH <= wanted_s / there_s <= MOST_STRETCH

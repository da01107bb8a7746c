"""Curves of what transfers reach against what they keep, their outer hull, and how certain all that is.

K points of a curve, P pairs, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from engine.evaluation.estimates import Estimate, estimate, resamples
from engine.evaluation.transfer_pairs import Kind
from engine.evaluation.transfer_rows import ROUND_TRIP, Row, Setup, Trial

_EQUAL = 1e-9
_MUSICAL = (Kind.PITCHED, Kind.RHYTHMIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A figure of an edit, and of which kinds of pairs it tells something; sign -1: less is kept better."""

    title: str
    of: Callable[[Row], float]
    kinds: tuple[Kind, ...] = tuple(Kind)
    sign: float = 1.0


PROMPT = Measure(title="CLAP to the prompt", of=lambda row: row.clap_target)
CHROMA = Measure(title="chroma similarity", of=lambda row: row.chroma, kinds=(Kind.PITCHED,))
TRANSPOSED = Measure(title="chroma, transposed", of=lambda row: row.chroma_transposed, kinds=(Kind.PITCHED,))
ONSETS = Measure(title="onset F-measure", of=lambda row: row.onset_f, kinds=_MUSICAL)
LEVEL = Measure(title="level correlation", of=lambda row: row.level)
SOURCE = Measure(title="CLAP to the source", of=lambda row: row.clap_source)
LAYERS = Measure(title="CLAP-layer distance", of=lambda row: row.layers, sign=-1.0)
CHANGE = Measure(title="change of the mel spectrogram, dB", of=lambda row: row.change_db, sign=-1.0)
JUDGED = Measure(
    title="judge: target", of=lambda row: float("nan") if row.judged_target is None else row.judged_target
)
KEPT = (CHROMA, ONSETS, LEVEL, SOURCE, LAYERS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Measured rows by trial and pair, of the pairs of which nothing is missing."""

    by_trial: dict[Trial, dict[str, Row]]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Rows:
        by_trial: dict[Trial, dict[str, Row]] = {}
        for row in rows:
            by_trial.setdefault(row.trial, {})[row.pair] = row
        whole = set.intersection(*(set(own) for own in by_trial.values())) if by_trial else set()
        return cls(
            by_trial={trial: {pair: own[pair] for pair in sorted(whole)} for trial, own in by_trial.items()}
        )

    @property
    def pairs(self) -> int:
        return len(next(iter(self.by_trial.values()), {}))

    def values_P(self, trial: Trial, measure: Measure, kinds: Sequence[Kind]) -> np.ndarray:
        """Return a measure of one trial for each pair of these kinds."""
        names = {kind.value for kind in kinds}
        rows = self.by_trial[trial].values()
        return np.array([measure.of(row) for row in rows if row.kind in names])

    def trials(self, setup: Setup) -> list[Trial]:
        """Return a setup's trials by rising strength."""
        own = [trial for trial in self.by_trial if trial.setup == setup]
        return sorted(own, key=lambda trial: trial.strength)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """What a setup keeps (more is better) and reaches at each strength.

    It begins with the round trip through VAE and vocoder, which is where every editor comes to as its
    strength goes to 0.
    """

    setup: Setup
    trials: tuple[Trial, ...]
    kept_KP: np.ndarray
    reached_KP: np.ndarray


def curve(rows: Rows, setup: Setup, kept: Measure) -> Curve:
    """Return a setup's curve over the pairs of which the measure tells something."""
    trials = (Trial(setup=Setup(way=ROUND_TRIP), strength=0.0), *rows.trials(setup))
    return Curve(
        setup=setup,
        trials=trials,
        kept_KP=np.stack([kept.sign * rows.values_P(trial, kept, kept.kinds) for trial in trials]),
        reached_KP=np.stack([rows.values_P(trial, PROMPT, kept.kinds) for trial in trials]),
    )


def outer_hull(points_K2: np.ndarray) -> np.ndarray:
    """Return the corners of the convex hull's upper right, where more of one is less of the other.

    They go from the highest point to the one farthest right, shape (corners, 2).
    """
    ordered = points_K2[np.lexsort((points_K2[:, 1], points_K2[:, 0]))]
    corners: list[np.ndarray] = []
    for point in ordered[np.argmax(ordered[:, 1]) :]:
        while corners and corners[-1][1] <= point[1]:
            corners.pop()
        while len(corners) > 1 and _below(corners[-1], corners[-2], point):
            corners.pop()
        corners.append(point)
    return np.array(corners)


def hull_height(hull_K2: np.ndarray, at: float) -> float:
    """Return how high the hull is above a place; left of it its highest point, right of it nothing (-inf)."""
    if at > hull_K2[-1, 0]:
        return float("-inf")
    return float(np.interp(at, hull_K2[:, 0], hull_K2[:, 1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one trial lies beside the outer hull of all curves.

    gap is how much nearer the prompt the hull is at what the trial keeps, 0 on it; on_hull is the share of
    resamples in which the gap is below tolerance. Each of dominated_by keeps and reaches as much, and more of
    one.
    """

    gap: Estimate
    on_hull: float
    dominated_by: tuple[Trial, ...]


def standing(curves: Sequence[Curve], trial: Trial, tolerance: float = 0.01) -> Standing:
    """Compare a trial of one of the curves with all of them, pairs drawn again and again."""
    trials, kept_KP, reached_KP = _joined(curves)
    place = trials.index(trial)
    found = _gap(kept_KP.mean(axis=1), reached_KP.mean(axis=1), place)
    gaps_R = np.array([
        _gap(kept_KP[:, draw_P].mean(axis=1), reached_KP[:, draw_P].mean(axis=1), place)
        for draw_P in resamples(kept_KP.shape[1])
    ])  # fmt: skip
    gains_K2 = np.stack([each.mean(axis=1) - each[place].mean() for each in (kept_KP, reached_KP)], axis=1)
    better = [bool((gains > -_EQUAL).all() and (gains > _EQUAL).any()) for gains in gains_K2]
    return Standing(
        gap=estimate(found, gaps_R),
        on_hull=float((gaps_R < tolerance).mean()),
        dominated_by=tuple(dict.fromkeys(compress(trials, better))),
    )


def lead_at(better: Curve, other: Curve, trial: Trial) -> Estimate:
    """Return how much nearer the prompt one setup comes than another that keeps as much as the trial does.

    Each setup counts with its own outer hull. Where even the round trip keeps less than the trial does, the
    other has nothing to set against it but what it reaches there.
    """
    place = better.trials.index(trial)

    def lead(draw_P: np.ndarray) -> float:
        kept = float(better.kept_KP[place, draw_P].mean())
        one, two = (
            outer_hull(
                np.stack(
                    [each.kept_KP[:, draw_P].mean(axis=1), each.reached_KP[:, draw_P].mean(axis=1)], axis=1
                )
            )
            for each in (better, other)
        )
        return hull_height(one, kept) - hull_height(two, min(kept, float(two[-1, 0])))

    pairs = better.kept_KP.shape[1]
    return estimate(lead(np.arange(pairs)), np.array([lead(draw_P) for draw_P in resamples(pairs)]))


def _joined(curves: Sequence[Curve]) -> tuple[list[Trial], np.ndarray, np.ndarray]:
    trials = [trial for one in curves for trial in one.trials]
    kept_KP = np.concatenate([one.kept_KP for one in curves])
    return trials, kept_KP, np.concatenate([one.reached_KP for one in curves])


def _gap(kept_K: np.ndarray, reached_K: np.ndarray, place: int) -> float:
    hull_K2 = outer_hull(np.stack([kept_K, reached_K], axis=1))
    return max(0.0, hull_height(hull_K2, float(kept_K[place])) - float(reached_K[place]))


def _below(middle: np.ndarray, before: np.ndarray, after: np.ndarray) -> bool:
    """Tell whether a corner is not above the straight line between its neighbours."""
    along, up = after - before
    return bool((middle[1] - before[1]) * along <= up * (middle[0] - before[0]))

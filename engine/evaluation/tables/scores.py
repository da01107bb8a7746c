"""The figures of a set of clips against true sounds, and how two sets differ.

N clips, D features, R resamples, T trainings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.evaluation.estimates import (
    Estimate,
    estimate,
    mean_estimate,
    mean_half,
    widened,
)
from engine.evaluation.objective.distances import feature_distance, softmax_divergences
from engine.evaluation.tables.bench import Bench

FD, KL, CLAP = "FD", "KL", "CLAP score"
_RESAMPLES = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """Figures by their names; by_clip has the values (N,) of those that are means over clips.

    drawn has what others are in each resample (R,), of the same clips for all sets. by_training has what
    each figure is in each training of a model (T,), where it is their mean.
    """

    figures: Mapping[str, Estimate]
    by_clip: Mapping[str, np.ndarray] = field(default_factory=dict)
    drawn: Mapping[str, np.ndarray] = field(default_factory=dict)
    by_training: Mapping[str, np.ndarray] = field(default_factory=dict)


def scored(
    bench: Bench,
    features_ND: np.ndarray,
    by_clip: Mapping[str, np.ndarray] | None = None,
    *,
    text: bool = True,
) -> Scores:
    """Score clips, the n-th of which should be like the n-th true sound; text asks for the CLAP score."""
    own = {KL: softmax_divergences(bench.opinions(features_ND), bench.opinions(bench.true_ND))}
    if text:
        own[CLAP] = (features_ND * bench.text_ND).sum(axis=1)
    values = {**own, **(by_clip or {})}
    drawn_R = _drawn_fds(features_ND, bench.true_ND)
    figures = {FD: of_whole_set(feature_distance(features_ND, bench.true_ND), drawn_R)}
    figures |= {name: mean_estimate(values_N) for name, values_N in values.items()}
    return Scores(figures=figures, by_clip=values, drawn={FD: drawn_R})


def of_whole_set(value: float, drawn_R: np.ndarray) -> Estimate:
    """Return a figure of a whole set, and an interval around it as wide as that of its bootstrap over clips.

    A resample has fewer different clips, which moves it: only its spread is of use.
    """
    half = 1.96 * float(np.std(drawn_R))
    return Estimate(value=value, low=value - half, high=value + half)


def change(before: Scores, after: Scores, name: str) -> Estimate:
    """Return by how much a figure changes, clip by clip; of those of whole sets, resample by resample.

    Where both are of several trainings, these come in pairs, and make the interval wider.
    """
    moved = _change_of_clips(before, after, name)
    if not (before.by_training and after.by_training):
        return moved
    return widened(moved, mean_half(after.by_training[name] - before.by_training[name]))


def over_trainings(scores: Sequence[Scores]) -> Scores:
    """Return the means of a model's trainings, with intervals for which clips and which trainings."""
    by_clip = {name: np.mean([one.by_clip[name] for one in scores], axis=0) for name in scores[0].by_clip}
    drawn = {name: np.mean([one.drawn[name] for one in scores], axis=0) for name in scores[0].drawn}
    names = scores[0].figures
    by_training = {name: np.array([one.figures[name].value for one in scores]) for name in names}
    of_clips = {name: mean_estimate(values_N) for name, values_N in by_clip.items()}
    of_clips |= {
        name: of_whole_set(float(by_training[name].mean()), drawn_R) for name, drawn_R in drawn.items()
    }
    return Scores(
        figures={name: widened(of_clips[name], mean_half(by_training[name])) for name in names},
        by_clip=by_clip,
        drawn=drawn,
        by_training=by_training,
    )


def spread(models: Sequence[Scores], name: str) -> float:
    """Return the standard deviation of a figure between trainings that differ in their seed alone."""
    return math.sqrt(float(np.mean([one.by_training[name].var(ddof=1) for one in models])))


def _change_of_clips(before: Scores, after: Scores, name: str) -> Estimate:
    if name in before.by_clip:
        return mean_estimate(after.by_clip[name] - before.by_clip[name])
    value = after.figures[name].value - before.figures[name].value
    drawn_R = after.drawn[name] - before.drawn[name]
    return estimate(value, drawn_R - drawn_R.mean() + value)


def _drawn_fds(features_ND: np.ndarray, true_ND: np.ndarray) -> np.ndarray:
    """Return the FD of each resample (R,), in which each clip comes with its own true one."""
    # Both sets lie in the few axes that they span, in which covariances are small.
    _, _, axes_RD = np.linalg.svd(np.concatenate([features_ND, true_ND]), full_matrices=False)
    small_NR, true_NR = features_ND @ axes_RD.T, true_ND @ axes_RD.T
    draws_RN = drawn_clips(len(features_ND))
    return np.array([feature_distance(small_NR[draw_N], true_NR[draw_N]) for draw_N in draws_RN])


def drawn_clips(clips: int) -> np.ndarray:
    """Return which clips each resample of a figure of whole sets has (R, N), the same ones for all sets."""
    return np.random.default_rng(0).integers(clips, size=(_RESAMPLES, clips))

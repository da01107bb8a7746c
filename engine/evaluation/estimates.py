"""Means and their intervals by the bootstrap.

P pairs or other items, R resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"

    @property
    def short(self) -> str:
        """Return the figure and half of its interval."""
        return f"{self.value:.2f} ± {(self.high - self.low) / 2:.2f}"


def mean_estimate(values_P: np.ndarray, seed: int = 0) -> Estimate:
    """Return a mean and the interval of its bootstrap over pairs (percentiles)."""
    draws_RP = resamples(len(values_P), seed)
    return estimate(float(values_P.mean()), values_P[draws_RP].mean(axis=1))


def resamples(pairs: int, seed: int = 0) -> np.ndarray:
    """Return which pairs each resample of a bootstrap has, shape (R, P)."""
    return np.random.default_rng(seed).integers(pairs, size=(RESAMPLES, pairs))


def estimate(value: float, drawn_R: np.ndarray) -> Estimate:
    """Return a figure and the middle 95 % of what it was in the resamples."""
    low, high = np.percentile(drawn_R, [2.5, 97.5])
    return Estimate(value=value, low=float(low), high=float(high))

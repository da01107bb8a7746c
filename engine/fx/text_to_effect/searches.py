"""Three ways through a template's space. Legend: P parameters, K points."""

from __future__ import annotations

import math

import numpy as np
import torch

from engine.fx.text_to_effect.judge import Judge, Verdict
from engine.fx.text_to_effect.twin import Twin

_SCREENED_SHARE, _STARTS, _FIRST_STEPS_SHARE = 0.2, 3, 0.4
_RATE, _LAST_RATE = 0.06, 0.01
_BETAS, _EPS = (0.8, 0.95), 1e-8
_DRAWN_SHARE, _SPREAD = 0.33, 0.12
# What a point without sound counts, where a number is needed: less than any cosine.
_NOTHING = -10.0


def random_points(judge: Judge, rng: np.random.Generator, count: int) -> list[Verdict]:
    """Judge points drawn evenly from the space, the one at which effects do least first."""
    points = [judge.template.neutral_P, *rng.uniform(size=(max(0, count - 1), len(judge.template.ranges)))]
    return [judge.judged(point_P) for point_P in points[:count]]


def evolution(judge: Judge, rng: np.random.Generator, count: int) -> list[Verdict]:
    """Judge random points, then those of the covariance matrix adaptation evolution strategy (Hansen 2016).

    It begins at the best of them.
    """
    import cma  # noqa: PLC0415 - it takes a second to load, and gradients do without it

    verdicts = random_points(judge, rng, round(_DRAWN_SHARE * count))
    start_P = max(verdicts, key=lambda verdict: verdict.total).shares_P
    options = {
        "bounds": [0.0, 1.0], "seed": math.nan, "randn": lambda *shape: rng.standard_normal(shape),
        "verbose": -9, "maxfevals": count,
    }  # fmt: skip
    strategy = cma.CMAEvolutionStrategy(start_P, _SPREAD, options)
    while len(verdicts) < count:
        points = strategy.ask()
        new = [judge.judged(np.clip(point_P, 0.0, 1.0)) for point_P in points[: count - len(verdicts)]]
        verdicts += new
        if len(new) == len(points):
            strategy.tell(points, [-max(verdict.total, _NOTHING) for verdict in new])
    return verdicts


class Climb:
    """Projected Adam (Kingma & Ba 2015) on one point of the box."""

    def __init__(self, judge: Judge, twin: Twin, start_P: np.ndarray) -> None:
        self._judge, self._twin = judge, twin
        self._point_P = torch.tensor(start_P, dtype=torch.float32, requires_grad=True)
        self._optimiser = torch.optim.Adam([self._point_P], lr=_RATE, betas=_BETAS, eps=_EPS)
        self.best_P, self.best = start_P, -math.inf

    def step(self, rate: float) -> None:
        """Hear the twin at the point, and move it uphill."""
        self._optimiser.param_groups[0]["lr"] = rate
        heard_E = self._judge.clap.hear(self._twin.heard(self._point_P)[None])[0]
        total = self._judge.wish.score(heard_E) - self._judge.gentleness * self._judge.soft_distance(
            self._point_P
        )
        self._remember(total.item())
        self._judge.spend(-1.0)
        self._optimiser.zero_grad()
        (-total).backward()
        self._optimiser.step()
        with torch.no_grad():
            self._point_P.clamp_(0.0, 1.0)

    def _remember(self, total: float) -> None:
        if total > self.best:
            self.best, self.best_P = total, self._point_P.detach().double().numpy().copy()


def gradient(judge: Judge, twin: Twin, rng: np.random.Generator, count: int) -> list[Verdict]:
    """Climb from the best of some random points, and go on with the best climb."""
    screened = random_points(judge, rng, round(_SCREENED_SHARE * count))
    verdicts = sorted(screened, key=lambda verdict: -verdict.total)
    climbs = [Climb(judge, twin, verdict.shares_P) for verdict in verdicts[:_STARTS]]
    steps = max(1, round(_FIRST_STEPS_SHARE * count) // _STARTS)
    for climb in climbs:
        for _ in range(steps):
            climb.step(_RATE)
        verdicts.append(judge.judged(climb.best_P))
    best = max(climbs, key=lambda climb: climb.best)
    left = count - len(screened) - steps * len(climbs) - len(climbs) - 1
    for number in range(left):
        best.step(_RATE * (_LAST_RATE / _RATE) ** (number / max(1, left - 1)))
    return [*verdicts, judge.judged(best.best_P)]

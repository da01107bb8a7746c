"""Which chains a search may find: effects in their order, and the range of each parameter.

A point of the space is a row of shares from 0 to 1, one for each searched parameter.

Legend: P searched parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from torch import Tensor

from engine.chains import MAX_EFFECTS, Chain, Effect, ParameterValue
from engine.errors import SpecError

Limits = Mapping[str, tuple[float, float]]
Share = TypeVar("Share", float, Tensor)

# Above this share of the rate, filters of first order are bent by the bilinear transform.
_HIGHEST_SHARE_OF_RATE = 0.45
_FREQUENCY = "_hz"
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterRange:
    """Where a parameter may go, by equal ratios if is_log.

    At neutral the effect does least. is_amount tells of a parameter that makes its effect weaker or
    stronger, as a gain does and the frequency at which it acts does not.
    """

    low: float
    high: float
    neutral: float
    is_log: bool = False
    is_amount: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a range must have low < high, got {self.low} to {self.high}")
        if self.is_log and self.low <= 0.0:
            raise ValueError(f"a range of ratios must begin above 0, got {self.low}")
        if not self.low <= self.neutral <= self.high:
            raise ValueError(f"{self.neutral} is not within {self.low} to {self.high}")

    def at(self, share: Share) -> Share:
        """Return the value at a share of the range."""
        if self.is_log:
            return self.low * (self.high / self.low) ** share
        return self.low + (self.high - self.low) * share

    def share_of(self, value: float) -> float:
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def narrowed(self, low: float, high: float) -> ParameterRange:
        """Return the part of the range within limits."""
        low, high = max(low, self.low), min(high, self.high)
        return replace(self, low=low, high=high, neutral=min(max(self.neutral, low), high))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchedEffect:
    """An effect or a plug-in with the ranges of those parameters that a search may move."""

    base: Effect
    ranges: dict[str, ParameterRange] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.base.effect or self.base.name or self.base.plugin

    def at(self, values: Mapping[str, float]) -> Effect:
        """Return the effect with these parameters, rounded to what a musician would write."""
        found: dict[str, ParameterValue] = {
            name: min(max(_rounded(value), self.ranges[name].low), self.ranges[name].high)
            for name, value in values.items()
        }
        return replace(self.base, parameters={**self.base.parameters, **found})


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The effects that a search may set, in the order of the signal.

    given is the chain whose settings are the neutral point, if there is one; a found chain has its tail.
    """

    effects: tuple[SearchedEffect, ...]
    given: Chain | None = None

    def __post_init__(self) -> None:
        # The gain that keeps the loudness is the last one of a found chain.
        if not 1 <= len(self.effects) < MAX_EFFECTS:
            raise ValueError(f"a template has 1 to {MAX_EFFECTS - 1} effects, got {len(self.effects)}")
        if not any(effect.ranges for effect in self.effects):
            raise ValueError("a template needs at least one parameter that may be moved")

    @property
    def ranges(self) -> tuple[ParameterRange, ...]:
        return tuple(found for effect in self.effects for found in effect.ranges.values())

    @property
    def neutral_P(self) -> np.ndarray:
        """Return the point at which all effects do least."""
        return np.array([found.share_of(found.neutral) for found in self.ranges])

    @property
    def amounts_P(self) -> np.ndarray:
        """Tell which parameters make their effect weaker or stronger."""
        return np.array([found.is_amount for found in self.ranges])

    def split(self, shares_P: Sequence[float] | np.ndarray | Tensor) -> Iterator[dict[str, float | Tensor]]:
        """Yield the parameters of each effect at a point."""
        position = 0
        for effect in self.effects:
            names = list(effect.ranges)
            part = shares_P[position : position + len(names)]
            yield {name: effect.ranges[name].at(share) for name, share in zip(names, part, strict=True)}
            position += len(names)

    def chain_at(self, shares_P: np.ndarray, kept: Sequence[bool] | None = None) -> Chain:
        """Return the chain at a point, without the effects that are not kept."""
        assert np.all((shares_P >= 0.0) & (shares_P <= 1.0)), "a point lies within the ranges"
        kept = kept or [True] * len(self.effects)
        parts = zip(self.effects, self.split(shares_P), kept, strict=True)
        effects = tuple(
            effect.at({name: float(value) for name, value in values.items()})
            for effect, values, is_kept in parts
            if is_kept
        )
        return replace(self.given or Chain(effects=()), effects=effects)

    def amounts_of(self, index: int) -> np.ndarray:
        """Tell which of all parameters are amounts of one effect."""
        owners_P = np.repeat(np.arange(len(self.effects)), [len(effect.ranges) for effect in self.effects])
        return self.amounts_P & (owners_P == index)

    def within(self, limits: Limits) -> Template:
        """Return the template with narrower ranges; a limit is named `Effect.parameter`.

        Raises:
            SpecError: a limit names nothing that is searched, or leaves nothing of its range.
        """
        known = {f"{effect.name}.{name}" for effect in self.effects for name in effect.ranges}
        for key in limits:
            if key not in known:
                raise SpecError(
                    f"{key} is not a parameter of the search", f"Limit one of: {', '.join(sorted(known))}."
                )
        return replace(self, effects=tuple(_limited(effect, limits) for effect in self.effects))

    def for_rate(self, rate_hz: int) -> Template:
        """Return the template with frequencies that sound of this rate has; above, plug-ins too may fail.

        Raises:
            SpecError: the rate is too low for a built-in effect.
        """
        highest_hz = _HIGHEST_SHARE_OF_RATE * rate_hz
        limits = {
            f"{effect.name}.{name}": (found.low, highest_hz)
            for effect in self.effects
            for name, found in effect.ranges.items()
            if name.endswith(_FREQUENCY)
            and found.high > highest_hz
            and (effect.base.effect or found.low < highest_hz)
        }
        return self.within(limits)


def _limited(effect: SearchedEffect, limits: Limits) -> SearchedEffect:
    ranges = {
        name: _narrowed(f"{effect.name}.{name}", found, limits) for name, found in effect.ranges.items()
    }
    return replace(effect, ranges=ranges)


def _narrowed(key: str, found: ParameterRange, limits: Limits) -> ParameterRange:
    if key not in limits:
        return found
    try:
        return found.narrowed(*limits[key])
    except ValueError as error:
        low, high = limits[key]
        raise SpecError(
            f"the limits {low:g} to {high:g} leave nothing of {key}",
            f"Give limits that overlap {found.low:g} to {found.high:g}.",
        ) from error


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")

"""The random choices of one sound, and the attributes that follow from them.

S samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from engine.training.synthesis.concept import Attribute, RenderContext, Sound
from engine.training.synthesis.dsp import Signal, place, seconds

LATEST_START_S = 0.03

Choice = TypeVar("Choice")


class Draws:
    """Draw parameters of one sound; values in the outer thirds of their range become attributes."""

    def __init__(self, context: RenderContext) -> None:
        self.rng = context.rng
        self.rate_hz = context.sample_rate_hz
        self.duration_s = context.duration_s
        self.length = context.length_samples
        self.attributes: set[Attribute] = set()

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def ratio(self, low: float, high: float) -> float:
        """Return a value drawn evenly in its logarithm."""
        return float(low * (high / low) ** self.rng.uniform())

    def chance(self, probability: float) -> bool:
        return bool(self.rng.uniform() < probability)

    def one_of(self, choices: tuple[Choice, ...]) -> Choice:
        return choices[int(self.rng.integers(len(choices)))]

    def pitch_hz(self, low: float, high: float) -> float:
        return self._marked(low, high, Attribute.LOW, Attribute.HIGH)

    def tempo(self, low: float, high: float) -> float:
        return self._marked(low, high, Attribute.SLOW, Attribute.FAST)

    def brightness(self, low: float, high: float) -> float:
        return self._marked(low, high, Attribute.DARK, Attribute.BRIGHT)

    def ringing_s(self, low: float, high: float) -> float:
        return self._marked(low, high, Attribute.SHORT, Attribute.LONG)

    def force(self, low: float, high: float) -> float:
        return self._marked(low, high, Attribute.SOFT, Attribute.HARD)

    def _marked(self, low: float, high: float, under: Attribute, over: Attribute) -> float:
        share = float(self.rng.uniform())
        if share < 1 / 3:
            self.attributes.add(under)
        elif share > 2 / 3:
            self.attributes.add(over)
        return float(low * (high / low) ** share)

    def fork(self) -> np.random.Generator:
        """Return a generator of its own, so that sample-wise draws leave later choices alone."""
        return np.random.default_rng(int(self.rng.integers(2**63)))

    def samples(self, span_s: float) -> int:
        return max(2, round(span_s * self.rate_hz))

    def time(self, length_samples: int | None = None) -> Signal:
        return seconds(length_samples or self.length, self.rate_hz)

    def noise(self, length_samples: int | None = None) -> Signal:
        return self.fork().standard_normal(length_samples or self.length, np.float32).astype(np.float64)

    def beats(self, per_second: float, jitter: float = 0.0) -> Signal:
        """Return event times over the clip, the first one at once; jitter is a share of the interval."""
        count = int(self.duration_s * per_second) + 1
        shake = self.fork().uniform(-jitter, jitter, count)
        times_s = (np.arange(count) + shake) / per_second
        return np.maximum(times_s - times_s[0], 0.0) + self.between(0.0, LATEST_START_S)

    def scatter(self, per_second: float) -> Signal:
        """Return the times of a Poisson process, one of them at once."""
        rng = self.fork()
        times_s = rng.uniform(0, self.duration_s, rng.poisson(per_second * self.duration_s) + 1)
        times_s[0] = rng.uniform(0.0, LATEST_START_S)
        return np.sort(times_s)

    def repeat(self, grain: Callable[[], Signal], slow: float, fast: float, single: float = 0.2) -> Signal:
        """Return a grain struck once (with the chance `single`) or again and again at a drawn tempo."""
        if self.chance(single):
            times_s = self.beats(1e-3)
        else:
            times_s = self.beats(self.tempo(slow, fast), 0.04)
        grain_S = grain()
        return self.lay(times_s, [grain_S * self.between(0.6, 1.0) for _ in times_s])

    def lay(self, times_s: Signal, grains: Sequence[Signal]) -> Signal:
        return place(self.length, self.rate_hz, times_s, grains)

    def sound(self, audio_S: Signal) -> Sound:
        """Return the finished sound with the attributes drawn so far."""
        return Sound(audio_S=np.asarray(audio_S, np.float32), attributes=frozenset(self.attributes))

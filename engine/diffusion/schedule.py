"""Noise schedule, and the noise levels a sampler walks through.

The paper counts noise steps n = 1..N; alpha_bar[n - 1] belongs to step n, and the U-Net sees
t = n - 1. Between the steps n is continuous, and n = 0 is the clean latent (alpha_bar = 1).

Shapes: B batch, C latent channels, H latent time, W latent frequency, N noise steps.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, field
from enum import Enum

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A noise level: x = signal * x0 + noise * eps.

    t is what the U-Net sees (0..N-1, need not be whole); strength is n/N, from 0 clean to 1 noise.
    """

    t: float
    alpha_bar: float
    strength: float

    @property
    def signal(self) -> float:
        return math.sqrt(self.alpha_bar)

    @property
    def noise(self) -> float:
        return math.sqrt(1.0 - self.alpha_bar)

    @property
    def is_clean(self) -> bool:
        return self.alpha_bar >= 1.0

    @property
    def half_log_snr(self) -> float:
        """Return lambda = log(signal / noise) of Lu et al. 2022; infinite where clean."""
        if self.is_clean:
            return math.inf
        return 0.5 * (math.log(self.alpha_bar) - math.log1p(-self.alpha_bar))


CLEAN = Level(t=0.0, alpha_bar=1.0, strength=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """Levels of falling noise: one denoiser call at each but the last, which is where x arrives.

    from_noise says that the start is pure noise, without a trace of a source.
    """

    levels: tuple[Level, ...]
    from_noise: bool = True

    def __post_init__(self) -> None:
        assert self.levels, "a trajectory needs at least the level where it ends"
        falling = all(a.alpha_bar < b.alpha_bar for a, b in zip(self.levels, self.levels[1:], strict=False))
        assert falling, "noise must fall along a trajectory"

    @property
    def steps(self) -> int:
        return len(self.levels) - 1

    @property
    def start(self) -> Level:
        return self.levels[0]

    @property
    def end(self) -> Level:
        return self.levels[-1]

    def below(self, strength: float) -> Trajectory:
        """Return the part that begins at or under a strength; without a step where there is none."""
        kept = tuple(level for level in self.levels if level.strength <= strength)
        return Trajectory(levels=kept or (self.end,), from_noise=False)


class Spacing(Enum):
    """How the levels of a trajectory are laid out.

    LEADING is the released code's and diffusers' list: t = 1, 1 + N//S, ..., so it never visits the
    noisiest steps although it starts from pure noise, and it ends at alpha_bar[0], not at 1.
    Step counts that do not divide N, which the released code gets wrong, run exactly S steps here.
    TRAILING is even in n from the start down to clean (Lin et al. 2024, table 2).
    LOG_SNR is even in lambda from the start down to n = 1, then one step to clean.
    """

    LEADING = "leading"
    TRAILING = "trailing"
    LOG_SNR = "log_snr"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """Squares of a linear ramp between the roots of start and end, `scaled_linear` in diffusers.

    The paper calls this linear; the released models were trained with the squared ramp. noisiest is the
    share of the steps that renders use: a small network errs most in the last ones, where next to nothing
    is left of a sound, and gives better ones from pure noise that it takes for a little less.
    """

    steps: int = 1000
    start: float = 0.0015
    end: float = 0.0195
    noisiest: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 2 or not 0.0 < self.start < self.end < 1.0:
            raise ValueError(f"schedule needs steps >= 2 and 0 < start < end < 1, got {self}")
        if not 0.0 < self.noisiest <= 1.0:
            raise ValueError(f"schedule needs 0 < noisiest <= 1, got {self.noisiest}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NoiseSchedule:
    """The forward process (eq. 1 and 2) as alpha_bar, float64, one entry for each noise step."""

    config: ScheduleConfig
    alpha_bar: Tensor
    _half_log_snr: tuple[float, ...] = field(repr=False)

    @classmethod
    def scaled_linear(cls, steps: int = 1000, start: float = 0.0015, end: float = 0.0195) -> NoiseSchedule:
        return cls.from_config(ScheduleConfig(steps=steps, start=start, end=end))

    @classmethod
    def from_config(cls, config: ScheduleConfig) -> NoiseSchedule:
        roots = torch.linspace(
            math.sqrt(config.start), math.sqrt(config.end), config.steps, dtype=torch.float64
        )
        alpha_bar = torch.cumprod(1.0 - roots.square(), dim=0)
        half_log_snr = 0.5 * (alpha_bar.log() - torch.log1p(-alpha_bar))
        return cls(config=config, alpha_bar=alpha_bar, _half_log_snr=tuple(half_log_snr.tolist()))

    @property
    def steps(self) -> int:
        return self.config.steps

    @property
    def snr(self) -> Tensor:
        """Return alpha_bar / (1 - alpha_bar) for each noise step, float64."""
        return self.alpha_bar / (1.0 - self.alpha_bar)

    def diffuse(self, x0_BCHW: Tensor, t_B: Tensor, eps_BCHW: Tensor) -> Tensor:
        """Noise each item to its own whole step t (eq. 2; t = n - 1)."""
        alpha_bar_B111 = self.alpha_bar[t_B.cpu()].view(-1, *[1] * (x0_BCHW.dim() - 1))
        signal_B111 = alpha_bar_B111.sqrt().to(x0_BCHW)
        noise_B111 = (1.0 - alpha_bar_B111).sqrt().to(x0_BCHW)
        return signal_B111 * x0_BCHW + noise_B111 * eps_BCHW

    def level(self, n: float) -> Level:
        """Return the level at the paper's step n, 0..N: lambda is linear between whole steps.

        Below n = 1, where lambda grows without bound, 1 - alpha_bar is linear instead.
        """
        assert 0.0 <= n <= self.steps, f"step {n} is outside 0..{self.steps}"
        return Level(t=max(0.0, n - 1.0), alpha_bar=self._alpha_bar_at(n), strength=n / self.steps)

    def level_at_half_log_snr(self, half_log_snr: float) -> Level:
        """Return the level where lambda has the given value, within that of n = 1 and n = N."""
        table = self._half_log_snr
        above = bisect.bisect_right(table, -half_log_snr, key=lambda value: -value)
        t = min(max(above - 1, 0), self.steps - 2)
        t_exact = t + (table[t] - half_log_snr) / (table[t] - table[t + 1])
        return self.level(min(max(t_exact + 1.0, 1.0), float(self.steps)))

    def trajectory(self, steps: int, strength: float = 1.0, spacing: Spacing = Spacing.LEADING) -> Trajectory:
        """Lay out the levels of a render.

        strength is n0/N of eq. 10, any value: 0 gives no step at all, 1 starts from pure noise, and
        between them ceil(strength * steps) steps start at exactly n0. LEADING has no such start, so
        below 1 it is laid out as TRAILING. N is the noisiest step that the config lets renders use.
        """
        assert 1 <= steps <= self.steps, f"steps {steps} outside 1..{self.steps}"
        assert 0.0 <= strength <= 1.0, f"strength {strength} outside 0..1"
        n0, count = strength * self.config.noisiest * self.steps, math.ceil(strength * steps)
        if self.level(n0).is_clean:
            return Trajectory(levels=(CLEAN,), from_noise=False)
        if strength == self.config.noisiest == 1.0 and spacing is Spacing.LEADING:
            return Trajectory(levels=self._leading(steps))
        even_in_lambda = spacing is Spacing.LOG_SNR and n0 > 2.0
        levels = self._even_in_lambda(n0, count) if even_in_lambda else self._even_in_n(n0, count)
        return Trajectory(levels=(*levels, CLEAN), from_noise=strength == 1.0)

    def _alpha_bar_at(self, n: float) -> float:
        if n < 1.0:
            return 1.0 - n * (1.0 - float(self.alpha_bar[0]))
        below = min(int(n) - 1, self.steps - 2)
        share = n - 1.0 - below
        if share in (0.0, 1.0):
            return float(self.alpha_bar[below + int(share)])
        low, high = self._half_log_snr[below], self._half_log_snr[below + 1]
        return 1.0 / (1.0 + math.exp(-2.0 * (low + share * (high - low))))

    def _leading(self, steps: int) -> tuple[Level, ...]:
        offset = 1 if steps < self.steps else 0
        times = [k * self.steps // steps + offset for k in reversed(range(steps))]
        end = self.level(1.0) if offset else CLEAN
        return (*(self.level(t + 1.0) for t in times), end)

    def _even_in_n(self, n0: float, count: int) -> list[Level]:
        return [self.level(n0 * (count - k) / count) for k in range(count)]

    def _even_in_lambda(self, n0: float, count: int) -> list[Level]:
        start = self.level(n0)
        low, high = start.half_log_snr, self._half_log_snr[0]
        inner = [low + k * (high - low) / (count - 1) for k in range(1, count)]
        return [start, *(self.level_at_half_log_snr(value) for value in inner)]

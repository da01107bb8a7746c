"""Beats and bars of a constant tempo."""

from __future__ import annotations

import math
from dataclasses import dataclass

_TICKS_PER_BEAT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatGrid:
    """Beats from the first bar's beginning at from_s, which may lie before the sound."""

    tempo_bpm: float
    from_s: float = 0.0
    beats_per_bar: int = 4

    def __post_init__(self) -> None:
        if not 0.0 < self.tempo_bpm < math.inf or not math.isfinite(self.from_s) or self.beats_per_bar < 1:
            raise ValueError(
                f"beats need a tempo above zero, got {self.tempo_bpm} bpm, {self.beats_per_bar} beats a bar"
            )

    @property
    def beat_s(self) -> float:
        return 60.0 / self.tempo_bpm

    def beats_at(self, time_s: float) -> float:
        """Return how many beats after the first bar's beginning a time is."""
        return (time_s - self.from_s) / self.beat_s

    def time_s(self, beats: float) -> float:
        return self.from_s + beats * self.beat_s

    def nearest_s(self, time_s: float, step_beats: float = 1.0) -> float:
        """Return the nearest multiple of step_beats."""
        return self.time_s(round(self.beats_at(time_s) / step_beats) * step_beats)

    def lines_s(self, start_s: float, end_s: float, step_beats: float = 1.0) -> tuple[float, ...]:
        """Return the multiples of step_beats from start_s to end_s."""
        first = math.ceil(self.beats_at(start_s) / step_beats - 1e-9)
        last = math.floor(self.beats_at(end_s) / step_beats + 1e-9)
        return tuple(self.time_s(index * step_beats) for index in range(first, last + 1))

    def name(self, time_s: float) -> str:
        """Return bar.beat.hundredths, counted from 1.1.00; before it the bar is 0 or less."""
        ticks = round(self.beats_at(time_s) * _TICKS_PER_BEAT)
        beats, hundredths = divmod(ticks, _TICKS_PER_BEAT)
        bar, beat = divmod(beats, self.beats_per_bar)
        return f"{bar + 1}.{beat + 1}.{hundredths:02d}"

    def step_for(self, finest_s: float) -> float:
        """Return the step in beats, of quarters of beats to bars times powers of two, not finer than this."""
        step = 0.25
        while step * self.beat_s < finest_s:
            step = self._coarser(step)
        return step

    def _coarser(self, step: float) -> float:
        return float(self.beats_per_bar) if step == 1.0 and self.beats_per_bar > 1 else step * 2.0

"""Axes of time (seconds or bars), frequency and channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyqtgraph as pg

from ui.look.scale import Type, font
from ui.look.theme import colours, look
from ui.model.display import TimeUnit
from ui.model.region import RegionModel
from ui.sound.scales import ScaleKind

_TICK_EVERY_PX = 110.0
# Of that, a label reaches so far over the end.
_CUT = 0.2
_FREQUENCY_EVERY_PX = 22.0
_DECADE = (1.0, 2.0, 5.0)
_FREQUENCIES_HZ = tuple(step * 10.0**power for power in range(1, 5) for step in _DECADE)
_STEREO = ("L", "R")

Ticks = list[tuple[float, list[float]]]


class LookingAxis(pg.AxisItem):
    """An axis in the colours of the theme."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.setStyle(
            tickFont=font(Type.SMALL), tickLength=-4, autoExpandTextSpace=False, hideOverlappingLabels=False
        )
        self._paint()
        look().changed.connect(self._paint)

    def redraw(self) -> None:
        self.picture = None
        self.update()

    def _paint(self) -> None:
        self.setPen(colours().line)
        self.setTextPen(colours().faint)


class TimeAxis(LookingAxis):
    def __init__(self, model: RegionModel) -> None:
        super().__init__("top")
        self._model = model
        self.setHeight(22)
        model.display_changed.connect(self.redraw)
        model.beats_changed.connect(self.redraw)

    def tickValues(self, first: float, last: float, size_px: float) -> Ticks:
        finest_s = (last - first) * _TICK_EVERY_PX / max(size_px, 1.0)
        beats = self._model.beats
        if self._model.display.time_unit is TimeUnit.BARS and beats is not None:
            step = beats.step_for(finest_s)
            return [(step * beats.beat_s, list(beats.lines_s(first, last - finest_s * _CUT, step)))]
        step_s = nice_time_step(finest_s)
        ticks = range(math.ceil(first / step_s), math.floor((last - finest_s * _CUT) / step_s) + 1)
        return [(step_s, [tick * step_s for tick in ticks])]

    def tickStrings(self, values: Sequence[float], _scale: float, spacing: float) -> list[str]:
        beats = self._model.beats
        if self._model.display.time_unit is TimeUnit.BARS and beats is not None:
            return [_short_bar(beats.name(time_s)) for time_s in values]
        return [clock(time_s, spacing) for time_s in values]


class FrequencyAxis(LookingAxis):
    def __init__(self, model: RegionModel) -> None:
        super().__init__("left")
        self._model = model
        model.display_changed.connect(self.redraw)
        model.opened.connect(self.redraw)

    def tickValues(self, first: float, last: float, size_px: float) -> Ticks:
        scale = self._model.scale
        low_hz, high_hz = scale.to_hz(first), scale.to_hz(last)
        chosen = [scale.to_axis(hertz) for hertz in _FREQUENCIES_HZ if low_hz <= hertz <= high_hz]
        if len(chosen) < 3 or scale.kind is ScaleKind.LINEAR:
            step_hz = nice_step((high_hz - low_hz) * 2 * _FREQUENCY_EVERY_PX / max(size_px, 1.0))
            ticks = range(math.ceil(low_hz / step_hz), math.floor(high_hz / step_hz) + 1)
            chosen = [scale.to_axis(tick * step_hz) for tick in ticks]
        apart = (last - first) * _FREQUENCY_EVERY_PX / max(size_px, 1.0)
        return [(1.0, _thinned(chosen, apart))]

    def tickStrings(self, values: Sequence[float], _scale: float, _spacing: float) -> list[str]:
        return [_short_hz(self._model.scale.to_hz(float(value))) for value in values]


class ChannelAxis(LookingAxis):
    """Names channels: L and R where there are two, nothing where there is one, else their numbers."""

    def __init__(self, model: RegionModel) -> None:
        super().__init__("left")
        self._model = model
        model.opened.connect(self.redraw)

    def tickValues(self, _first: float, _last: float, _size_px: float) -> Ticks:
        return [(1.0, [channel + 0.5 for channel in range(self._channels)])]

    def tickStrings(self, values: Sequence[float], _scale: float, _spacing: float) -> list[str]:
        numbers = [self._channels - 1 - int(value) for value in values]
        if self._channels == 1:
            return [""]
        return [_STEREO[number] if self._channels == 2 else str(number + 1) for number in numbers]

    @property
    def _channels(self) -> int:
        return self._model.facts.channels if self._model.facts else 1


def nice_step(finest: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is not finer."""
    power = 10.0 ** math.floor(math.log10(max(finest, 1e-9)))
    return next(step * power for step in (*_DECADE, 10.0) if step * power >= finest * (1 - 1e-9))


def nice_time_step(finest_s: float) -> float:
    """Return the smallest step that is not finer and goes well with minutes and hours."""
    if 10.0 < finest_s <= 60.0:
        return next(step_s for step_s in (15.0, 30.0, 60.0) if step_s >= finest_s)
    if 60.0 < finest_s <= 3600.0:
        return next(60.0 * step for step in (2, 5, 10, 15, 30, 60) if 60.0 * step >= finest_s)
    return nice_step(finest_s)


def clock(time_s: float, spacing_s: float = 0.001) -> str:
    """Return minutes and seconds with as many digits as the spacing of times needs."""
    digits = max(0, math.ceil(-math.log10(spacing_s) - 1e-9)) if spacing_s < 1.0 else 0
    minutes, seconds = divmod(round(time_s, digits), 60.0)
    hours, minutes = divmod(int(minutes), 60)
    width = 3 + digits if digits else 2
    if hours:
        return f"{hours}:{minutes:02d}:{seconds:0{width}.{digits}f}"
    return f"{minutes}:{seconds:0{width}.{digits}f}"


def _short_bar(name: str) -> str:
    """Leave out the beat of bars and the hundredths of beats."""
    bar, beat, hundredths = name.rsplit(".", 2)
    if hundredths != "00":
        return name
    return bar if beat == "1" else f"{bar}.{beat}"


def _short_hz(frequency_hz: float) -> str:
    rounded_hz = float(f"{frequency_hz:.4g}")
    return f"{rounded_hz / 1000:g}k" if rounded_hz >= 1000 else f"{rounded_hz:g}"


def _thinned(places: Sequence[float], apart: float) -> list[float]:
    """Leave out what would be written over a higher place."""
    kept: list[float] = []
    for place in sorted(places, reverse=True):
        if not kept or kept[-1] - place >= apart:
            kept.append(place)
    return kept

"""Shapes while they are drawn: from where the pointer goes to what is added to the mask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.types import BrushShape, MaskOp, PolygonShape, RectShape, TimeSpan
from ui.model.harmonics import Drawn, Harmonics
from ui.model.mask_pen import Pen, Tool
from ui.model.mask_shapes import Extent, Point
from ui.model.thinning import TOLERANCE_PX, Thinner, needed
from ui.sound.scales import FrequencyScale

# What is smaller was a click.
LEAST_PX = 2.0
LEAST_FUNDAMENTAL_HZ = 1.0

Snapped = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """What is on the screen, and on how many pixels; these count from the left and from the bottom."""

    start_s: float
    end_s: float
    low_axis: float
    high_axis: float
    width_px: float
    height_px: float
    scale: FrequencyScale

    @property
    def seconds_per_px(self) -> float:
        return (self.end_s - self.start_s) / max(1.0, self.width_px)

    @property
    def axis_per_px(self) -> float:
        return (self.high_axis - self.low_axis) / max(1.0, self.height_px)

    def to_px(self, point: Point) -> tuple[float, float]:
        up = (self.scale.to_axis(point[1]) - self.low_axis) / self.axis_per_px
        return (point[0] - self.start_s) / self.seconds_per_px, up

    def to_point(self, x_px: float, y_px: float) -> Point:
        hz = self.scale.to_hz(self.low_axis + y_px * self.axis_per_px)
        return self.start_s + x_px * self.seconds_per_px, hz


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """All that a drawing depends on but the pointer."""

    pen: Pen
    lens: Lens
    extent: Extent
    op: MaskOp
    snapped: Snapped

    def held(self, point: Point) -> Point:
        """Return the nearest point within what can be masked."""
        time_s, freq_hz = point
        return min(max(0.0, time_s), self.extent.duration_s), min(max(0.0, freq_hz), self.extent.top_hz)


class Drawing(ABC):
    """What is drawn between press and release."""

    @abstractmethod
    def go(self, point: Point, *, is_constrained: bool) -> None:
        """Follow the pointer."""

    @abstractmethod
    def shapes(self, tolerance_px: float = TOLERANCE_PX) -> tuple[Drawn, ...]:
        """Return what is drawn so far, off by no more than a tolerance; nothing while it is but a click."""


def drawing_of(setting: Setting, point: Point) -> Drawing:
    """Begin to draw with the pen's tool; HAND draws nothing."""
    kinds: dict[Tool, type[_Corners | _Path]] = {
        Tool.RECT: _Corners,
        Tool.TIME: _Corners,
        Tool.BAND: _Corners,
        Tool.LASSO: _Lasso,
        Tool.BRUSH: _Brush,
        Tool.HARMONICS: _Harmonics,
    }
    return kinds[setting.pen.tool](setting, point)


class _Corners(Drawing):
    """A rectangle between two corners, or all of it in time or in frequency."""

    def __init__(self, setting: Setting, point: Point) -> None:
        self._setting = setting
        self._from = self._to = setting.held(point)

    def go(self, point: Point, *, is_constrained: bool) -> None:
        self._to = self._setting.held(self._square(point) if is_constrained else point)

    def shapes(self, tolerance_px: float = TOLERANCE_PX) -> tuple[Drawn, ...]:
        tool, extent = self._setting.pen.tool, self._setting.extent
        if not self._is_large_enough(tool):
            return ()
        start_s, end_s = sorted(self._setting.snapped(point[0]) for point in (self._from, self._to))
        span = extent.span if tool is Tool.BAND else _span(start_s, end_s, extent)
        band = (0.0, None) if tool is Tool.TIME else self._band()
        if span is None or band is None:
            return ()
        return (RectShape(span=span, low_hz=band[0], high_hz=band[1], op=self._setting.op),)

    def _band(self) -> tuple[float, float | None] | None:
        """Return the edges in Hz; at the top of what is shown, everything above belongs to it."""
        low_hz, high_hz = sorted((self._from[1], self._to[1]))
        low_hz = self._setting.pen.between_notes(low_hz)
        if high_hz >= self._setting.extent.top_hz:
            return low_hz, None
        high_hz = self._setting.pen.between_notes(high_hz)
        return (round(low_hz, 3), round(high_hz, 3)) if round(high_hz, 3) > round(low_hz, 3) else None

    def _is_large_enough(self, tool: Tool) -> bool:
        lens = self._setting.lens
        (from_x, from_y), (to_x, to_y) = lens.to_px(self._from), lens.to_px(self._to)
        is_wide, is_high = abs(to_x - from_x) >= LEAST_PX, abs(to_y - from_y) >= LEAST_PX
        return (is_wide or tool is Tool.BAND) and (is_high or tool is Tool.TIME)

    def _square(self, point: Point) -> Point:
        """Return the corner that makes as many pixels across as up."""
        lens = self._setting.lens
        (from_x, from_y), (to_x, to_y) = lens.to_px(self._from), lens.to_px(point)
        side = max(abs(to_x - from_x), abs(to_y - from_y))
        return lens.to_point(from_x + _signed(side, to_x - from_x), from_y + _signed(side, to_y - from_y))


class _Path(Drawing):
    """A line after the pointer; while it is constrained, its last stretch is straight."""

    def __init__(self, setting: Setting, point: Point) -> None:
        self._setting = setting
        self._points: list[Point] = []
        self._loose: Point | None = None
        self._thinner = Thinner()
        self._go_to(self._placed(point))

    def go(self, point: Point, *, is_constrained: bool) -> None:
        if is_constrained:
            self._loose = self._placed(self._straight(point))
            return
        self._settle()
        self._go_to(self._placed(point))

    @property
    def count(self) -> int:
        """Return how many points have been passed for good."""
        return len(self._points)

    def points(self, tolerance_px: float = TOLERANCE_PX) -> tuple[Point, ...]:
        """Return the line with as few points as the tolerance allows."""
        loose = () if self._loose is None else (self._loose,)
        kept = self._thinner.kept()
        if tolerance_px > TOLERANCE_PX:
            # What is thinned already may be off by the rest.
            seen_P2 = np.array([self._seen(self._points[index]) for index in kept])
            kept = [kept[index] for index in needed(seen_P2, tolerance_px - TOLERANCE_PX)]
        return (*(self._points[index] for index in kept), *loose)

    def since(self, count: int) -> tuple[Point, ...]:
        """Return the line from the last of so many points on, as far as it is passed for good."""
        return tuple(self._points[max(0, count - 1) :])

    def loose_end(self) -> tuple[Point, ...]:
        """Return the stretch that still follows the pointer; nothing unless it is constrained."""
        return () if self._loose is None else (self._points[-1], self._loose)

    def _placed(self, point: Point) -> Point:
        return self._setting.held(point)

    def _straight(self, point: Point) -> Point:
        return point

    def _seen(self, point: Point) -> tuple[float, float]:
        """Return where the line must be right, in pixels."""
        return self._setting.lens.to_px(point)

    def _settle(self) -> None:
        if self._loose is not None:
            self._go_to(self._loose)
            self._loose = None

    def _go_to(self, point: Point) -> None:
        if not self._points or point != self._points[-1]:
            self._points.append(point)
            self._thinner.add(*self._seen(point))


class _Lasso(_Path):
    def shapes(self, tolerance_px: float = TOLERANCE_PX) -> tuple[Drawn, ...]:
        points = self.points(tolerance_px)
        if len(points) < 3 or self._is_small(points):
            return ()
        return (PolygonShape(points=points, op=self._setting.op),)

    def _is_small(self, points: tuple[Point, ...]) -> bool:
        times_s, freqs_hz = zip(*points, strict=True)
        left, low = self._setting.lens.to_px((min(times_s), min(freqs_hz)))
        right, high = self._setting.lens.to_px((max(times_s), max(freqs_hz)))
        return min(right - left, high - low) < LEAST_PX


class Stroke(_Path):
    """A path with a tip; what is new of it can be asked for, to be shown at once."""

    def shapes(self, tolerance_px: float = TOLERANCE_PX) -> tuple[Drawn, ...]:
        return (self.along(self.points(tolerance_px)),)

    @abstractmethod
    def along(self, points: tuple[Point, ...]) -> Drawn:
        """Return what the tip covers along points."""

    def _placed(self, point: Point) -> Point:
        time_s, freq_hz = self._setting.held(point)
        return time_s, self._setting.pen.at_note(freq_hz)

    def _straight(self, point: Point) -> Point:
        """Keep the time or the frequency of the last point, whichever is nearer."""
        last, lens = self._points[-1], self._setting.lens
        (last_x, last_y), (x, y) = lens.to_px(last), lens.to_px(point)
        return (point[0], last[1]) if abs(x - last_x) >= abs(y - last_y) else (last[0], point[1])

    def _stroke(self, points: tuple[Point, ...]) -> BrushShape:
        pen = self._setting.pen
        return BrushShape(points=points, radius_s=pen.tip_s, radius_hz=pen.radius_hz, op=self._setting.op)


class _Brush(Stroke):
    def along(self, points: tuple[Point, ...]) -> Drawn:
        return self._stroke(points)


class _Harmonics(Stroke):
    """The line under the pointer and its multiples, as far as they are shown."""

    def __init__(self, setting: Setting, point: Point) -> None:
        self._count = harmonics_of(setting.held(point)[1], setting)
        super().__init__(setting, point)

    def along(self, points: tuple[Point, ...]) -> Drawn:
        fundamental = self._stroke(points)
        return Harmonics(fundamental=fundamental, count=self._count) if self._count > 1 else fundamental

    def _placed(self, point: Point) -> Point:
        time_s, freq_hz = super()._placed(point)
        return time_s, max(LEAST_FUNDAMENTAL_HZ, freq_hz)

    def _seen(self, point: Point) -> tuple[float, float]:
        # An error of the fundamental is nowhere larger than in its highest multiple.
        return self._setting.lens.to_px((point[0], point[1] * self._count))


def harmonics_of(fundamental_hz: float, setting: Setting) -> int:
    """Return how many multiples of a fundamental are shown, of those that the pen asks for."""
    there = int(setting.extent.top_hz / max(LEAST_FUNDAMENTAL_HZ, fundamental_hz))
    return max(1, min(setting.pen.harmonics, there))


def _span(start_s: float, end_s: float, extent: Extent) -> TimeSpan | None:
    start_s, end_s = max(0.0, start_s), min(end_s, extent.duration_s)
    return TimeSpan(start_s=start_s, end_s=end_s) if start_s < end_s else None


def _signed(size: float, direction: float) -> float:
    return size if direction >= 0 else -size

"""What can be done with one shape of a mask: where it lies, moved, resized, cut to a region, pointed at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from engine.types import BrushShape, MaskOp, PolygonShape, RectShape, TimeSpan
from ui.model.harmonics import HZ_DIGITS, Drawn, Harmonics

# Shapes smaller than this cannot be told apart from nothing.
LEAST_S = 1e-4
LEAST_HZ = 0.1
_SHORTEST_S = 1e-6
_TIME_DIGITS = 9
_POINT_DIGITS = 6

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What can be masked: a file's length, and the highest frequency that is shown."""

    duration_s: float
    top_hz: float

    @property
    def span(self) -> TimeSpan:
        return TimeSpan(start_s=0.0, end_s=self.duration_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The rectangle around a shape; no upper bound in Hz means the whole band."""

    start_s: float
    end_s: float
    low_hz: float
    high_hz: float | None


def everything(extent: Extent) -> RectShape:
    return RectShape(span=extent.span)


def is_whole_band(shape: Drawn) -> bool:
    return isinstance(shape, RectShape) and shape.low_hz == 0.0 and shape.high_hz is None


def opposite(op: MaskOp) -> MaskOp:
    return MaskOp.SUBTRACT if op is MaskOp.ADD else MaskOp.ADD


def turned_over(shape: Drawn) -> Drawn:
    """Return the shape with the opposite operation."""
    if isinstance(shape, Harmonics):
        fundamental = shape.fundamental
        return shape.over(replace(fundamental, op=opposite(fundamental.op)))
    return replace(shape, op=opposite(shape.op))


def edges_of(shape: Drawn) -> Bounds:
    """Return by which edges a shape is told and changed in numbers: of harmonics those of the fundamental."""
    return bounds_of(shape.fundamental if isinstance(shape, Harmonics) else shape)


def bounds_of(shape: Drawn) -> Bounds:
    if isinstance(shape, Harmonics):
        lowest, highest = bounds_of(shape.fundamental), bounds_of(shape.strokes[-1])
        return replace(lowest, high_hz=highest.high_hz)
    if isinstance(shape, RectShape):
        span = shape.span
        return Bounds(start_s=span.start_s, end_s=span.end_s, low_hz=shape.low_hz, high_hz=shape.high_hz)
    reach_s, reach_hz = _reach(shape)
    times_s, freqs_hz = zip(*shape.points, strict=True)
    return Bounds(
        start_s=min(times_s) - reach_s,
        end_s=max(times_s) + reach_s,
        low_hz=max(0.0, min(freqs_hz) - reach_hz),
        high_hz=max(freqs_hz) + reach_hz,
    )


def moved(shape: Drawn, by_s: float, lifted: Callable[[float], float], extent: Extent) -> Drawn:
    """Return the shape elsewhere, held within the extent's time; lifted moves each of its frequencies.

    Of harmonics it moves those of the fundamental, and the multiples follow.
    """
    if isinstance(shape, Harmonics):
        return shape.over(moved(shape.fundamental, by_s, lifted, extent))
    bounds = bounds_of(shape)
    by_s = max(-max(0.0, bounds.start_s), min(by_s, max(0.0, extent.duration_s - bounds.end_s)))
    if not isinstance(shape, RectShape):
        points = tuple((time_s + by_s, lifted(freq_hz)) for time_s, freq_hz in shape.points)
        return replace(shape, points=_rounded(points))
    start_s = max(0.0, round(shape.span.start_s + by_s, _TIME_DIGITS))
    span = TimeSpan(start_s=start_s, end_s=start_s + max(shape.span.duration_s, _SHORTEST_S))
    if is_whole_band(shape):
        return replace(shape, span=span)
    low_hz = max(0.0, lifted(shape.low_hz)) if shape.low_hz > 0 else 0.0
    high_hz = None if shape.high_hz is None else max(lifted(shape.high_hz), low_hz + LEAST_HZ)
    return replace(shape, span=span, low_hz=low_hz, high_hz=high_hz)


def fitted(shape: Drawn, bounds: Bounds) -> Drawn:
    """Return the shape stretched to lie in other bounds; a brush's tip is stretched with it.

    Of harmonics the bounds are those of the fundamental.

    Raises:
        ValueError: the bounds hold no time or no frequency.
    """
    if isinstance(shape, Harmonics):
        return shape.over(fitted(shape.fundamental, bounds))
    if isinstance(shape, RectShape):
        span = TimeSpan(start_s=bounds.start_s, end_s=bounds.end_s)
        return replace(shape, span=span, low_hz=bounds.low_hz, high_hz=bounds.high_hz)
    old = bounds_of(shape)
    if old.high_hz is None or bounds.high_hz is None:
        raise ValueError("only a rectangle can have the whole band")
    if bounds.end_s <= bounds.start_s or bounds.high_hz <= bounds.low_hz:
        raise ValueError("a shape must end after it begins and have its upper edge above its lower one")
    scale_s = (bounds.end_s - bounds.start_s) / max(old.end_s - old.start_s, LEAST_S)
    scale_hz = (bounds.high_hz - bounds.low_hz) / max(old.high_hz - old.low_hz, LEAST_HZ)
    points = _rounded(
        (
            bounds.start_s + (time_s - old.start_s) * scale_s,
            bounds.low_hz + (freq_hz - old.low_hz) * scale_hz,
        )
        for time_s, freq_hz in shape.points
    )
    if isinstance(shape, PolygonShape):
        return replace(shape, points=points)
    return replace(
        shape, points=points, radius_s=shape.radius_s * scale_s, radius_hz=shape.radius_hz * scale_hz
    )


def later(shape: Drawn, by_s: float) -> Drawn:
    """Return the shape at another time, unchecked but for a rectangle's start, which stays above zero."""
    if isinstance(shape, Harmonics):
        return shape.over(later(shape.fundamental, by_s))
    if not isinstance(shape, RectShape):
        return replace(shape, points=_rounded((time_s + by_s, hz) for time_s, hz in shape.points))
    start_s = max(0.0, round(shape.span.start_s + by_s, _TIME_DIGITS))
    end_s = round(shape.span.end_s + by_s, _TIME_DIGITS)
    end_s = end_s if end_s > start_s else start_s + LEAST_S
    return replace(shape, span=TimeSpan(start_s=start_s, end_s=end_s))


def seen_from(shape: Drawn, span: TimeSpan) -> Drawn | None:
    """Return the shape as a region sees it, from its start and cut to it; None where it lies outside.

    Outlines and strokes are not cut: what of them lies outside a region changes nothing in it.
    """
    bounds = bounds_of(shape)
    start_s, end_s = max(bounds.start_s, span.start_s), min(bounds.end_s, span.end_s)
    if end_s - start_s <= 0:
        return None
    if not isinstance(shape, RectShape):
        return later(shape, -span.start_s)
    start_s, end_s = round(start_s - span.start_s, _TIME_DIGITS), round(end_s - span.start_s, _TIME_DIGITS)
    if end_s <= start_s:
        return None
    return replace(shape, span=TimeSpan(start_s=start_s, end_s=end_s))


def is_inside(shape: Drawn, point: Point) -> bool:
    if isinstance(shape, Harmonics):
        return any(_is_under_stroke(stroke, point) for stroke in shape.strokes)
    time_s, freq_hz = point
    if isinstance(shape, RectShape):
        high_hz = math.inf if shape.high_hz is None else shape.high_hz
        return shape.span.start_s <= time_s < shape.span.end_s and shape.low_hz <= freq_hz < high_hz
    if isinstance(shape, PolygonShape):
        return _is_within_outline(shape.points, point)
    return _is_under_stroke(shape, point)


def rounded(shape: Drawn) -> Drawn:
    """Return the shape with as many digits as matter: a hundredth of a millisecond, a hundredth of a Hz."""
    if isinstance(shape, Harmonics):
        return shape.over(rounded(shape.fundamental))
    if isinstance(shape, RectShape):
        return shape
    return replace(
        shape, points=tuple((round(time_s, 5), round(hz, HZ_DIGITS)) for time_s, hz in shape.points)
    )


def _reach(shape: PolygonShape | BrushShape) -> tuple[float, float]:
    return (shape.radius_s, shape.radius_hz) if isinstance(shape, BrushShape) else (0.0, 0.0)


def _rounded(points: Iterable[Point]) -> tuple[Point, ...]:
    return tuple((round(time_s, _POINT_DIGITS), round(hz, _POINT_DIGITS)) for time_s, hz in points)


def _is_within_outline(points: tuple[Point, ...], point: Point) -> bool:
    time_s, freq_hz = point
    inside = False
    for (from_s, from_hz), (to_s, to_hz) in pairwise((*points, points[0])):
        if (from_s <= time_s) != (to_s <= time_s):
            crossing_hz = from_hz + (time_s - from_s) / (to_s - from_s) * (to_hz - from_hz)
            inside ^= freq_hz < crossing_hz
    return inside


def _is_under_stroke(shape: BrushShape, point: Point) -> bool:
    x, y = point[0] / shape.radius_s, point[1] / shape.radius_hz
    path = [(time_s / shape.radius_s, hz / shape.radius_hz) for time_s, hz in shape.points]
    return any(_distance(x, y, start, stop) <= 1.0 for start, stop in pairwise((*path, path[-1])))


def _distance(x: float, y: float, start: Point, stop: Point) -> float:
    run, rise = stop[0] - start[0], stop[1] - start[1]
    length = run * run + rise * rise
    share = 0.0 if length == 0 else ((x - start[0]) * run + (y - start[1]) * rise) / length
    share = max(0.0, min(1.0, share))
    return math.hypot(x - start[0] - share * run, y - start[1] - share * rise)

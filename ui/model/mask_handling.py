"""Shapes taken by the hand: moved whole, or by the edges of a rectangle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Flag, auto

from engine.types import RectShape, TimeSpan
from ui.model.harmonics import Drawn, Harmonics
from ui.model.mask_drawing import LEAST_FUNDAMENTAL_HZ, Lens, Setting
from ui.model.mask_shapes import LEAST_HZ, LEAST_S, Bounds, Extent, Point, bounds_of, moved

GRIP_PX = 6.0


class Edge(Flag):
    """The edges of a rectangle that are held; none: all of it."""

    NONE = 0
    START = auto()
    END = auto()
    LOW = auto()
    HIGH = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grip:
    """A shape held at a point."""

    index: int
    shape: Drawn
    at: Point
    edges: Edge = Edge.NONE

    def carried(self, point: Point, setting: Setting, *, is_constrained: bool) -> Drawn:
        """Return the shape as it is when the pointer has come to a point."""
        if self.edges and isinstance(self.shape, RectShape):
            return _resized(self.shape, self.edges, setting.held(point), setting)
        return self._moved(point, setting, is_constrained=is_constrained)

    def _moved(self, point: Point, setting: Setting, *, is_constrained: bool) -> Drawn:
        lens, bounds = setting.lens, bounds_of(self.shape)
        (from_x, from_y), (to_x, to_y) = lens.to_px(self.at), lens.to_px(point)
        is_across = abs(to_x - from_x) >= abs(to_y - from_y)
        by_s, up_px = point[0] - self.at[0], to_y - from_y
        if is_constrained:
            by_s, up_px = (by_s, 0.0) if is_across else (0.0, up_px)
        if by_s:
            by_s = setting.snapped(bounds.start_s + by_s) - bounds.start_s
        if isinstance(self.shape, Harmonics):
            ratio = _held_ratio(self._ratio(up_px, lens), self.shape, setting.extent)
            return moved(self.shape, by_s, lambda hz: hz * ratio, setting.extent)
        up_axis = _held_up(up_px * lens.axis_per_px, bounds, setting)
        scale = lens.scale
        return moved(
            self.shape,
            by_s,
            lambda hz: scale.to_hz(scale.to_axis(hz) + up_axis) if up_axis else hz,
            setting.extent,
        )

    def _ratio(self, up_px: float, lens: Lens) -> float:
        """Return how much higher it is that many pixels above where the shape is held."""
        x_px, y_px = lens.to_px(self.at)
        return max(lens.to_point(x_px, y_px + up_px)[1], LEAST_HZ) / max(self.at[1], LEAST_HZ)


def edges_at(shape: Drawn, point: Point, setting: Setting) -> Edge:
    """Return which edges of a rectangle are near enough to be held."""
    if not isinstance(shape, RectShape):
        return Edge.NONE
    lens, top_hz = setting.lens, setting.extent.top_hz
    x, y = lens.to_px(point)
    left, low = lens.to_px((shape.span.start_s, shape.low_hz))
    right, high = lens.to_px((shape.span.end_s, top_hz if shape.high_hz is None else shape.high_hz))
    if not (left - GRIP_PX <= x <= right + GRIP_PX and low - GRIP_PX <= y <= high + GRIP_PX):
        return Edge.NONE
    found = Edge.NONE
    for edge, distance in (
        (Edge.START, x - left),
        (Edge.END, x - right),
        (Edge.LOW, y - low),
        (Edge.HIGH, y - high),
    ):
        if abs(distance) <= GRIP_PX:
            found |= edge
    return found


def nudged(shape: Drawn, across_px: float, up_px: float, setting: Setting) -> Drawn:
    """Return the shape some pixels further, wherever that is; keys snap to nothing."""
    lens = setting.lens
    free = replace(setting, snapped=lambda time_s: time_s)
    x_px, y_px = lens.width_px / 2, lens.height_px / 2
    held = Grip(index=0, shape=shape, at=lens.to_point(x_px, y_px))
    return held.carried(lens.to_point(x_px + across_px, y_px + up_px), free, is_constrained=False)


def sized(shape: Drawn, wider_px: float, higher_px: float, setting: Setting) -> Drawn:
    """Return a rectangle with its end and its upper edge some pixels further; others as they are."""
    if not isinstance(shape, RectShape):
        return shape
    lens, scale, top_hz = setting.lens, setting.lens.scale, setting.extent.top_hz
    end_s = max(shape.span.end_s + wider_px * lens.seconds_per_px, shape.span.start_s + LEAST_S)
    span = TimeSpan(start_s=shape.span.start_s, end_s=min(end_s, setting.extent.duration_s))
    if higher_px == 0:
        return replace(shape, span=span)
    high_hz = top_hz if shape.high_hz is None else shape.high_hz
    high_hz = scale.to_hz(scale.to_axis(high_hz) + higher_px * lens.axis_per_px)
    high_hz = max(high_hz, shape.low_hz + LEAST_HZ)
    return replace(shape, span=span, high_hz=None if high_hz >= top_hz else high_hz)


def _resized(shape: RectShape, edges: Edge, point: Point, setting: Setting) -> Drawn:
    start_s, end_s, low_hz, high_hz = shape.span.start_s, shape.span.end_s, shape.low_hz, shape.high_hz
    time_s, freq_hz = setting.snapped(point[0]), setting.pen.between_notes(point[1])
    if Edge.START in edges:
        start_s = max(0.0, min(time_s, end_s - LEAST_S))
    if Edge.END in edges:
        end_s = max(time_s, start_s + LEAST_S)
    if Edge.LOW in edges:
        top_hz = setting.extent.top_hz if high_hz is None else high_hz
        low_hz = max(0.0, min(freq_hz, top_hz - LEAST_HZ))
    if Edge.HIGH in edges:
        high_hz = None if freq_hz >= setting.extent.top_hz else max(freq_hz, low_hz + LEAST_HZ)
    return replace(shape, span=TimeSpan(start_s=start_s, end_s=end_s), low_hz=low_hz, high_hz=high_hz)


def _held_up(up_axis: float, bounds: Bounds, setting: Setting) -> float:
    """Hold a move in frequency within what is shown; what has the whole band stays there."""
    scale, top_hz = setting.lens.scale, setting.extent.top_hz
    if bounds.high_hz is None:
        return 0.0
    most = max(0.0, 1.0 - scale.to_axis(min(bounds.high_hz, top_hz)))
    return max(-scale.to_axis(bounds.low_hz), min(up_axis, most))


def _held_ratio(ratio: float, shape: Harmonics, extent: Extent) -> float:
    """Hold a move of harmonics so that all of them stay within what is shown."""
    freqs_hz = [max(freq_hz, LEAST_FUNDAMENTAL_HZ) for _, freq_hz in shape.fundamental.points]
    most = max(1.0, extent.top_hz / (max(freqs_hz) * shape.count))
    least = min(1.0, LEAST_FUNDAMENTAL_HZ / min(freqs_hz))
    return min(max(least, ratio), most)

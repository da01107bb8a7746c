"""A stroke with its multiples as one shape of a mask; requests carry it as the strokes that it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from engine.types import BrushShape, MaskOp, Shape

# Of a stroke's frequencies a mask keeps hundredths of a Hz.
HZ_DIGITS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmonics:
    """A stroke along a fundamental, and the same at its multiples 2 to count."""

    fundamental: BrushShape
    count: int

    def __post_init__(self) -> None:
        if self.count < 2:
            raise ValueError(f"harmonics are at least 2, got {self.count}")

    @property
    def op(self) -> MaskOp:
        return self.fundamental.op

    def over(self, fundamental: Drawn) -> Harmonics:
        """Return as many harmonics of another stroke."""
        assert isinstance(fundamental, BrushShape), "only a stroke has harmonics"
        return replace(self, fundamental=fundamental)

    @property
    def strokes(self) -> tuple[BrushShape, ...]:
        """Return one stroke for each multiple, the lowest first."""
        return tuple(_multiple(self.fundamental, number) for number in range(1, self.count + 1))


# What a mask is drawn of.
Drawn = Shape | Harmonics


def spread(shapes: Iterable[Drawn]) -> tuple[Shape, ...]:
    """Return shapes as a request carries them."""
    return tuple(
        part for shape in shapes for part in (shape.strokes if isinstance(shape, Harmonics) else (shape,))
    )


def gathered(shapes: Iterable[Shape]) -> tuple[Drawn, ...]:
    """Return shapes as they were drawn: strokes in a row that are multiples of the first are one."""
    return tuple(_gathered(list(shapes)))


def _gathered(shapes: list[Shape]) -> Iterator[Drawn]:
    at = 0
    while at < len(shapes):
        first, count = shapes[at], _multiples_from(shapes, at)
        if isinstance(first, BrushShape) and count > 1:
            yield Harmonics(fundamental=first, count=count)
        else:
            yield first
        at += count


def _multiples_from(shapes: list[Shape], at: int) -> int:
    """Return how many shapes in a row are those of one fundamental."""
    first = shapes[at]
    if not isinstance(first, BrushShape):
        return 1
    count = 1
    while at + count < len(shapes) and shapes[at + count] == _multiple(first, count + 1):
        count += 1
    return count


def _multiple(stroke: BrushShape, number: int) -> BrushShape:
    if number == 1:
        return stroke
    points = tuple((time_s, round(number * freq_hz, HZ_DIGITS)) for time_s, freq_hz in stroke.points)
    return replace(stroke, points=points)

"""What the command line takes for a number."""

from __future__ import annotations

import math
from typing import Any

import click

from daw_bridge.spec_options import parse_seconds


class Seconds(click.ParamType[float]):
    """Seconds, or minutes and seconds with a colon."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return parse_seconds(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Numbers(click.ParamType[tuple[float, ...]]):
    """Numbers with commas or spaces between them; click's options cannot take any number of words."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        words = str(value).replace(",", " ").split()
        if not words:
            self.fail("there is no number in it.", param, ctx)
        return tuple(Number().convert(word, param, ctx) for word in words)


class Number(click.FloatRange):
    """A number that is one: nan is outside of no range and so would be in every one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number

    def _describe_range(self) -> str:
        # Where there is none, click would say "x<=None".
        return "" if self.min is None and self.max is None else super()._describe_range()

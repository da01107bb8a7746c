"""Responses of pedalboard's filters, differentiable in their parameters.

Shelves and peaks are the biquads of Bristow-Johnson's cookbook, the passes of first order. All are written as
analogue filters under the bilinear transform. Legend: F frequency bins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from engine.fx.text_to_effect.grid import Grid

Values = Mapping[str, Tensor]


def high_pass(values: Values, grid: Grid) -> Tensor:
    rise_F, fall_F = _first_order(values, grid)
    return rise_F / (rise_F + fall_F)


def low_pass(values: Values, grid: Grid) -> Tensor:
    rise_F, fall_F = _first_order(values, grid)
    return fall_F / (rise_F + fall_F)


def second_order_high_pass(values: Values, grid: Grid) -> Tensor:
    square_F, line_F, one_F = _second_order(values, grid)
    return square_F / (square_F + line_F / values["q"] + one_F)


def peak(values: Values, grid: Grid) -> Tensor:
    square_F, line_F, one_F = _second_order(values, grid)
    amplitude = _amplitude(values)
    ends_F, line_F = square_F + one_F, line_F / values["q"]
    return (ends_F + amplitude * line_F) / (ends_F + line_F / amplitude)


def low_shelf(values: Values, grid: Grid) -> Tensor:
    square_F, line_F, one_F = _second_order(values, grid)
    return _shelf(values, one_F, line_F, square_F)


def high_shelf(values: Values, grid: Grid) -> Tensor:
    square_F, line_F, one_F = _second_order(values, grid)
    return _shelf(values, square_F, line_F, one_F)


def _shelf(values: Values, raised_F: Tensor, line_F: Tensor, kept_F: Tensor) -> Tensor:
    amplitude = _amplitude(values)
    line_F = line_F * (amplitude.sqrt() / values["q"])
    return amplitude * (amplitude * raised_F + line_F + kept_F) / (raised_F + line_F + amplitude * kept_F)


def _first_order(values: Values, grid: Grid) -> tuple[Tensor, Tensor]:
    """Return s and 1 of the analogue filter, both times the same."""
    return grid.bilinear.rise_F, grid.bilinear.fall_F * _corner(values, grid)


def _second_order(values: Values, grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
    """Return s^2, s and 1 of the analogue filter, all times the same."""
    corner, powers = _corner(values, grid), grid.bilinear
    return powers.rise_rise_F, powers.rise_fall_F * corner, powers.fall_fall_F * corner.square()


def _corner(values: Values, grid: Grid) -> Tensor:
    return torch.tan(values["cutoff_frequency_hz"] * (math.pi / grid.rate_hz))


def _amplitude(values: Values) -> Tensor:
    return 10.0 ** (values["gain_db"] / 40.0)

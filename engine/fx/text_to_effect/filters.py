"""Responses of pedalboard's filters, differentiable in their parameters.

Shelves and peaks are the biquads of Bristow-Johnson's cookbook, the passes first-order filters by the
bilinear transform. Legend: F frequency bins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from engine.fx.text_to_effect.grid import Grid

Values = Mapping[str, Tensor]


def high_pass(values: Values, grid: Grid) -> Tensor:
    slope = _slope(values["cutoff_frequency_hz"], grid)
    return (1.0 - grid.delay_F) / (slope + 1.0 + (slope - 1.0) * grid.delay_F)


def low_pass(values: Values, grid: Grid) -> Tensor:
    slope = _slope(values["cutoff_frequency_hz"], grid)
    return slope * (1.0 + grid.delay_F) / (slope + 1.0 + (slope - 1.0) * grid.delay_F)


def second_order_high_pass(values: Values, grid: Grid) -> Tensor:
    angle = _angle(values, grid)
    alpha, cosine = torch.sin(angle) / (2.0 * values["q"]), torch.cos(angle)
    ends = (1.0 + cosine) / 2.0
    return _biquad(grid, (ends, -2.0 * ends, ends), (1.0 + alpha, -2.0 * cosine, 1.0 - alpha))


def low_shelf(values: Values, grid: Grid) -> Tensor:
    return _shelf(values, grid, 1.0)


def high_shelf(values: Values, grid: Grid) -> Tensor:
    return _shelf(values, grid, -1.0)


def peak(values: Values, grid: Grid) -> Tensor:
    amplitude = _amplitude(values)
    angle = _angle(values, grid)
    alpha = torch.sin(angle) / (2.0 * values["q"])
    middle = -2.0 * torch.cos(angle)
    return _biquad(
        grid,
        (1.0 + alpha * amplitude, middle, 1.0 - alpha * amplitude),
        (1.0 + alpha / amplitude, middle, 1.0 - alpha / amplitude),
    )


def _shelf(values: Values, grid: Grid, side: float) -> Tensor:
    """Return a shelf below (side 1) or above (side -1) its frequency: the one is the other mirrored."""
    amplitude = _amplitude(values)
    angle = _angle(values, grid)
    cosine = side * torch.cos(angle)
    beta = torch.sin(angle) * amplitude.sqrt() / values["q"]
    up, down = amplitude + 1.0, amplitude - 1.0
    return _biquad(
        grid,
        (
            amplitude * (up - down * cosine + beta),
            side * 2.0 * amplitude * (down - up * cosine),
            amplitude * (up - down * cosine - beta),
        ),
        (up + down * cosine + beta, side * -2.0 * (down + up * cosine), up + down * cosine - beta),
    )


def _biquad(grid: Grid, ahead: tuple[Tensor, ...], back: tuple[Tensor, ...]) -> Tensor:
    return _polynomial(grid, ahead) / _polynomial(grid, back)


def _polynomial(grid: Grid, coefficients: tuple[Tensor, ...]) -> Tensor:
    zeroth, first, second = coefficients
    return zeroth + first * grid.delay_F + second * grid.delay2_F


def _amplitude(values: Values) -> Tensor:
    return 10.0 ** (values["gain_db"] / 40.0)


def _angle(values: Values, grid: Grid) -> Tensor:
    return values["cutoff_frequency_hz"] * (2.0 * math.pi / grid.rate_hz)


def _slope(cutoff_hz: Tensor, grid: Grid) -> Tensor:
    return torch.tan(cutoff_hz * (math.pi / grid.rate_hz))

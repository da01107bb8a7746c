"""pedalboard's reverb, which is Freeverb, as a response that is differentiable in its parameters.

Eight combs side by side, then four allpass-like filters. The right channel's delays are longer by a
fixed number of samples. Legend: F frequency bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from engine.fx.text_to_effect.grid import Grid

_COMBS = (1116, 1188, 1277, 1356, 1422, 1491, 1557, 1617)
_ALLPASSES = (556, 441, 341, 225)
_SPREAD = 23
_TUNED_FOR_HZ = 44_100
_ROOM_SCALE, _ROOM_OFFSET, _DAMPING_SCALE = 0.28, 0.7, 0.4
_WET_SCALE, _DRY_SCALE, _INPUT_GAIN = 3.0, 2.0, 0.015


@dataclass(frozen=True, kw_only=True)
class Reverb:
    """The reverb on one grid; its parts that no parameter changes are calculated once.

    It hears the mean of a sound's channels, as CLAP does, for which the width does not matter.
    """

    grid: Grid
    is_stereo: bool

    def response(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return what becomes of the mean of the channels."""
        feedback = values["room_size"] * _ROOM_SCALE + _ROOM_OFFSET
        damping = values["damping"] * _DAMPING_SCALE
        loop_F = feedback * (1.0 - damping) / (1.0 - damping * self.grid.delay_F)
        wet_F = sum(
            (_combs(loop_F, delays) * allpass_F for delays, allpass_F in self._sides), torch.zeros(())
        )
        wet = values["wet_level"] * (_WET_SCALE * _INPUT_GAIN * self._mono_share(values))
        return values["dry_level"] * _DRY_SCALE + wet * wet_F

    def _mono_share(self, values: Mapping[str, Tensor]) -> float | Tensor:
        """Return how much of a side's sound arrives; in mono it is what the width leaves in its channel."""
        return 1.0 if self.is_stereo else 0.5 * (1.0 + values["width"])

    @cached_property
    def _sides(self) -> tuple[tuple[tuple[Tensor, ...], Tensor], ...]:
        spreads = (0, _SPREAD) if self.is_stereo else (0,)
        return tuple((self._delays(_COMBS, spread), self._allpass_F(spread)) for spread in spreads)

    def _delays(self, tunings: tuple[int, ...], spread: int) -> tuple[Tensor, ...]:
        rate_hz = self.grid.rate_hz
        return tuple(self.grid.delayed(rate_hz * (tuning + spread) // _TUNED_FOR_HZ) for tuning in tunings)

    def _allpass_F(self, spread: int) -> Tensor:
        response_F = torch.ones(self.grid.bins, dtype=torch.complex64)
        for delay_F in self._delays(_ALLPASSES, spread):
            response_F = response_F * (1.5 * delay_F - 1.0) / (1.0 - 0.5 * delay_F)
        return response_F


def _combs(loop_F: Tensor, delays: tuple[Tensor, ...]) -> Tensor:
    response_F = _Combs.apply(loop_F, delays)
    assert isinstance(response_F, Tensor)
    return response_F


class _Combs(torch.autograd.Function):
    """The sum of z^-d / (1 - loop z^-d) over all delays; its derivative by loop is the sum of squares."""

    @staticmethod
    def forward(ctx: Any, loop_F: Tensor, delays: tuple[Tensor, ...]) -> Tensor:
        response_F, slope_F = torch.zeros_like(loop_F), torch.zeros_like(loop_F)
        for delay_F in delays:
            comb_F = delay_F / (1.0 - loop_F * delay_F)
            response_F += comb_F
            slope_F.addcmul_(comb_F, comb_F)
        ctx.save_for_backward(slope_F)
        return response_F

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (slope_F,) = ctx.saved_tensors
        return grads[0] * slope_F.conj(), None

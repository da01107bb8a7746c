"""A template of built-in effects as one differentiable function, up to what CLAP hears of it.

It hears the mix of a sound's channels, as CLAP does. Only a compressor of stereo is not exact then,
because pedalboard compresses each channel by itself. Legend: S samples, P parameters, F frequency bins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from engine.audio.level import mono
from engine.chains import Effect
from engine.effects import EFFECTS
from engine.fx.text_to_effect import filters
from engine.fx.text_to_effect.compressor import compressed
from engine.fx.text_to_effect.grid import Grid
from engine.fx.text_to_effect.loudness import MatchedHearing
from engine.fx.text_to_effect.reverb import Reverb
from engine.fx.text_to_effect.space import SearchedEffect, Template

Values = Mapping[str, Tensor]
Response = Callable[[Values], Tensor]
Shaping = Callable[[Tensor, Values], Tensor]

_FILTERS: dict[str, Callable[[Values, Grid], Tensor]] = {
    "highpass_filter": filters.high_pass,
    "lowpass_filter": filters.low_pass,
    "low_shelf_filter": filters.low_shelf,
    "peak_filter": filters.peak,
    "high_shelf_filter": filters.high_shelf,
}
_HAVE_TWINS = {*_FILTERS, "reverb", "gain", "compressor", "distortion"}


def has_twin(template: Template) -> bool:
    """Tell whether gradients can be had for all effects of a template."""
    return all(_effect_has_twin(effect.base) for effect in template.effects)


def _effect_has_twin(effect: Effect) -> bool:
    is_frozen = float(effect.parameters.get("freeze_mode", 0.0)) >= 0.5
    return effect.bypass or (effect.effect in _HAVE_TWINS and not is_frozen)


class Twin:
    """One sound through a template, for any point of its space."""

    def __init__(self, template: Template, audio_NS: np.ndarray, rate_hz: int) -> None:
        assert has_twin(template), "all effects of a differentiable template have twins"
        self._template = template
        self._rate_hz = rate_hz
        self._grid = Grid.of(audio_NS.shape[1], rate_hz)
        self._reverb = Reverb(grid=self._grid, is_stereo=audio_NS.shape[0] > 1)
        self._audio_S = torch.from_numpy(mono(audio_NS).copy())
        self._hearing = MatchedHearing(self._audio_S, rate_hz)
        self._fixed = [_fixed_values(effect) for effect in template.effects]

    def processed(self, shares_P: Tensor) -> Tensor:
        """Return the sound (S,) through the chain at a point, at its own rate."""
        audio_S, response_F = self._audio_S, None
        for effect, fixed, found in zip(
            self._template.effects, self._fixed, self._template.split(shares_P), strict=True
        ):
            if effect.base.bypass:
                continue
            values = fixed | {name: torch.as_tensor(value) for name, value in found.items()}
            if effect.base.effect in {"compressor", "distortion"}:
                audio_S = audio_S if response_F is None else self._grid.filtered(audio_S, response_F)
                audio_S, response_F = self._shaped(effect.base, audio_S, values), None
            else:
                part_F = _mixed(self._response(effect.base.effect, values), 1.0, effect.base.mix)
                response_F = part_F if response_F is None else response_F * part_F
        return audio_S if response_F is None else self._grid.filtered(audio_S, response_F)

    def heard(self, shares_P: Tensor) -> Tensor:
        """Return what CLAP hears of `processed`: as loud as the sound itself, at 48 kHz."""
        return self._hearing(self.processed(shares_P))

    def _response(self, name: str, values: Values) -> Tensor:
        if name == "reverb":
            return self._reverb.response(values)
        if name == "gain":
            return 10.0 ** (values["gain_db"] / 20.0)
        return _FILTERS[name](values, self._grid)

    def _shaped(self, effect: Effect, audio_S: Tensor, values: Values) -> Tensor:
        if effect.effect == "compressor":
            shaped_S = compressed(audio_S, values, self._rate_hz)
        else:
            shaped_S = torch.tanh(audio_S * 10.0 ** (values["drive_db"] / 20.0))
        return _mixed(shaped_S, audio_S, effect.mix)


def _mixed(wet: Tensor, dry: Tensor | float, mix: float) -> Tensor:
    return wet if math.isclose(mix, 1.0) else mix * wet + (1.0 - mix) * dry


def _fixed_values(effect: SearchedEffect) -> dict[str, Tensor]:
    usual = {name: one.default for name, one in EFFECTS[effect.base.effect].parameters.items()}
    values = usual | effect.base.parameters
    return {name: torch.tensor(float(value)) for name, value in values.items() if value is not None}

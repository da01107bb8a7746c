"""Chains rendered for real, as loud as what went in and without clipping.

Legend: N channels, S samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pedalboard

from engine.audio.level import decibels, peak
from engine.chains import Chain, Effect, ParameterValue
from engine.edit.loudness import CEILING_DBTP, loudness_lufs, true_peak_db
from engine.effects import EFFECTS

# Anything that turns a sound (N, S) of a rate into what a chain makes of it, as long as it was.
RenderChain = Callable[[Chain, np.ndarray, int], np.ndarray]

MOST_LOUDNESS_CHANGE_LU = 1.0
# What rounding and the limits of a measurement may add.
_MARGIN_DB = 0.1


def render_built_ins(chain: Chain, audio_NS: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return the sound through pedalboard's own effects."""
    audio_NS = np.ascontiguousarray(audio_NS, dtype=np.float32)
    for effect in chain.effects:
        if not effect.bypass:
            wet_NS = _built_in(effect)(audio_NS, rate_hz)
            audio_NS = wet_NS if math.isclose(effect.mix, 1.0) else _mixed(wet_NS, audio_NS, effect.mix)
    return audio_NS


@cache
def default_parameters(name: str) -> dict[str, ParameterValue]:
    """Return what a built-in effect's numbers are if nobody sets them."""
    plugin = _class_of(name)()
    values = {key: getattr(plugin, key) for key in dir(plugin) if not key.startswith("_")}
    return {key: value for key, value in values.items() if isinstance(value, float)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finished:
    """A chain that ends in the gain for its loudness, and its sound.

    excess_db is how far the loudness would be beyond the ceiling; the gain is that much lower.
    """

    chain: Chain
    audio_NS: np.ndarray
    excess_db: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Renderer:
    """One sound, and what chains make of it at its own loudness."""

    render: RenderChain
    audio_NS: np.ndarray
    rate_hz: int
    loudness_lufs: float
    ceiling_dbtp: float

    @classmethod
    def of(cls, render: RenderChain, audio_NS: np.ndarray, rate_hz: int) -> Renderer:
        return cls(
            render=render,
            audio_NS=audio_NS,
            rate_hz=rate_hz,
            loudness_lufs=loudness_lufs(audio_NS, rate_hz),
            ceiling_dbtp=max(CEILING_DBTP, true_peak_db(audio_NS)),
        )

    def finished(self, chain: Chain, *, exact: bool = False) -> Finished | None:
        """Render a chain and give it its gain; None where nothing audible or finite comes out.

        Peaks between the samples count where it is exact.
        """
        audio_NS = self.render(chain, self.audio_NS, self.rate_hz)
        if not np.isfinite(audio_NS).all():
            return None
        loudness = loudness_lufs(audio_NS, self.rate_hz)
        if loudness == -math.inf:
            return None
        gain_db = self.loudness_lufs - loudness
        peak_db = true_peak_db(audio_NS) if exact else decibels(peak(audio_NS))
        excess_db = max(0.0, peak_db + gain_db - self.ceiling_dbtp)
        gain_db = _down(gain_db - excess_db)
        louder = Effect(effect="gain", parameters={"gain_db": gain_db})
        gained_NS = audio_NS * np.float32(10 ** (gain_db / 20))
        return Finished(
            chain=replace(chain, effects=(*chain.effects, louder)), audio_NS=gained_NS, excess_db=excess_db
        )


def fits(excess_db: float) -> bool:
    """Tell whether a chain keeps both its loudness and its ceiling."""
    return excess_db <= MOST_LOUDNESS_CHANGE_LU - _MARGIN_DB


def _down(gain_db: float) -> float:
    return math.floor(gain_db * 100.0) / 100.0


def _mixed(wet_NS: np.ndarray, dry_NS: np.ndarray, mix: float) -> np.ndarray:
    return (mix * wet_NS + (1.0 - mix) * dry_NS).astype(np.float32)


def _class_of(name: str) -> Any:
    return getattr(pedalboard, EFFECTS[name].class_name)


def _built_in(effect: Effect) -> pedalboard.Plugin:
    assert effect.effect, "a plug-in is rendered by its host"
    plugin = _class_of(effect.effect)(**effect.parameters)
    assert isinstance(plugin, pedalboard.Plugin)
    return plugin

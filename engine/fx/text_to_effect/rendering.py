"""Chains rendered for real, as loud as what went in and without clipping.

Legend: N channels, S samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from engine.audio.level import decibels, peak
from engine.chains import Chain, Effect, Tail
from engine.edit.loudness import CEILING_DBTP, loudness_lufs, true_peak_db
from engine.errors import PluginCrash
from engine.fx.processing import apply_chain

# Anything that turns a sound (N, S) of a rate into what a chain makes of it: silence, where that is nothing.
RenderChain = Callable[[Chain, np.ndarray, int], np.ndarray]

MOST_LOUDNESS_CHANGE_LU = 1.0
# What rounding and the limits of a measurement may add.
_MARGIN_DB = 0.1


def render_here(chain: Chain, audio_NS: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return the sound through a chain of built-in effects, in this process; raises SpecError."""
    try:
        return apply_chain(chain, audio_NS, rate_hz)[0]
    except PluginCrash:
        return np.zeros_like(audio_NS)


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

        Where it is exact, peaks between the samples count, and the chain's tail; else the sound goes on after
        its end.
        """
        audio_NS = self.render(chain if exact else going_on(chain), self.audio_NS, self.rate_hz)
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


def going_on(chain: Chain) -> Chain:
    """Return the chain as it is in the middle of a sound: as long as that, without a fade of its tail."""
    return replace(chain, tail=Tail.RING, tail_s=0.0)


def fits(excess_db: float) -> bool:
    """Tell whether a chain keeps both its loudness and its ceiling."""
    return excess_db <= MOST_LOUDNESS_CHANGE_LU - _MARGIN_DB


def _down(gain_db: float) -> float:
    return math.floor(gain_db * 100.0) / 100.0

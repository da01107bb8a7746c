"""What a chain of effects did to a clip, measured without CLAP, and clips to try it on.

N channels, S samples, F frequency bins, T frames.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.signal import stft

from engine.audio.io import read_excerpt
from engine.audio.level import decibels, mono
from engine.chains import Chain
from engine.evaluation.sampling import SamplingConfig, generate
from engine.fx.text_to_effect.rendering import render_here
from engine.models.bundle import Bundle

GENERATED = ("rock drum loop", "piano", "man speaking", "violin")
_FRAMES = 256
_WINDOW_S = 0.032
_AUDIBLE_SHARE = 1e-3
_IMPULSE, _RESPONSE_S, _EARLY_S = 0.1, 3.0, 0.08

Clips = dict[str, tuple[np.ndarray, int]]


def clips_for_effects(bundle: Bundle, example: Path) -> Clips:
    """Return clips (N, S) with their rates by name: an example, and sounds that the model generates."""
    groove = read_excerpt(str(example))
    audio_BS = generate(bundle, GENERATED, _FRAMES, SamplingConfig()).numpy()
    made = {
        name: (_normal(audio_S), bundle.card.sample_rate_hz)
        for name, audio_S in zip(GENERATED, audio_BS, strict=True)
    }
    return {example.stem: (groove.audio_NS.astype(np.float32), groove.sample_rate_hz), **made}


def centroid_hz(audio_NS: np.ndarray, rate_hz: int) -> float:
    """Return the mean frequency of the magnitude spectrum over all audible frames."""
    window = round(_WINDOW_S * rate_hz)
    frequency_F, _, spectrum_FT = stft(mono(audio_NS), rate_hz, nperseg=window)
    magnitude_FT = np.abs(spectrum_FT)
    power_T = (magnitude_FT**2).sum(axis=0)
    audible_FT = magnitude_FT[:, power_T > _AUDIBLE_SHARE * power_T.max()]
    return float((frequency_F[:, None] * audible_FT).sum() / audible_FT.sum())


def late_db(chain: Chain, rate_hz: int) -> float:
    """Return the share of a chain's response to a click that comes after 80 ms, in dB: its reverberation."""
    click_NS = np.zeros((2, round(_RESPONSE_S * rate_hz)), dtype=np.float32)
    click_NS[:, 0] = _IMPULSE
    response_NS = render_here(chain, click_NS, rate_hz).astype(np.float64)
    late_NS = response_NS[:, round(_EARLY_S * rate_hz) :]
    return decibels(float(np.sqrt((late_NS**2).sum() / (response_NS**2).sum())))


def _normal(audio_S: np.ndarray) -> np.ndarray:
    return (0.5 * audio_S / np.abs(audio_S).max())[None].astype(np.float32)

"""The mono signals that a model makes for a region of one to eight channels, and the way back.

Legend: N channels, V voices, S samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from engine.audio.level import in_blocks, rms
from engine.types import Stereo

# A signal this much below the others carries nothing that one could hear.
SILENT_SHARE = 1e-4
# Less of the side than this stands apart from the middle: too little to be amplified to a side of its own.
_APART_SHARE = 0.03
_DECORRELATING_DELAYS_S = (0.0071, 0.0113, 0.0167)
_DECORRELATING_GAIN = 0.6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Voices:
    """heard_VN mixes channels to voices; made_NV mixes voices back; what neither holds is kept."""

    heard_VN: np.ndarray
    made_NV: np.ndarray
    is_mid_side: bool = False

    @property
    def count(self) -> int:
        return int(self.heard_VN.shape[0])

    def of(self, audio_NS: np.ndarray) -> np.ndarray:
        """Return what the model hears (V, S)."""
        return self.heard_VN @ audio_NS.astype(np.float64)

    def channels(self, audio_VS: np.ndarray) -> np.ndarray:
        """Return the voices' share of all channels (N, S)."""
        return self.made_NV @ audio_VS


def voices_of(audio_NS: np.ndarray, stereo: Stereo) -> Voices:
    """Choose the voices of a region; what is silent, or equal to another channel, needs none of its own."""
    if audio_NS.shape[0] == 2 and stereo is not Stereo.CHANNELS:
        return _mid_side(audio_NS, keeps_side=stereo is Stereo.MID)
    return _by_channel(audio_NS)


def with_image_of(
    original_VS: np.ndarray, new_VS: np.ndarray, where_S: np.ndarray, rate_hz: int
) -> np.ndarray:
    """Give new middle and side the balance and correlation that the original's had where where_S is true.

    Of one voice, or of a middle or side without sound, there is nothing to balance.
    """
    if len(original_VS) != 2:
        return new_VS
    (mid_S, side_S), (new_mid_S, new_side_S) = original_VS, new_VS
    mid, side, new_mid = rms(mid_S[where_S]), rms(side_S[where_S]), rms(new_mid_S[where_S])
    if min(mid, side, new_mid) == 0.0:
        return new_VS
    likeness = float(np.mean(mid_S[where_S] * side_S[where_S])) / (mid * side)
    apart_S = _apart(new_side_S, new_mid_S, where_S, rate_hz)
    width = side / mid * new_mid
    alike_S = likeness * new_mid_S / new_mid
    return np.stack([new_mid_S, width * (alike_S + math.sqrt(max(0.0, 1 - likeness**2)) * apart_S)])


def with_balance_of(original_VS: np.ndarray, new_VS: np.ndarray, where_S: np.ndarray) -> np.ndarray:
    """Give new channels the shares of the level that the original's had where where_S is true."""
    had_V = np.sqrt(np.mean(np.square(original_VS[:, where_S]), axis=1))
    has_V = np.sqrt(np.mean(np.square(new_VS[:, where_S]), axis=1))
    if not had_V.any() or not has_V.all():
        return new_VS
    gain_V = had_V / has_V
    return new_VS * (gain_V * np.linalg.norm(has_V) / np.linalg.norm(gain_V * has_V))[:, None]


def correlation(audio_NS: np.ndarray) -> float:
    """Return how alike the first two channels are, -1 to 1; 1 for one channel, 0 beside silence."""
    if len(audio_NS) < 2:
        return 1.0
    power = rms(audio_NS[0]) * rms(audio_NS[1]) * audio_NS.shape[1]
    shared = sum(
        float(np.prod(block_NS, axis=0, dtype=np.float64).sum()) for block_NS in in_blocks(audio_NS[:2])
    )
    return shared / power if power > 0 else 0.0


def _mid_side(audio_NS: np.ndarray, keeps_side: bool) -> Voices:
    heard_VN = np.array([[0.5, 0.5], [0.5, -0.5]])
    made_NV = np.array([[1.0, 1.0], [1.0, -1.0]])
    levels_V = np.sqrt(sum(np.square(heard_VN @ block_NS).sum(axis=1) for block_NS in in_blocks(audio_NS)))
    sounds_V = levels_V > SILENT_SHARE * levels_V.max(initial=0.0)
    if keeps_side:
        sounds_V[1] = False
    # A region of silence, or a side kept beside no middle, still has a middle to make anew.
    sounds_V[0] |= not sounds_V.any()
    return Voices(heard_VN=heard_VN[sounds_V], made_NV=made_NV[:, sounds_V], is_mid_side=True)


def _by_channel(audio_NS: np.ndarray) -> Voices:
    channels = len(audio_NS)
    levels_N = np.array([rms(channel_S) for channel_S in audio_NS])
    sounds_N = levels_N > SILENT_SHARE * levels_N.max(initial=0.0)
    if not sounds_N.any():
        # Silence throughout: one sound for all channels.
        return Voices(heard_VN=np.full((1, channels), 1 / channels), made_NV=np.ones((channels, 1)))
    first_N = [_first_like(audio_NS, channel) for channel in range(channels)]
    heard = [channel for channel in range(channels) if sounds_N[channel] and first_N[channel] == channel]
    made_NV = np.array([[float(first_N[n] == v and sounds_N[n]) for v in heard] for n in range(channels)])
    return Voices(heard_VN=np.eye(channels)[heard], made_NV=made_NV)


def _first_like(audio_NS: np.ndarray, channel: int) -> int:
    return next(n for n in range(channel + 1) if np.array_equal(audio_NS[n], audio_NS[channel]))


def _apart(side_S: np.ndarray, mid_S: np.ndarray, where_S: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return a signal of RMS 1 that has nothing of the middle: the side's own, else the middle smeared."""
    own_S = _without(side_S, mid_S, where_S)
    if rms(own_S[where_S]) < _APART_SHARE * rms(side_S[where_S]):
        own_S = _without(_smeared(mid_S, rate_hz), mid_S, where_S)
    level = rms(own_S[where_S])
    return own_S / level if level > 0 else own_S


def _without(audio_S: np.ndarray, other_S: np.ndarray, where_S: np.ndarray) -> np.ndarray:
    audio, other = audio_S[where_S], other_S[where_S]
    return audio_S - other_S * (float(np.mean(audio * other)) / float(np.mean(np.square(other))))


def _smeared(audio_S: np.ndarray, rate_hz: int) -> np.ndarray:
    """Run through all-passes in a row (Schroeder 1962): the same spectrum with other phases."""
    for delay_s in _DECORRELATING_DELAYS_S:
        taps = max(1, round(delay_s * rate_hz))
        numerator = np.zeros(taps + 1)
        denominator = np.zeros(taps + 1)
        numerator[0], numerator[taps] = -_DECORRELATING_GAIN, 1.0
        denominator[0], denominator[taps] = 1.0, -_DECORRELATING_GAIN
        audio_S = lfilter(numerator, denominator, audio_S)
    return audio_S

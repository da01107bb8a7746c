"""Sounds made equally loud and brought to CLAP's rate, differentiably.

The loudness is that of BS.1770 without its gates; a found chain is measured with them.
Legend: S samples, F frequency bins.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from engine.audio.resample import resample
from engine.fx.text_to_effect import filters
from engine.fx.text_to_effect.grid import Grid
from engine.models.clap_features import CLAP_SAMPLE_RATE_HZ

_SHELF_HZ, _SHELF_DB, _SHELF_Q = 1500.0, 4.0, 0.7071
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.0, 0.5
_ROOM_S = 0.02
_SILENT_POWER = 1e-12


class MatchedHearing:
    """Turn processed versions of one sound into what CLAP hears of them at that sound's loudness."""

    def __init__(self, audio_S: Tensor, rate_hz: int) -> None:
        step = rate_hz // math.gcd(rate_hz, CLAP_SAMPLE_RATE_HZ)
        wanted = len(audio_S) + math.ceil(_ROOM_S * rate_hz)
        self._length = step * next_fast_len(math.ceil(wanted / step))
        self._heard_length = self._length * CLAP_SAMPLE_RATE_HZ // rate_hz
        self._heard_samples = math.ceil(len(audio_S) * CLAP_SAMPLE_RATE_HZ / rate_hz)
        self._resampler_F = _resampler_F(self._length, rate_hz)
        self._weight_F = loudness_weight_F(self._length, rate_hz)
        self._power = self._power_of(torch.fft.rfft(audio_S, self._length))

    def __call__(self, audio_S: Tensor) -> Tensor:
        """Return (S,) at 48 kHz."""
        spectrum_F = torch.fft.rfft(audio_S, self._length)
        gain = (self._power / self._power_of(spectrum_F)).sqrt()
        resampled_S = torch.fft.irfft(self._fitted(spectrum_F) * self._resampler_F, self._heard_length)
        return resampled_S[: self._heard_samples] * (gain * (self._heard_length / self._length))

    def _power_of(self, spectrum_F: Tensor) -> Tensor:
        power_F = torch.view_as_real(spectrum_F).square().sum(dim=-1)
        return (power_F * self._weight_F).sum().clamp(min=_SILENT_POWER)

    def _fitted(self, spectrum_F: Tensor) -> Tensor:
        bins = self._heard_length // 2 + 1
        missing = max(0, bins - len(spectrum_F))
        return torch.nn.functional.pad(spectrum_F[:bins], (0, missing))


def _resampler_F(length_samples: int, rate_hz: int) -> Tensor:
    """Return what the resampler leaves of each frequency: CLAP hears how its band ends."""
    impulse_1S = np.zeros((1, length_samples), dtype=np.float32)
    impulse_1S[0, length_samples // 2] = 1.0
    ratio = CLAP_SAMPLE_RATE_HZ / rate_hz
    response_1S = resample(
        impulse_1S, rate_hz, CLAP_SAMPLE_RATE_HZ, length_samples * CLAP_SAMPLE_RATE_HZ // rate_hz
    )
    return torch.fft.rfft(torch.from_numpy(response_1S[0])).abs() / ratio


def loudness_weight_F(length_samples: int, rate_hz: int) -> Tensor:
    """Return BS.1770's weight of each bin's power; its filters are given for any rate (De Man 2014)."""
    grid = Grid(rate_hz=rate_hz, length_samples=length_samples, wrapped_db=0.0)
    shelf_F = filters.high_shelf(_values(cutoff_frequency_hz=_SHELF_HZ, gain_db=_SHELF_DB, q=_SHELF_Q), grid)
    pass_F = filters.second_order_high_pass(_values(cutoff_frequency_hz=_HIGH_PASS_HZ, q=_HIGH_PASS_Q), grid)
    return (shelf_F * pass_F).abs().square()


def _values(**values: float) -> dict[str, Tensor]:
    return {name: torch.tensor(value) for name, value in values.items()}

"""Triangular mel filters on Slaney's scale.

F linear frequency bins, M mel bins.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Slaney's Auditory Toolbox (1998): linear up to 1 kHz, then 27 steps per factor of 6.4.
_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = math.log(6.4) / 27.0


def slaney_filterbank(
    sample_rate_hz: int, n_fft: int, mel_bins: int, low_hz: float, high_hz: float
) -> Tensor:
    """Return filter_FM in float64, each triangle scaled to unit area over Hz (F = n_fft // 2 + 1)."""
    edges_mel = torch.linspace(_mel(low_hz), _mel(high_hz), mel_bins + 2, dtype=torch.float64)
    edges_hz = _hz(edges_mel)
    bins_hz_F = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * (sample_rate_hz / n_fft)
    widths_hz = edges_hz.diff()
    distance_hz = bins_hz_F[:, None] - edges_hz[None, :]
    rise_FM = distance_hz[:, :-2] / widths_hz[:-1]
    fall_FM = -distance_hz[:, 2:] / widths_hz[1:]
    area_hz_M = edges_hz[2:] - edges_hz[:-2]
    return torch.minimum(rise_FM, fall_FM).clamp(min=0.0) * (2.0 / area_hz_M)


def _mel(frequency_hz: float) -> float:
    if frequency_hz < _BREAK_HZ:
        return frequency_hz / _HZ_PER_MEL
    return _BREAK_MEL + math.log(frequency_hz / _BREAK_HZ) / _LOG_STEP


def _hz(mel: Tensor) -> Tensor:
    above_hz = _BREAK_HZ * torch.exp((mel - _BREAK_MEL) * _LOG_STEP)
    return torch.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, above_hz)

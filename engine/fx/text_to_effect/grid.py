"""Linear effects as responses on a grid of frequencies, without the wrap of long tails.

The grid lies on a circle a little outside the unit circle: an impulse response h_n is sampled as
h_n r^-n, so what would wrap around the transform's end has fallen by r^-length more. Legend: S samples,
F frequency bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from scipy.fft import next_fast_len
from torch import Tensor

_ROOM_S = 0.05


class Bilinear(NamedTuple):
    """Powers and products of 1 - z^-1 (rise) and 1 + z^-1 (fall): with them low corners lose no digits."""

    rise_F: Tensor
    fall_F: Tensor
    rise_rise_F: Tensor
    rise_fall_F: Tensor
    fall_fall_F: Tensor


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Frequencies at which effects on sounds of one length and rate are calculated.

    wrapped_db is by how much the wrapped part of an impulse response is weaker than it was.
    """

    rate_hz: int
    length_samples: int
    wrapped_db: float = -60.0

    @classmethod
    def of(cls, samples: int, rate_hz: int) -> Grid:
        """Return a grid for sounds of that many samples."""
        length = next_fast_len(samples + math.ceil(_ROOM_S * rate_hz), real=True)
        return cls(rate_hz=rate_hz, length_samples=length)

    @property
    def bins(self) -> int:
        return self.length_samples // 2 + 1

    @property
    def log_radius(self) -> float:
        return -self.wrapped_db / 20.0 * math.log(10.0) / self.length_samples

    @cached_property
    def delay_F(self) -> Tensor:
        """Return z^-1 on the grid."""
        return self.delayed(1)

    @cached_property
    def bilinear(self) -> Bilinear:
        """Return the polynomials of the bilinear transform on the grid."""
        delay_F = self._delayed(1)
        rise_F, fall_F = 1.0 - delay_F, 1.0 + delay_F
        squares = (rise_F, fall_F, rise_F * rise_F, rise_F * fall_F, fall_F * fall_F)
        return Bilinear(*(one_F.to(torch.complex64) for one_F in squares))

    def delayed(self, samples: int) -> Tensor:
        """Return z^-samples on the grid, its phases calculated exactly."""
        return self._delayed(samples).to(torch.complex64)

    def _delayed(self, samples: int) -> Tensor:
        turns_F = (torch.arange(self.bins) * samples) % self.length_samples
        angle_F = turns_F.double() * (-2.0 * math.pi / self.length_samples)
        magnitude_F = torch.full_like(angle_F, math.exp(-samples * self.log_radius))
        return torch.polar(magnitude_F, angle_F)

    def filtered(self, audio_S: Tensor, response_F: Tensor) -> Tensor:
        """Return the sound through a linear effect, as long as it was."""
        samples = audio_S.shape[-1]
        fading_S = self._fading(samples)
        spectrum_F = torch.fft.rfft(audio_S * fading_S, self.length_samples)
        return torch.fft.irfft(spectrum_F * response_F, self.length_samples)[..., :samples] / fading_S

    def _fading(self, samples: int) -> Tensor:
        return torch.exp(torch.arange(samples, dtype=torch.float64) * -self.log_radius).float()

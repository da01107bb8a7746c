"""Slaney's mel scale, and the shape of a log-mel front end, without what computes it.

M mel bins, F frequency bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

SLANEY_LINEAR_HZ_PER_MEL = 200.0 / 3.0
SLANEY_BREAK_HZ = 1000.0
SLANEY_LOG_STEP = math.log(6.4) / 27.0


class MelPadding(Enum):
    """How clips are reflected at both ends; the two differ by half a hop.

    TRAINING gives S / hop frames, as the networks were trained; INFERENCE gives one more, as
    AudioLDM's inference code does.
    """

    TRAINING = "training"
    INFERENCE = "inference"


@dataclass(frozen=True, slots=True, kw_only=True)
class MelConfig:
    """Shape of the front end; the defaults are the released 16 kHz one."""

    sample_rate_hz: int = 16_000
    n_fft: int = 1024
    hop_samples: int = 160
    mel_bins: int = 64
    low_hz: float = 0.0
    high_hz: float = 8000.0
    padding: MelPadding = MelPadding.TRAINING

    def __post_init__(self) -> None:
        if not 0 < self.hop_samples <= self.n_fft:
            raise ValueError(f"hop_samples must be from 1 to n_fft, got {self.hop_samples}")
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate_hz / 2:
            raise ValueError(f"band {self.low_hz}..{self.high_hz} Hz must lie below half the sample rate")

    @classmethod
    def released_48k(cls) -> MelConfig:
        """Return the front end of the 48 kHz checkpoints."""
        return cls(
            sample_rate_hz=48_000, n_fft=2048, hop_samples=480, mel_bins=256, low_hz=20.0, high_hz=24_000.0
        )

    @property
    def padding_samples(self) -> int:
        """Return how many samples are reflected at each end."""
        overlap = self.n_fft - self.hop_samples if self.padding is MelPadding.TRAINING else self.n_fft
        return overlap // 2


MEL_16K = MelConfig()


def slaney_filterbank(config: MelConfig) -> NDArray[np.float64]:
    """Return triangles (M, F) evenly spaced on Slaney's mel scale, each of area one in hertz."""
    bin_hz = np.linspace(0.0, config.sample_rate_hz / 2, config.n_fft // 2 + 1)
    low, high = hz_to_mel(np.array([config.low_hz, config.high_hz]))
    edge_hz = mel_to_hz(np.linspace(low, high, config.mel_bins + 2))
    left, centre, right = (edge_hz[i : i + config.mel_bins, None] for i in range(3))
    rising, falling = (bin_hz - left) / (centre - left), (right - bin_hz) / (right - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return triangles * 2.0 / (right - left)


def hz_to_mel(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Slaney's scale (Auditory Toolbox 1998): linear below 1 kHz, logarithmic above."""
    linear = frequency_hz / SLANEY_LINEAR_HZ_PER_MEL
    octaves = np.log(np.maximum(frequency_hz, SLANEY_BREAK_HZ) / SLANEY_BREAK_HZ)
    logarithmic = SLANEY_BREAK_HZ / SLANEY_LINEAR_HZ_PER_MEL + octaves / SLANEY_LOG_STEP
    return np.where(frequency_hz < SLANEY_BREAK_HZ, linear, logarithmic)


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert `hz_to_mel`."""
    break_mel = SLANEY_BREAK_HZ / SLANEY_LINEAR_HZ_PER_MEL
    logarithmic = SLANEY_BREAK_HZ * np.exp(SLANEY_LOG_STEP * np.maximum(mel - break_mel, 0.0))
    return np.where(mel < break_mel, mel * SLANEY_LINEAR_HZ_PER_MEL, logarithmic)

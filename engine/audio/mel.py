"""The log-mel front end that every network of a bundle shares.

B batch, S samples, T mel frames, M mel bins, F frequency bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

MAGNITUDE_FLOOR = 1e-5
LOG_FLOOR = math.log(MAGNITUDE_FLOOR)

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


class MelFrontEnd(nn.Module):
    """Turn audio into natural-log mel magnitudes, floored at 1e-5."""

    filters_FM: Tensor
    window: Tensor

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.config = config
        filters_FM = torch.from_numpy(slaney_filterbank(config).T.astype(np.float32))
        self.register_buffer("filters_FM", filters_FM.contiguous(), persistent=False)
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)

    def forward(self, audio_BS: Tensor) -> Tensor:
        """Return the mel (B, T, M) in float32, whatever precision surrounds it.

        Needs more samples than are reflected (432 at 16 kHz).
        """
        with torch.autocast(audio_BS.device.type, enabled=False):
            mel_BTM = self._magnitude(audio_BS.float()) @ self.filters_FM
        return mel_BTM.clamp(min=MAGNITUDE_FLOOR).log()

    def _magnitude(self, audio_BS: Tensor) -> Tensor:
        pad = self.config.padding_samples
        padded_BS = F.pad(audio_BS[:, None], (pad, pad), mode="reflect")[:, 0]
        spectrum_BFT = torch.stft(
            padded_BS,
            self.config.n_fft,
            self.config.hop_samples,
            window=self.window,
            center=False,
            return_complex=True,
        )
        return spectrum_BFT.abs().transpose(1, 2)


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

"""The log-mel front end of CLAP.

B batch, K windows, S samples, F linear frequency bins, T mel frames, M mel bins.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from engine.audio.mel_scale import MelConfig, slaney_filterbank

CLAP_SAMPLE_RATE_HZ = 48_000
CLAP_WINDOW_SAMPLES = 480_000
CLAP_MEL = MelConfig(
    sample_rate_hz=CLAP_SAMPLE_RATE_HZ,
    n_fft=1024,
    hop_samples=480,
    mel_bins=64,
    low_hz=50.0,
    high_hz=14_000.0,
)
POWER_FLOOR = 1e-10


class ClapFeatures(nn.Module):
    """Turn 48 kHz audio into decibels on 64 mel bands (Wu et al. 2023, sec. 4.1, without fusion)."""

    window: Tensor
    filters_FM: Tensor

    def __init__(self, window_samples: int = CLAP_WINDOW_SAMPLES) -> None:
        super().__init__()
        self.window_samples = window_samples
        filters_FM = torch.from_numpy(slaney_filterbank(CLAP_MEL).T.astype(np.float32))
        self.register_buffer("filters_FM", filters_FM.contiguous(), persistent=False)
        self.register_buffer("window", torch.hann_window(CLAP_MEL.n_fft), persistent=False)

    def forward(self, audio_BS: Tensor) -> Tensor:
        """Return features (B, 1, frames, 64) in dB, float32, of one window of each clip: 1001 of 10 s.

        A shorter clip is repeated whole, then padded with zeros; of a longer one the middle is taken.
        """
        with torch.autocast(audio_BS.device.type, enabled=False):
            power_BTM = self._power(fit_window(audio_BS, self.window_samples).float()) @ self.filters_FM
        return 10.0 * power_BTM.clamp(min=POWER_FLOOR).log10()[:, None]

    def _power(self, audio_BS: Tensor) -> Tensor:
        spectrum_BFT = torch.stft(
            audio_BS,
            CLAP_MEL.n_fft,
            CLAP_MEL.hop_samples,
            window=self.window,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        return torch.view_as_real(spectrum_BFT).square().sum(dim=-1).transpose(1, 2)


def window_of(spec_size: int) -> int:
    """Return how many samples an audio tower hears at once: LAION's 10 s, or what its image can hold."""
    frames = spec_size * (spec_size // CLAP_MEL.mel_bins)
    return min(CLAP_WINDOW_SAMPLES, (frames - 1) * CLAP_MEL.hop_samples)


def fit_window(audio_BS: Tensor, window_samples: int = CLAP_WINDOW_SAMPLES) -> Tensor:
    """Return exactly one window of each clip: whole copies then zeros, or the middle."""
    length_samples = audio_BS.shape[1]
    assert length_samples > 0, "a clip without samples has no features"
    if length_samples >= window_samples:
        start = (length_samples - window_samples) // 2
        return audio_BS[:, start : start + window_samples]
    repeated_BS = audio_BS.repeat(1, window_samples // length_samples)
    return nn.functional.pad(repeated_BS, (0, window_samples - repeated_BS.shape[1]))


def even_windows(audio_BS: Tensor, window_samples: int = CLAP_WINDOW_SAMPLES) -> Tensor:
    """Return windows (B, K, S): the fewest that cover the clip, evenly spaced from end to end.

    The original crops a longer clip at random; averaging these windows keeps scores repeatable.
    """
    length_samples = audio_BS.shape[1]
    if length_samples <= window_samples:
        return fit_window(audio_BS, window_samples)[:, None]
    count = -(-length_samples // window_samples)
    spare_samples = length_samples - window_samples
    starts = [index * spare_samples // (count - 1) for index in range(count)]
    return torch.stack([audio_BS[:, start : start + window_samples] for start in starts], dim=1)

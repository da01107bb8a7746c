"""The log-mel front end of CLAP.

B batch, K windows, S samples, F linear frequency bins, T mel frames, M mel bins.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.audio.filterbank import slaney_filterbank

CLAP_SAMPLE_RATE_HZ = 48_000
CLAP_WINDOW_SAMPLES = 480_000
N_FFT = 1024
HOP_SAMPLES = 480
MEL_BINS = 64
LOW_HZ = 50.0
HIGH_HZ = 14_000.0
POWER_FLOOR = 1e-10


class ClapFeatures(nn.Module):
    """Turn 48 kHz audio into decibels on 64 mel bands (Wu et al. 2023, sec. 4.1, without fusion).

    Computes in the precision of the audio given.
    """

    window: Tensor
    filter_FM: Tensor

    def __init__(self) -> None:
        super().__init__()
        filter_FM = slaney_filterbank(CLAP_SAMPLE_RATE_HZ, N_FFT, MEL_BINS, LOW_HZ, HIGH_HZ)
        window = torch.hann_window(N_FFT, dtype=torch.float64)
        self.register_buffer("window", window.float(), persistent=False)
        self.register_buffer("filter_FM", filter_FM.float(), persistent=False)

    def forward(self, audio_BS: Tensor) -> Tensor:
        """Return features (B, 1, 1001, 64) in dB of one 10 s window of each clip.

        A shorter clip is repeated whole, then padded with zeros; of a longer one the middle is taken.
        """
        return self._decibels(fit_window(audio_BS))[:, None]

    def _decibels(self, audio_BS: Tensor) -> Tensor:
        spectrum_BFT = torch.stft(
            audio_BS,
            N_FFT,
            hop_length=HOP_SAMPLES,
            window=self.window.to(audio_BS.dtype),
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )
        parts = torch.view_as_real(spectrum_BFT)
        power_BFT = parts.square().sum(dim=-1)
        power_BTM = power_BFT.transpose(1, 2) @ self.filter_FM.to(audio_BS.dtype)
        return 10.0 * power_BTM.clamp(min=POWER_FLOOR).log10()


def fit_window(audio_BS: Tensor) -> Tensor:
    """Return exactly 480000 samples of each clip: whole copies then zeros, or the middle."""
    length_samples = audio_BS.shape[1]
    assert length_samples > 0, "a clip without samples has no features"
    if length_samples >= CLAP_WINDOW_SAMPLES:
        start = (length_samples - CLAP_WINDOW_SAMPLES) // 2
        return audio_BS[:, start : start + CLAP_WINDOW_SAMPLES]
    repeated_BS = audio_BS.repeat(1, CLAP_WINDOW_SAMPLES // length_samples)
    return nn.functional.pad(repeated_BS, (0, CLAP_WINDOW_SAMPLES - repeated_BS.shape[1]))


def even_windows(audio_BS: Tensor) -> Tensor:
    """Return windows (B, K, 480000): the fewest that cover the clip, evenly spaced from end to end.

    The original crops a longer clip at random; averaging these windows keeps scores repeatable.
    """
    length_samples = audio_BS.shape[1]
    if length_samples <= CLAP_WINDOW_SAMPLES:
        return fit_window(audio_BS)[:, None]
    count = -(-length_samples // CLAP_WINDOW_SAMPLES)
    spare_samples = length_samples - CLAP_WINDOW_SAMPLES
    starts = [index * spare_samples // (count - 1) for index in range(count)]
    return torch.stack([audio_BS[:, start : start + CLAP_WINDOW_SAMPLES] for start in starts], dim=1)

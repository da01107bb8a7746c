"""The log-mel front end that every network of a bundle shares.

B batch, S samples, T mel frames, M mel bins, F frequency bins.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.audio.mel_scale import MelConfig, slaney_filterbank

MAGNITUDE_FLOOR = 1e-5
LOG_FLOOR = math.log(MAGNITUDE_FLOOR)


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
            spectrum_BFT = self.spectrum(self.reflected(audio_BS.float()))
            mel_BTM = spectrum_BFT.abs().transpose(1, 2) @ self.filters_FM
        return mel_BTM.clamp(min=MAGNITUDE_FLOOR).log()

    def reflected(self, audio_BS: Tensor) -> Tensor:
        """Return the audio with its ends reflected, as the first and the last frame see it."""
        pad = self.config.padding_samples
        return F.pad(audio_BS[:, None], (pad, pad), mode="reflect")[:, 0]

    def spectrum(self, reflected_BS: Tensor) -> Tensor:
        """Return the complex spectrum (B, F, T) of all whole windows, whose magnitudes the mel is made of."""
        return torch.stft(
            reflected_BS,
            self.config.n_fft,
            self.config.hop_samples,
            window=self.window,
            center=False,
            return_complex=True,
        )

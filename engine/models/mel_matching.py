"""A vocoder's audio brought nearer to the mel that it was made from, by gains on its spectrum.

B batch, S samples, T mel frames, M mel bins, F frequency bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.audio.mel import MAGNITUDE_FLOOR, MelFrontEnd
from engine.limits import require_at_least
from engine.models.hifigan import HifiGan
from engine.models.istft_vocoder import IstftVocoder

VocoderNetwork = HifiGan | IstftVocoder
# A bin that the vocoder left silent is not brought up out of its rounding noise: 60 dB at most.
MAX_GAIN = 1e3
# Before the first and after the last window's middle the overlapping windows sum to almost nothing.
MIN_OVERLAP = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class MelMatchingConfig:
    """How many passes follow the vocoder; a released model's have none."""

    passes: int = 0

    def __post_init__(self) -> None:
        require_at_least(0, passes=self.passes)


class MelMatched(nn.Module):
    """A vocoder, and so many passes over what it makes.

    Each pass takes the short-time spectrum of the audio, scales every bin by the ratio of the wanted mel to
    the audio's own, geometrically between the bands that the bin is in, and inverts it with the phases that
    are there (least squares: Griffin & Lim 1984, eq. 6).
    """

    def __init__(self, network: VocoderNetwork, mel: MelFrontEnd, passes: int) -> None:
        super().__init__()
        self.network = network
        self.mel = mel
        self.passes = passes

    @property
    def hop_samples(self) -> int:
        return self.network.hop_samples

    @property
    def reach_frames(self) -> int:
        """Return how many frames the passes add to what a frame's audio depends on, at either side."""
        config = self.mel.config
        in_one_window = -(-config.padding_samples // config.hop_samples)
        return 2 * in_one_window * self.passes

    def forward(self, mel_BTM: Tensor) -> Tensor:
        """Return audio (B, S), S = T * hop_samples, in float32; needs more of it than a mel reflects."""
        audio_BS = self.network(mel_BTM)
        with torch.autocast(audio_BS.device.type, enabled=False):
            audio_BS, wanted_BTM = audio_BS.float(), mel_BTM.float()
            for _ in range(self.passes):
                audio_BS = self._pass(audio_BS, wanted_BTM)
        return audio_BS

    def _pass(self, audio_BS: Tensor, wanted_BTM: Tensor) -> Tensor:
        spectrum_BFT = self.mel.spectrum(audio_BS)
        gain_BTF = self._gains(wanted_BTM, spectrum_BFT.abs().transpose(1, 2))
        return self._inverted(spectrum_BFT * gain_BTF.transpose(1, 2), audio_BS.shape[1])

    def _gains(self, wanted_BTM: Tensor, magnitude_BTF: Tensor) -> Tensor:
        """Return each bin's gain; one that no band hears keeps its level."""
        filters_FM = self.mel.filters_FM
        own_BTM = (magnitude_BTF @ filters_FM).clamp(min=MAGNITUDE_FLOOR)
        gain_BTM = (wanted_BTM.exp() / own_BTM).clamp(1.0 / MAX_GAIN, MAX_GAIN)
        shares_MF = (filters_FM / filters_FM.sum(1, keepdim=True).clamp(min=1e-8)).T
        return (gain_BTM.log() @ shares_MF).exp()

    def _inverted(self, spectrum_BFT: Tensor, samples: int) -> Tensor:
        window = self.mel.window
        frames_BWT = torch.fft.irfft(spectrum_BFT, n=len(window), dim=1) * window[:, None]
        envelope_1WT = (window**2)[None, :, None].expand(1, -1, frames_BWT.shape[2])
        pad = self.mel.config.padding_samples
        length = samples + 2 * pad
        audio_BS = self._overlap_add(frames_BWT, length)
        weight_1S = self._overlap_add(envelope_1WT, length).clamp(min=MIN_OVERLAP)
        return (audio_BS / weight_1S)[:, pad : pad + samples]

    def _overlap_add(self, frames_BWT: Tensor, length: int) -> Tensor:
        n_fft, hop = self.mel.config.n_fft, self.mel.config.hop_samples
        return F.fold(frames_BWT, (1, length), (1, n_fft), stride=(1, hop))[:, 0, 0]


def matched(
    network: VocoderNetwork, mel: MelFrontEnd, config: MelMatchingConfig
) -> VocoderNetwork | MelMatched:
    """Return a vocoder with its passes; itself where there are none."""
    return MelMatched(network, mel, config.passes) if config.passes else network


def unmatched(vocoder: object) -> VocoderNetwork:
    """Return the network that was trained, without the passes that follow it."""
    network = vocoder.network if isinstance(vocoder, MelMatched) else vocoder
    assert isinstance(network, VocoderNetwork)
    return network

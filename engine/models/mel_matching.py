"""A vocoder's audio brought nearer to the mel that it was made from, by gains on its spectrum.

B batch, S samples, T mel frames, M mel bins, F frequency bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.audio.mel import MAGNITUDE_FLOOR, MelFrontEnd
from engine.audio.mel_scale import MelConfig, MelPadding
from engine.limits import require_above
from engine.models.hifigan import HifiGan
from engine.models.istft_vocoder import IstftVocoder

VocoderNetwork = HifiGan | IstftVocoder
MAX_PASSES = 16
# 12 dB: what phases of the vocoder cancelled is not dug out of its noise by one pass.
MAX_GAIN = 4.0
# Where fewer windows overlap, at the outermost samples of what is cut off.
MIN_OVERLAP = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class MelMatchingConfig:
    """How many passes follow the vocoder; a released model's have none.

    peak is the level, 1 being full scale, of the clips that the model learnt from: of no band is more wanted
    than a sine of this peak gives it.
    """

    passes: int = 0
    peak: float = 0.5

    def __post_init__(self) -> None:
        if isinstance(self.passes, bool) or not 0 <= self.passes <= MAX_PASSES:
            raise ValueError(f"passes is {self.passes}, and has to be a whole number from 0 to {MAX_PASSES}")
        require_above(0, peak=self.peak)


def require_fit(config: MelMatchingConfig, mel: MelConfig) -> None:
    """Raise ValueError for passes over a mel whose frames do not lie one on each hop, or hardly overlap."""
    if config.passes and mel.padding is not MelPadding.TRAINING:
        raise ValueError("mel_matching.passes needs mel.padding training: it gives one frame for each hop")
    if config.passes and mel.n_fft < 2 * mel.hop_samples:
        raise ValueError("mel_matching.passes needs a mel.n_fft of two hops or more")


class MelMatched(nn.Module):
    """A vocoder, and so many passes over what it makes.

    Each pass takes the short-time spectrum of the audio, scales every bin by the ratio of the wanted mel to
    the audio's own, geometrically between the bands that the bin is in, and inverts it with the phases that
    are there (least squares: Griffin & Lim 1984, eq. 6).
    """

    ceiling_M: Tensor

    def __init__(self, network: VocoderNetwork, mel: MelFrontEnd, config: MelMatchingConfig) -> None:
        super().__init__()
        self.network = network
        self.mel = mel
        self.passes = config.passes
        self.register_buffer("ceiling_M", _mel_of_sines(mel) * config.peak, persistent=False)

    @property
    def hop_samples(self) -> int:
        return self.network.hop_samples

    @property
    def reach_frames(self) -> int:
        """Return how many frames the passes add to what a frame's audio depends on, at either side."""
        return 2 * self._half_window_frames * self.passes

    @property
    def _half_window_frames(self) -> int:
        config = self.mel.config
        return -(-config.padding_samples // config.hop_samples)

    def forward(self, mel_BTM: Tensor) -> Tensor:
        """Return audio (B, S), S = T * hop_samples, in float32; as the vocoder's if too short for a mel."""
        audio_BS = self.network(mel_BTM)
        if audio_BS.shape[1] <= self.mel.config.padding_samples:
            return audio_BS
        with torch.autocast(audio_BS.device.type, enabled=False):
            audio_BS, wanted_BTM = audio_BS.float(), torch.minimum(mel_BTM.float().exp(), self.ceiling_M)
            for _ in range(self.passes):
                audio_BS = self._pass(audio_BS, wanted_BTM)
        return audio_BS

    def _pass(self, audio_BS: Tensor, wanted_BTM: Tensor) -> Tensor:
        spectrum_BFT = self.mel.spectrum(self.mel.reflected(audio_BS))
        gain_BTF = self._gains(wanted_BTM, spectrum_BFT.abs().transpose(1, 2))
        reflected_BS = self._inverted(spectrum_BFT * gain_BTF.transpose(1, 2))
        pad = self.mel.config.padding_samples
        return reflected_BS[:, pad : pad + audio_BS.shape[1]]

    def _gains(self, wanted_BTM: Tensor, magnitude_BTF: Tensor) -> Tensor:
        """Return each bin's gain; one that no band hears keeps its level."""
        filters_FM = self.mel.filters_FM
        own_BTM = (magnitude_BTF @ filters_FM).clamp(min=MAGNITUDE_FLOOR)
        gain_BTM = (wanted_BTM / own_BTM).clamp(1.0 / MAX_GAIN, MAX_GAIN)
        shares_MF = (filters_FM / filters_FM.sum(1, keepdim=True).clamp(min=1e-8)).T
        return (gain_BTM.log() @ shares_MF).exp()

    def _inverted(self, spectrum_BFT: Tensor) -> Tensor:
        window = self.mel.window
        frames_BWT = torch.fft.irfft(spectrum_BFT, n=len(window), dim=1) * window[:, None]
        envelope_1WT = (window**2)[None, :, None].expand(1, -1, frames_BWT.shape[2])
        return self._overlap_add(frames_BWT) / self._overlap_add(envelope_1WT).clamp(min=MIN_OVERLAP)

    def _overlap_add(self, frames_BWT: Tensor) -> Tensor:
        n_fft, hop = self.mel.config.n_fft, self.mel.config.hop_samples
        length = n_fft + (frames_BWT.shape[2] - 1) * hop
        return F.fold(frames_BWT, (1, length), (1, n_fft), stride=(1, hop))[:, 0, 0]


def _mel_of_sines(mel: MelFrontEnd) -> Tensor:
    """Return how much of each band (M,) a sine of peak 1 fills at the most.

    On a bin a Hann window of n_fft samples gives it n_fft / 4, and half of that on the bins beside.
    """
    filters_FM = mel.filters_FM
    beside_FM = F.pad(filters_FM, (0, 0, 1, 1))
    lobe_FM = filters_FM + (beside_FM[:-2] + beside_FM[2:]) / 2
    return mel.config.n_fft / 4 * lobe_FM.amax(dim=0)


def matched(
    network: VocoderNetwork, mel: MelFrontEnd, config: MelMatchingConfig
) -> VocoderNetwork | MelMatched:
    """Return a vocoder with its passes; itself where there are none."""
    return MelMatched(network, mel, config) if config.passes else network


def unmatched(vocoder: object) -> VocoderNetwork:
    """Return the network that was trained, without the passes that follow it."""
    network = vocoder.network if isinstance(vocoder, MelMatched) else vocoder
    assert isinstance(network, VocoderNetwork)
    return network

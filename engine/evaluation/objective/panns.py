"""PANNs' Cnn14 (Kong et al. 2020), the classifier behind the published FD, IS and KL.

B batch, S samples, F frequency bins, T mel frames, M mel bins, C channels, D features, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.audio.mel_scale import MelConfig, slaney_filterbank
from engine.errors import ModelCorrupt
from engine.models.pickle_file import read_pickle
from engine.models.weights import assign_weights, build_empty

POWER_FLOOR = 1e-10
# What the released files hold beside the network: windows and filters, which the config tells.
FRONT_END = ("spectrogram_extractor.", "logmel_extractor.")
FILTERS = "logmel_extractor.melW"
MEL_16K = MelConfig(n_fft=512, hop_samples=160, mel_bins=64, low_hz=50.0, high_hz=8000.0)
MEL_32K = MelConfig(
    sample_rate_hz=32_000, n_fft=1024, hop_samples=320, mel_bins=64, low_hz=50.0, high_hz=14_000.0
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cnn14Config:
    """Sizes of the network; the defaults are the released ones at 16 kHz."""

    mel: MelConfig = field(default_factory=lambda: MEL_16K)
    width: int = 64
    classes: int = 527


class Cnn14(nn.Module):
    """Turn clips into features (B, D) and logits (B, K), one row a clip."""

    filters_FM: Tensor
    window: Tensor

    def __init__(self, config: Cnn14Config) -> None:
        super().__init__()
        self.config = config
        filters_FM = torch.from_numpy(slaney_filterbank(config.mel).T.astype(np.float32))
        self.register_buffer("filters_FM", filters_FM.contiguous(), persistent=False)
        self.register_buffer("window", torch.hann_window(config.mel.n_fft), persistent=False)
        self.bn0 = nn.BatchNorm2d(config.mel.mel_bins)
        widths = (1, *(config.width * 2**level for level in range(6)))
        self.conv_block1 = _Block(widths[0], widths[1])
        self.conv_block2 = _Block(widths[1], widths[2])
        self.conv_block3 = _Block(widths[2], widths[3])
        self.conv_block4 = _Block(widths[3], widths[4])
        self.conv_block5 = _Block(widths[4], widths[5])
        self.conv_block6 = _Block(widths[5], widths[6])
        self.fc1 = nn.Linear(widths[6], widths[6])
        self.fc_audioset = nn.Linear(widths[6], config.classes)

    def forward(self, audio_BS: Tensor) -> tuple[Tensor, Tensor]:
        """Return what audioldm-eval calls "2048" and "logits"; needs 32 frames (0.32 s) or more."""
        maps_BTM = self.log_mel(audio_BS)
        maps_BCTM = self.bn0(maps_BTM.transpose(1, 2)[..., None]).permute(0, 3, 2, 1)
        for block in (
            self.conv_block1,
            self.conv_block2,
            self.conv_block3,
            self.conv_block4,
            self.conv_block5,
        ):
            maps_BCTM = F.avg_pool2d(block(maps_BCTM), 2)
        maps_BCT = self.conv_block6(maps_BCTM).mean(dim=3)
        features_BD = self.fc1(maps_BCT.amax(dim=2) + maps_BCT.mean(dim=2)).relu()
        return features_BD, self.fc_audioset(features_BD)

    def log_mel(self, audio_BS: Tensor) -> Tensor:
        """Return the mel power in dB (B, T, M), floored at -100."""
        mel = self.config.mel
        spectrum_BFT = torch.stft(
            audio_BS, mel.n_fft, mel.hop_samples, window=self.window, pad_mode="reflect", return_complex=True
        )
        power_BTF = torch.view_as_real(spectrum_BFT).square().sum(dim=-1).transpose(1, 2)
        return 10.0 * (power_BTF @ self.filters_FM).clamp(min=POWER_FLOOR).log10()


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, maps_BCTM: Tensor) -> Tensor:
        return self.bn2(self.conv2(self.bn1(self.conv1(maps_BCTM)).relu())).relu()


def load_cnn14(path: Path) -> Cnn14:
    """Read a released file, Cnn14_16k_mAP=0.438.pth or the one at 32 kHz, told apart by its filters.

    Raises ModelMissing and ModelCorrupt.
    """
    state = read_pickle(path)
    config = _config_of(state, path)
    learned = {name: value for name, value in state.items() if not name.startswith(FRONT_END)}
    network = build_empty(lambda: Cnn14(config))
    assign_weights(network, learned, str(path))
    return network


def _config_of(state: Mapping[str, Tensor], path: Path) -> Cnn14Config:
    filters_FM = state.get(FILTERS)
    mels = {mel.n_fft // 2 + 1: mel for mel in (MEL_16K, MEL_32K)}
    mel = None if filters_FM is None else mels.get(filters_FM.shape[0])
    names = ("conv_block1.conv1.weight", "fc_audioset.bias")
    if mel is None or any(name not in state for name in names):
        raise ModelCorrupt(
            f"{path} is no Cnn14 of PANNs at 16 or 32 kHz.",
            "Published figures are of Cnn14_16k_mAP=0.438.pth.",
        )
    first, classes = (state[name] for name in names)
    return Cnn14Config(mel=mel, width=first.shape[0], classes=classes.shape[0])

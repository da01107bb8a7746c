"""VGGish (Hershey et al. 2017), the network behind the published FAD.

B batch, N examples of 0.96 s, S samples, F frequency bins, T mel frames, M mel bins, C channels, D features.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import ModelCorrupt
from engine.models.pickle_file import read_pickle
from engine.models.weights import assign_weights, build_empty

VGGISH_RATE_HZ = 16_000
WINDOW_SAMPLES, HOP_SAMPLES, N_FFT = 400, 160, 512
EXAMPLE_FRAMES = 96
# The samples of one example: what is shorter is not heard at all.
EXAMPLE_SAMPLES = WINDOW_SAMPLES + (EXAMPLE_FRAMES - 1) * HOP_SAMPLES
MEL_BINS, LOW_HZ, HIGH_HZ, LOG_OFFSET = 64, 125.0, 7500.0, 0.01
EXAMPLES_AT_ONCE = 64
_GRID = (EXAMPLE_FRAMES // 16) * (MEL_BINS // 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class VggishConfig:
    """Sizes of the network; the defaults are the released ones."""

    width: int = 64
    hidden: int = 4096
    embedding: int = 128


class Vggish(nn.Module):
    """Turn examples into features before the last activation, as audioldm-eval takes them."""

    def __init__(self, config: VggishConfig) -> None:
        super().__init__()
        width = config.width
        self.features = nn.Sequential(
            *_stage(1, width),
            *_stage(width, 2 * width),
            *_stage(2 * width, 4 * width, convolutions=2),
            *_stage(4 * width, 8 * width, convolutions=2),
        )
        self.width = config.embedding
        self.embeddings = nn.Sequential(
            nn.Linear(8 * width * _GRID, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.ReLU(),
            nn.Linear(config.hidden, config.embedding),
        )

    def forward(self, examples_NTM: Tensor) -> Tensor:
        """Return features (N, D) of log-mel examples."""
        maps_NCTM = self.features(examples_NTM[:, None])
        # The released weights were made for channels last.
        return self.embeddings(maps_NCTM.permute(0, 2, 3, 1).flatten(1))

    def hear(self, audio_S: Tensor) -> Tensor:
        """Return features (N, D) of the whole examples of a mono clip at 16 kHz."""
        examples_NTM = examples(audio_S)
        parts = [self(part_NTM) for part_NTM in examples_NTM.split(EXAMPLES_AT_ONCE) if len(part_NTM)]
        return torch.cat(parts) if parts else examples_NTM.new_zeros(0, self.width)


def examples(audio_S: Tensor) -> Tensor:
    """Return log-mel examples (N, 96, 64) of a clip at 16 kHz, none of one below 0.975 s."""
    if len(audio_S) < EXAMPLE_SAMPLES:
        return audio_S.new_zeros(0, EXAMPLE_FRAMES, MEL_BINS)
    frames_TS = audio_S.double().unfold(0, WINDOW_SAMPLES, HOP_SAMPLES)
    window = torch.hann_window(WINDOW_SAMPLES, dtype=torch.float64, device=audio_S.device)
    magnitude_TF = torch.fft.rfft(frames_TS * window, n=N_FFT).abs()
    mel_TM = (magnitude_TF @ torch.from_numpy(htk_filterbank().T).to(magnitude_TF) + LOG_OFFSET).log()
    count = len(mel_TM) // EXAMPLE_FRAMES
    return mel_TM[: count * EXAMPLE_FRAMES].unflatten(0, (count, EXAMPLE_FRAMES)).float()


def htk_filterbank() -> np.ndarray:
    """Return triangles (M, F) that are straight on HTK's mel scale, of height one, without the lowest bin."""
    bin_mel = _htk_mel(np.linspace(0.0, VGGISH_RATE_HZ / 2, N_FFT // 2 + 1))
    edges = np.linspace(_htk_mel(np.array(LOW_HZ)), _htk_mel(np.array(HIGH_HZ)), MEL_BINS + 2)
    left, centre, right = (edges[i : i + MEL_BINS, None] for i in range(3))
    rising, falling = (bin_mel - left) / (centre - left), (right - bin_mel) / (right - centre)
    filters_MF = np.maximum(0.0, np.minimum(rising, falling))
    filters_MF[:, 0] = 0.0
    return filters_MF


def load_vggish(path: Path) -> Vggish:
    """Read the released file vggish-10086976.pth; raises ModelMissing and ModelCorrupt."""
    state = read_pickle(path)
    names = ("features.0.weight", "embeddings.2.weight", "embeddings.4.weight")
    if any(name not in state for name in names):
        raise ModelCorrupt(f"{path} is no VGGish.", "Give vggish-10086976.pth.")
    first, hidden, last = (state[name] for name in names)
    config = VggishConfig(width=first.shape[0], hidden=hidden.shape[0], embedding=last.shape[0])
    network = build_empty(lambda: Vggish(config))
    assign_weights(network, state, str(path))
    return network


def _stage(inputs: int, outputs: int, convolutions: int = 1) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for index in range(convolutions):
        layers += [nn.Conv2d(outputs if index else inputs, outputs, 3, padding=1), nn.ReLU()]
    return [*layers, nn.MaxPool2d(2)]


def _htk_mel(frequency_hz: np.ndarray) -> np.ndarray:
    return np.asarray(1127.0 * np.log1p(frequency_hz / 700.0))

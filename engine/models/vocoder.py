"""What every vocoder is to the rest of the engine.

B batch, S samples, T mel frames, M mel bins.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Vocoder(Protocol):
    """Turn log-mels into audio of exactly hop_samples per mel frame."""

    @property
    def hop_samples(self) -> int: ...

    def __call__(self, mel_BTM: Tensor) -> Tensor:
        """Return audio (B, S) with S = T * hop_samples."""
        ...

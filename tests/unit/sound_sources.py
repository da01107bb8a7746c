"""Sounds held in memory, read as the panel reads files. Legend: N channels, S samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ui.sound.sources import SoundFacts


class HeldSound:
    """An array as a source."""

    def __init__(self, audio_NS: NDArray[np.float32], rate_hz: int = 48_000) -> None:
        self.audio_NS = audio_NS
        channels, length = audio_NS.shape
        self.facts = SoundFacts(rate_hz=rate_hz, channels=channels, length_samples=length)
        self.reads: list[tuple[int, int]] = []

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        self.reads.append((start, stop))
        length = self.audio_NS.shape[1]
        inside_NS = self.audio_NS[:, min(max(0, start), length) : min(max(0, stop), length)]
        before = min(max(0, -start), stop - start)
        return np.pad(inside_NS, ((0, 0), (before, stop - start - before - inside_NS.shape[1])))

    def check(self) -> None:
        """Held sounds do not change."""

    def close(self) -> None:
        """Nothing is open."""

"""The grid on which a model sees sound: latent cells in time and frequency."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ui.sound.scales import FrequencyScale, ScaleKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelGrid:
    """Cells of cell_s, between neighbouring band_edges_hz (rising); above top_hz a model sees nothing.

    bin_edges_hz are those of the mel bins that cells are made of, the band's edges among them.
    """

    cell_s: float
    band_edges_hz: tuple[float, ...]
    top_hz: float
    bin_edges_hz: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Return how many cells there are in frequency."""
        return len(self.band_edges_hz) - 1

    @property
    def bins_per_cell(self) -> int:
        return max(1, (len(self.bin_edges_hz) - 1) // self.width)

    def cells(self, duration_s: float) -> int:
        """Return how many cells in time cover a duration, at least one."""
        return max(1, math.ceil(duration_s / self.cell_s - 1e-9))

    @classmethod
    def of_mel(
        cls,
        *,
        sample_rate_hz: int,
        hop_samples: int,
        mel_bins: int,
        low_hz: float,
        high_hz: float,
        ratio: int,
    ) -> ModelGrid:
        """Take the numbers of a model's card: a cell is ratio mel frames long and ratio mel bins high."""
        scale = FrequencyScale(ScaleKind.MEL, high_hz)
        low, high = scale.to_axis(low_hz), 1.0
        # Edges lie halfway between the centres of the filters, which are mel_bins + 2 points apart evenly.
        positions = low + (high - low) * (np.arange(mel_bins + 1) + 0.5) / (mel_bins + 1)
        edges_hz = scale.to_hz(positions)
        edges_hz[0], edges_hz[-1] = low_hz, high_hz
        return cls(
            cell_s=hop_samples * ratio / sample_rate_hz,
            band_edges_hz=tuple(float(edge_hz) for edge_hz in edges_hz[::ratio]),
            top_hz=high_hz,
            bin_edges_hz=tuple(float(edge_hz) for edge_hz in edges_hz),
        )

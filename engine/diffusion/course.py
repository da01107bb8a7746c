"""A condition that changes on the way through a sound: predictions blended cell by cell.

Shapes: K places in time, B batch, C latent channels, H latent time, W latent frequency, E embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.diffusion.denoiser import Denoise, Prediction
from engine.diffusion.schedule import Level

# A sound is heard at so many moments to tell what it is like as a whole.
_MOMENTS = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """Unit embeddings at rising times, in seconds from the start of a sound; the first and last hold on.

    One of them alone is a condition that does not change.
    """

    times_s: tuple[float, ...]
    rows_KE: Tensor

    def __post_init__(self) -> None:
        assert len(self.times_s) == self.rows_KE.shape[0] > 0, "one embedding for each time"

    def mean_1E(self, duration_s: float) -> Tensor:
        """Return the one embedding that a whole sound of some length is compared with."""
        if len(self.times_s) == 1:
            return self.rows_KE
        moments_H = (torch.arange(_MOMENTS, dtype=torch.float64) + 0.5) * (duration_s / _MOMENTS)
        shares_K1 = self.weights_KH(moments_H).mean(dim=1, keepdim=True).to(self.rows_KE)
        return torch.nn.functional.normalize((shares_K1 * self.rows_KE).sum(dim=0, keepdim=True), dim=-1)

    def weights_KH(self, times_H: Tensor) -> Tensor:
        """Return how much each embedding counts at some times in seconds, float64; straight between two."""
        at_K = torch.tensor(self.times_s, dtype=torch.float64)
        place_H = times_H.double().clamp(at_K[0], at_K[-1])
        after_H = torch.searchsorted(at_K, place_H, right=True).clamp(1, max(1, len(at_K) - 1))
        weights_KH = torch.zeros(len(at_K), len(place_H), dtype=torch.float64)
        if len(at_K) == 1:
            return weights_KH + 1.0
        share_H = (place_H - at_K[after_H - 1]) / (at_K[after_H] - at_K[after_H - 1])
        cells = torch.arange(len(place_H))
        weights_KH[after_H - 1, cells], weights_KH[after_H, cells] = 1.0 - share_H, share_H
        return weights_KH


def blended(denoisers: Sequence[Denoise], weights_KH: Tensor) -> Denoise:
    """Blend predictions by weights that sum to one in each cell (as MultiDiffusion does).

    Only eps is averaged: x0 follows from it, so that both agree with x.
    """
    assert len(denoisers) == weights_KH.shape[0] > 0, "one row of weights for each denoiser"
    if len(denoisers) == 1:
        return denoisers[0]

    def denoise(x_BCHW: Tensor, level: Level) -> Prediction:
        eps_BCHW = torch.zeros_like(x_BCHW)
        for each, weights_H in zip(denoisers, weights_KH, strict=True):
            eps_BCHW += weights_H[:, None].to(x_BCHW) * each(x_BCHW, level).eps_BCHW
        return Prediction.from_eps(eps_BCHW, x_BCHW, level)

    return denoise

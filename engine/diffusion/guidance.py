"""Classifier-free guidance as a wrapper of a conditional denoiser.

Shapes: B batch, C latent channels, H latent time, W latent frequency, E embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.diffusion.denoiser import ConditionalDenoise, Denoise, Prediction, repeat_rows
from engine.diffusion.schedule import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """How strongly the condition is followed, and where.

    scale: 1 is the condition alone, 0 the negative alone.
    interval_from, interval_to: part of the noise levels (1 noise, 0 clean) in which it acts; outside,
        the condition alone is asked (Kynkaanniemi et al. 2024).
    rescale: phi of Lin et al. 2024, sec. 3.4.
    """

    scale: float = 2.5
    interval_from: float = 1.0
    interval_to: float = 0.0
    rescale: float = 0.0

    def __post_init__(self) -> None:
        if self.scale < 0.0 or not 0.0 <= self.rescale <= 1.0:
            raise ValueError(f"guidance needs scale >= 0 and rescale from 0 to 1, got {self}")
        if not 0.0 <= self.interval_to <= self.interval_from <= 1.0:
            raise ValueError("guidance interval must have 0 <= interval_to <= interval_from <= 1")

    def scale_at(self, level: Level) -> float:
        """Return the scale that acts at a level: 1 outside the interval."""
        inside = self.interval_to <= level.strength <= self.interval_from
        return self.scale if inside else 1.0


def guided(
    denoise: ConditionalDenoise, condition_BE: Tensor, negative_BE: Tensor, guidance: Guidance
) -> Denoise:
    """Combine two predictions as e = e_u + s * (e_c - e_u) (Ho and Salimans 2021).

    negative_BE is the embedding of the empty text, or of a negative prompt. The paper's eq. 9 puts its
    scale on the unconditional term, which would steer away from the prompt as it grows; the released
    code does what is done here. Both predictions come from one call, the unconditional half first; at
    s = 1 and s = 0 only the half that counts is asked.
    """

    def combined(x_BCHW: Tensor, level: Level) -> Prediction:
        scale = guidance.scale_at(level)
        if scale == 1.0:
            return denoise(x_BCHW, level, condition_BE)
        if scale == 0.0:
            return denoise(x_BCHW, level, negative_BE)
        batch = x_BCHW.shape[0]
        both_BE = torch.cat([repeat_rows(negative_BE, batch), repeat_rows(condition_BE, batch)])
        both = denoise(torch.cat([x_BCHW, x_BCHW]), level, both_BE)
        negative_BCHW, positive_BCHW = both.eps_BCHW.chunk(2)
        eps_BCHW = negative_BCHW + scale * (positive_BCHW - negative_BCHW)
        eps_BCHW = rescaled(eps_BCHW, positive_BCHW, guidance.rescale)
        return Prediction.from_eps(eps_BCHW, x_BCHW, level)

    return combined


def rescaled(guided_BCHW: Tensor, positive_BCHW: Tensor, phi: float) -> Tensor:
    """Pull each item's deviation back to the conditional one's by phi (Lin et al. 2024, sec. 3.4)."""
    if phi == 0.0:
        return guided_BCHW
    over_item = tuple(range(1, guided_BCHW.dim()))
    ratio_B111 = positive_BCHW.std(over_item, keepdim=True) / guided_BCHW.std(over_item, keepdim=True)
    return guided_BCHW * (phi * ratio_B111 + (1.0 - phi))

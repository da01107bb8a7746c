"""What a network says about a noisy latent, in every parametrisation: the only place that converts.

A sampler is a function over `Denoise`. Guidance, masks and windows wrap one `Denoise` in another, so
each sampler gets them free.

Shapes: B batch, C latent channels, H latent time, W latent frequency, E embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from engine.diffusion.schedule import Level


class Parametrisation(Enum):
    """What the network was trained to answer; v = signal * eps - noise * x0 (Salimans and Ho 2022)."""

    EPS = "eps"
    V = "v"
    X0 = "x0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Both halves of x = signal * x0 + noise * eps; they always agree with the x they came from.

    restarted marks cells whose predictions at earlier levels say nothing about this one: a multistep
    sampler must not extrapolate from them there.
    """

    eps_BCHW: Tensor
    x0_BCHW: Tensor
    restarted_BCHW: Tensor | None = None

    @classmethod
    def from_eps(cls, eps_BCHW: Tensor, x_BCHW: Tensor, level: Level) -> Prediction:
        return cls(eps_BCHW=eps_BCHW, x0_BCHW=(x_BCHW - level.noise * eps_BCHW) / level.signal)

    @classmethod
    def from_x0(cls, x0_BCHW: Tensor, x_BCHW: Tensor, level: Level) -> Prediction:
        assert not level.is_clean, "a clean latent holds no noise to predict"
        return cls(eps_BCHW=(x_BCHW - level.signal * x0_BCHW) / level.noise, x0_BCHW=x0_BCHW)

    @classmethod
    def from_v(cls, v_BCHW: Tensor, x_BCHW: Tensor, level: Level) -> Prediction:
        return cls(
            eps_BCHW=level.noise * x_BCHW + level.signal * v_BCHW,
            x0_BCHW=level.signal * x_BCHW - level.noise * v_BCHW,
        )

    @classmethod
    def from_output(
        cls, output_BCHW: Tensor, x_BCHW: Tensor, level: Level, parametrisation: Parametrisation
    ) -> Prediction:
        readers = {
            Parametrisation.EPS: cls.from_eps,
            Parametrisation.V: cls.from_v,
            Parametrisation.X0: cls.from_x0,
        }
        return readers[parametrisation](output_BCHW, x_BCHW, level)


Denoise = Callable[[Tensor, Level], Prediction]
ConditionalDenoise = Callable[[Tensor, Level, Tensor], Prediction]
Network = Callable[[Tensor, Tensor, Tensor], Tensor]


def conditional_denoiser(
    unet: Network, parametrisation: Parametrisation = Parametrisation.EPS
) -> ConditionalDenoise:
    """Wrap `unet(x_BCHW, t_B, condition_BE)`; the condition's rows repeat, in order, to fill the batch."""

    def denoise(x_BCHW: Tensor, level: Level, condition_BE: Tensor) -> Prediction:
        t_B = torch.full((x_BCHW.shape[0],), level.t, dtype=torch.float32, device=x_BCHW.device)
        output_BCHW = unet(x_BCHW, t_B, repeat_rows(condition_BE, x_BCHW.shape[0]))
        return Prediction.from_output(output_BCHW.to(x_BCHW.dtype), x_BCHW, level, parametrisation)

    return denoise


def unet_denoiser(
    unet: Network, condition_BE: Tensor, parametrisation: Parametrisation = Parametrisation.EPS
) -> Denoise:
    """Bind the U-Net to one condition, without guidance."""
    denoise = conditional_denoiser(unet, parametrisation)
    return lambda x_BCHW, level: denoise(x_BCHW, level, condition_BE)


def repeat_rows(condition_BE: Tensor, batch: int) -> Tensor:
    """Repeat the rows, in order, until there are `batch`, which must be a multiple of them."""
    rows = condition_BE.shape[0]
    assert batch % rows == 0, f"{rows} conditions do not divide a batch of {batch}"
    return condition_BE.repeat(batch // rows, 1)

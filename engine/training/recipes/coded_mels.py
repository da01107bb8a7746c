"""What a vocoder learns from: segments of mels, some of them as the VAE gives them back.

B batch, T mel frames, M mel bins.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.errors import SpecError
from engine.models.vae import Vae
from engine.training.draws import Draws

# What the VAE sees before and after a segment, so that it codes it as within a whole clip.
CONTEXT_FRAMES = 32


class CodedMels:
    """Cut segments out of whole mels; so many of the clips go through the VAE first.

    Raises SpecError for clips that the VAE has no whole number of latents for.
    """

    def __init__(self, vae: Vae, probability: float, clip_frames: int) -> None:
        self._vae, self._ratio, self._probability = vae, vae.config.ratio, probability
        if clip_frames % self._ratio:
            raise SpecError(
                f"vocoder.coded_probability needs clips of a multiple of {self._ratio} mel frames, "
                f"which the VAE makes one latent of; these have {clip_frames}."
            )

    @torch.no_grad()
    def segments(self, mel_BTM: Tensor, segment: slice, draws: Draws) -> Tensor:
        """Return one segment of frames of all clips."""
        coded_B = draws.uniform(1)[:, 0] < self._probability
        seen_BTM = mel_BTM[:, segment].clone()
        if coded_B.any():
            seen_BTM[coded_B] = self._coded(mel_BTM[coded_B], segment)
        return seen_BTM

    def _coded(self, mel_BTM: Tensor, segment: slice) -> Tensor:
        first = self._down(max(0, segment.start - CONTEXT_FRAMES))
        last = -self._down(-(segment.stop + CONTEXT_FRAMES))
        vae = self._vae.to(mel_BTM.device)
        decoded_BTM = vae.decode(vae.encode(mel_BTM[:, first:last]).mode())
        return decoded_BTM[:, segment.start - first : segment.stop - first]

    def _down(self, frames: int) -> int:
        return frames // self._ratio * self._ratio

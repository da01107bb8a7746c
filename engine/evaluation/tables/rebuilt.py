"""Clips that went through parts of the model and back, and how near they are to what they were.

B batch, N clips, S samples.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import numpy as np
import torch
from torch import Tensor

from engine.audio.resample import resample
from engine.audio.splice import fit_length
from engine.evaluation.objective.paired import PAIR_RATE_HZ, pair_measures
from engine.evaluation.sampling import BATCH, decode, encode
from engine.evaluation.tables.bench import Bench
from engine.models.bundle import Bundle

PSNR, SSIM, LSD, UNLIKE = "PSNR in dB", "SSIM", "LSD", "unlike"


class Way(Enum):
    """What clips go through."""

    VOCODER = "true mel, vocoder"
    VAE_VOCODER = "VAE, vocoder"


_WAYS: dict[Way, Callable[[Bundle, Tensor], Tensor]] = {
    Way.VOCODER: lambda bundle, audio_BS: bundle.vocoder(bundle.mel(audio_BS)),
    Way.VAE_VOCODER: lambda bundle, audio_BS: decode(bundle, encode(bundle, audio_BS)),
}


@torch.no_grad()
def rebuilt(bundle: Bundle, audio_NS: np.ndarray, way: Way) -> np.ndarray:
    """Return clips (N, S) as they come back, of the same length."""
    parts = [_WAYS[way](bundle, part_BS) for part_BS in torch.from_numpy(audio_NS).split(BATCH)]
    return fit_length(torch.cat(parts).numpy(), audio_NS.shape[1])


def pairs(bench: Bench, made_NS: np.ndarray) -> dict[str, np.ndarray]:
    """Measure clips against the true ones, by name (N,): PSNR, SSIM and LSD as audioldm-eval has them."""
    rate_hz = bench.sounds.rate_hz
    made, true = (resample(audio_NS, rate_hz, PAIR_RATE_HZ) for audio_NS in (made_NS, bench.sounds.audio_NS))
    found = [pair_measures(made_S, true_S) for made_S, true_S in zip(made, true, strict=True)]
    return {
        PSNR: np.array([one.psnr_db for one in found]),
        SSIM: np.array([one.ssim for one in found]),
        LSD: np.array([one.lsd for one in found]),
    }


def unlike(features_ND: np.ndarray, true_ND: np.ndarray) -> np.ndarray:
    """Return 1 less the cosine of features of clips and those of others (N,)."""
    return np.asarray(1.0 - (features_ND * true_ND).sum(axis=1))

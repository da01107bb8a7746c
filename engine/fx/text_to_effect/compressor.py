"""pedalboard's compressor, exactly, with gradients for the sound and all parameters.

Its envelope follows |x_n| by e_n = x_n + c_n (e_(n-1) - x_n), where c_n is the attack's coefficient if
x_n > e_(n-1), else the release's. If it is known which of both holds at each sample, all e_n are the
solution of one bidiagonal system. So that choice is improved by turns (Howard 1960, policy iteration)
until it agrees with its solution, which is then the exact envelope. Legend: S samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.linalg.lapack import dtbtrs
from torch import Tensor

_SILENCE = 1e-10
_MOST_TURNS = 200


def compressed(audio_S: Tensor, values: Mapping[str, Tensor], rate_hz: int) -> Tensor:
    """Return the sound through the compressor, which hears peaks and has a hard knee."""
    envelope_S = _envelope(
        audio_S, _coefficient(values["attack_ms"], rate_hz), _coefficient(values["release_ms"], rate_hz)
    )
    level_S = envelope_S.clamp(min=_SILENCE).log()
    over_S = (level_S - values["threshold_db"] * (math.log(10.0) / 20.0)).clamp(min=0.0)
    return audio_S * torch.exp(over_S * (1.0 / values["ratio"] - 1.0))


def _envelope(audio_S: Tensor, attack: Tensor, release: Tensor) -> Tensor:
    envelope_S = _Envelope.apply(audio_S, attack, release)
    assert isinstance(envelope_S, Tensor)
    return envelope_S


def _coefficient(time_ms: Tensor, rate_hz: int) -> Tensor:
    return torch.exp(-2000.0 * math.pi / rate_hz / time_ms)


class _Envelope(torch.autograd.Function):
    """The compressor's envelope; its gradient is the transposed system's solution."""

    @staticmethod
    def forward(ctx: Any, audio_S: Tensor, attack: Tensor, release: Tensor) -> Tensor:
        level_S = audio_S.detach().abs().double().numpy()
        envelope_S, rises_S = _solved(level_S, float(attack), float(release))
        ctx.save_for_backward(audio_S, attack, release)
        ctx.solution = (level_S, envelope_S, rises_S)
        return torch.from_numpy(envelope_S).to(audio_S.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        audio_S, attack, release = ctx.saved_tensors
        level_S, envelope_S, rises_S = ctx.solution
        kept_S = np.where(rises_S, float(attack), float(release))
        weight_S = _bidiagonal_solution(kept_S, grads[0].double().numpy(), transposed=True)
        step_S = weight_S * (_before(envelope_S) - level_S)
        audio_grad_S = torch.from_numpy(weight_S * (1.0 - kept_S)).to(audio_S.dtype) * audio_S.sign()
        return (
            audio_grad_S,
            attack.new_tensor(step_S[rises_S].sum()),
            release.new_tensor(step_S[~rises_S].sum()),
        )


def _solved(level_S: np.ndarray, attack: float, release: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the envelope, and where it rises."""
    rises_S = np.zeros(len(level_S), dtype=bool)
    for _ in range(_MOST_TURNS):
        kept_S = np.where(rises_S, attack, release)
        envelope_S = _bidiagonal_solution(kept_S, (1.0 - kept_S) * level_S)
        next_S = level_S > _before(envelope_S)
        if np.array_equal(next_S, rises_S):
            break
        rises_S = next_S
    return envelope_S, rises_S


def _bidiagonal_solution(kept_S: np.ndarray, right_S: np.ndarray, *, transposed: bool = False) -> np.ndarray:
    """Solve y_n - kept_n y_(n-1) = right_n, or the system of the transposed matrix."""
    band = np.ones((2, len(kept_S)), order="F")
    band[1, :-1] = -kept_S[1:]
    solution, _ = dtbtrs(band, right_S[:, None], uplo="L", trans="T" if transposed else "N")
    return solution[:, 0]


def _before(values_S: np.ndarray) -> np.ndarray:
    return np.concatenate(([0.0], values_S[:-1]))

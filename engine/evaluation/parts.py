"""How well one network does on held-out clips, before the others are trained.

B batch, S samples, T mel frames, M mel bins.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.evaluation.classifier import ConceptClassifier, single_concepts
from engine.evaluation.sampling import BATCH
from engine.evaluation.starter import level
from engine.models.vae import Vae
from engine.models.vocoder import Vocoder
from engine.training.clips import Clips

Rebuild = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFigures:
    """What a network keeps of held-out clips: recognised is the share that the judge still names.

    recognised_before is that share for the clips themselves; seconds_per_10_s is the time that rebuilding
    10 s of audio takes, one clip at a time.
    """

    log_mel_l1: float
    recognised: float
    recognised_before: float
    seconds_per_10_s: float
    parameters: int
    clips: int


def measure_vae(vae: Vae, judge: ConceptClassifier, held_out: Clips, clips: int) -> PartFigures:
    """Measure mels that went to latents, by their mode, and back."""
    return _measured(vae, lambda mel_BTM: vae.decode(vae.encode(mel_BTM).mode()), judge, held_out, clips)


def measure_vocoder(vocoder: Vocoder, judge: ConceptClassifier, held_out: Clips, clips: int) -> PartFigures:
    """Measure the mels of audio made from true mels."""
    assert isinstance(vocoder, nn.Module)
    return _measured(vocoder, lambda mel_BTM: judge.mel(vocoder(mel_BTM)), judge, held_out, clips)


@torch.no_grad()
def _measured(
    network: nn.Module, rebuild: Rebuild, judge: ConceptClassifier, held_out: Clips, clips: int
) -> PartFigures:
    indices = np.arange(min(clips, held_out.config.singles))
    true_BTM = judge.mel(level(torch.from_numpy(held_out.audio(indices))))
    rebuilt_BTM = torch.cat([rebuild(part_BTM) for part_BTM in true_BTM.split(BATCH)])
    concept_B = single_concepts(held_out, indices)
    return PartFigures(
        log_mel_l1=(rebuilt_BTM - true_BTM).abs().mean().item(),
        recognised=_named(judge, rebuilt_BTM, concept_B),
        recognised_before=_named(judge, true_BTM, concept_B),
        seconds_per_10_s=_seconds_per_10_s(rebuild, true_BTM, held_out.config.duration_s),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        clips=len(indices),
    )


def _named(judge: ConceptClassifier, mel_BTM: Tensor, concept_B: Tensor) -> float:
    best_B = torch.cat([judge(part_BTM).argmax(dim=1) for part_BTM in mel_BTM.split(BATCH)])
    return (best_B == concept_B).float().mean().item()


def _seconds_per_10_s(rebuild: Rebuild, mel_BTM: Tensor, clip_s: float, clips: int = 8) -> float:
    """Return the median over some clips; the first call, which allocates, does not count."""
    rebuild(mel_BTM[:1])
    elapsed_s: list[float] = []
    for mel_1TM in mel_BTM[:clips].split(1):
        started_s = time.perf_counter()
        rebuild(mel_1TM)
        elapsed_s.append(time.perf_counter() - started_s)
    return float(np.median(elapsed_s)) * 10.0 / clip_s

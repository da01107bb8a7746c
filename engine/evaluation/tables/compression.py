"""Table 4 of the paper: how far the VAE compresses."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from engine.evaluation.tables.judged import IS, NAMED
from engine.evaluation.tables.plots import bars_png
from engine.evaluation.tables.rebuilt import PSNR, SSIM
from engine.evaluation.tables.result import Line, Part, Result
from engine.evaluation.tables.scores import FD, KL, Scores
from engine.evaluation.tables.trained import OF_TRAININGS, Comparison
from engine.evaluation.tables.variants import Variant
from engine.evaluation.tables.verdicts import Direction, verdict
from engine.evaluation.tables.workshop import parameters_of

VARIANTS = (Variant.R4, Variant.R8, Variant.R16)
# Of table 8: what VAE and vocoder keep of a sound falls from r = 4 to 16.
_KEPT: Mapping[str, Direction] = {PSNR: Direction.FALLS, SSIM: Direction.FALLS, FD: Direction.RISES}


def compression_table(comparison: Comparison) -> Result:
    """Train a VAE of each compression, and a U-Net on its latents, for as many steps each."""
    measured = comparison.measured(VARIANTS)
    scores = {variant: one.scores for variant, one in measured.items()}
    kept = {variant: comparison.rebuilt(one) for variant, one in measured.items()}
    vaes = [one.trained[0].bundle.vae for one in measured.values()]
    vae = comparison.config.vae
    sizes = ", ".join(f"{parameters_of(one) / 1e6:.1f}" for one in vaes)
    minutes = ", ".join(f"{one.vae_minutes:.1f}" for one in measured.values())
    channels = ", ".join(str(one.config.latent_channels) for one in vaes)
    return Result(
        stem="compression",
        title="Compression (table 4)",
        told=(
            comparison.told(measured)
            + f" Each has a VAE of its own ({sizes} million parameters), trained from nothing for "
            f"{vae.optimiser.steps} steps of {vae.batch} crops ({minutes} minutes), whose latents have "
            f"{channels} channels, half of the paper's, since a narrow U-Net has no room for more. The "
            "vocoder is the starter's. Equal steps are not equal time: the smaller the latents, the sooner "
            "they are done."
        ),
        parts=(*comparison.parts("Generated", measured), _kept_part(kept)),
        findings=(
            *(
                line
                for low, high in (*pairwise(VARIANTS), (VARIANTS[0], VARIANTS[-1]))
                for line in comparison.against((low.value, scores[low]), (high.value, scores[high]))
            ),
            *_kept_findings(kept),
            comparison.by_chance(measured.values()),
        ),
        picture=bars_png(comparison.bars(measured)),
        interval=OF_TRAININGS,
    )


def _kept_part(kept: Mapping[Variant, Scores]) -> Part:
    return Part(
        title="True clips through VAE and vocoder",
        names=("model",),
        figures=(f"{PSNR} ↑", f"{SSIM} ↑", f"{FD} ↓", f"{IS} ↑", f"{KL} ↓", f"{NAMED} ↑"),
        lines=tuple(Line(names=(variant.value,), scores=one) for variant, one in kept.items()),
    )


def _kept_findings(kept: Mapping[Variant, Scores]) -> list[str]:
    low, high = VARIANTS[0], VARIANTS[-1]
    between = f"of true clips through VAE and vocoder from {low.value} to {high.value}"
    ends = (kept[low], kept[high])
    return [verdict(name, between, ends, way) for name, way in _KEPT.items()]

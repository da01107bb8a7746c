"""Table 4 of the paper: how far the VAE compresses."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from engine.evaluation.tables.judged import IS, NAMED
from engine.evaluation.tables.plots import bars_png
from engine.evaluation.tables.rebuilt import PSNR, SSIM
from engine.evaluation.tables.result import Line, Part, Result
from engine.evaluation.tables.scores import FD, KL, Scores
from engine.evaluation.tables.trained import Comparison
from engine.evaluation.tables.variants import Variant
from engine.evaluation.tables.verdicts import Direction, verdict
from engine.evaluation.tables.workshop import parameters_of

VARIANTS = (Variant.R4, Variant.R8, Variant.R16)
# Of table 8: what VAE and vocoder keep of a sound falls from r = 4 to 16.
_KEPT: Mapping[str, Direction] = {PSNR: Direction.FALLS, SSIM: Direction.FALLS, FD: Direction.RISES}
NO_SEEDS = (
    "The intervals are of clips, and each level is trained once: [conditions](conditions.md) tells how far "
    "another seed of a training alone moves such figures."
)


def compression_table(comparison: Comparison) -> Result:
    """Train a VAE of each compression, and a U-Net on its latents, for as many steps each."""
    measured = comparison.measured(VARIANTS)
    scores = {variant: one for variant, (_, one) in measured.items()}
    kept = {variant: comparison.jury.rebuilt(trained) for variant, (trained, _) in measured.items()}
    vae = comparison.config.vae
    sizes = ", ".join(f"{parameters_of(one.bundle.vae) / 1e6:.1f}" for one, _ in measured.values())
    minutes = ", ".join(f"{one.vae_minutes:.1f}" for one, _ in measured.values())
    channels = ", ".join(str(one.bundle.vae.config.latent_channels) for one, _ in measured.values())
    return Result(
        stem="compression",
        title="Compression (table 4)",
        told=(
            comparison.told([trained for trained, _ in measured.values()])
            + f" Each has a VAE of its own ({sizes} million parameters), trained from nothing for "
            f"{vae.optimiser.steps} steps of {vae.batch} crops ({minutes} minutes), whose latents have "
            f"{channels} channels, half of the paper's, since a narrow U-Net has no room for more. The "
            "vocoder is the starter's. Equal steps are not equal time: the smaller the latents, the sooner "
            "they are done."
        ),
        parts=(
            comparison.part("Generated", scores),
            _kept_part(kept),
        ),
        findings=(
            *(
                line
                for low, high in (*pairwise(VARIANTS), (VARIANTS[0], VARIANTS[-1]))
                for line in comparison.against((low.value, scores[low]), (high.value, scores[high]))
            ),
            *_kept_findings(kept),
            NO_SEEDS,
        ),
        picture=bars_png(comparison.bars(scores)),
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

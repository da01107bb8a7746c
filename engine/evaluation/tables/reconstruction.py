"""Table 8 of the paper: what VAE and vocoder keep of a sound."""

from __future__ import annotations

from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.cache import Arrays
from engine.evaluation.tables.plots import bars_png
from engine.evaluation.tables.rebuilt import LSD, PSNR, SSIM, Way, pairs, rebuilt
from engine.evaluation.tables.result import Line, Part, Result
from engine.evaluation.tables.scores import FD, KL, Scores, scored
from engine.evaluation.tables.verdicts import Direction, verdict

# PSNR, SSIM and FD of the paper: with the vocoder alone, and with a VAE by its compression.
PAPER_VOCODER = (25.41, 0.86, 8.76)
PAPER_VAE = {4: (25.38, 0.86, 9.02), 8: (25.14, 0.84, 9.68), 16: (24.87, 0.82, 9.90)}


def reconstruction_table(bench: Bench) -> Result:
    """Send true clips through the vocoder alone, and through VAE and vocoder."""
    found = {way: _through(bench, way) for way in Way}
    same, other = (scored(bench, one_ND, text=False) for one_ND in (bench.true_ND, bench.other_ND))
    lines = (
        *(Line(names=(way.value,), scores=one) for way, one in found.items()),
        Line(names=("the true clips themselves",), scores=same),
        Line(names=("other true sounds",), scores=other),
    )
    figures = (f"{PSNR} ↑", f"{SSIM} ↑", f"{LSD} ↓", f"{FD} ↓", f"{KL} ↓")
    ratio = bench.bundle.vae.config.ratio
    bars = [
        (name, {way.value: one.figures[name] for way, one in found.items()})
        for name in (PSNR, SSIM, LSD, FD, KL)
    ]
    return Result(
        stem="reconstruction",
        title="Reconstruction (table 8)",
        told=(
            f"True clips as the vocoder makes them of their mel, and as VAE (compression {ratio}) and "
            "vocoder do. PSNR and SSIM are of log-mel pictures of 100 dB, as in audioldm-eval; LSD is in "
            "log10 of power."
        ),
        parts=(Part(title="Parts of the model", names=("through",), figures=figures, lines=lines),),
        findings=_findings(bench, found),
        picture=bars_png(bars),
    )


def _through(bench: Bench, way: Way) -> Scores:
    def make() -> Arrays:
        made_NS = rebuilt(bench.bundle, bench.sounds.audio_NS, way)
        return {"features": bench.hear(made_NS), **pairs(bench, made_NS)}

    arrays = bench.trial({"trial": "rebuilt", "way": way.value}, make)
    by_clip = {name: arrays[name] for name in (PSNR, SSIM, LSD)}
    return scored(bench, arrays["features"], by_clip, text=False)


def _findings(bench: Bench, found: dict[Way, Scores]) -> tuple[str, ...]:
    alone, both = found[Way.VOCODER], found[Way.VAE_VOCODER]
    ratio = bench.bundle.vae.config.ratio
    told = [
        verdict(name, "from the vocoder alone to VAE and vocoder", (alone, both), paper)
        for name, paper in ((PSNR, Direction.FALLS), (SSIM, Direction.FALLS), (FD, Direction.RISES))
    ]
    return (*told, *_beside_paper(alone, both, ratio))


def _beside_paper(alone: Scores, both: Scores, ratio: int) -> tuple[str, ...]:
    if ratio not in PAPER_VAE:
        return ()
    psnr_db, ssim, distance = PAPER_VAE[ratio]
    base_db, base_ssim, base_distance = PAPER_VOCODER
    own = {name: (alone.figures[name].value, both.figures[name].value) for name in (PSNR, SSIM, FD)}
    lost = (
        f"How much differs: at this compression, {ratio}, the paper's VAE costs {base_db - psnr_db:.2f} "
        f"dB, {base_ssim - ssim:.2f} of SSIM and {100 * (distance / base_distance - 1):.0f} % of FD, this "
        f"one {own[PSNR][0] - own[PSNR][1]:.2f} dB, {own[SSIM][0] - own[SSIM][1]:.2f} and "
        f"{100 * (own[FD][1] / own[FD][0] - 1):.0f} %. The vocoder alone has {own[PSNR][0]:.1f} dB and "
        f"{own[SSIM][0]:.2f} here, {base_db:.1f} dB and {base_ssim:.2f} in the paper."
    )
    return (lost,)

"""Table 5 of the paper: stretches of time and highs made anew, by the pipeline of a user's job.

N clips, S samples.
"""

from __future__ import annotations

import numpy as np

from engine.audio.resample import resample
from engine.evaluation.estimates import Estimate
from engine.evaluation.tables.bench import Bench
from engine.evaluation.tables.cache import Arrays
from engine.evaluation.tables.jobs import edited
from engine.evaluation.tables.plots import bars_png
from engine.evaluation.tables.rebuilt import LSD, UNLIKE, Way, pairs, rebuilt, unlike
from engine.evaluation.tables.result import Line, Part, Result
from engine.evaluation.tables.scores import FD, KL, Scores, change, scored
from engine.evaluation.tables.verdicts import Direction, direction_of
from engine.training.store import INT16_PEAK
from engine.types import Mask, RectShape, Region, RenderSpec, Task, TimeSpan

SHARES = (0.25, 0.5)
PAPER_SHARE = 0.5
PAPER_INPAINTED, PAPER_SUPERRES = 1.92 / 10.86, 1.43 / 2.76
UNPROCESSED, PROCESSED, BEST = "unprocessed", "processed", "rebuilt from the true clip"
_LINES = (UNPROCESSED, PROCESSED, BEST)


def editing_table(bench: Bench, shares: tuple[float, ...] = SHARES) -> Result:
    """Fill holes of some lengths, and make the upper half of the band anew."""
    filled = {share: {line: _inpainted(bench, share, line) for line in _LINES} for share in shares}
    widened = {line: _widened(bench, line) for line in _LINES}
    return Result(
        stem="editing",
        title="Inpainting and super-resolution (table 5)",
        told=(
            "Each clip is edited as a job of a user is, with defaults and its caption as prompt. "
            "Inpainting: the middle of a clip is silenced and filled; the paper silences 2.5 to 7.5 s of "
            "10 s, which is half. Super-resolution: a 16-bit file at half the rate, resampled to "
            f"{bench.sounds.rate_hz} Hz, gets its highs from half the band on (`--cutoff`). `{UNLIKE}` is "
            f"1 less the cosine of CLAP's features of a clip and of the true one. `{BEST}` has the true "
            "sound where something was missing, as the model's own VAE and vocoder give it: no sampling "
            "in this latent space can be expected to do better."
        ),
        parts=(_inpainting_part(filled), _superres_part(widened)),
        findings=(*_inpainting_findings(filled), *_superres_findings(widened)),
        picture=bars_png(_bars(filled, widened)),
    )


def hole(samples: int, share: float) -> slice:
    """Return the middle share of so many samples."""
    length = round(share * samples)
    first = (samples - length) // 2
    return slice(first, first + length)


def with_hole(audio_NS: np.ndarray, share: float) -> np.ndarray:
    holed_NS = audio_NS.copy()
    holed_NS[:, hole(audio_NS.shape[1], share)] = 0.0
    return holed_NS


def without_highs(audio_NS: np.ndarray, rate_hz: int) -> np.ndarray:
    """Return clips that were 16-bit files of half the rate."""
    file_NS = _as_16_bit(resample(audio_NS, rate_hz, rate_hz // 2))
    # And one again, as a program writes what it resampled.
    return _as_16_bit(resample(file_NS, rate_hz // 2, rate_hz, audio_NS.shape[1]))


def _as_16_bit(audio_NS: np.ndarray) -> np.ndarray:
    whole_NS = np.round(np.clip(audio_NS, -1.0, 1.0) * INT16_PEAK)
    return np.asarray(whole_NS / INT16_PEAK, dtype=np.float32)


def _inpainted(bench: Bench, share: float, line: str) -> Scores:
    def make() -> Arrays:
        audio_NS = bench.sounds.audio_NS
        if line == PROCESSED:
            made_NS = edited(
                bench, with_hole(audio_NS, share), lambda text, seed: _hole_spec(bench, share, text, seed)
            )
        else:
            made_NS = with_hole(audio_NS, share)
            if line == BEST:
                gap = hole(audio_NS.shape[1], share)
                made_NS[:, gap] = rebuilt(bench.bundle, audio_NS, Way.VAE_VOCODER)[:, gap]
        return {"features": bench.hear(made_NS)}

    features_ND = bench.trial({"trial": "inpainted", "share": share, "line": line}, make)["features"]
    return scored(bench, features_ND, {UNLIKE: unlike(features_ND, bench.true_ND)}, text=False)


def _widened(bench: Bench, line: str) -> Scores:
    def make() -> Arrays:
        audio_NS = bench.sounds.audio_NS
        made_NS = without_highs(audio_NS, bench.sounds.rate_hz)
        if line == PROCESSED:
            made_NS = edited(bench, made_NS, lambda text, seed: _highs_spec(bench, text, seed))
        elif line == BEST:
            made_NS = rebuilt(bench.bundle, audio_NS, Way.VAE_VOCODER)
        return {"features": bench.hear(made_NS), LSD: pairs(bench, made_NS)[LSD]}

    arrays = bench.trial({"trial": "widened", "line": line}, make)
    own = {UNLIKE: unlike(arrays["features"], bench.true_ND), LSD: arrays[LSD]}
    return scored(bench, arrays["features"], own, text=False)


def _hole_spec(bench: Bench, share: float, text: str, seed: int) -> RenderSpec:
    samples, rate_hz = bench.sounds.audio_NS.shape[1], bench.sounds.rate_hz
    gap = hole(samples, share)
    shape = RectShape(span=TimeSpan(start_s=gap.start / rate_hz, end_s=gap.stop / rate_hz))
    region = Region(path="clip.wav")
    return RenderSpec(task=Task.INPAINT, prompt=text, region=region, mask=Mask(shapes=(shape,)), seed=seed)


def _highs_spec(bench: Bench, text: str, seed: int) -> RenderSpec:
    # Told, not found out: rounding to 16 bits leaves noise in all of the band.
    cutoff_hz = bench.sounds.rate_hz / 4
    region = Region(path="clip.wav")
    return RenderSpec(task=Task.SUPERRES, prompt=text, region=region, cutoff_hz=cutoff_hz, seed=seed)


def _inpainting_part(filled: dict[float, dict[str, Scores]]) -> Part:
    lines = tuple(
        Line(names=(f"{share:.0%}", name), scores=one)
        for share, found in filled.items()
        for name, one in found.items()
    )
    figures = (f"{FD} ↓", f"{KL} ↓", f"{UNLIKE} ↓")
    return Part(title="Inpainting", names=("missing", "clips"), figures=figures, lines=lines)


def _superres_part(widened: dict[str, Scores]) -> Part:
    lines = tuple(Line(names=(name,), scores=one) for name, one in widened.items())
    figures = (f"{LSD} ↓", f"{FD} ↓", f"{UNLIKE} ↓")
    return Part(title="Super-resolution from half the band", names=("clips",), figures=figures, lines=lines)


def _inpainting_findings(filled: dict[float, dict[str, Scores]]) -> tuple[str, ...]:
    return tuple(_inpainting_finding(share, found) for share, found in filled.items())


def _inpainting_finding(share: float, found: dict[str, Scores]) -> str:
    silent, filled, best = (found[line].figures[FD].value for line in _LINES)
    paper = f" (the paper: {PAPER_INPAINTED:.2f}, by FAD)" if share == PAPER_SHARE else ""
    gained = change(found[UNPROCESSED], found[PROCESSED], FD)
    return (
        f"With {share:.0%} missing, the FD of the filled clips is {filled / silent:.2f} of the "
        f"unprocessed{paper}: {gained.value:+.3f} [{gained.low:.3f}, {gained.high:.3f}], {_way(gained)}. "
        f"With the true sound from VAE and vocoder in the hole it is {best / silent:.2f}."
    )


def _superres_findings(widened: dict[str, Scores]) -> tuple[str, ...]:
    low, made, best = (widened[line].figures[LSD].value for line in _LINES)
    gained = change(widened[UNPROCESSED], widened[PROCESSED], LSD)
    told = (
        f"Super-resolution brings LSD to {made / low:.2f} of the unprocessed (the paper: "
        f"{PAPER_SUPERRES:.2f}): {gained.value:+.3f} [{gained.low:.3f}, {gained.high:.3f}], {_way(gained)}. "
        f"VAE and vocoder with nothing missing have {best / low:.2f} of it, which is as near as this model's "
        "highs can come by its vocoder."
    )
    return (told,)


def _way(gained: Estimate) -> str:
    found = direction_of(gained)
    if found is None:
        return "no change beyond chance, and in the paper less"
    return "as in the paper" if found is Direction.FALLS else "not as in the paper"


def _bars(
    filled: dict[float, dict[str, Scores]], widened: dict[str, Scores]
) -> list[tuple[str, dict[str, Estimate]]]:
    inpainted = [
        (f"{FD}, {share:.0%} missing", {line: one.figures[FD] for line, one in found.items()})
        for share, found in filled.items()
    ]
    wide = [
        (f"{name}, super-resolution", {line: one.figures[name] for line, one in widened.items()})
        for name in (LSD, FD)
    ]
    return [*inpainted, *wide]

"""One evaluation: two folders in, a report out.

N clips or pairs, R rows of features, D features, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from engine.audio.recipe import SOFTWARE
from engine.errors import SpecError
from engine.evaluation.estimates import mean_estimate
from engine.evaluation.objective.backbones import Backbone, BackboneName, ClapBackbone, load_backbones
from engine.evaluation.objective.distances import (
    SPLITS,
    Spread,
    feature_distance,
    inception_score,
    kernel_distance,
    sigmoid_divergences,
    softmax_divergences,
)
from engine.evaluation.objective.hearing import RESAMPLER, HeardSet, first_channel, hear_set
from engine.evaluation.objective.paired import PAIR_RATE_HZ, PairMeasures, pair_measures
from engine.evaluation.objective.report import ClipRow, Figure, Metric, Report
from engine.evaluation.objective.sets import (
    ClipSet,
    clip_set,
    common_names,
    names_in,
    paired_names,
    prompts_of,
    read_captions,
)

OnProgress = Callable[[int, int, str], None]
Values = dict[str, dict[str, float]]
OnClip = Callable[[str], None]
_TOO_FEW = "needs two clips or more, of VGGish two frames of 0.96 s"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalConfig:
    """What to compare; captions is a CSV, without one the prompts of takes are used.

    model is the installed model whose CLAP hears.
    """

    generated: Path
    reference: Path
    backbones: tuple[BackboneName, ...] = (BackboneName.CLAP,)
    weights: Mapping[BackboneName, Path] = field(default_factory=dict)
    captions: Path | None = None
    model: str = "starter"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """A report, and what pictures of it are drawn from."""

    report: Report
    generated: HeardSet
    reference: HeardSet
    pairs: tuple[str, ...]


def evaluate(config: EvalConfig, on_progress: OnProgress = lambda done, total, what: None) -> Evaluation:
    """Measure everything that the folders and the backbones allow.

    Raises NotFound, SpecError, AudioIOError, ModelMissing and ModelCorrupt, each in one sentence.
    """
    generated, reference = clip_set(config.generated), clip_set(config.reference)
    captions = prompts_of(generated.files) if config.captions is None else read_captions(config.captions)
    _require_some(captions, generated, config.captions)
    backbones = load_backbones(config.backbones, config.weights, config.model)
    named = paired_names(generated, reference)
    count = _Counted(len(generated.files) + len(reference.files) + len(named), on_progress)
    first, second = hear_set(generated, backbones, count), hear_set(reference, backbones, count)
    pairs = tuple(name for name in named if name in first.files and name in second.files)
    values: Values = {name: {} for name in first.files}
    figures = [
        *_set_figures(first, second),
        *_divergence_figures(first, second, pairs, values),
        *_caption_figures(first, backbones, captions, values),
        *_pair_figures(first, second, pairs, values, count),
    ]
    report = Report(
        program=SOFTWARE,
        resampler=RESAMPLER,
        generated=first.info,
        reference=second.info,
        pairs=len(pairs),
        captions=len(names_in(captions, first.files)),
        backbones=tuple(backbone.info for backbone in backbones.values()),
        figures=tuple(figures),
        rows=tuple(_row(name, captions, values[name]) for name in first.files),
        notes=tuple(_notes(generated, reference, first, second, named)),
    )
    return Evaluation(report=report, generated=first, reference=second, pairs=pairs)


def _require_some(captions: Mapping[str, str], generated: ClipSet, path: Path | None) -> None:
    if path is not None and not names_in(captions, generated.files):
        raise SpecError(
            f"no caption in {path} names a file of {generated.folder}", "Its column `file` has their names."
        )


class _Counted:
    """Counts clips, and tells."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._done, self._total, self._on_progress = 0, total, on_progress

    def __call__(self, what: str) -> None:
        self._on_progress(self._done, self._total, what)
        self._done += 1


def _set_figures(generated: HeardSet, reference: HeardSet) -> Iterator[Figure]:
    for backbone in generated.heard:
        first_RD, second_RD = generated.features_RD(backbone), reference.features_RD(backbone)
        metric = Metric.FAD if backbone is BackboneName.VGGISH else Metric.FD
        rows = min(len(first_RD), len(second_RD))
        if rows < 2:
            for absent in (metric, Metric.KID):
                yield Figure(metric=absent, backbone=backbone.value, count=rows, note=_TOO_FEW)
        else:
            distance = feature_distance(first_RD, second_RD)
            few = f"fewer than its {first_RD.shape[1]} features: too large, compare only sets of equal size"
            note = few if rows <= first_RD.shape[1] else ""
            yield Figure(metric=metric, backbone=backbone.value, value=distance, count=rows, note=note)
            yield _spread_figure(Metric.KID, backbone, kernel_distance(first_RD, second_RD), rows)
        yield from _score_figures(generated, backbone)


def _score_figures(generated: HeardSet, backbone: BackboneName) -> Iterator[Figure]:
    logits_NK = generated.logits_CK(backbone)
    if logits_NK is None:
        return
    if len(logits_NK) < SPLITS:
        note = f"needs {SPLITS} clips or more"
        yield Figure(metric=Metric.IS, backbone=backbone.value, count=len(logits_NK), note=note)
    else:
        yield _spread_figure(Metric.IS, backbone, inception_score(logits_NK), len(logits_NK))


def _divergence_figures(
    generated: HeardSet, reference: HeardSet, pairs: Sequence[str], values: Values
) -> Iterator[Figure]:
    measures = {Metric.KL_SOFTMAX: softmax_divergences, Metric.KL_SIGMOID: sigmoid_divergences}
    for backbone in generated.heard:
        first_NK, second_NK = (one.logits_CK(backbone, pairs) for one in (generated, reference))
        if first_NK is None or second_NK is None:
            continue
        for metric, measure in measures.items():
            found_N = measure(first_NK, second_NK)
            for name, value in zip(pairs, found_N, strict=True):
                values[name][f"{metric.value} {backbone.value}"] = float(value)
            yield _mean_figure(metric, found_N, backbone.value)


def _caption_figures(
    generated: HeardSet,
    backbones: Mapping[BackboneName, Backbone],
    captions: Mapping[str, str],
    values: Values,
) -> Iterator[Figure]:
    clap = backbones.get(BackboneName.CLAP)
    names = names_in(captions, generated.files)
    if not isinstance(clap, ClapBackbone) or not names:
        return
    by_name = dict(zip(generated.files, generated.heard[BackboneName.CLAP], strict=True))
    heard_ND = np.concatenate([by_name[name].features_RD for name in names])
    found_N = (heard_ND * clap.read([captions[name] for name in names])).sum(axis=1)
    for name, value in zip(names, found_N, strict=True):
        values[name][Metric.CLAP_SCORE.value] = float(value)
    yield _mean_figure(Metric.CLAP_SCORE, found_N, BackboneName.CLAP.value)


def _pair_figures(
    generated: HeardSet,
    reference: HeardSet,
    pairs: Sequence[str],
    values: Values,
    on_clip: OnClip,
) -> Iterator[Figure]:
    if not pairs:
        return
    found = {name: _pair(generated.files[name], reference.files[name], on_clip) for name in pairs}
    for name, measures in found.items():
        values[name].update(asdict(measures))
    for metric in (Metric.LSD, Metric.LSD_LATE, Metric.PSNR_DB, Metric.SSIM):
        yield _mean_figure(metric, np.array([getattr(one, metric.value) for one in found.values()]))


def _pair(generated: Path, reference: Path, on_clip: OnClip) -> PairMeasures:
    on_clip(generated.name)
    return pair_measures(first_channel(generated, PAIR_RATE_HZ), first_channel(reference, PAIR_RATE_HZ))


def _mean_figure(metric: Metric, values_N: np.ndarray, backbone: str = "") -> Figure:
    """Average what is finite; a note tells how many are not."""
    finite_N = values_N[np.isfinite(values_N)]
    left_out = len(values_N) - len(finite_N)
    note = f"{left_out} left out: silent, too short, or the same" if left_out else ""
    if not len(finite_N):
        return Figure(metric=metric, backbone=backbone, note=note or "no clip to measure")
    found = mean_estimate(finite_N.astype(np.float64))
    return Figure(
        metric=metric,
        backbone=backbone,
        value=found.value,
        low=found.low,
        high=found.high,
        count=len(finite_N),
        note=note,
    )


def _spread_figure(metric: Metric, backbone: BackboneName, found: Spread, count: int) -> Figure:
    return Figure(
        metric=metric, backbone=backbone.value, value=found.mean, deviation=found.deviation, count=count
    )


def _row(name: str, captions: Mapping[str, str], values: Mapping[str, float]) -> ClipRow:
    known = {key: value if math.isfinite(value) else None for key, value in values.items()}
    return ClipRow(name=name, caption=captions.get(name, ""), values=known)


def _notes(
    generated: ClipSet, reference: ClipSet, first: HeardSet, second: HeardSet, named: Sequence[str]
) -> Iterator[str]:
    for what, heard in (("generated", first), ("reference", second)):
        if heard.info.skipped:
            yield f"Left out of the {what} files: {len(heard.info.skipped)}, each named below."
    if not named:
        common = common_names(generated, reference)
        most = max(len(generated.files), len(reference.files))
        yield f"Only {common} of {most} names agree, so clips were not paired: no KL, LSD, PSNR and SSIM."
    if len({*first.info.rates_hz, *second.info.rates_hz}) > 1:
        yield "The files have different rates. What resampled them alone can move FD by tens."

"""What an evaluation found, as values and as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from engine.errors import BadJson, SpecError, UnsupportedVersion
from engine.strict_json import Variants, decode, encode, parse_json
from engine.text_files import read_text

REPORT_SCHEMA_VERSION = 1
REPORT_FILE = "report.json"
MAX_REPORT_BYTES = 100_000_000
_PLAIN = Variants(key="kind", kinds={})


class Better(Enum):
    LOWER = "lower"
    HIGHER = "higher"


class Metric(Enum):
    FD = "fd"
    FAD = "fad"
    KID = "kid"
    IS = "is"
    KL_SOFTMAX = "kl_softmax"
    KL_SIGMOID = "kl_sigmoid"
    CLAP_SCORE = "clap_score"
    LSD = "lsd"
    LSD_LATE = "lsd_late"
    PSNR_DB = "psnr_db"
    SSIM = "ssim"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricInfo:
    """What a metric is called, which way is better, and by what it is defined."""

    title: str
    better: Better
    definition: str


METRICS = {
    Metric.FD: MetricInfo(
        title="FD",
        better=Better.LOWER,
        definition="Fréchet distance of the features, unbiased covariances; audioldm-eval 0.0.3 on PANNs",
    ),
    Metric.FAD: MetricInfo(
        title="FAD",
        better=Better.LOWER,
        definition="Fréchet distance of all 0.96 s frames, no PCA nor last activation; audioldm-eval 0.0.3",
    ),
    Metric.KID: MetricInfo(
        title="KID",
        better=Better.LOWER,
        definition="cubic kernel, 100 subsets of up to 1000 clips; ± is the deviation of the subsets",
    ),
    Metric.IS: MetricInfo(
        title="IS",
        better=Better.HIGHER,
        definition="inception score by softmax over ten splits; ± is the deviation of the splits",
    ),
    Metric.KL_SOFTMAX: MetricInfo(
        title="KL (softmax)",
        better=Better.LOWER,
        definition="KL(reference || generated) in nats by softmax, mean of the pairs",
    ),
    Metric.KL_SIGMOID: MetricInfo(
        title="KL (sigmoid)",
        better=Better.LOWER,
        definition="the same by sigmoid, as audioldm-eval has it: without the complements of the classes",
    ),
    Metric.CLAP_SCORE: MetricInfo(
        title="CLAP score",
        better=Better.HIGHER,
        definition="mean cosine of a clip's embedding and its caption's",
    ),
    Metric.LSD: MetricInfo(
        title="LSD",
        better=Better.LOWER,
        definition="log-spectral distance in log10 of power, both at a peak of 1; ssr_eval 0.0.7",
    ),
    Metric.LSD_LATE: MetricInfo(
        title="LSD, seven frames cut",
        better=Better.LOWER,
        definition="as audioldm-eval has it: without the generated clip's first 70 ms, for a late vocoder",
    ),
    Metric.PSNR_DB: MetricInfo(
        title="PSNR in dB",
        better=Better.HIGHER,
        definition="of log-mel pictures (64 bands, 100 dB); pairs that are the same are left out",
    ),
    Metric.SSIM: MetricInfo(
        title="SSIM",
        better=Better.HIGHER,
        definition="of the same pictures, windows of 7 by 7; pairs that are the same are left out",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that could not be used, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetInfo:
    """A folder as it was: how many clips were used, what was not, and a digest of names and contents."""

    folder: str
    clips: int
    duration_s: float
    rates_hz: tuple[int, ...]
    skipped: tuple[Skipped, ...]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneUsed:
    """What heard the clips; sha256 is that of its weights, channels what it heard of a clip."""

    name: str
    network: str
    sample_rate_hz: int
    channels: str
    weights: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number; backbone is empty where none is needed.

    value is None where the metric is not defined for these sets, and note says why. count is of how many
    clips, pairs or frames it is; low and high are the 95 % interval of a mean over clips, by bootstrap.
    """

    metric: Metric
    backbone: str = ""
    value: float | None = None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0
    note: str = ""

    @property
    def title(self) -> str:
        name = METRICS[self.metric].title
        return f"{name} ({self.backbone})" if self.backbone else name


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRow:
    """What was measured of one generated clip, by the name of the measure; None where it is not defined."""

    name: str
    caption: str
    values: dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything an evaluation found, with all that its figures depend on."""

    program: str
    resampler: str
    generated: SetInfo
    reference: SetInfo
    pairs: int
    captions: int
    backbones: tuple[BackboneUsed, ...]
    figures: tuple[Figure, ...]
    rows: tuple[ClipRow, ...]
    notes: tuple[str, ...]
    schema_version: int = REPORT_SCHEMA_VERSION


def report_json(report: Report) -> str:
    return json.dumps(encode(report, _PLAIN), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_report(path: Path) -> Report:
    """Read a report from its JSON file or the folder with it.

    Raises:
        SpecError: no such file, or none of ours.
        UnsupportedVersion: it is of another version of the program.
    """
    file = path / REPORT_FILE if path.is_dir() else path
    try:
        value = parse_json(read_text(file, MAX_REPORT_BYTES), MAX_REPORT_BYTES)
        version = value.get("schema_version") if isinstance(value, dict) else None
        if version not in (None, REPORT_SCHEMA_VERSION):
            raise UnsupportedVersion(
                f"{file} has version {version!r:.20}, this program knows {REPORT_SCHEMA_VERSION}",
                "Evaluate again.",
            )
        report: Report = decode(Report, value, "", _PLAIN)
    except BadJson as error:
        raise SpecError(
            f"{file} is no report of an evaluation: {error.message}", "Give the folder of a report."
        ) from error
    return report

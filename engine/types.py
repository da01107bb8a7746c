"""Values of a render job: frozen, keyword-only, without tensors; stdlib only.

Units are suffixes: _s seconds, _hz hertz, _db decibel, _samples sample frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import pairwise

from engine.delivery import Delivery

SCHEMA_VERSION = 1
MAX_PROMPT_CHARACTERS = 2000
MIN_DURATION_S = 0.2
MAX_DURATION_S = 600.0
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 192_000
MAX_TAKES = 16
MAX_CURVE_POINTS = 64
MAX_CURVE_WEIGHT = 100.0
# So many takes of a job are sampled together, as rows of one batch.
BATCH_TAKES = 8
SEEDS = 2**63


class Task(Enum):
    GENERATE = "generate"
    TRANSFER = "transfer"
    INPAINT = "inpaint"
    SUPERRES = "superres"

    @property
    def needs_region(self) -> bool:
        """Tell whether the task edits existing audio."""
        return self is not Task.GENERATE


class SamplerName(Enum):
    DDPM = "ddpm"
    DDIM = "ddim"
    DPMPP_2M = "dpmpp_2m"
    UNIPC = "unipc"


class Highs(Enum):
    """What an edit has above the band that its model makes.

    KEEP is the original's, FOLLOW the original's under the new sound's envelope, DROP nothing; MODEL lets a
    second model, of a wider band, make what belongs to the new sound.
    """

    KEEP = "keep"
    FOLLOW = "follow"
    DROP = "drop"
    MODEL = "model"


class Stereo(Enum):
    """What a mono model makes of a stereo region.

    MID makes the middle anew and keeps the sides, MID_SIDE makes both, CHANNELS each channel by itself;
    those made together share their noise. Regions of more than two channels are always CHANNELS.
    """

    MID = "mid"
    MID_SIDE = "mid_side"
    CHANNELS = "channels"


class Editor(Enum):
    """How a TRANSFER changes its region, by `engine.diffusion.editors`.

    RENOISE lets part of it drown in noise and hears the prompt in what is left (AudioLDM, eq. 10); INVERT
    and DIRECT add to it what the prompt changes in the model's view of it.
    """

    RENOISE = "renoise"
    INVERT = "invert"
    DIRECT = "direct"


# What users get where they choose none. A spec that names none is of a time when there was but one.
DEFAULT_EDITOR = Editor.DIRECT


class MaskOp(Enum):
    ADD = "add"
    SUBTRACT = "subtract"


class ConditionKind(Enum):
    TEXT = "text"
    AUDIO = "audio"


class ErrorCode(Enum):
    BAD_ADDRESS = "bad_address"
    BAD_ARGS = "bad_args"
    BAD_JSON = "bad_json"
    NOT_FOUND = "not_found"
    QUEUE_FULL = "queue_full"
    TOO_LARGE = "too_large"
    IO_MISSING = "io_missing"
    IO_FORMAT = "io_format"
    PATH_DENIED = "path_denied"
    REFUSED = "refused"
    AUTH = "auth"
    MODEL_MISSING = "model_missing"
    MODEL_CORRUPT = "model_corrupt"
    OOM = "oom"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    PLUGIN_CRASH = "plugin_crash"
    PLUGIN_TIMEOUT = "plugin_timeout"
    NAN_OUTPUT = "nan_output"
    SILENT_OUTPUT = "silent_output"
    DISK_FULL = "disk_full"
    INTERNAL = "internal"
    UNSUPPORTED_VERSION = "unsupported_version"


class EventKind(Enum):
    STATE = "state"
    PROGRESS = "progress"
    PREVIEW = "preview"
    TAKE = "take"
    DONE = "done"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """The only form in which an error crosses a process."""

    code: ErrorCode
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpan:
    """A stretch of time with 0 <= start_s < end_s."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start_s) and math.isfinite(self.end_s)):
            raise ValueError(f"span {self.start_s}..{self.end_s} s is not finite")
        if self.start_s < 0 or self.end_s <= self.start_s:
            raise ValueError(f"span must have 0 <= start < end, got {self.start_s}..{self.end_s} s")

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def padded(self, before_s: float, after_s: float) -> TimeSpan:
        """Widen the span, never below time zero."""
        return TimeSpan(start_s=max(0.0, self.start_s - before_s), end_s=self.end_s + after_s)

    def intersect(self, other: TimeSpan) -> TimeSpan | None:
        """Return the common stretch, or None where there is none."""
        start_s, end_s = max(self.start_s, other.start_s), min(self.end_s, other.end_s)
        return TimeSpan(start_s=start_s, end_s=end_s) if start_s < end_s else None

    def shifted(self, by_s: float) -> TimeSpan:
        return TimeSpan(start_s=self.start_s + by_s, end_s=self.end_s + by_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Where the DAW wants the result placed."""

    track: str = ""
    position_s: float = 0.0
    tempo_bpm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A stretch of an audio file; no span means the whole file."""

    path: str
    span: TimeSpan | None = None
    anchor: Anchor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RectShape:
    """A time-frequency rectangle; no bound in Hz means the whole band."""

    span: TimeSpan
    low_hz: float = 0.0
    high_hz: float | None = None
    op: MaskOp = MaskOp.ADD

    def __post_init__(self) -> None:
        high_hz = math.inf if self.high_hz is None else self.high_hz
        if not 0 <= self.low_hz < high_hz or self.high_hz == math.inf:
            raise ValueError(f"band must have 0 <= low < high, got {self.low_hz}..{self.high_hz} Hz")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolygonShape:
    """A closed outline of at least three (seconds, Hz) points."""

    points: tuple[tuple[float, float], ...]
    op: MaskOp = MaskOp.ADD

    def __post_init__(self) -> None:
        if len(self.points) < 3:
            raise ValueError(f"a polygon needs at least 3 points, got {len(self.points)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrushShape:
    """A stroke through (seconds, Hz) points with an elliptic tip."""

    points: tuple[tuple[float, float], ...]
    radius_s: float
    radius_hz: float
    op: MaskOp = MaskOp.ADD

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("a brush needs at least 1 point")
        if self.radius_s <= 0 or self.radius_hz <= 0:
            raise ValueError("a brush needs radii above zero")


Shape = RectShape | PolygonShape | BrushShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """What to regenerate: shapes applied in order, in seconds from the region's start and Hz."""

    shapes: tuple[Shape, ...]
    feather_s: float = 0.01
    feather_hz: float = 0.0

    def __post_init__(self) -> None:
        if not any(shape.op is MaskOp.ADD for shape in self.shapes):
            raise ValueError("a mask needs at least one shape that adds")
        if self.feather_s < 0 or self.feather_hz < 0:
            raise ValueError("a feather must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing the result should be like: a text, or an audio file; weights are relative.

    curve lets its weight change over the sound: (seconds from its start, weight), straight between them; the
    first and the last hold on both sides. It takes the place of weight.
    """

    kind: ConditionKind
    value: str
    weight: float = 1.0
    curve: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise ValueError(f"a condition's weight must be above zero, got {self.weight}")
        if self.kind is ConditionKind.TEXT and len(self.value) > MAX_PROMPT_CHARACTERS:
            raise ValueError(f"a condition may have at most {MAX_PROMPT_CHARACTERS} characters")
        if self.curve:
            _require_curve(self.curve)


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerSpec:
    """How to sample: strength is n0/N of the paper's eq. 10 (1 = from pure noise).

    guidance_from and guidance_to bound the part of the noise levels (1 = pure noise, 0 = clean)
    in which guidance acts; guidance_rescale is phi of Lin et al. 2024, sec. 3.4.
    """

    name: SamplerName = SamplerName.DPMPP_2M
    steps: int = 20
    guidance: float = 2.5
    eta: float = 0.0
    strength: float = 0.7
    guidance_from: float = 1.0
    guidance_to: float = 0.0
    guidance_rescale: float = 0.0

    def __post_init__(self) -> None:
        _within("steps", self.steps, 1, 1000)
        _within("guidance", self.guidance, 0.0, 30.0)
        _within("eta", self.eta, 0.0, 1.0)
        _within("strength", self.strength, 0.0, 1.0)
        _within("guidance_rescale", self.guidance_rescale, 0.0, 1.0)
        if not 0.0 <= self.guidance_to <= self.guidance_from <= 1.0:
            raise ValueError("guidance interval must have 0 <= guidance_to <= guidance_from <= 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSpec:
    """All that a render depends on: same spec, weights and device give the same audio.

    duration_s is asked of GENERATE only, and sample_rate_hz may be (None: the model's); the edits take length
    and rate of the region. cutoff_hz is where
    SUPERRES starts to regenerate (None: where the region's own highs end). sweep asks a TRANSFER for one
    take at each of these strengths, all on the same noise, and takes is then their number. variation moves
    the seed's noise towards that of variation_seed: 0 not at all, 1 all the way. highs_model makes the highs
    where these are MODEL. batch is with how many takes this one is sampled, itself among them as row `row`:
    on their number, not on their sound, its last bits depend. delivery is what is done to finished takes.
    Of a TRANSFER, editor says how; source_prompt describes the region where its sound alone is not enough;
    keep_pitch (which notes sound), keep_rhythm (when sounds begin) and keep_level (how loud it is from moment
    to moment) put back what the model drifted from. prompt_curve is the weight of the prompt over time, as
    that of a condition, 1 without it.
    """

    task: Task
    prompt: str = ""
    prompt_curve: tuple[tuple[float, float], ...] = ()
    negative: str = ""
    conditions: tuple[Condition, ...] = ()
    region: Region | None = None
    duration_s: float | None = None
    sample_rate_hz: int | None = None
    mask: Mask | None = None
    cutoff_hz: float | None = None
    sampler: SamplerSpec = field(default_factory=SamplerSpec)
    editor: Editor = Editor.RENOISE
    source_prompt: str = ""
    keep_pitch: bool = False
    keep_rhythm: bool = False
    keep_level: bool = False
    seed: int = 0
    takes: int = 1
    model: str = "starter"
    match_level: bool = True
    highs: Highs = Highs.FOLLOW
    highs_model: str = ""
    stereo: Stereo = Stereo.MID_SIDE
    sweep: tuple[float, ...] = ()
    variation: float = 0.0
    variation_seed: int = 0
    batch: int = 1
    row: int = 0
    delivery: Delivery | None = None
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if max(map(len, (self.prompt, self.negative, self.source_prompt))) > MAX_PROMPT_CHARACTERS:
            raise ValueError(f"a prompt may have at most {MAX_PROMPT_CHARACTERS} characters")
        if not self.prompt.strip() and not self.conditions and self.task is not Task.SUPERRES:
            raise ValueError("the prompt is empty")
        if self.prompt_curve:
            _require_curve(self.prompt_curve)
        if self.task.needs_region and self.region is None:
            raise ValueError(f"{self.task.value} needs a region")
        if self.task is Task.GENERATE:
            if self.duration_s is None:
                raise ValueError("generate needs a duration")
            _within("duration", self.duration_s, MIN_DURATION_S, MAX_DURATION_S)
        _require_rate(self.task, self.sample_rate_hz)
        if self.task is Task.INPAINT and self.mask is None:
            raise ValueError("inpaint needs a mask")
        if self.sweep:
            _require_sweep(self.task, self.sweep)
            object.__setattr__(self, "takes", len(self.sweep))
        _within("takes", self.takes, 1, MAX_TAKES)
        _within("seed", self.seed, 0, SEEDS - 1)
        _within("variation", self.variation, 0.0, 1.0)
        _within("variation_seed", self.variation_seed, 0, SEEDS - 1)
        if self.highs is Highs.MODEL and self.task.needs_region and not self.highs_model:
            raise ValueError("highs from a model need the name of that model, highs_model")
        _require_row(self)

    def alone(self, index: int) -> RenderSpec:
        """Return the spec that gives take `index`, counted from 0 before any ranking, by itself.

        Takes of a sweep differ by strength, variations by variation_seed, others by seed.
        """
        assert 0 <= index < self.takes, f"there is no take {index} of {self.takes}"
        if self.sweep:
            sampler = replace(self.sampler, strength=self.sweep[index])
            return replace(self, sampler=sampler, sweep=(), takes=1)
        if self.takes == 1:
            return self
        first = index // BATCH_TAKES * BATCH_TAKES
        batch = min(BATCH_TAKES, self.takes - first)
        return replace(self._moved(index), takes=1, batch=batch, row=index - first)

    def beside(self, row: int) -> RenderSpec:
        """Return the spec of another row of this take's batch."""
        return replace(self._moved(row - self.row), row=row)

    def unbatched(self) -> RenderSpec:
        """Return the spec of the same take sampled alone: it sounds the same, but for its last bits."""
        return replace(self, batch=1, row=0)

    def _moved(self, by: int) -> RenderSpec:
        if self.variation > 0.0:
            return replace(self, variation_seed=(self.variation_seed + by) % SEEDS)
        return replace(self, seed=(self.seed + by) % SEEDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One finished result, best first by score within its job, those of a sweep by strength.

    clap_score is the similarity to the prompt, source_score that to what an edit started from; both and
    penalties make the score (engine.ranking). None is not known: takes of older versions have neither.
    spec_digest is that of the spec which gives this take alone. dry is the code of what kept the effects of
    its delivery from it, "" where nothing did, and note a sentence about its delivery.
    """

    path: str
    seed: int
    clap_score: float
    peak_db: float
    rms_db: float
    length_samples: int
    spec_digest: str
    score: float | None = None
    source_score: float | None = None
    dry: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        _within("length_samples", self.length_samples, 0, 2**63 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that happened to a job; seq counts from 0 without gaps."""

    job_id: str
    seq: int
    kind: EventKind
    payload: dict[str, object]


def _require_curve(curve: tuple[tuple[float, float], ...]) -> None:
    _within("the number of points in a curve", len(curve), 1, MAX_CURVE_POINTS)
    for time_s, weight in curve:
        _within("a curve's time", time_s, 0.0, MAX_DURATION_S)
        _within("a curve's weight", weight, 0.0, MAX_CURVE_WEIGHT)
    if any(later <= earlier for (earlier, _), (later, _) in pairwise(curve)):
        raise ValueError("the times of a curve must rise")


def _require_row(spec: RenderSpec) -> None:
    _within("batch", spec.batch, 1, BATCH_TAKES)
    _within("row", spec.row, 0, spec.batch - 1)
    if spec.batch > 1 and (spec.takes > 1 or spec.sweep):
        raise ValueError("batch is for one take that was sampled with others, not for several takes")


def _require_rate(task: Task, rate_hz: int | None) -> None:
    if rate_hz is None:
        return
    if task is not Task.GENERATE:
        raise ValueError(f"sample_rate_hz is for generate; {task.value} keeps the rate of its region")
    _within("sample_rate_hz", rate_hz, MIN_RATE_HZ, MAX_RATE_HZ)


def _require_sweep(task: Task, strengths: tuple[float, ...]) -> None:
    if task is not Task.TRANSFER:
        raise ValueError(f"only transfer has strengths to sweep, not {task.value}")
    _within("the number of strengths in a sweep", len(strengths), 1, MAX_TAKES)
    for strength in strengths:
        _within("a sweep's strength", strength, 0.0, 1.0)
    if any(later <= earlier for earlier, later in pairwise(strengths)):
        raise ValueError("the strengths of a sweep must rise")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}, got {value}")

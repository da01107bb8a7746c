"""Command-line options turned into the values of a render."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.delivery import Delivery
from engine.errors import AudioMissing, EngineError, SpecError
from engine.spec_json import mask_from_json
from engine.types import (
    Condition,
    ConditionKind,
    Editor,
    Highs,
    Mask,
    RectShape,
    Region,
    RenderSpec,
    SamplerName,
    SamplerSpec,
    Stereo,
    Task,
    TimeSpan,
)

MAX_MASK_BYTES = 1_000_000
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d{1,2}(?:\.\d+)?)")
_WHOLE_BAND = (0.0, None)
# What is meant for a weight, if perhaps not one.
_MEANT = re.compile(r"[-+\d.,:;%e\s]*\d[-+\d.,:;%e\s]*|nan|inf", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """How much something is wanted, or by its curve when."""

    weight: float = 1.0
    curve: tuple[tuple[float, float], ...] = ()


def parse_seconds(text: str) -> float:
    """Read seconds, m:ss or h:mm:ss, each with an optional fraction.

    Raises:
        ValueError: anything else, and negative or endless times.
    """
    clock = _CLOCK.fullmatch(text.strip())
    if clock is not None:
        hours, minutes, seconds = (float(part or 0) for part in clock.groups())
        if seconds >= 60:
            raise ValueError(f"{text!r} has more than 59 seconds after the colon")
        return hours * 3600 + minutes * 60 + seconds
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; give seconds (2.5) or m:ss (1:02.5)") from None
    if not 0 <= value < 1e7:
        raise ValueError(f"{text!r} is not a time from zero on")
    return value


def parse_mask(text: str) -> Mask:
    """Read a mask from JSON text, or from the file of that name.

    Raises:
        AudioMissing: no such file.
        SpecError: not a mask.
    """
    if text.lstrip().startswith("{"):
        return mask_from_json(text)
    path = Path(text)
    try:
        if path.stat().st_size > MAX_MASK_BYTES:
            raise SpecError(f"the mask file {path} is larger than {MAX_MASK_BYTES} bytes")
        return mask_from_json(path.read_text(encoding="utf-8"))
    except EngineError:
        raise
    except (OSError, ValueError) as error:
        raise AudioMissing(
            f"the mask {text!r} is neither JSON nor a file that can be read",
            "Use --mask-time and --mask-band for a rectangle.",
        ) from error


def rectangles(
    times_s: Sequence[tuple[float, float]], bands_hz: Sequence[tuple[float, float]], duration_s: float
) -> Mask | None:
    """Return a mask of rectangles: the first time with the first band, and so on; None without any.

    One time goes with every band, and one band with every time; no time is the whole region, no band
    the whole spectrum.

    Raises:
        SpecError: numbers that do not pair up, or an empty rectangle.
    """
    if not times_s and not bands_hz:
        return None
    times = list(times_s) or [(0.0, duration_s)]
    bands: list[tuple[float, float | None]] = [*bands_hz] or [_WHOLE_BAND]
    if len(times) != len(bands) and 1 not in (len(times), len(bands)):
        raise SpecError(
            f"{len(times)} times and {len(bands)} bands do not pair up",
            "Give one --mask-band for each --mask-time.",
        )
    count = max(len(times), len(bands))
    times, bands = times * (count // len(times)), bands * (count // len(bands))
    try:
        return Mask(shapes=tuple(map(_rectangle, times, bands)))
    except ValueError as error:
        raise SpecError(str(error)) from error


def slug(text: str, longest: int = 40) -> str:
    """Return text as part of a file name: lower-case letters, digits and dashes."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return "-".join(words)[:longest].strip("-")


def _plain(text: str) -> str:
    """Return text without accents, so that a word stays one."""
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))


def whole_path(path: str | Path) -> str:
    """Return the whole path of a file or folder.

    Raises:
        SpecError: its name is not UTF-8, as old archives leave some; JSON and OSC carry nothing else.
    """
    whole = str(Path(path).absolute())
    shown = whole.encode("utf-8", "replace").decode()
    if shown != whole:
        raise SpecError(f"the name of {shown} is not UTF-8 text", "Rename it.")
    return whole


def stem_of(spec: RenderSpec) -> str:
    """Return the beginning of a job's file names: source, task and prompt, or what its delivery says."""
    source = slug(_plain(Path(spec.region.path).stem), 24) if spec.region is not None else ""
    parts = (source, spec.task.value, slug(_plain(spec.prompt)))
    usual = "-".join(part for part in parts if part)
    delivery = spec.delivery
    if delivery is None or not delivery.naming:
        return usual
    chain = "" if delivery.chain is None else delivery.chain.name
    named = {"source": source, "task": spec.task.value, "prompt": spec.prompt, "model": spec.model}
    named |= {"seed": str(spec.seed), "chain": chain, "preset": delivery.name}
    return slug(delivery.naming.format(**named), 80) or usual


def _rectangle(time_s: tuple[float, float], band_hz: tuple[float, float | None]) -> RectShape:
    span = TimeSpan(start_s=time_s[0], end_s=time_s[1])
    return RectShape(span=span, low_hz=band_hz[0], high_hz=band_hz[1])


def build_spec(
    task: Task,
    options: Mapping[str, Any],
    duration_of: Callable[[str], float],
    delivery: Delivery | None = None,
) -> RenderSpec:
    """Turn a command's options into a spec; duration_of asks for the length of a file in seconds.

    Raises:
        SpecError: values that make no spec.
    """
    for name in ("prompt", "negative"):
        _require_text(name, options[name])
    if options.get("sweep") and options["takes"] > 1:
        raise SpecError("--sweep does not go together with --takes", "It makes one take at each strength.")
    if options.get("sweep") and options.get("strength") is not None:
        raise SpecError("--sweep does not go together with --strength", "It has strengths of its own.")
    try:
        region = _region(options, duration_of) if task.needs_region else None
        return RenderSpec(
            task=task,
            prompt=options["prompt"],
            negative=options["negative"],
            region=region,
            duration_s=options.get("seconds"),
            mask=_mask(options, region, duration_of),
            cutoff_hz=options.get("cutoff"),
            sampler=_sampler(options),
            keep_pitch="pitch" in options.get("keep", ()),
            keep_rhythm="rhythm" in options.get("keep", ()),
            keep_level="level" in options.get("keep", ()),
            seed=options["seed"],
            takes=options["takes"],
            model=options["model"],
            match_level=options["match_level"],
            highs=Highs(options.get("highs", Highs.FOLLOW)),
            highs_model=options.get("highs_model", ""),
            stereo=Stereo(options.get("stereo", Stereo.MID_SIDE)),
            sweep=options.get("sweep", ()),
            delivery=delivery,
            **_conditions(options, region, duration_of),
            **_transfer(options),
            **_variation(options),
        )
    except EngineError:
        raise
    except ValueError as error:
        raise SpecError(str(error), _hint_for(task, str(error))) from error


def _require_text(name: str, value: str) -> None:
    """Refuse what the shell handed over as bytes of another encoding; JSON and OSC carry UTF-8 alone."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SpecError(f"the {name} is not UTF-8 text", "Write it in a terminal that uses UTF-8.") from error


def _region(options: Mapping[str, Any], duration_of: Callable[[str], float]) -> Region:
    path = whole_path(options["file"])
    start_s, end_s = options["start"], options["end"]
    if start_s is None and end_s is None:
        return Region(path=path)
    if end_s is None:
        end_s = duration_of(path)
        if start_s >= end_s:
            raise SpecError(f"the region starts at {start_s:g} s, past the end of {path}", _length_of(end_s))
    return Region(path=path, span=TimeSpan(start_s=start_s or 0.0, end_s=end_s))


def _length_of(duration_s: float) -> str:
    return f"The file is {duration_s:.3f} s long."


def _mask(
    options: Mapping[str, Any], region: Region | None, duration_of: Callable[[str], float]
) -> Mask | None:
    if region is None:
        return None
    times_s, bands_hz = options["mask_time"], options["mask_band"]
    if options["mask"] is not None:
        if times_s or bands_hz:
            raise SpecError("--mask does not go together with --mask-time and --mask-band")
        return parse_mask(options["mask"])
    if times_s or not bands_hz:
        return rectangles(times_s, bands_hz, 0.0)
    span = region.span
    return rectangles((), bands_hz, duration_of(region.path) if span is None else span.duration_s)


def _sampler(options: Mapping[str, Any]) -> SamplerSpec:
    given = {
        "name": SamplerName(options["sampler"]),
        "steps": options["steps"],
        "guidance": options["guidance"],
        "eta": options["eta"],
        "strength": options.get("strength"),
    }
    return SamplerSpec(**{key: value for key, value in given.items() if value is not None})


def parse_weighted(text: str) -> tuple[str, Weight]:
    """Read what is wanted, and behind its last @ how much: a weight, or seconds:weight with commas between.

    A text that ends in other words is wanted as it stands, at weight 1.

    Raises:
        SpecError: numbers behind the @ that are no weight, or nothing that is wanted.
    """
    value, at, much = text.rpartition("@")
    if not at or not _MEANT.fullmatch(much.strip()):
        value, much = text, "1"
    if not value.strip():
        raise SpecError(f"{text!r:.60} says nothing that is wanted", "Put words or a file before the @.")
    weight = _weight(much)
    if weight is None:
        raise SpecError(
            f"{text!r:.60} has no weight behind its last @",
            "Give a number, as @0.5, or seconds:weight with commas between, as @0:0,2.5:1.",
        )
    return value.strip(), weight


def _weight(text: str) -> Weight | None:
    if _NUMBER.fullmatch(text.strip()):
        return Weight(weight=float(text))
    points = [part.split(":") for part in text.split(",")]
    if any(len(point) != 2 or not all(_NUMBER.fullmatch(one.strip()) for one in point) for point in points):
        return None
    return Weight(curve=tuple((float(time_s), float(weight)) for time_s, weight in points))


def _conditions(
    options: Mapping[str, Any], region: Region | None, duration_of: Callable[[str], float]
) -> dict[str, Any]:
    """Return what the sound should be like beside the prompt, and how the prompt's weight goes."""
    texts = [(ConditionKind.TEXT, *parse_weighted(text)) for text in options.get("also", ())]
    files = [(ConditionKind.AUDIO, *parse_weighted(text)) for text in options["like"]]
    conditions = [
        Condition(kind=kind, value=_named(kind, value), weight=much.weight, curve=much.curve)
        for kind, value, much in texts + files
    ]
    glides_to = options.get("glide_to", "")
    if not glides_to.strip():
        return {"conditions": tuple(conditions)}
    _require_text("glide-to", glides_to)
    if not options["prompt"].strip():
        raise SpecError("--glide-to starts from a prompt", "Say what to begin with by --prompt.")
    duration_s = _duration_s(options, region, duration_of)
    # Both are heard alone for a while: of a mix a model makes less than of either.
    leaves_s, arrives_s = duration_s * 0.25, duration_s * 0.75
    there = Condition(kind=ConditionKind.TEXT, value=glides_to, curve=((leaves_s, 0.0), (arrives_s, 1.0)))
    return {"conditions": (*conditions, there), "prompt_curve": ((leaves_s, 1.0), (arrives_s, 0.0))}


def _named(kind: ConditionKind, value: str) -> str:
    if kind is ConditionKind.AUDIO:
        return whole_path(value)
    _require_text("text of --also", value)
    return value


def _duration_s(
    options: Mapping[str, Any], region: Region | None, duration_of: Callable[[str], float]
) -> float:
    if region is None:
        return float(options["seconds"])
    return duration_of(region.path) if region.span is None else region.span.duration_s


def _transfer(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that a transfer alone has."""
    if "editor" not in options:
        return {}
    _require_text("source-prompt", options["source_prompt"])
    if options["source_prompt"].strip() and options["editor"] == Editor.RENOISE.value:
        raise SpecError(
            "--source-prompt does not go together with --editor renoise", "It asks for no source."
        )
    return {"editor": Editor(options["editor"]), "source_prompt": options["source_prompt"]}


def _variation(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a variation; without one no seed of it is drawn either."""
    amount = options.get("vary", 0.0)
    return {"variation": amount, "variation_seed": options["vary_seed"]} if amount > 0.0 else {}


def _hint_for(task: Task, message: str) -> str:
    if "prompt is empty" in message:
        return "Say what to hear with --prompt."
    if "needs a mask" in message:
        return "Give --mask-time START END, --mask-band LOW HIGH or --mask."
    if "highs_model" in message:
        return "Name it with --highs-model; see daw-bridge models list."
    if "sweep" in message:
        return "Give rising strengths from 0 to 1, as --sweep 0.2,0.4,0.6."
    return f"See: daw-bridge {task.value} --help"

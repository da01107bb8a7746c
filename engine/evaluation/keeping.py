"""What is kept of a source, measured: rhythm, notes and levels with each keep and without, beside the prompt.

`python -m engine.evaluation.keeping rows.jsonl docs/results/keeping.md` goes on where it stopped, and takes
about a quarter of an hour on one core.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats

from engine.audio.io import AudioClip, read_excerpt
from engine.audio.level import mono
from engine.audio.resample import resample
from engine.evaluation.markdown import table, wrapped
from engine.evaluation.transfer_measures import (
    Heard,
    chroma_similarity,
    level_correlation,
    onset_f_measure,
)
from engine.models.bundle import Bundle, load_bundle
from engine.models.store import STARTER, model_folder
from engine.render import render
from engine.training.synthesis.catalogue import CONCEPTS, render_clip
from engine.types import Editor, Region, RenderSpec, SamplerSpec, Task

EXAMPLE = "groove"
TARGETS = {
    EXAMPLE: ("church organ", "marimba", "rain"),
    "rock drum loop": ("house drum loop", "tubular bells", "knocking on wood"),
    "trap beat": ("hand clap", "glockenspiel", "crackling fire"),
    "piano": ("harp", "string ensemble", "dripping water"),
    "acoustic guitar": ("electric piano", "choir", "kalimba"),
    "violin": ("flute", "synth lead", "birds chirping"),
    "brass section": ("choir", "distorted guitar", "car horn"),
    "vibraphone": ("music box", "pizzicato strings", "hand bell"),
    "footsteps": ("woodblock", "snare drum", "xylophone"),
    "man speaking": ("saxophone", "robot voice counting", "cow moo"),
}
KEEPS = {
    "nothing": (),
    "rhythm": ("rhythm",),
    "pitch": ("pitch",),
    "level": ("level",),
    "all three": ("rhythm", "pitch", "level"),
}
STRENGTHS = (0.5, 0.8)
_CLIP_S, _CLIP_SEED, _SEED, _RATE_HZ = 5.12, 7, 1, 16_000
_LIMITS = """## What is left

- Rhythm does little for sources whose sounds begin softly (violin, brass section): few of these are found.
- At high strength level alone brings about as many onsets together as rhythm does, at more cost; both
  together bring no more than either alone.
- Pitch turns partials up and down and makes none: a sound without the source's notes gets nearer to its
  harmony, and does not play it.
- Onsets of the take that are farther than 60 ms from any of the source's are softened and not moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One take, and how much of its source it has."""

    source: str
    prompt: str
    strength: float
    keeps: str
    onsets_50_ms: float
    onsets_25_ms: float
    chroma: float
    level: float
    prompt_score: float


def measure(bundle: Bundle, example: Path, rows_path: Path) -> None:
    """Append the rows that are not there yet."""
    done = {(row.source, row.prompt, row.strength, row.keeps) for row in rows_of(rows_path)}
    for source, prompts in TARGETS.items():
        clip = _clip(source, example)
        for prompt in prompts:
            for spec, keeps in _specs(prompt):
                if (source, prompt, spec.sampler.strength, keeps) not in done:
                    row = _measured(bundle, clip, source, spec, keeps)
                    with rows_path.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(row)) + "\n")


def rows_of(path: Path) -> list[Row]:
    """Return the rows of a file, none where there is no file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [Row(**json.loads(line)) for line in lines]


def _clip(source: str, example: Path) -> AudioClip:
    if source == EXAMPLE:
        return read_excerpt(str(example), _CLIP_S)
    concept = next(concept for concept in CONCEPTS if concept.name == source)
    audio_S = render_clip(concept, _CLIP_SEED, _CLIP_S).audio_S
    return AudioClip(audio_NS=audio_S[None], sample_rate_hz=_RATE_HZ)


def _specs(prompt: str) -> Iterator[tuple[RenderSpec, str]]:
    plain = RenderSpec(
        task=Task.TRANSFER,
        prompt=prompt,
        region=Region(path=""),
        editor=Editor.RENOISE,
        seed=_SEED,
    )
    for strength in STRENGTHS:
        for keeps, names in KEEPS.items():
            kept = replace(
                plain,
                keep_rhythm="rhythm" in names,
                keep_pitch="pitch" in names,
                keep_level="level" in names,
            )
            yield replace(kept, sampler=SamplerSpec(strength=strength)), keeps


def _measured(bundle: Bundle, clip: AudioClip, source: str, spec: RenderSpec, keeps: str) -> Row:
    (take,) = render(spec, bundle, clip, lambda _: None, lambda: False)
    there, found = heard(clip), heard(take.clip)
    return Row(
        source=source,
        prompt=spec.prompt,
        strength=spec.sampler.strength,
        keeps=keeps,
        onsets_50_ms=onset_f_measure(there.onsets_O, found.onsets_O, 0.05),
        onsets_25_ms=onset_f_measure(there.onsets_O, found.onsets_O, 0.025),
        chroma=chroma_similarity(there.chroma_PT, found.chroma_PT),
        level=level_correlation(there.level_T, found.level_T),
        prompt_score=take.ranking.prompt_score,
    )


def heard(clip: AudioClip) -> Heard:
    """Return what the measures compare of a clip's mono mix in the model's band."""
    audio_1S = resample(mono(clip.audio_NS)[None].astype(np.float64), clip.sample_rate_hz, _RATE_HZ)
    return Heard.of(audio_1S[0].astype(np.float32), _RATE_HZ)


Of = Callable[[Row], float]
_COLUMNS: dict[str, Of] = {
    "onsets within 50 ms": lambda row: row.onsets_50_ms,
    "within 25 ms": lambda row: row.onsets_25_ms,
    "chroma": lambda row: row.chroma,
    "level": lambda row: row.level,
    "prompt": lambda row: row.prompt_score,
}


def page(rows: Sequence[Row]) -> str:
    """Return the results as Markdown."""
    parts = [_head(rows)]
    for strength in STRENGTHS:
        here = [row for row in rows if row.strength == strength]
        parts += [f"## Strength {strength:g}", _means(here)]
        parts += ["The change that each keep makes, pair by pair, with its 95 % interval:", _changes(here)]
    parts += ["## By source", _by_source(rows), _LIMITS]
    return "\n\n".join(parts) + "\n"


def _head(rows: Sequence[Row]) -> str:
    pairs = len({(row.source, row.prompt) for row in rows})
    told = wrapped(
        f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d} on one of {os.cpu_count()} cores "
        f"({platform.machine()}), with the starter model and the editor renoise: {pairs} pairs of a source "
        f"and a prompt ({len(TARGETS)} sources: presets/examples/groove.flac, and nine concepts of "
        f"engine.training.synthesis, {_CLIP_S:g} s of each), with seed {_SEED}. All takes of a pair and "
        "strength come from the same latents; they differ in what was kept. The measures are those of "
        "engine.evaluation.transfer_measures (librosa; the engine keeps by code of its own): onsets is the "
        "F-measure of the take's against the source's, chroma the cosine of constant-Q chromagrams, level "
        "the correlation of levels in dB. Prompt is CLAP's cosine between the take and the prompt."
    )
    command = "python -m engine.evaluation.keeping rows.jsonl docs/results/keeping.md"
    return f"# What is kept\n\n{told}\n\nTo measure again: `{command}`"


def _means(rows: Sequence[Row]) -> str:
    lines = [
        [
            keeps,
            *(f"{np.mean([of(row) for row in rows if row.keeps == keeps]):.2f}" for of in _COLUMNS.values()),
        ]
        for keeps in KEEPS
    ]
    return table(["kept", *_COLUMNS], lines)


def _changes(rows: Sequence[Row]) -> str:
    plain = {(row.source, row.prompt): row for row in rows if row.keeps == "nothing"}
    lines = []
    for keeps in list(KEEPS)[1:]:
        pairs = [(row, plain[row.source, row.prompt]) for row in rows if row.keeps == keeps]
        changes = [[of(row) - of(before) for row, before in pairs] for of in _COLUMNS.values()]
        lines.append([keeps, *map(_interval, changes)])
    return table(["kept", *_COLUMNS], lines)


def _by_source(rows: Sequence[Row]) -> str:
    """Return what each keep is for, without it and with it, at all strengths."""
    aims = {"rhythm": "within 25 ms", "pitch": "chroma", "level": "level"}
    lines = []
    for source in TARGETS:
        here = [row for row in rows if row.source == source]
        cells = [_before_and_after(here, keeps, _COLUMNS[column]) for keeps, column in aims.items()]
        lines.append([source, *cells])
    heads = [f"{keeps}: {column}" for keeps, column in aims.items()]
    return table(["source", *heads], lines)


def _before_and_after(rows: Sequence[Row], keeps: str, of: Of) -> str:
    means = [np.mean([of(row) for row in rows if row.keeps == which]) for which in ("nothing", keeps)]
    return " to ".join(f"{mean:.2f}" for mean in means)


def _interval(values: Sequence[float]) -> str:
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{np.mean(values):+.2f} ± {half:.2f}"


def main() -> None:
    """Measure what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, help="file of measured rows, one JSON object a line")
    parser.add_argument("page", type=Path, help="Markdown file to write")
    parser.add_argument("--example", type=Path, default=Path("presets/examples/groove.flac"))
    options = parser.parse_args()
    measure(load_bundle(model_folder(STARTER)), options.example, options.rows)
    options.page.write_text(page(rows_of(options.rows)), encoding="utf-8")


if __name__ == "__main__":
    main()

"""The page on a trained model: its figures, how it was trained, what it sounds like, and what it fails at."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.audio.io import write_files
from engine.errors import NotFound
from engine.evaluation.classifier import single_concepts
from engine.evaluation.estimates import Estimate
from engine.evaluation.markdown import table, wrapped
from engine.evaluation.sampling import SamplingConfig, generate
from engine.evaluation.tables.plots import Chart, charts_png
from engine.evaluation.transfer_plots import Strip, strips_png
from engine.models.bundle import Bundle
from engine.models.card import ModelCard
from engine.training.clips import Clips
from engine.types import SamplerName

SHOWN = 4
# What each network's training lowers, by the column of its journal and in words.
_LOWERED: Mapping[str, tuple[str, str]] = {
    "vae": ("l1", "VAE: L1 of the log-mel"),
    "vocoder": ("mel", "vocoder: L1 of the log-mel"),
    "clap": ("loss", "CLAP: cross-entropy"),
    "ldm": ("weighted", "U-Net: weighted error of the noise"),
}
_FIGURES = (
    ("clips of bare names, named as prompted", "recognition", "generated", "{:.1%}"),
    ("the same, among the judge's first five", "recognition", "generated_top5", "{:.1%}"),
    ("the same, with prompts shuffled", "recognition", "shuffled_prompts", "{:.1%}"),
    ("true clips, named", "recognition", "real_held_out", "{:.1%}"),
    ("true clips after VAE and vocoder, named", "recognition", "reconstructed", "{:.1%}"),
    ("CLAP: true clips whose nearest name is theirs", "retrieval", "clip_to_name", "{:.1%}"),
    ("CLAP: names whose nearest true clip is one of theirs", "retrieval", "name_to_clip", "{:.1%}"),
    ("middle half made anew: distance to the truth", "inpainting", "inpainted", "{:.2f}"),
    ("middle half silent: distance to the truth", "inpainting", "silence", "{:.2f}"),
    ("log-mel error of the VAE", "reconstruction", "vae_log_mel_l1", "{:.3f}"),
    ("log-mel error of the vocoder", "reconstruction", "vocoder_log_mel_l1", "{:.3f}"),
    ("log-mel error of both", "reconstruction", "vae_vocoder_log_mel_l1", "{:.3f}"),
)
_AGAIN = (
    "To measure again: `python -m engine.training export --guidance {guidance:g} --into MODEL`, "
    "then `... card MODEL`"
)
_ABOUT_FIGURES = """The judge is a classifier that learnt on true clips alone, and names one of {concepts}
sounds; {clips} clips were generated, with {sampler}, {steps} steps, guidance {guidance:g} and seed {seed}.
True clips were kept from all trainings."""
_ABOUT_CURVES = (
    "Means over a minute each. A run may have begun with weights of an earlier one, as the table tells."
)
_ABOUT_BEST = "Beside true clips, one clip each that was generated from the bare name:"
_ABOUT_WORST = "Sounds that were named as prompted in half of their clips or less, the least known first:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """How often a sound was named as prompted, and what it was taken for else ("" for nothing)."""

    name: str
    share: float
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What a network's training lowered, by step."""

    title: str
    points: tuple[tuple[int, float], ...]


def write_model_page(path: Path, bundle: Bundle, journals: Sequence[Journal], held_out: Clips) -> None:
    """Write the page, and its pictures below ../images beside its folder.

    Raises NotFound where the card has no figures.
    """
    names = named(bundle.card)
    folder = path.parent.parent / "images" / path.parent.name
    pictures = {
        "best": _spectrograms(bundle, held_out, best(names)),
        "worst": _spectrograms(bundle, held_out, names[:SHOWN]),
    }
    if any(journal.points for journal in journals):
        pictures["curves"] = charts_png([_chart(journal) for journal in journals])
    links = {stem: f"../images/{folder.name}/{path.stem}_{stem}.png" for stem in pictures}
    images = {folder / Path(link).name: pictures[stem] for stem, link in links.items()}
    write_files({**images, path: page(bundle.card, names, links).encode()})


def read_journals(folder: Path) -> tuple[Journal, ...]:
    """Return the journals of the networks that trained in a folder; beside lines, none that is a mere dot."""
    paths = {run: folder / run / "metrics.csv" for run in _LOWERED}
    journals = [_journal(path, *_LOWERED[run]) for run, path in paths.items() if path.is_file()]
    lines = [journal for journal in journals if len(journal.points) > 1]
    return tuple(lines or journals)


def named(card: ModelCard) -> tuple[Named, ...]:
    """Return the sounds that the card tells of, the least known first."""
    recognition = _figures(card, "recognition")
    instead = recognition.get("named_instead", {})
    found = [
        Named(name=name, share=share, instead=instead.get(name, ""))
        for name, share in recognition["by_concept"].items()
    ]
    return tuple(sorted(found, key=lambda one: one.share))


def best(names: Sequence[Named]) -> tuple[Named, ...]:
    """Return some of the best known, from all over their list."""
    known = [one for one in names if one.share == names[-1].share]
    return tuple(known[:: -(-len(known) // SHOWN)])


def page(card: ModelCard, names: Sequence[Named], images: Mapping[str, str]) -> str:
    """Return the page; images are where the pictures are, by what they show."""
    parts = [
        f"# The model {card.name}",
        _AGAIN.format(**_figures(card, "sampling")),
        "## What it measures",
        _figure_table(card),
        _about_figures(card),
        "## How it was trained",
        _training_table(card),
    ]
    if "curves" in images:
        parts += [wrapped(_ABOUT_CURVES), f"![What the trainings lowered]({images['curves']})"]
    parts += ["## What it sounds like", _ABOUT_BEST, f"![True and generated clips]({images['best']})"]
    parts += ["## What it fails at", _ABOUT_WORST, _failure_table(names)]
    parts += [f"![True clips and failures]({images['worst']})"]
    return "\n\n".join(parts) + "\n"


def _figures(card: ModelCard, part: str) -> dict[str, Any]:
    found = card.metrics.get(part)
    if not isinstance(found, dict):
        raise NotFound(
            f"The card of {card.name} has no figures of its {part}.",
            "Export it: python -m engine.training export",
        )
    return found


def _figure_table(card: ModelCard) -> str:
    lines = [
        (said, shape.format(_figures(card, part)[key]))
        for said, part, key, shape in _FIGURES
        if part in card.metrics
    ]
    return table(("figure", "measured"), lines)


def _about_figures(card: ModelCard) -> str:
    recognition = _figures(card, "recognition")
    counts = {"concepts": recognition["concepts"], "clips": recognition["clips"]}
    return wrapped(" ".join(_ABOUT_FIGURES.split()).format(**counts, **_figures(card, "sampling")))


def _training_table(card: ModelCard) -> str:
    lines = []
    for run in _LOWERED:
        history = card.training.get(run)
        if isinstance(history, dict):
            last = ", ".join(f"{name} {value:.3g}" for name, value in history.get("last", {}).items())
            earlier = ", ".join(f"{one['steps']} ({one['minutes']} min)" for one in _earlier(history))
            lines.append((run, str(history["steps"]), str(history["minutes"]), earlier or "none", last))
    return table(("network", "steps", "minutes", "steps of earlier runs, the latest first", "last"), lines)


def _earlier(history: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the runs whose weights a run began with."""
    before = history.get("started_from", {}).get("training")
    while before:
        yield before
        before = before.get("started_from", {}).get("training")


def _failure_table(names: Sequence[Named]) -> str:
    lines = [(one.name, f"{one.share:.0%}", one.instead or "-") for one in names if one.share <= 0.5]
    return table(("sound", "named as prompted", "taken for, mostly"), lines) if lines else "None."


def _journal(path: Path, column: str, title: str) -> Journal:
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get(column)]
    return Journal(title=title, points=tuple((int(float(row["step"])), float(row[column])) for row in rows))


def _chart(journal: Journal) -> Chart:
    curve = [(step, Estimate(value=value, low=value, high=value)) for step, value in journal.points]
    return Chart(over="step", figure=journal.title, curves={"training": curve}, levels={})


def _spectrograms(bundle: Bundle, held_out: Clips, shown: Sequence[Named]) -> bytes:
    frames = held_out.config.clip_samples // bundle.mel.config.hop_samples
    made_NS = generate(bundle, [one.name for one in shown], frames, _sampling(bundle.card)).numpy()
    strips = [
        Strip(title=one.name, clips={"true": _true_clip(held_out, one.name), "generated": made_S})
        for one, made_S in zip(shown, made_NS, strict=True)
    ]
    return strips_png(strips, held_out.config.sample_rate_hz)


def _true_clip(held_out: Clips, name: str) -> np.ndarray:
    """Return the first clip of a sound, silence where none is held out."""
    indices = np.arange(held_out.config.singles)
    place = [concept.name for concept in held_out.config.catalogue].index(name)
    of_name = indices[(single_concepts(held_out, indices) == place).numpy()]
    if not len(of_name):
        return np.zeros(held_out.config.clip_samples, np.float32)
    return held_out.audio(of_name[:1])[0]


def _sampling(card: ModelCard) -> SamplingConfig:
    told = _figures(card, "sampling")
    return SamplingConfig(**told | {"sampler": SamplerName(told["sampler"])})

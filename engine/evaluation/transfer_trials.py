"""Edits made through the whole pipeline, and what is measured of each.

N channels, S samples, B batch.
"""

from __future__ import annotations

import logging
import multiprocessing
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from engine.audio.io import AudioClip, read_clip, write_files
from engine.audio.io import encode as encoded_file
from engine.audio.level import model_level
from engine.errors import EngineError, SpecError
from engine.evaluation.clap_layers import Embedded, embed_with_layers, layer_distance
from engine.evaluation.classifier import ConceptClassifier
from engine.evaluation.sampling import decode, encode
from engine.evaluation.starter import level
from engine.evaluation.transfer_measures import (
    Heard,
    chroma_similarity,
    level_correlation,
    onset_f_measure,
    spectral_change_db,
    transposed_chroma_similarity,
)
from engine.evaluation.transfer_pairs import HeldOut, Pair, transfer_pairs
from engine.evaluation.transfer_rows import REFERENCES, ROUND_TRIP, UNRELATED, UNTOUCHED, Row, Setup, Trial
from engine.models.bundle import Bundle, load_bundle
from engine.models.store import model_folder
from engine.render import Progress, Stage, render
from engine.training.config import load_project
from engine.training.project import Project
from engine.types import Editor, Region, RenderSpec, SamplerSpec, Task

_LOG = logging.getLogger(__name__)
_SOURCES_KEPT = 4

Job = tuple[Pair, Trial]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioConfig:
    """What a studio works with; judge is a training folder with a classifier, and its clips."""

    folder: Path
    model: str = "starter"
    project: Path = Path("presets/training/starter.toml")
    judge: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Known:
    """A clip with all that the measures compare of it."""

    audio_S: np.ndarray
    heard: Heard
    embedded: Embedded


@dataclass(slots=True, kw_only=True)
class _Clock:
    """Tells from a render's progress when it began, was encoded, was sampled and ended."""

    at_s: dict[str, float] = field(default_factory=dict)

    def __call__(self, event: object) -> None:
        if isinstance(event, Progress) and event.stage in {Stage.ENCODE, Stage.DECODE}:
            self.mark(event.stage.value)

    def mark(self, what: str) -> None:
        """Note when something happened first."""
        self.at_s.setdefault(what, time.perf_counter())

    def between(self, first: str, second: str) -> float:
        """Return the seconds between two marks, 0 where they were not both passed."""
        if first not in self.at_s or second not in self.at_s:
            return 0.0
        return self.at_s[second] - self.at_s[first]


class Studio:
    """Make edits of held-out pairs and measure them, with models that are loaded once."""

    def __init__(self, config: StudioConfig, bundle: Bundle, judge: ConceptClassifier | None) -> None:
        project = load_project(config.project)
        self.held_out = HeldOut.of(project.store)
        self.bundle = bundle
        self.judge = judge
        self.folder = config.folder
        self.rate_hz = project.store.sample_rate_hz
        self._names = [concept.name for concept in project.store.catalogue]
        self._source = lru_cache(_SOURCES_KEPT)(self._source_of)

    @classmethod
    def open(cls, config: StudioConfig) -> Studio:
        judge = None
        if config.judge is not None:
            judge = Project(load_project(config.project), config.judge).classifier()
        return cls(config, load_bundle(model_folder(config.model)), judge)

    def measure(self, pair: Pair, trial: Trial) -> Row:
        """Make an edit, keep its audio under the folder, and measure it."""
        clock = _Clock()
        audio_S = self._made(pair, trial, clock)
        write_files({self.audio_path(pair, trial): encoded_file(self._clip(audio_S))})
        return self._row(pair, trial, audio_S, clock)

    def audio_path(self, pair: Pair, trial: Trial) -> Path:
        return self.folder / "audio" / pair.name / f"{trial.file_stem}.flac"

    def audio(self, pair: Pair, trial: Trial) -> np.ndarray:
        """Return an edit that was measured, shape (S,)."""
        return read_clip(self.audio_path(pair, trial)).audio_NS[0]

    def _made(self, pair: Pair, trial: Trial, clock: _Clock) -> np.ndarray:
        way = trial.setup.way
        if way == UNRELATED:
            return self._source(_other(pair)).audio_S
        source_S = self._source(pair).audio_S
        if way == UNTOUCHED:
            return source_S
        if way == ROUND_TRIP:
            return self.rebuilt(source_S)
        clock.mark("start")
        takes = render(spec_of(pair, trial), self.bundle, self._clip(source_S), clock, lambda: False)
        clock.mark("end")
        return takes[0].clip.audio_NS[0]

    @torch.no_grad()
    def rebuilt(self, source_S: np.ndarray) -> np.ndarray:
        """Return what VAE and vocoder make of a clip, at the model's level."""
        levelled_S = model_level(source_S).apply(source_S).astype(np.float32)
        rebuilt_BS = decode(self.bundle, encode(self.bundle, torch.from_numpy(levelled_S)[None]))
        return rebuilt_BS[0, : len(source_S)].numpy()

    def _row(self, pair: Pair, trial: Trial, audio_S: np.ndarray, clock: _Clock) -> Row:
        source, edited = self._source(pair), self._known(audio_S)
        transposed, transposition = transposed_chroma_similarity(
            source.heard.chroma_PT, edited.heard.chroma_PT
        )
        prompt_BE = self.bundle.clap.embed_text([pair.target])
        return Row(
            pair=pair.name,
            kind=pair.kind.value,
            target=pair.target,
            way=trial.setup.way,
            strength=trial.strength,
            steps=trial.setup.steps,
            guidance=trial.setup.guidance,
            keep=trial.setup.keep,
            described=trial.setup.described,
            clap_target=float((edited.embedded.audio_BE * prompt_BE).sum()),
            clap_source=float((edited.embedded.audio_BE * source.embedded.audio_BE).sum()),
            layers=float(layer_distance(edited.embedded.layers, source.embedded.layers)),
            chroma=chroma_similarity(source.heard.chroma_PT, edited.heard.chroma_PT),
            chroma_transposed=transposed,
            transposition=transposition,
            onset_f=onset_f_measure(source.heard.onsets_O, edited.heard.onsets_O),
            source_onsets=len(source.heard.onsets_O),
            onsets=len(edited.heard.onsets_O),
            level=level_correlation(source.heard.level_T, edited.heard.level_T),
            change_db=spectral_change_db(source.heard.mel_KT, edited.heard.mel_KT),
            judged_target=self._judged(audio_S, pair.target),
            judged_source=self._judged(audio_S, pair.source),
            seconds=clock.between("start", "end"),
            sampling_s=clock.between(Stage.ENCODE.value, Stage.DECODE.value),
        )

    def _source_of(self, pair: Pair) -> _Known:
        return self._known(self.held_out.clip(pair.source, pair.number))

    def _known(self, audio_S: np.ndarray) -> _Known:
        return _Known(
            audio_S=audio_S,
            heard=Heard.of(audio_S, self.rate_hz),
            embedded=embed_with_layers(self.bundle.clap, torch.from_numpy(audio_S)[None], self.rate_hz),
        )

    @torch.no_grad()
    def _judged(self, audio_S: np.ndarray, concept: str) -> float | None:
        if self.judge is None:
            return None
        logits_BK = self.judge(self.judge.mel(level(torch.from_numpy(audio_S)[None])))
        return float(F.softmax(logits_BK, dim=1)[0, self._names.index(concept)])

    def _clip(self, audio_S: np.ndarray) -> AudioClip:
        return AudioClip(audio_NS=audio_S[None], sample_rate_hz=self.rate_hz, container="FLAC")


def spec_of(pair: Pair, trial: Trial) -> RenderSpec:
    """Return the spec of an edit: the target's name is the prompt, and each pair has one seed."""
    setup = trial.setup
    kept = setup.keep.split("+")
    return RenderSpec(
        task=Task.TRANSFER,
        prompt=pair.target,
        source_prompt=pair.source if setup.described else "",
        region=Region(path=f"{pair.name}.wav"),
        sampler=SamplerSpec(steps=setup.steps, guidance=setup.guidance, strength=trial.strength),
        editor=Editor(setup.way),
        keep_pitch="pitch" in kept,
        keep_rhythm="rhythm" in kept,
        keep_level="level" in kept,
        seed=zlib.crc32(pair.name.encode()),
    )


def reference_trials() -> tuple[Trial, ...]:
    """Return what edits are compared with."""
    return tuple(Trial(setup=Setup(way=way), strength=0.0) for way in REFERENCES)


def measured(config: StudioConfig, jobs: Sequence[Job], processes: int) -> Iterator[Row]:
    """Yield a row for each job, in order; one that gives no sound is logged and left out."""
    if processes <= 1:
        studio = Studio.open(config)
        yield from _present(_attempt(studio, job) for job in jobs)
        return
    with multiprocessing.get_context("spawn").Pool(processes, _open, (config,)) as pool:
        yield from _present(pool.imap(_attempt_here, jobs))


def _attempt(studio: Studio, job: Job) -> Row | None:
    pair, trial = job
    try:
        return studio.measure(pair, trial)
    except SpecError:
        raise
    except EngineError as error:
        _LOG.warning("%s, %s: %s", pair.name, trial.file_stem, error.message)
        return None


def _present(rows: Iterable[Row | None]) -> Iterator[Row]:
    return (row for row in rows if row is not None)


_HERE: dict[str, Studio] = {}


def _open(config: StudioConfig) -> None:
    torch.set_num_threads(1)
    _HERE["studio"] = Studio.open(config)


def _attempt_here(job: Job) -> Row | None:
    return _attempt(_HERE["studio"], job)


def _other(pair: Pair) -> Pair:
    """Return the next pair of the same kind, from the last one the first."""
    alike = [one for one in transfer_pairs() if one.kind is pair.kind]
    return alike[(alike.index(pair) + 1) % len(alike)]

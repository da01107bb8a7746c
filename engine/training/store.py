"""Rendered clips on disk: audio as one memory-mapped int16 array, captions beside it.

N clips, S samples, K concepts.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from engine.errors import NotFound, SpecError
from engine.training.clips import ClipInfo
from engine.training.mixing import BETA, join, mix
from engine.training.synthesis.catalogue import CONCEPTS, render_clip
from engine.training.synthesis.concept import Concept

INT16_PEAK = 32767.0
MOST_CLIPS = 10_000_000
SEEDS = 100
HELD_OUT_SEED = SEEDS * MOST_CLIPS
SHARD_CLIPS = 256
MARKER = "store.json"
DERIVED = "**/clap_features*.npy"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """What to render: singles are one concept each, mixtures two mixed by Beta(5, 5).

    Every clip has a seed of its own: stores of different seeds share none, and held-out stores draw
    from seeds that no training store uses. `concepts` names some of the catalogue's; none named is all.
    skew makes some of them rarer, as in data sets of recordings: the n-th as named here, or else in the
    catalogue, has n**-skew of the first one's share (Zipf), but one clip at least where there are enough.
    """

    concepts: tuple[str, ...] = ()
    skew: float = 0.0
    singles: int = 20_000
    mixtures: int = 3_000
    duration_s: float = 2.56
    sample_rate_hz: int = 16_000
    seed: int = 0
    held_out: bool = False

    def __post_init__(self) -> None:
        if self.singles < 1 or self.mixtures < 0:
            raise SpecError("A store needs at least one single clip and no negative count of mixtures.")
        if self.clips > MOST_CLIPS or not 0 <= self.seed < SEEDS:
            raise SpecError(f"A store has at most {MOST_CLIPS} clips and a seed from 0 to {SEEDS - 1}.")
        if self.clip_samples < 1:
            raise SpecError(f"A clip of {self.duration_s} s holds no sample; raise duration_s.")
        if not 0.0 <= self.skew < float("inf"):
            raise SpecError("A store's skew is 0 or more.")
        _require_concepts(self.concepts)

    @property
    def catalogue(self) -> tuple[Concept, ...]:
        """Return the concepts to render, in the catalogue's order."""
        return _chosen(self.concepts)

    @property
    def shares(self) -> np.ndarray:
        """Return how much of the clips is each concept of the catalogue, shape (K,)."""
        named = self.concepts or tuple(concept.name for concept in self.catalogue)
        ranks = [named.index(concept.name) + 1 for concept in self.catalogue]
        weights_K = np.array(ranks, dtype=np.float64) ** -self.skew
        return np.asarray(weights_K / weights_K.sum())

    @property
    def clips(self) -> int:
        return self.singles + self.mixtures

    @property
    def clip_samples(self) -> int:
        return round(self.duration_s * self.sample_rate_hz)

    @property
    def first_seed(self) -> int:
        return self.seed * MOST_CLIPS + (HELD_OUT_SEED if self.held_out else 0)


def _require_concepts(names: tuple[str, ...]) -> None:
    unknown = sorted(set(names) - {concept.name for concept in CONCEPTS})
    if unknown:
        raise SpecError(f"The catalogue of sounds has no {', '.join(unknown)}.")
    if len(set(names)) == 1:
        raise SpecError("A store needs two concepts at least: one alone teaches nothing apart from another.")


@cache
def _chosen(names: tuple[str, ...]) -> tuple[Concept, ...]:
    return tuple(concept for concept in CONCEPTS if not names or concept.name in names)


@cache
def _order(config: StoreConfig) -> np.ndarray:
    """Return the concept of each single clip of a skewed store (N,): exact counts in a fixed shuffle."""
    exact_K = config.shares * config.singles
    counts_K = np.maximum(np.floor(exact_K).astype(int), 1)
    # By the largest remainders; one clip of each comes off the most frequent.
    for _ in range(config.singles - counts_K.sum()):
        counts_K[np.argmax(exact_K - counts_K)] += 1
    for _ in range(counts_K.sum() - config.singles):
        counts_K[np.argmax(counts_K)] -= 1
    concepts_N = np.repeat(np.arange(len(counts_K)), counts_K)
    return np.random.default_rng(config.first_seed).permutation(concepts_N)


class ClipStore:
    """Read clips of a folder written by `render_store`."""

    def __init__(self, folder: Path) -> None:
        if not (folder / MARKER).exists():
            raise NotFound(
                f"{folder} holds no finished clip store.", "Render one: python -m engine.training data"
            )
        self.folder = folder
        fields = json.loads((folder / MARKER).read_text())
        self.config = StoreConfig(**{**fields, "concepts": tuple(fields["concepts"])})

    @cached_property
    def audio_NS(self) -> np.ndarray:
        """Return the memory-mapped int16 clips."""
        return np.load(self.folder / "audio.npy", mmap_mode="r")

    @cached_property
    def infos(self) -> tuple[ClipInfo, ...]:
        lines = (self.folder / "clips.jsonl").read_text().splitlines()
        return tuple(_info_from_json(line) for line in lines)

    def __len__(self) -> int:
        return self.config.clips

    def audio(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return clips as float32 in -1..1, shape (B, S)."""
        return self.audio_NS[np.asarray(indices)].astype(np.float32) / INT16_PEAK

    def captions(self, indices: Sequence[int] | np.ndarray) -> list[str]:
        return [self.infos[int(index)].caption for index in indices]

    def describe(self) -> dict[str, object]:
        """Return the configuration that they were rendered by."""
        return asdict(self.config)


def render_store(folder: Path, config: StoreConfig, processes: int = 2) -> ClipStore:
    """Render all clips of a configuration; a finished store of the same configuration is kept.

    Another one is replaced, with what was derived from it. The clips do not depend on the processes.
    """
    if (folder / MARKER).exists() and ClipStore(folder).config == config:
        return ClipStore(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder / MARKER, *folder.glob(DERIVED)):
        path.unlink(missing_ok=True)
    part = folder / "audio.npy.part"
    audio_NS = np.lib.format.open_memmap(part, "w+", np.int16, (config.clips, config.clip_samples))
    infos: list[ClipInfo] = []
    for start, (shard_NS, shard_infos) in _rendered_shards(config, processes):
        audio_NS[start : start + len(shard_NS)] = shard_NS
        infos.extend(shard_infos)
    audio_NS.flush()
    _finish(folder, part, config, infos)
    return ClipStore(folder)


def _finish(folder: Path, part: Path, config: StoreConfig, infos: list[ClipInfo]) -> None:
    """Give the parts their names, the marker of a finished store last."""
    os.replace(part, folder / "audio.npy")
    _write(folder / "clips.jsonl", "\n".join(json.dumps(asdict(info)) for info in infos))
    _write(folder / MARKER, json.dumps(asdict(config)))


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)


def _rendered_shards(
    config: StoreConfig, processes: int
) -> Iterator[tuple[int, tuple[np.ndarray, list[ClipInfo]]]]:
    starts = range(0, config.clips, SHARD_CLIPS)
    jobs = [(config, start, min(start + SHARD_CLIPS, config.clips)) for start in starts]
    with in_processes(processes) as shard_map:
        shards = shard_map(_render_shard, jobs)
        yield from zip(starts, tqdm(shards, total=len(jobs), desc="rendering", unit="shard"), strict=True)


@contextmanager
def in_processes(processes: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """Yield a map in order: over processes, or in this one where only one is asked for."""
    if processes <= 1:
        yield map
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield pool.imap


def _render_shard(job: tuple[StoreConfig, int, int]) -> tuple[np.ndarray, list[ClipInfo]]:
    config, start, stop = job
    rendered = [render_one(config, index) for index in range(start, stop)]
    return np.stack([audio_S for audio_S, _ in rendered]), [info for _, info in rendered]


def render_one(config: StoreConfig, index: int) -> tuple[np.ndarray, ClipInfo]:
    """Return clip `index` of a store of this configuration as int16, without the store."""
    if index < config.singles:
        audio_S, info = render_single(config, _concept_of(config, index), config.first_seed + index)
    else:
        audio_S, info = _mixture(config, config.first_seed + index)
    return np.round(audio_S * INT16_PEAK).astype(np.int16), info


def _concept_of(config: StoreConfig, index: int) -> int:
    return int(_order(config)[index]) if config.skew else index % len(config.catalogue)


def render_single(config: StoreConfig, concept: int, seed: int) -> tuple[np.ndarray, ClipInfo]:
    """Return a clip of one concept of the configuration's catalogue, from a seed."""
    clip = render_clip(config.catalogue[concept], seed, config.duration_s, config.sample_rate_hz)
    return clip.audio_S, ClipInfo(caption=clip.caption, concepts=(clip.concept_name,))


def _mixture(config: StoreConfig, seed: int) -> tuple[np.ndarray, ClipInfo]:
    """Mix two clips as in the paper's eq. 8, captions joined."""
    rng = np.random.default_rng((seed, 8))
    shares_K = config.shares if config.skew else None
    first, second = rng.choice(len(config.catalogue), 2, replace=False, p=shares_K)
    first_S, first_info = render_single(config, int(first), seed)
    second_S, second_info = render_single(config, int(second), seed)
    return mix(first_S, second_S, rng.beta(BETA, BETA)), join(first_info, second_info)


def _info_from_json(line: str) -> ClipInfo:
    fields = json.loads(line)
    return ClipInfo(caption=fields["caption"], concepts=tuple(fields["concepts"]))

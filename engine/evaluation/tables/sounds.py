"""True sounds for the tables: held-out renders of a training project's sounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.evaluation.tables.bench import Sounds
from engine.evaluation.transfer_pairs import REFERENCE_NUMBERS
from engine.training.clips import ClipInfo
from engine.training.config import load_project
from engine.training.store import INT16_PEAK, StoreConfig, render_one, render_single


def held_out_sounds(project: Path, clips: int) -> tuple[Sounds, Sounds]:
    """Return so many clips that no training saw, sounds of a project in turn, and as many further ones.

    Which sound comes first is drawn once for all, so that a few clips are of many kinds.
    """
    store = load_project(project).store
    kinds = len(store.catalogue)
    singles = kinds * (REFERENCE_NUMBERS.start + 2 * clips)
    config = replace(store, singles=singles, mixtures=0, held_out=True, skew=0.0)
    order = np.random.default_rng(0).permutation(kinds)
    rounds = -(-clips // kinds)
    return tuple(  # type: ignore[return-value]
        _rendered(config, [_index(order, REFERENCE_NUMBERS.start + first, one) for one in range(clips)])
        for first in (0, rounds)
    )


def sounds_as_trained(project: Path, clips: int) -> tuple[Sounds, Sounds]:
    """Return so many clips that no training saw, of each sound as many as there, and others of the same."""
    config = replace(load_project(project).store, singles=clips, mixtures=0, held_out=True)
    places = {concept.name: place for place, concept in enumerate(config.catalogue)}
    first = [render_one(config, index) for index in range(clips)]
    others = [
        render_single(config, places[info.concepts[0]], config.first_seed + clips + index)
        for index, (_, info) in enumerate(first)
    ]
    return (
        _sounds(first, config),
        _sounds([(np.round(audio_S * INT16_PEAK), info) for audio_S, info in others], config),
    )


def _index(order: np.ndarray, first_number: int, clip: int) -> int:
    number, place = divmod(clip, len(order))
    return int(order[place]) + (first_number + number) * len(order)


def _rendered(config: StoreConfig, indices: list[int]) -> Sounds:
    return _sounds([render_one(config, index) for index in indices], config)


def _sounds(rendered: Sequence[tuple[np.ndarray, ClipInfo]], config: StoreConfig) -> Sounds:
    """Return clips of whole numbers, as a file of 16 bits has them, with what is told of them."""
    audio_NS = np.stack([audio_S for audio_S, _ in rendered]).astype(np.float32) / INT16_PEAK
    infos = [info for _, info in rendered]
    return Sounds(
        audio_NS=audio_NS,
        texts=tuple(info.caption for info in infos),
        concepts=tuple(info.concepts[0] for info in infos),
        rate_hz=config.sample_rate_hz,
    )

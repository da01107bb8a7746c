"""What a model made of a take, kept in its file: an edit of the take begins there and not at its sound.

Each way through VAE and vocoder takes something away: of a drum loop that the starter reconstructs six times,
CLAP's cosine to the original falls from 0.87 to 0.57; where its latents are kept it stays at 0.86.

Legend: N channels, V voices, S samples, C latent channels, H latent time, W latent frequency.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.audio.level import ModelLevel, decibels, model_level, peak
from engine.errors import SpecError
from engine.strict_json import Variants, decode, encode, parse_json

_VERSION = 1
_NUMBERS = np.dtype("<f2")
_NO_VARIANTS = Variants(key="", kinds={})
# Stretches whose levels differ by less were made together.
_SAME_LEVEL_DB = 0.1
# What else is in a canvas must not be far louder than all that the model knows.
_HIGHEST_PEAK = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchPlace:
    """Where so many latent cells of one voice belong in a take, and how its sound there became theirs.

    heard_N mixes the take's channels to the voice; mean and gain are those of a ModelLevel. first_sample
    counts from the take's start at the model's rate.
    """

    heard_N: tuple[float, ...]
    mean: float
    gain: float
    first_sample: int
    cells: int

    @property
    def level(self) -> ModelLevel:
        return ModelLevel(mean=self.mean, gain=self.gain)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatentStretch:
    """Scaled latent cells of one voice, as many as its place says."""

    place: StretchPlace
    latent_CHW: np.ndarray

    def between(self, start: int, stop: int, cell_samples: int) -> Iterator[LatentStretch]:
        """Yield the whole cells between two samples of the take, at the model's rate, if there are any."""
        begins = self.place.first_sample
        first = max(0, -((begins - start) // cell_samples))
        past = min((stop - begins) // cell_samples, self.place.cells)
        if first < past:
            place = replace(self.place, first_sample=begins + first * cell_samples, cells=past - first)
            yield LatentStretch(place=place, latent_CHW=self.latent_CHW[:, first:past])


def stretch_of(
    latent_CHW: np.ndarray, heard_N: tuple[float, ...], level: ModelLevel, first_sample: int
) -> LatentStretch:
    """Return all of a latent as a stretch."""
    place = StretchPlace(
        heard_N=heard_N,
        mean=level.mean,
        gain=level.gain,
        first_sample=first_sample,
        cells=latent_CHW.shape[1],
    )
    return LatentStretch(place=place, latent_CHW=latent_CHW)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownCells:
    """Cells of a canvas that need not be encoded."""

    voice: int
    first_cell: int
    latent_CHW: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    version: int
    model: str
    channels: int
    width: int
    places: tuple[StretchPlace, ...]


def to_bytes(stretches: Sequence[LatentStretch], model: str) -> bytes:
    """Return stretches as they stand in a file, in half precision; model tells whose they are."""
    if not stretches:
        return b""
    channels, _, width = stretches[0].latent_CHW.shape
    places = tuple(one.place for one in stretches)
    header = _Header(version=_VERSION, model=model, channels=channels, width=width, places=places)
    text = json.dumps(encode(header, _NO_VARIANTS), sort_keys=True, allow_nan=False)
    values = (one.latent_CHW.astype(_NUMBERS).tobytes() for one in stretches)
    return b"".join((text.encode("ascii"), b"\n", *values))


def from_bytes(content: bytes, model: str) -> tuple[LatentStretch, ...]:
    """Read what to_bytes made for this model; nothing of another's, or of what is damaged."""
    text, _, values = content.partition(b"\n")
    try:
        header: _Header = decode(_Header, parse_json(text.decode("ascii")), "", _NO_VARIANTS)
    except (SpecError, UnicodeDecodeError):
        return ()
    if (header.version, header.model) != (_VERSION, model):
        return ()
    return _read(header, values)


def grid_origin(stretches: Sequence[LatentStretch], region_sample: int, cell_samples: int) -> int:
    """Return where a region's latent grid begins, less than a cell before it, to be the longest stretch's.

    region_sample is where in the take the region begins, at the model's rate.
    """
    if not stretches:
        return 0
    longest = max(stretches, key=lambda one: one.place.cells)
    after = (longest.place.first_sample - region_sample) % cell_samples
    return after - cell_samples if after else 0


def levels_and_known(
    stretches: Sequence[LatentStretch], heard_VN: np.ndarray, heard_VS: np.ndarray, first: int, cells: int
) -> tuple[tuple[ModelLevel, ...], tuple[KnownCells, ...]]:
    """Return how to bring each voice of a canvas to the model's level, and which cells are known then.

    The canvas begins at sample `first` of the take at the model's rate and has so many cells.
    """
    levels, known = [], []
    for voice, (heard_N, heard_S) in enumerate(zip(heard_VN, heard_VS, strict=True)):
        own = [one for one in stretches if one.place.heard_N == tuple(heard_N)]
        level, usable = _usable(own, heard_S, first, cells)
        levels.append(level)
        known += [replace(one, voice=voice) for one in usable]
    return tuple(levels), tuple(known)


def _usable(
    stretches: Sequence[LatentStretch], heard_S: np.ndarray, first: int, cells: int
) -> tuple[ModelLevel, list[KnownCells]]:
    """Choose the level of the stretch with most cells here, with all that are made at it."""
    cell_samples = len(heard_S) // cells
    on_grid = (one for one in stretches if (one.place.first_sample - first) % cell_samples == 0)
    here = [part for one in on_grid for part in one.between(first, first + len(heard_S), cell_samples)]
    level = max(here, key=lambda one: one.place.cells).place.level if here else model_level(heard_S)
    if not here or peak(level.apply(heard_S)) > _HIGHEST_PEAK:
        return model_level(heard_S), []
    same = (one for one in here if abs(decibels(one.place.gain / level.gain)) < _SAME_LEVEL_DB)
    return level, [
        KnownCells(
            voice=0,
            first_cell=(one.place.first_sample - first) // cell_samples,
            latent_CHW=one.latent_CHW,
        )
        for one in same
    ]


def _read(header: _Header, values: bytes) -> tuple[LatentStretch, ...]:
    sizes = [header.channels * place.cells * header.width for place in header.places]
    is_sane = min(header.channels, header.width, *(place.cells for place in header.places)) > 0
    if not header.places or not is_sane or sum(sizes) * _NUMBERS.itemsize != len(values):
        return ()
    latents = np.frombuffer(values, dtype=_NUMBERS).astype(np.float32)
    if not np.isfinite(latents).all() or not all(place.gain > 0.0 for place in header.places):
        return ()
    parts = np.split(latents, np.cumsum(sizes)[:-1])
    return tuple(
        LatentStretch(place=place, latent_CHW=part.reshape(header.channels, place.cells, header.width))
        for place, part in zip(header.places, parts, strict=True)
    )

"""What recipes ask of training clips, wherever they come from: rendered, prepared, or drawn from either.

B batch, S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipInfo:
    """What a clip is: its caption, and the names of its concepts or labels, two or more in a mixture.

    others are further captions of the same sound.
    """

    caption: str
    concepts: tuple[str, ...]
    others: tuple[str, ...] = ()


class Named(Protocol):
    """Something that clips can be of: a concept of the catalogue, or a label of a data set."""

    @property
    def name(self) -> str: ...


class ClipsConfig(Protocol):
    """How long clips are, and what there is among them; the first `singles` clips are of one name each."""

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def clip_samples(self) -> int: ...

    @property
    def duration_s(self) -> float: ...

    @property
    def catalogue(self) -> Sequence[Named]: ...

    @property
    def singles(self) -> int: ...


class Clips(Protocol):
    """Clips of one length, each readable by its index alone.

    What is computed from them is kept in `folder`.
    """

    @property
    def folder(self) -> Path: ...

    @property
    def config(self) -> ClipsConfig: ...

    @property
    def infos(self) -> Sequence[ClipInfo]: ...

    def __len__(self) -> int: ...

    def audio(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return clips as float32 in -1..1, shape (B, S)."""

    def captions(self, indices: Sequence[int] | np.ndarray) -> list[str]: ...

    def describe(self) -> dict[str, object]:
        """Return what a model's card says of the clips it learnt from."""

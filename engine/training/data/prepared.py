"""Recorded clips read back from shards, each by its index alone. B batch, S samples."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar, overload

import numpy as np

from engine.errors import NotFound, SpecError
from engine.training.clips import ClipInfo
from engine.training.data.shards import read_audio, tar_path

MARKER = "data.json"
LINES = "clips.jsonl"
INDEX = "index.npy"
# Below the folder of the clips that are trained on: those that are kept from training.
HELD_OUT = "held_out"
SCHEMA_VERSION = 1
# Where a clip's line is in clips.jsonl, its shard, and where its audio is in there.
INDEX_TYPE = np.dtype(
    [("line", "<i8"), ("line_bytes", "<i4"), ("shard", "<i4"), ("first_byte", "<i8"), ("bytes", "<i4")]
)
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of a data set."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipsShape:
    """How long clips are and which labels they have; the first `singles` have one each."""

    sample_rate_hz: int
    clip_samples: int
    catalogue: tuple[Label, ...]
    singles: int

    @property
    def duration_s(self) -> float:
        return self.clip_samples / self.sample_rate_hz


class OnDemand(Sequence[_Item]):
    """A sequence whose items are made when they are asked for."""

    def __init__(self, length: int, item: Callable[[int], _Item]) -> None:
        self._length, self._item = length, item

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> _Item: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[_Item]: ...

    def __getitem__(self, index: int | slice) -> _Item | Sequence[_Item]:
        places = range(self._length)[index]
        if isinstance(places, range):
            return [self._item(place) for place in places]
        return self._item(places)


class PreparedClips:
    """Read clips of a folder written by `prepare_clips`; so many workers decode a batch side by side.

    What is read depends on the indices alone, not on the workers.
    """

    def __init__(self, folder: Path, workers: int = 1) -> None:
        if not (folder / MARKER).exists():
            raise NotFound(
                f"{folder} holds no finished clips.",
                "Make or finish them: python -m engine.training prepare SOURCE --into FOLDER",
            )
        self.folder = folder
        self._facts = json.loads((folder / MARKER).read_text())
        if self._facts["schema_version"] != SCHEMA_VERSION:
            raise SpecError(f"{folder} was prepared by another version of this program; prepare it again.")
        self.config = ClipsShape(
            sample_rate_hz=self._facts["sample_rate_hz"],
            clip_samples=self._facts["clip_samples"],
            catalogue=tuple(Label(name=name) for name in self._facts["labels"]),
            singles=self._facts["singles"],
        )
        self._map = map if workers == 1 else ThreadPoolExecutor(workers).map

    @cached_property
    def _index(self) -> np.ndarray:
        return np.load(self.folder / INDEX, mmap_mode="r")

    @cached_property
    def _lines(self) -> np.ndarray:
        return np.memmap(self.folder / LINES, mode="r")

    @property
    def infos(self) -> Sequence[ClipInfo]:
        return OnDemand(len(self), self._info)

    def __len__(self) -> int:
        return int(self._facts["clips"])

    def audio(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return clips as float32 in -1..1, shape (B, S); AudioIOError naming a shard that is damaged."""
        return np.stack(list(self._map(self._sound, self._index[np.asarray(indices)])))

    def captions(self, indices: Sequence[int] | np.ndarray) -> list[str]:
        return [self._info(int(index)).caption for index in indices]

    def describe(self) -> dict[str, object]:
        """Return what they were made from and how."""
        return {name: value for name, value in self._facts.items() if name != "labels"}

    def _sound(self, row: np.void) -> np.ndarray:
        return read_audio(tar_path(self.folder, int(row["shard"])), int(row["first_byte"]), int(row["bytes"]))

    def _info(self, index: int) -> ClipInfo:
        row = self._index[index]
        fields = json.loads(bytes(self._lines[row["line"] : row["line"] + row["line_bytes"]]))
        labels, captions = tuple(fields["labels"]), tuple(fields["captions"])
        # A sound without a caption is called by its labels, as the training repository does.
        first, *others = captions or (", ".join(labels),)
        return ClipInfo(caption=first, concepts=labels, others=tuple(others))

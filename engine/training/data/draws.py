"""How clips are drawn for training: balanced over labels, mixed in pairs, with another caption each time.

N clips, B batch, S samples.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from engine.errors import SpecError
from engine.training.clips import ClipInfo, Clips
from engine.training.data.prepared import ClipsShape, Label, OnDemand
from engine.training.mixing import BETA, as_loud, join, mix


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawConfig:
    """An epoch draws each clip `passes` times, or so many times their number where they are balanced.

    mixed is the share of draws that are two clips mixed by Beta(5, 5); balanced draws clips by the
    inverse count of their labels.
    """

    passes: int = 1
    mixed: float = 0.0
    balanced: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.passes < 1 or not 0 <= self.mixed <= 1 or self.seed < 0:
            raise SpecError("Draws need one pass at least, a share `mixed` from 0 to 1 and no negative seed.")

    @property
    def changes_nothing(self) -> bool:
        return self.passes == 1 and not self.mixed and not self.balanced


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Which clip is drawn and which is mixed in, with the first one's weight, and which captions are said."""

    first: int
    second: int | None
    weight: float
    saying: tuple[float, float]


class DrawnClips:
    """An epoch of draws as if it were a store: each depends on its index and the seed alone.

    So their order, and that of a resumed run, is what the indices say, whoever reads them.
    """

    def __init__(self, clips: Clips, config: DrawConfig) -> None:
        self._clips, self._draws = clips, config
        self.config = ClipsShape(
            sample_rate_hz=clips.config.sample_rate_hz,
            clip_samples=clips.config.clip_samples,
            catalogue=tuple(Label(name=one.name) for one in clips.config.catalogue),
            singles=0,
        )

    @property
    def folder(self) -> Path:
        digest = hashlib.sha256(json.dumps(asdict(self._draws)).encode()).hexdigest()
        return self._clips.folder / f"draws-{digest[:12]}"

    @property
    def infos(self) -> Sequence[ClipInfo]:
        return OnDemand(len(self), self._info)

    def __len__(self) -> int:
        return self._draws.passes * len(self._clips)

    def audio(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return clips, two mixed at equal energy where the draw says so; float32, shape (B, S)."""
        draws = [self.draw(int(index)) for index in indices]
        pairs = [(row, draw, draw.second) for row, draw in enumerate(draws) if draw.second is not None]
        wanted = [draw.first for draw in draws] + [second for *_, second in pairs]
        audio_BS, seconds_BS = np.split(self._clips.audio(wanted), [len(draws)])
        for (row, draw, _), second_S in zip(pairs, seconds_BS, strict=True):
            audio_BS[row] = mix(audio_BS[row], as_loud(second_S, audio_BS[row]), draw.weight)
        return audio_BS

    def captions(self, indices: Sequence[int] | np.ndarray) -> list[str]:
        return [self._info(int(index)).caption for index in indices]

    def describe(self) -> dict[str, object]:
        """Return what the clips are and how they are drawn."""
        return self._clips.describe() | {"draws": asdict(self._draws)}

    def draw(self, index: int) -> Draw:
        """Return what the draw of an index is."""
        rng = np.random.default_rng((self._draws.seed, index))
        first = self._any(rng) if self._draws.balanced else index % len(self._clips)
        second = self._any(rng) if rng.random() < self._draws.mixed else None
        return Draw(
            first=first,
            second=second if second != first else None,
            weight=float(rng.beta(BETA, BETA)),
            saying=(rng.random(), rng.random()),
        )

    def _info(self, index: int) -> ClipInfo:
        draw = self.draw(index)
        first = _saying(self._clips.infos[draw.first], draw.saying[0])
        if draw.second is None:
            return first
        return join(first, _saying(self._clips.infos[draw.second], draw.saying[1]))

    def _any(self, rng: np.random.Generator) -> int:
        """Draw a clip, by its weight where clips are balanced."""
        if not self._draws.balanced:
            return int(rng.integers(len(self._clips)))
        return int(np.searchsorted(self._shares_N, rng.random(), side="right"))

    @cached_property
    def _shares_N(self) -> np.ndarray:
        """Return the sum of all weights up to each clip's own, of all weights."""
        sums_N = np.cumsum(balancing_weights(self._clips.infos))
        return sums_N / sums_N[-1]


def balancing_weights(infos: Sequence[ClipInfo]) -> np.ndarray:
    """Return for each clip the sum over its labels of one by the label's count (Gong et al. 2021).

    Where each clip has one label, all labels are drawn alike; clips without any count as one label.
    """
    labels = [info.concepts or ("",) for info in infos]
    counts = Counter(label for of_clip in labels for label in of_clip)
    return np.array([sum(1 / counts[label] for label in of_clip) for of_clip in labels])


def _saying(info: ClipInfo, share: float) -> ClipInfo:
    captions = (info.caption, *info.others)
    return ClipInfo(caption=captions[int(share * len(captions))], concepts=info.concepts)

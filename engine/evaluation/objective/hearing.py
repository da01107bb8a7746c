"""Whole folders heard by backbones; files that cannot be used are left out and told.

N channels of a clip, S samples, R rows of features, D features, C clips, K classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.audio.io import AudioClip, read_clip
from engine.audio.resample import resample
from engine.errors import AudioIOError, EngineError, TooLarge
from engine.evaluation.objective.backbones import Backbone, BackboneName, Heard
from engine.evaluation.objective.report import SetInfo, Skipped
from engine.evaluation.objective.sets import ClipSet
from engine.models.files import sha256_of

RESAMPLER = "soxr VHQ"
OnClip = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeardSet:
    """The clips of a folder that could be used, in the order of their names, and what was heard of each."""

    info: SetInfo
    files: dict[str, Path]
    heard: Mapping[BackboneName, Sequence[Heard]]

    def features_RD(self, backbone: BackboneName) -> np.ndarray:
        """Return the rows of all clips, one after the other."""
        return np.concatenate([one.features_RD for one in self.heard[backbone]])

    def logits_CK(self, backbone: BackboneName, names: Sequence[str] | None = None) -> np.ndarray | None:
        """Return a row for each clip, or each of the names; None of a backbone that is no classifier."""
        by_name = dict(zip(self.files, self.heard[backbone], strict=True))
        rows = [by_name[name].logits_K for name in (self.files if names is None else names)]
        return None if not rows or rows[0] is None else np.stack([row for row in rows if row is not None])


def hear_set(
    clips: ClipSet, backbones: Mapping[BackboneName, Backbone], on_clip: OnClip = lambda name: None
) -> HeardSet:
    """Let each backbone hear each clip; raises AudioIOError where no file of the folder can be used."""
    files: dict[str, Path] = {}
    heard: dict[BackboneName, list[Heard]] = {name: [] for name in backbones}
    skipped: list[Skipped] = []
    rates_hz: set[int] = set()
    digest, duration_s = hashlib.sha256(), 0.0
    for name, path in clips.files.items():
        on_clip(path.name)
        try:
            clip = read_clip(path)
        except (AudioIOError, TooLarge) as error:
            skipped.append(Skipped(file=path.name, reason=_reason(error, path)))
            continue
        files[name] = path
        for kind, one in _heard(clip, backbones).items():
            heard[kind].append(one)
        rates_hz.add(clip.sample_rate_hz)
        duration_s += clip.duration_s
        digest.update(f"{name}\0{sha256_of(path)}\n".encode())
    if not files:
        raise AudioIOError(
            f"none of the {len(skipped)} files in {clips.folder} can be used: {skipped[0].reason}",
            "Export them again.",
        )
    info = SetInfo(
        folder=str(clips.folder.absolute()),
        clips=len(files),
        duration_s=round(duration_s, 3),
        rates_hz=tuple(sorted(rates_hz)),
        skipped=tuple(skipped),
        sha256=digest.hexdigest(),
    )
    return HeardSet(info=info, files=files, heard=heard)


def first_channel(path: Path, rate_hz: int) -> np.ndarray:
    """Return the first channel of a file without its mean (S,), as audioldm-eval compares it."""
    clip = read_clip(path)
    channel_1S = clip.audio_NS[:1] - clip.audio_NS[:1].mean()
    return resample(channel_1S.astype(np.float32), clip.sample_rate_hz, rate_hz)[0]


def _heard(clip: AudioClip, backbones: Mapping[BackboneName, Backbone]) -> dict[BackboneName, Heard]:
    """Resample to each rate that is asked for once."""
    rates_hz = {backbone.info.sample_rate_hz for backbone in backbones.values()}
    audio_NS = clip.audio_NS.astype(np.float32)
    at_rate = {rate_hz: resample(audio_NS, clip.sample_rate_hz, rate_hz) for rate_hz in rates_hz}
    return {name: one.hear(at_rate[one.info.sample_rate_hz]) for name, one in backbones.items()}


def _reason(error: EngineError, path: Path) -> str:
    """Return what is wrong with a file without the folder, which is told once for all."""
    return error.message.replace(str(path), path.name)

"""Where sounds are listed: which layout a source has, and its manifest."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from engine.errors import NotFound, SpecError
from engine.training.data.audio_index import AUDIO_SUFFIXES
from engine.training.data.folders import read_folder
from engine.training.data.listings import read_freesound_listing, read_training_listing
from engine.training.data.manifest import Manifest, read_json, read_lines, read_manifest
from engine.training.data.tables import read_audiocaps, read_audioset, read_bbc, read_fsd50k

_HEAD_LINES = 3


class Kind(Enum):
    """audioldm is the JSON layout of AudioLDM's training repository."""

    FOLDER = "folder"
    MANIFEST = "manifest"
    AUDIOSET = "audioset"
    AUDIOCAPS = "audiocaps"
    FREESOUND = "freesound"
    BBC = "bbc"
    AUDIOLDM = "audioldm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """What a source does not say itself.

    kind is found out where it is None; audio is the folder of the sounds, the source's own where it is
    None; classes is AudioSet's file of class names; split is that of a dataset_root.json.
    """

    kind: Kind | None = None
    audio: Path | None = None
    classes: Path | None = None
    split: str = "train"


def read_source(source: Path, config: SourceConfig) -> Manifest:
    """List the sounds of a source.

    Raises:
        NotFound: no such source, or no folder of sounds.
        SpecError: a list that is not of its layout, or that names no sound that is there.
    """
    if not source.exists():
        raise NotFound(f"{source} is not there.", "Name a folder of sounds, or the list of a data set.")
    manifest = _read(source, config.kind or kind_of(source), config)
    if not manifest.files and source.is_dir():
        raise SpecError(f"{source} holds no sound.", f"Sounds end in {', '.join(sorted(AUDIO_SUFFIXES))}.")
    if not manifest.files:
        missing = f" ({len(manifest.missing)} are listed)" if manifest.missing else ""
        raise SpecError(
            f"{source} leads to no sound in {manifest.root}{missing}.", "Name their folder by --audio."
        )
    return replace(manifest, root=manifest.root.resolve())


def kind_of(source: Path) -> Kind:
    """Tell the layout by what the source holds; SpecError where it is none of those known."""
    if source.is_dir():
        return Kind.FOLDER
    if source.suffix.lower() in AUDIO_SUFFIXES:
        raise SpecError(f"{source} is one sound, not a folder or a list of them.", "Name its folder.")
    if source.suffix == ".jsonl":
        return Kind.MANIFEST
    kind = _kind_of_json(source) if source.suffix == ".json" else _kind_of_table(source)
    if kind is None:
        raise SpecError(
            f"{source} has no layout that is known.",
            f"Name it by --kind: {', '.join(kind.value for kind in Kind)}.",
        )
    return kind


def _kind_of_table(source: Path) -> Kind | None:
    head = read_lines(source)[:_HEAD_LINES]
    if any(line.startswith("#") and "YTID" in line for line in head):
        return Kind.AUDIOSET
    columns = set(next(csv.reader(head, skipinitialspace=True), []))
    needed = {
        Kind.AUDIOCAPS: {"youtube_id", "start_time", "caption"},
        Kind.FREESOUND: {"fname", "labels"},
        Kind.BBC: {"location", "description", "category"},
    }
    return next((kind for kind, names in needed.items() if names <= columns), None)


def _kind_of_json(source: Path) -> Kind | None:
    content = read_json(source)
    if isinstance(content, dict) and ({"data", "metadata"} & content.keys()):
        return Kind.AUDIOLDM
    return Kind.FREESOUND if isinstance(content, dict | list) and content else None


def _read(source: Path, kind: Kind, config: SourceConfig) -> Manifest:
    audio = config.audio or source.parent
    readers: dict[Kind, Callable[[], Manifest]] = {
        Kind.FOLDER: lambda: read_folder(source),
        Kind.MANIFEST: lambda: read_manifest(source, config.audio),
        Kind.AUDIOSET: lambda: read_audioset(source, audio, config.classes),
        Kind.AUDIOCAPS: lambda: read_audiocaps(source, audio),
        Kind.FREESOUND: lambda: _read_freesound(source, audio),
        Kind.BBC: lambda: read_bbc(source, audio),
        Kind.AUDIOLDM: lambda: read_training_listing(source, config.audio, config.classes, config.split),
    }
    return readers[kind]()


def _read_freesound(source: Path, audio: Path) -> Manifest:
    if source.suffix == ".json":
        return read_freesound_listing(source, audio)
    return read_fsd50k(source, audio)

"""Clips in tar files of WebDataset's layout: KEY.flac, and KEY.json with what is said of it.

S samples.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import webdataset

from engine.audio.io import AudioClip, encode, write_files
from engine.errors import AudioIOError, EngineError
from engine.training.data.cutting import CutConfig, Piece, cut_file
from engine.training.data.manifest import SoundFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardJob:
    """Some files of a manifest, which become one shard; where they are, and how they are cut."""

    folder: Path
    number: int
    root: Path
    files: tuple[SoundFile, ...]
    cut: CutConfig

    @property
    def tar(self) -> Path:
        return tar_path(self.folder, self.number)

    @property
    def listing(self) -> Path:
        return self.tar.with_suffix(".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardClip:
    """A clip, what is said of it, and where in its shard the audio lies."""

    path: str
    start_s: float
    captions: tuple[str, ...]
    labels: tuple[str, ...]
    first_byte: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardListing:
    """What became of a shard's files; skipped are pairs of name and reason, silent counts clips."""

    clips: tuple[ShardClip, ...]
    silent: int
    skipped: tuple[tuple[str, str], ...]


def tar_path(folder: Path, number: int) -> Path:
    return folder / "shards" / f"clips-{number:06d}.tar"


def write_shard(job: ShardJob) -> None:
    """Cut a job's files and write its shard with its listing; files that cannot be read are skipped.

    Raises:
        OutputError: the folder cannot be written to.
    """
    content, skipped, silent = io.BytesIO(), [], 0
    clips: list[ShardClip] = []
    # Without time and owner the same sounds give the same bytes.
    with webdataset.TarWriter(content, user="", group="", encoder=False, mtime=0) as writer:
        for file in job.files:
            try:
                pieces, silent_pieces = cut_file(job.root, file, job.cut)
            except EngineError as error:
                skipped.append((file.path, error.message))
                continue
            silent += silent_pieces
            for piece in pieces:
                clip = ShardClip(
                    path=file.path, start_s=piece.start_s, captions=file.captions, labels=file.labels
                )
                writer.write(_sample(f"{job.number:06d}-{len(clips):05d}", clip, piece, job.cut))
                clips.append(clip)
    placed = _placed(clips, content.getvalue())
    listing = ShardListing(clips=tuple(placed), silent=silent, skipped=tuple(skipped))
    write_files({job.tar: content.getvalue(), job.listing: json.dumps(asdict(listing)).encode()})


def read_listing(path: Path) -> ShardListing:
    """Return what `write_shard` wrote beside a shard."""
    fields = json.loads(path.read_text())
    clips = tuple(_clip(clip) for clip in fields["clips"])
    return ShardListing(
        clips=clips, silent=fields["silent"], skipped=tuple((name, why) for name, why in fields["skipped"])
    )


def read_audio(tar: Path, first_byte: int, count: int) -> np.ndarray:
    """Return the float32 audio_S at a place of a shard; AudioIOError where it is damaged."""
    try:
        with tar.open("rb") as file:
            file.seek(first_byte)
            audio_S, _ = soundfile.read(io.BytesIO(file.read(count)), dtype="float32")
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioIOError(f"{tar} is damaged or gone.", "Prepare the data again.") from error
    return np.asarray(audio_S)


def _sample(key: str, clip: ShardClip, piece: Piece, cut: CutConfig) -> dict[str, Any]:
    sound = AudioClip(
        audio_NS=piece.audio_S[None],
        sample_rate_hz=cut.sample_rate_hz,
        subtype="PCM_16",
        container="FLAC",
    )
    said = {name: value for name, value in asdict(clip).items() if name not in ("first_byte", "bytes")}
    return {"__key__": key, "flac": encode(sound), "json": json.dumps(said).encode()}


def _placed(clips: list[ShardClip], content: bytes) -> Iterator[ShardClip]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        sounds = [member for member in tar if member.name.endswith(".flac")]
    for clip, member in zip(clips, sounds, strict=True):
        yield _clip(asdict(clip) | {"first_byte": member.offset_data, "bytes": member.size})


def _clip(fields: dict[str, Any]) -> ShardClip:
    return ShardClip(**fields | {name: tuple(fields[name]) for name in ("captions", "labels")})

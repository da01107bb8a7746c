"""From a manifest to a folder of clips: shards made side by side, resumable, finished all at once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

from engine.audio.io import prepare_folder
from engine.errors import SpecError
from engine.text_files import write_text
from engine.training.data.cutting import CutConfig
from engine.training.data.manifest import Manifest
from engine.training.data.prepared import (
    HELD_OUT,
    INDEX,
    INDEX_TYPE,
    LINES,
    MARKER,
    SCHEMA_VERSION,
    PreparedClips,
)
from engine.training.data.shards import ShardClip, ShardJob, ShardListing, read_listing, write_shard
from engine.training.store import in_processes

PLAN = "plan.json"
MANIFEST = "manifest.jsonl"
REPORT = "report.json"
_NO_FILE = "listed, but not there"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareConfig:
    """How files are cut, and how many of them share a shard; a shard is made in memory."""

    cut: CutConfig = field(default_factory=CutConfig)
    files_per_shard: int = 128

    def __post_init__(self) -> None:
        if self.files_per_shard < 1:
            raise SpecError("A shard holds the clips of one file at least.")


def prepare_clips(
    manifest: Manifest, folder: Path, config: PrepareConfig, processes: int = 1
) -> PreparedClips:
    """Cut a manifest's sounds into shards; the clips do not depend on the processes.

    An interrupted call is gone on with, a finished folder is kept. Sounds that cannot be read are
    skipped, and named in report.json.

    Raises:
        SpecError: the folder holds other things, was begun with other sounds or settings, is being written
            by another call, or no sound gave a clip.
        OutputError: the folder cannot be written to.
    """
    if not manifest.files:
        raise SpecError("There is no sound to prepare.")
    _require_no_others(folder)
    prepare_folder(folder)
    with _alone_in(folder):
        plan = _plan(manifest, config)
        _require_same(folder, plan)
        if not (folder / MARKER).exists():
            write_text(folder / MANIFEST, manifest.text())
            write_text(folder / PLAN, plan)
            jobs = list(_jobs(manifest, folder, config))
            _make(jobs, processes)
            _finish(jobs, manifest, config)
    return PreparedClips(folder)


def summary(clips: PreparedClips) -> str:
    """Return in one line what became of the sounds of a prepared folder."""
    path = clips.folder / REPORT
    report = json.loads(path.read_text())
    return (
        f"{clips.folder}: {len(clips)} clips of {clips.config.duration_s:g} s from {report['files']} files, "
        f"{len(report['labels'])} labels; {report['silent_clips']} silent clips left out, "
        f"{report['skipped_files']} files skipped, named in {path}"
    )


def _plan(manifest: Manifest, config: PrepareConfig) -> str:
    digest = hashlib.sha256(manifest.text().encode()).hexdigest()
    settings = asdict(config) | {"cut": _cut_fields(config)}
    return json.dumps({"schema_version": SCHEMA_VERSION, "manifest": digest, **settings})


def _cut_fields(config: PrepareConfig) -> dict[str, object]:
    return asdict(config.cut) | {"cut": config.cut.cut.value}


def _require_no_others(folder: Path) -> None:
    """Refuse a folder with anything in it that is not ours, such as the sounds themselves."""
    if not folder.is_dir() or (folder / PLAN).exists():
        return
    ours = (MANIFEST, HELD_OUT)
    if any(path.name not in ours and not path.name.startswith(".") for path in folder.iterdir()):
        raise SpecError(f"{folder} holds other things than prepared clips.", "Prepare into an empty folder.")


def _require_same(folder: Path, plan: str) -> None:
    path = folder / PLAN
    if path.exists() and path.read_text() != plan:
        raise SpecError(
            f"{folder} was prepared from other sounds or with other settings.",
            "Prepare into another folder, or remove that one.",
        )


def _jobs(manifest: Manifest, folder: Path, config: PrepareConfig) -> Iterator[ShardJob]:
    for number, start in enumerate(range(0, len(manifest.files), config.files_per_shard)):
        files = manifest.files[start : start + config.files_per_shard]
        yield ShardJob(folder=folder, number=number, root=manifest.root, files=files, cut=config.cut)


def _make(jobs: list[ShardJob], processes: int) -> None:
    """Write the shards that are not there yet; a shard is there when its listing is."""
    open_jobs = [job for job in jobs if not job.listing.exists()]
    with in_processes(min(processes, len(open_jobs))) as spread:
        for _ in tqdm(spread(write_shard, open_jobs), total=len(open_jobs), desc="preparing", unit="shard"):
            pass


def _finish(jobs: list[ShardJob], manifest: Manifest, config: PrepareConfig) -> None:
    """Join the shards' listings to one index; the marker is written last."""
    folder, report = jobs[0].folder, _Report(manifest)
    for job in jobs:
        report.add(read_listing(job.listing))
    if not report.clips:
        _forget(folder)
        raise SpecError(f"None of {len(manifest.files)} sounds gave a clip; {report.first_reason}.")
    rows: list[tuple[int, ...]] = []
    with (folder / f"{LINES}.part").open("wb") as file:
        for number, clip in _singles_first(jobs):
            line = _line(clip)
            rows.append((file.tell(), len(line), number, clip.first_byte, clip.bytes))
            file.write(line)
    os.replace(folder / f"{LINES}.part", folder / LINES)
    _save(folder / INDEX, np.array(rows, INDEX_TYPE))
    write_text(folder / REPORT, json.dumps(report.fields(), indent=2))
    write_text(folder / MARKER, json.dumps(_facts(report, manifest, config)))


def _singles_first(jobs: list[ShardJob]) -> Iterator[tuple[int, ShardClip]]:
    """Yield all clips with the numbers of their shards, those of one label before the others."""
    for single in (True, False):
        for job in jobs:
            for clip in read_listing(job.listing).clips:
                if (len(clip.labels) == 1) is single:
                    yield job.number, clip


class _Report:
    """Clips, silent ones, labels and skipped files of all shards."""

    def __init__(self, manifest: Manifest) -> None:
        self.files = len(manifest.files)
        self.labels: Counter[str] = Counter()
        self.clips = self.singles = self.silent = 0
        self._skipped = [(name, _NO_FILE) for name in manifest.missing]

    def add(self, listing: ShardListing) -> None:
        self.silent += listing.silent
        self._skipped += listing.skipped
        for clip in listing.clips:
            self.clips += 1
            self.singles += len(clip.labels) == 1
            self.labels.update(clip.labels)

    @property
    def first_reason(self) -> str:
        return f"{self._skipped[0][0]}: {self._skipped[0][1]}" if self._skipped else "all are silent"

    def fields(self) -> dict[str, object]:
        return {
            "files": self.files,
            "clips": self.clips,
            "silent_clips": self.silent,
            "skipped_files": len(self._skipped),
            "skipped": [{"file": name, "reason": reason} for name, reason in self._skipped],
            "labels": dict(sorted(self.labels.items())),
        }


def _facts(report: _Report, manifest: Manifest, config: PrepareConfig) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "clips": report.clips,
        "singles": report.singles,
        "sample_rate_hz": config.cut.sample_rate_hz,
        "clip_samples": config.cut.clip_samples,
        "manifest": hashlib.sha256(manifest.text().encode()).hexdigest(),
        "cut": _cut_fields(config),
        "labels": manifest.labels,
    }


def _line(clip: ShardClip) -> bytes:
    said = {"path": clip.path, "start_s": clip.start_s, "captions": clip.captions, "labels": clip.labels}
    return json.dumps(said).encode() + b"\n"


def _save(path: Path, rows: np.ndarray) -> None:
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        np.save(file, rows)
    os.replace(part, path)


def _forget(folder: Path) -> None:
    """Let another call begin anew."""
    shutil.rmtree(folder / "shards")
    for name in (PLAN, MANIFEST):
        (folder / name).unlink()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise SpecError(
            f"Another call is preparing {folder}.", "Wait for it, or prepare into another folder."
        ) from error

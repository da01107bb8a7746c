"""Data sets listed as CSV, each as it is published: AudioSet, AudioCaps, FSD50K and BBC Sound Effects."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.errors import SpecError
from engine.training.data.audio_index import AudioIndex
from engine.training.data.class_names import FILE, class_names
from engine.training.data.folders import spaced
from engine.training.data.manifest import Manifest, SoundFile, read_lines

CLIP_S = 10.0
_AUDIOSET_FIELDS = 4
_AudioSetRow = tuple[str, float, float, tuple[str, ...]]


def read_audioset(path: Path, audio: Path, classes: Path | None) -> Manifest:
    """Read a segments file (YTID, start_seconds, end_seconds, positive_labels), labels by their names.

    Raises SpecError where a row is not of that form, or no file tells what the labels' codes mean.
    """
    names_file = classes or path.with_name(FILE)
    if not names_file.is_file():
        raise SpecError(f"AudioSet's labels are codes; {names_file} is not there.", "Name it by --classes.")
    names, listed = class_names(names_file), _Listed(audio)
    for video, start_s, end_s, codes in _audioset_rows(path):
        listed.add(
            segment_names(video, start_s, end_s),
            labels=tuple(names.get(code, code) for code in codes),
            stretch_s=(start_s, end_s),
        )
    return listed.manifest()


def _audioset_rows(path: Path) -> Iterator[_AudioSetRow]:
    # The rows have spaces after their commas, and commas within quotes.
    for number, row in enumerate(csv.reader(read_lines(path), skipinitialspace=True), 1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) != _AUDIOSET_FIELDS:
            raise SpecError(f"{path}, line {number}: {_AUDIOSET_FIELDS} columns are needed, got {len(row)}.")
        start_s, end_s = (_number(text, f"{path}, line {number}") for text in row[1:3])
        codes = tuple(code.strip() for code in row[3].split(",") if code.strip())
        yield row[0], start_s, end_s, codes


def read_audiocaps(path: Path, audio: Path) -> Manifest:
    """Read audiocap_id, youtube_id, start_time, caption; rows about the same ten seconds are one sound."""
    captions: dict[tuple[str, float], list[str]] = {}
    for number, row in _rows(path, ("youtube_id", "start_time", "caption")):
        start_s = _number(row["start_time"], f"{path}, line {number}")
        captions.setdefault((row["youtube_id"], start_s), []).append(row["caption"])
    listed = _Listed(audio)
    for (video, start_s), texts in captions.items():
        end_s = start_s + CLIP_S
        listed.add(segment_names(video, start_s, end_s), captions=texts, stretch_s=(start_s, end_s))
    return listed.manifest()


def read_fsd50k(path: Path, audio: Path) -> Manifest:
    """Read the ground truth of FSD50K, sounds from Freesound: fname, labels, mids."""
    listed = _Listed(audio)
    for _, row in _rows(path, ("fname", "labels")):
        listed.add((row["fname"],), labels=tuple(spaced(label) for label in row["labels"].split(",")))
    return listed.manifest()


def read_bbc(path: Path, audio: Path) -> Manifest:
    """Read BBCSoundEffects.csv: location is the file's name, description its caption, category its label."""
    listed = _Listed(audio)
    for _, row in _rows(path, ("location", "description", "category")):
        name = row["location"]
        labels = (row["category"],) if row["category"] else ()
        listed.add((name, name.rpartition(".")[0]), captions=(row["description"],), labels=labels)
    return listed.manifest()


def segment_names(video: str, start_s: float, end_s: float) -> tuple[str, ...]:
    """Return the names, without ending, that downloaders give to a stretch of a video."""
    start_ms, end_ms = round(1000 * start_s), round(1000 * end_s)
    stretches = (
        f"{start_ms}_{end_ms}",
        f"{start_ms}",
        f"{start_s:.3f}_{end_s:.3f}",
        f"{start_s:.3f}",
        f"{start_s:g}_{end_s:g}",
        f"{start_s:06.0f}",
        f"{start_s:g}",
    )
    exact = (f"{prefix}{video}_{stretch}" for stretch in stretches for prefix in ("", "Y"))
    return (*exact, f"Y{video}", video)


class _Listed:
    """Sounds that are there and those that are not, in the order of a list."""

    def __init__(self, audio: Path) -> None:
        self._audio, self._index = audio, AudioIndex(audio)
        self._files: list[SoundFile] = []
        self._missing: list[str] = []

    def add(
        self,
        names: tuple[str, ...],
        captions: Iterable[str] = (),
        labels: tuple[str, ...] = (),
        stretch_s: tuple[float, float | None] = (0.0, None),
    ) -> None:
        path = self._index.find(*names)
        if path is None:
            self._missing.append(names[-1])
            return
        said = tuple(caption.strip() for caption in captions if caption.strip())
        start_s, end_s = stretch_s
        self._files.append(SoundFile(path=path, captions=said, labels=labels, start_s=start_s, end_s=end_s))

    def manifest(self) -> Manifest:
        return Manifest(root=self._audio, files=tuple(self._files), missing=tuple(self._missing))


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(read_lines(path), restval="", skipinitialspace=True)
    absent = [name for name in columns if name not in (reader.fieldnames or ())]
    if absent:
        raise SpecError(f"{path} has no column {', '.join(absent)}.")
    for row in reader:
        yield reader.line_num, row


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise SpecError(f"{where}: {text!r} is not a number of seconds.") from error

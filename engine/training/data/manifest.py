"""The list of a data set's sounds, whatever published it: one JSON object a line, the first about all."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeVar

from engine.errors import BadJson, SpecError
from engine.strict_json import Variants, decode, encode, parse_json
from engine.text_files import read_text

SCHEMA_VERSION = 1
MOST_BYTES = 4_000_000_000
_NO_VARIANTS = Variants(key="", kinds={})
_HASH_STEPS = 2**64
_Line = TypeVar("_Line")


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFile:
    """A file below the manifest's root, what is said of it, and which stretch of it is meant.

    A file that ends before end_s was cut to that stretch already and is meant as a whole.
    """

    path: str
    captions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    start_s: float = 0.0
    end_s: float | None = None

    def __post_init__(self) -> None:
        require_below(self.path)
        if self.start_s < 0 or (self.end_s is not None and self.end_s <= self.start_s):
            raise SpecError(f"{self.path} has a stretch from {self.start_s} to {self.end_s} s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """missing names the sounds that are listed, but not there.

    vocabulary is all labels there are, where the files are a part of a data set; () means their own.
    """

    root: Path
    files: tuple[SoundFile, ...]
    missing: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Return all labels, in their order."""
        return self.vocabulary or tuple(sorted({label for file in self.files for label in file.labels}))

    def text(self) -> str:
        """Return the manifest as JSON Lines."""
        head = {
            "schema_version": SCHEMA_VERSION,
            "root": str(self.root),
            "missing": self.missing,
            "vocabulary": self.vocabulary,
        }
        lines = [head, *(encode(file, _NO_VARIANTS) for file in self.files)]
        return "".join(json.dumps(line) + "\n" for line in lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    root: str
    missing: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    schema_version: int = SCHEMA_VERSION


def read_manifest(path: Path, root: Path | None = None) -> Manifest:
    """Read a manifest; root stands in for its own where the sounds have moved.

    Raises:
        SpecError: naming the line that is not what it should be.
    """
    first, *rest = read_lines(path)
    head = _decoded(_Head, first, f"{path}, line 1")
    if head.schema_version != SCHEMA_VERSION:
        raise SpecError(f"{path} has schema version {head.schema_version}, not {SCHEMA_VERSION}.")
    files = (
        _decoded(SoundFile, line, f"{path}, line {number}")
        for number, line in enumerate(rest, 2)
        if line.strip()
    )
    return Manifest(
        root=root or path.parent / head.root,
        files=tuple(files),
        missing=head.missing,
        vocabulary=head.vocabulary,
    )


def read_lines(path: Path) -> list[str]:
    """Return the lines of a list of sounds with their ends; SpecError where it is empty or not UTF-8 text."""
    try:
        # Not splitlines: captions may hold what Unicode calls the end of a line.
        lines = list(io.StringIO(read_text(path, MOST_BYTES)))
    except BadJson as error:
        raise SpecError(f"{path} {error.message}.") from error
    if not lines:
        raise SpecError(f"{path} is empty.")
    return lines


def read_json(path: Path) -> object:
    """Return a JSON file's content; SpecError naming the file where it is none."""
    try:
        return parse_json("".join(read_lines(path)), MOST_BYTES)
    except BadJson as error:
        raise SpecError(f"{path}: {error.message}.") from error


@contextmanager
def located(where: str) -> Iterator[None]:
    """Say where it was found that something is not what it should be."""
    try:
        yield
    except SpecError as error:
        raise SpecError(f"{where}: {error.message}") from error


def require_below(path: str) -> None:
    """Refuse what is no file below the folder of the sounds, on any system."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or PureWindowsPath(path).is_absolute() or ".." in pure.parts:
        raise SpecError(f"{path!r} is not a path below the folder of the sounds.")


def hold_out(manifest: Manifest, share: float) -> tuple[Manifest, Manifest]:
    """Part a manifest by its files' names: about that share of them is the second part.

    A file stays in its part when others are added, and all its clips with it. Both parts have the labels of
    the whole, so that these have the same numbers. Raises SpecError where a part is empty.
    """
    held = {file for file in manifest.files if path_number(file.path) < share * _HASH_STEPS}
    if len(held) in (0, len(manifest.files)):
        raise SpecError(
            f"Holding out a share of {share:g} of {len(manifest.files)} files leaves one part empty.",
            "Give a share between 0 and 1, such as 0.1.",
        )
    return parted(manifest, held)


def parted(manifest: Manifest, held: Collection[SoundFile]) -> tuple[Manifest, Manifest]:
    """Return a manifest without some of its files, and these; both have the labels of the whole."""
    whole = replace(manifest, vocabulary=manifest.labels)
    kept, taken = (tuple(file for file in manifest.files if (file in held) is out) for out in (False, True))
    return replace(whole, files=kept), replace(whole, files=taken, missing=())


def path_number(path: str) -> int:
    """Return 64 bits that depend on the path alone and are spread evenly."""
    return int.from_bytes(hashlib.sha256(os.fsencode(path)).digest()[:8], "big")


def _decoded(kind: type[_Line], line: str, where: str) -> _Line:
    with located(where):
        value: _Line = decode(kind, parse_json(line, MOST_BYTES), "", _NO_VARIANTS)
    return value

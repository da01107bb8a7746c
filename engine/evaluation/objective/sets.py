"""Folders of clips: what is in them, which clips are pairs, what is said of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.audio.recipe import find_recipe
from engine.errors import BadJson, EngineError, NotFound, SpecError
from engine.text_files import file_errors, read_text

SUFFIXES = frozenset({".wav", ".flac", ".aif", ".aiff", ".ogg", ".mp3", ".w64", ".rf64", ".caf", ".au"})
# As in audioldm-eval: of fewer names in common the folders are taken for unrelated ones.
PAIRED_SHARE = 0.99
MAX_CAPTIONS_BYTES = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSet:
    """The sound files of a folder by their names without endings, sorted."""

    folder: Path
    files: dict[str, Path]


def clip_set(folder: Path) -> ClipSet:
    """List the sound files of a folder, by their endings; subfolders are not entered.

    Raises:
        NotFound: no such folder, or no sound in it.
        SpecError: two files whose names differ by their endings alone.
    """
    if not folder.is_dir():
        raise NotFound(f"{folder} is not a folder", "Give a folder of sound files.")
    files: dict[str, Path] = {}
    with file_errors("read", folder):
        found = sorted(folder.iterdir())
    for path in found:
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in files:
            raise SpecError(
                f"{files[path.stem].name} and {path.name} in {folder} differ by their endings alone",
                "Pairs are told by names: rename or remove one.",
            )
        files[path.stem] = path
    if not files:
        raise NotFound(f"{folder} holds no sound files", "WAV, AIFF, FLAC, OGG and MP3 files work.")
    return ClipSet(folder=folder, files=files)


def paired_names(generated: ClipSet, reference: ClipSet) -> tuple[str, ...]:
    """Return the names that both sets have, or none where more than one in a hundred has no partner."""
    common = [name for name in generated.files if name in reference.files]
    fewest = PAIRED_SHARE * max(len(generated.files), len(reference.files))
    return tuple(common) if len(common) > fewest else ()


def common_names(generated: ClipSet, reference: ClipSet) -> int:
    return len(generated.files.keys() & reference.files.keys())


def read_captions(path: Path) -> dict[str, str]:
    """Read a CSV with the columns `file` and `caption`; endings of files do not count.

    Raises SpecError where it is no such table, or has two captions for one name.
    """
    captions: dict[str, str] = {}
    for line, name, caption in _caption_rows(path):
        stem = Path(name).stem
        if captions.setdefault(stem, caption) != caption:
            raise SpecError(f"line {line} of {path} is a second caption of {stem}", "Remove one.")
    if not captions:
        raise SpecError(f"{path} holds no captions", "Its columns are: file,caption")
    return captions


def prompts_of(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the prompts of those clips that are takes of this program, by their recipes."""
    found = ((name, _prompt(path)) for name, path in files.items())
    return {name: prompt for name, prompt in found if prompt}


def names_in(captions: Mapping[str, str], names: Iterable[str]) -> Sequence[str]:
    """Return those of the names that have a caption, in their order."""
    return [name for name in names if captions.get(name)]


def _caption_rows(path: Path) -> Iterator[tuple[int, str, str]]:
    try:
        reader = csv.DictReader(read_text(path, MAX_CAPTIONS_BYTES).splitlines(), strict=True)
        if not {"file", "caption"} <= set(reader.fieldnames or ()):
            raise SpecError(f"{path} lacks the columns file and caption", "Its first line is: file,caption")
        for row in reader:
            if not row["file"] or row["caption"] is None:
                raise SpecError(f"line {reader.line_num} of {path} has no file or no caption", "Mend it.")
            yield reader.line_num, row["file"], row["caption"].strip()
    except csv.Error as error:
        raise SpecError(f"{path} is no table with commas: {error}", "Export it as CSV.") from error
    except BadJson as error:
        raise SpecError(f"{path} {error.message}", "Give a CSV with the columns file,caption.") from error


def _prompt(path: Path) -> str:
    try:
        recipe, _ = find_recipe(path)
    except EngineError:
        return ""
    spec = recipe["spec"]
    prompt = spec.get("prompt", "") if isinstance(spec, dict) else ""
    return prompt if isinstance(prompt, str) else ""

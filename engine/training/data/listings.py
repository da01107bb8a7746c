"""Data sets listed as JSON: by AudioLDM's training repository, and by Freesound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.errors import NotFound, SpecError
from engine.training.data.audio_index import AudioIndex
from engine.training.data.class_names import class_names
from engine.training.data.manifest import Manifest, SoundFile, located, read_json, require_below


def members_of(value: object, where: str) -> dict[str, Any]:
    """Return a JSON object; SpecError where it is something else."""
    if not isinstance(value, dict):
        raise SpecError(f"{where} must be a JSON object, not {value!r:.40}.")
    return value


def captions_of(members: dict[str, Any]) -> tuple[str, ...]:
    """Return what stands under caption, captions, and caption_1 and so on."""
    found: list[str] = []
    for key, value in members.items():
        if key in ("caption", "captions") or key.startswith("caption_"):
            found += value if isinstance(value, list) else [value]
    return tuple(str(text).strip() for text in found if str(text).strip())


def labels_of(members: dict[str, Any], key: str = "labels") -> tuple[str, ...]:
    """Return labels that are a list, or one text with commas."""
    value = members.get(key) or ()
    labels = value if isinstance(value, list) else str(value).split(",") if value else []
    return tuple(dict.fromkeys(str(label).strip() for label in labels if str(label).strip()))


def read_training_listing(path: Path, audio: Path | None, classes: Path | None, split: str) -> Manifest:
    """Read a listing of AudioLDM's training repository, or a split of all sets of its dataset_root.json.

    Raises:
        SpecError: what is not of that layout, naming file and entry.
        NotFound: a file or folder that dataset_root.json names and that is not there.
    """
    members = members_of(read_json(path), str(path))
    if "data" in members:
        root = audio or path.parent
        return Manifest(root=root, files=tuple(_training_files(members, path, "", _names(classes))))
    return _read_root(members, path, classes, split)


def _read_root(members: dict[str, Any], path: Path, classes: Path | None, split: str) -> Manifest:
    """Join a split of all data sets; the manifest's root is the folder that holds all of their sounds."""
    sets = members_of(members_of(members.get("metadata"), f"{path}: metadata").get("path"), f"{path}: path")
    folders = {name: _located(str(members.get(name, "")), path) for name in sets}
    if not folders:
        raise SpecError(f"{path} names no data set.")
    root = _common(list(folders.values()))
    files: list[SoundFile] = []
    for name, splits in sets.items():
        listings = members_of(splits, f"{path}: {name}")
        if split not in listings:
            raise SpecError(f"{path}: {name} has no split {split!r}; it has {', '.join(listings)}.")
        listing, indices = _located(str(listings[split]), path), listings.get("class_label_indices")
        names = _names(classes or (_located(str(indices), path) if indices else None))
        below = folders[name].relative_to(root).as_posix()
        content = members_of(read_json(listing), str(listing))
        files += _training_files(content, listing, "" if below == "." else f"{below}/", names)
    return Manifest(root=root, files=tuple(files))


def _training_files(
    members: dict[str, Any], path: Path, below: str, names: dict[str, str]
) -> Iterator[SoundFile]:
    items = members.get("data")
    if not isinstance(items, list):
        raise SpecError(f"{path} has no list under data.")
    for number, item in enumerate(items):
        where = f"{path}: data[{number}]"
        entry = members_of(item, where)
        if not isinstance(entry.get("wav"), str):
            raise SpecError(f"{where} has no wav.")
        labels = tuple(names.get(label, label) for label in labels_of(entry))
        with located(where):
            require_below(entry["wav"])
        yield SoundFile(path=below + entry["wav"], captions=captions_of(entry), labels=labels)


def _located(name: str, listing: Path) -> Path:
    """Find a path that was written from the top of the training repository: there, or above the listing."""
    for folder in (Path.cwd(), *listing.resolve().parents):
        if name and (folder / name).exists():
            return (folder / name).resolve()
    raise NotFound(f"{listing} names {name or 'no folder for a data set'}, which is not there.")


def _common(folders: list[Path]) -> Path:
    shared = folders[0]
    while not all(folder.is_relative_to(shared) for folder in folders):
        shared = shared.parent
    return shared


def _names(classes: Path | None) -> dict[str, str]:
    return class_names(classes) if classes is not None else {}


def read_freesound_listing(path: Path, audio: Path) -> Manifest:
    """Read answers of Freesound's API, or the clip information of FSD50K: description and tags of each id."""
    index, files, missing = AudioIndex(audio), [], []
    for name, entry in _freesound_entries(read_json(path), path):
        found = index.find(name)
        if found is None:
            missing.append(name)
            continue
        said = _one_line(str(entry.get("description") or entry.get("title") or entry.get("name") or ""))
        captions = (said,) if said else ()
        files.append(SoundFile(path=found, captions=captions, labels=labels_of(entry, "tags")))
    return Manifest(root=audio, files=tuple(files), missing=tuple(missing))


def _freesound_entries(content: object, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(content, list):
        for page in content:
            yield from _freesound_entries(page, path)
    elif isinstance(content, dict) and isinstance(content.get("results"), list):
        yield from _freesound_entries(content["results"], path)
    elif isinstance(content, dict) and "id" in content:
        yield str(content["id"]), content
    elif isinstance(content, dict) and content and all(isinstance(one, dict) for one in content.values()):
        yield from content.items()
    else:
        raise SpecError(f"{path} is not a listing of Freesound: {content!r:.40} has no id.")


def _one_line(text: str) -> str:
    return " ".join(text.split())

"""Any folder of sounds: labels are the names of its folders, captions lie beside the sounds.

rain.wav may have a rain.txt with a caption a line, or a rain.json with "caption" or "captions" and "labels".
"""

from __future__ import annotations

from pathlib import Path

from engine.training.data.audio_index import audio_below
from engine.training.data.listings import captions_of, labels_of, members_of
from engine.training.data.manifest import Manifest, SoundFile, read_json, read_lines


def read_folder(root: Path) -> Manifest:
    """List the sounds of a folder; SpecError naming a caption file that cannot be read."""
    return Manifest(root=root, files=tuple(_sound(root, path) for path in audio_below(root)))


def _sound(root: Path, path: str) -> SoundFile:
    folder = path.rpartition("/")[0].rpartition("/")[2]
    labels = (spaced(folder),) if folder else ()
    beside = root / path
    if (listing := beside.with_suffix(".json")).is_file():
        members = members_of(read_json(listing), str(listing))
        return SoundFile(path=path, captions=captions_of(members), labels=labels_of(members) or labels)
    if (text := beside.with_suffix(".txt")).is_file() and text.stat().st_size:
        captions = tuple(line.strip() for line in read_lines(text) if line.strip())
        return SoundFile(path=path, captions=captions, labels=labels)
    return SoundFile(path=path, labels=labels)


def spaced(name: str) -> str:
    """Return a name of a file or a class with spaces between its words."""
    return name.replace("_", " ").strip()

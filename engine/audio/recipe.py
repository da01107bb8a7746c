"""The recipe of a take inside its file: where it is, and how it is found again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

from engine.audio.flac_blocks import BlockKind, blocks_of, read_tags
from engine.audio.metadata import MAX_BYTES
from engine.audio.own_part import RECIPE, read_part
from engine.errors import AudioIOError, AudioMissing, BadJson, NotFound
from engine.spec_json import parse_json

Recipe = Mapping[str, object]

TAG = "DAW_BRIDGE_RECIPE"
GENERATOR = "DAW Bridge"
SOFTWARE = f"{GENERATOR} {version('daw-bridge')}"
_HINT = "Give a take that DAW Bridge wrote; where a program has removed its recipe, with its .json beside it."


def recipe_bytes(recipe: Recipe) -> bytes:
    """Return a recipe as it stands in a file."""
    return json.dumps(recipe, sort_keys=True, ensure_ascii=True, allow_nan=False).encode("ascii")


def find_recipe(path: Path) -> tuple[Recipe, str]:
    """Return the recipe inside a file, or beside it, and which of both: "file" or "sidecar".

    Raises:
        AudioMissing: no such file.
        AudioIOError: it cannot be read.
        NotFound: there is none in either place.
        BadJson: there is one, but damaged.
    """
    inside = _inside(path)
    beside = _beside(path.with_suffix(".json"))
    for content, place in ((inside, "file"), (beside, "sidecar")):
        recipe = None if content is None else _parsed(content)
        if recipe is not None:
            return recipe, place
    if inside is not None:
        raise BadJson(f"the recipe inside {path} is damaged", "Put its .json file beside it.")
    raise NotFound(f"{path} is not a take of DAW Bridge: there is no recipe in it or beside it", _HINT)


def _inside(path: Path) -> bytes | None:
    if not path.is_file():
        raise AudioMissing(f"there is no file {path}", "Check the path.")
    try:
        with path.open("rb") as file:
            return read_part(file, RECIPE) or _in_tags(file)
    except OSError as error:
        raise AudioIOError(f"{path} cannot be read", "Check its permissions.") from error


def _in_tags(file: BinaryIO) -> bytes | None:
    for block in blocks_of(file) or ():
        if block.kind == BlockKind.COMMENTS and block.size <= MAX_BYTES:
            file.seek(block.start)
            tags = dict(read_tags(file.read(block.size)))
            return tags[TAG].encode() if TAG in tags else None
    return None


def _beside(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= MAX_BYTES else None
    except OSError:
        return None


def _parsed(content: bytes) -> Recipe | None:
    """Read a recipe; None for what is none of ours, as the JSON of another program."""
    try:
        recipe = parse_json(content.decode("utf-8").rstrip("\0"))
    except (BadJson, UnicodeDecodeError, RecursionError):
        return None
    is_ours = isinstance(recipe, dict) and str(recipe.get("generator", "")).startswith(GENERATOR)
    return recipe if is_ours and isinstance(recipe, dict) and isinstance(recipe.get("spec"), dict) else None

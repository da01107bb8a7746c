"""Previews that are kept: under which names, and as files that are there whole or not at all."""

from __future__ import annotations

import filecmp
import itertools
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daw_bridge.spec_options import stem_of
from engine.errors import EngineError
from engine.spec_json import spec_from_dict

MOST_CHARACTERS = 80
# Room for -2, -3 and so on.
_ROOM = 4


def name_of(job: Mapping[str, Any], take: int, step: int, suffix: str) -> str:
    """Return what a preview is called: by sound, task and prompt as takes are, then seed, take and step.

    The job is as job/info tells it, without its spec where that is long; takes count from 1.
    """
    try:
        spec = spec_from_dict(job["spec"])
        stem, seed = stem_of(spec), f"-seed{spec.alone(take - 1).seed}"
    except (KeyError, EngineError):
        stem, seed = str(job["id"]), ""
    ending = f"{seed}-take{take}-step{step}"
    return f"{stem[: MOST_CHARACTERS - _ROOM - len(ending) - len(suffix)].strip('-')}{ending}{suffix}"


def keep(source: Path, folder: Path, name: str) -> Path:
    """Copy a file under its name, or with -2, -3, ... where another file has that; return where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    target = next(one for one in _names(folder / name) if not one.exists() or _is_same(source, one))
    handle, part = tempfile.mkstemp(suffix=".part", dir=folder)
    os.close(handle)
    try:
        shutil.copyfile(source, part)
        os.replace(part, target)
    finally:
        Path(part).unlink(missing_ok=True)
    return target


def _names(path: Path) -> itertools.chain[Path]:
    others = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    return itertools.chain((path,), others)


def _is_same(source: Path, other: Path) -> bool:
    return filecmp.cmp(source, other, shallow=False)

"""Results of single trials in a folder, so that a call that was stopped goes on."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from engine.audio.io import write_files

Arrays = dict[str, np.ndarray]
_UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile)


class TrialCache:
    """Arrays by what they depend on; what is damaged is made again."""

    def __init__(self, folder: Path, about: Mapping[str, object]) -> None:
        self._folder = folder
        self._about = dict(about)

    def get(self, key: Mapping[str, object], make: Callable[[], Arrays]) -> Arrays:
        """Return what was made for a key (plain JSON values) before, or make and keep it."""
        path = self.path(key)
        found = _read(path)
        if found is None:
            found = make()
            write_files({path: _packed(found)})
        return found

    def path(self, key: Mapping[str, object]) -> Path:
        told = json.dumps({**self._about, **key}, sort_keys=True)
        return self._folder / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.npz"


def _packed(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _read(path: Path) -> Arrays | None:
    try:
        # Read whole first: numpy leaves a damaged file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except _UNREADABLE:
        return None

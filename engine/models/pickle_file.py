"""Read checkpoints that are pickles, without ever running what a pickle asks for."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from engine.errors import ModelCorrupt, ModelMissing

ZIP_START = b"PK\x03\x04"
COMPILED_PREFIX = "_orig_mod."
# Where checkpoints of this field keep their weights: Lightning, HiFi-GAN, PANNs; else at the top.
STATE_KEYS = ("state_dict", "generator", "model")
_NAMED_CODE = re.compile(r"GLOBAL ([\w.]+)|class ([\w.]+)|function ([\w.]+)")


def read_pickle(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint, as `read_noted_pickle` reads them."""
    return read_noted_pickle(path)[0]


def read_noted_pickle(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return a checkpoint's tensors, mapped from the file where it allows that, and texts beside them.

    Raises ModelMissing without such a file, ModelCorrupt for one that is damaged, or that wants to
    run code.
    """
    if not path.is_file():
        raise ModelMissing(f"{path} is missing.", f"Put {path.name} into {path.parent}.")
    mapped = zipfile.is_zipfile(path)
    if not mapped and _starts_as_zip(path):
        raise ModelCorrupt(f"{path} is incomplete: its end is missing.", "Download or copy the file again.")
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise _refusal(path, error) from error
    except (RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    return _tensors(content, path), _texts(content)


def require_intact(path: Path) -> None:
    """Compare every record of a zipped checkpoint with its stored checksum; raise ModelCorrupt."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path) from error
    if bad is not None:
        raise ModelCorrupt(f"{path} is damaged at its record {bad}.", "Download or copy the file again.")


def _tensors(content: object, path: Path) -> dict[str, Tensor]:
    for key in STATE_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise ModelCorrupt(f"{path} holds no named weights.", "Give a checkpoint of AudioLDM.")
    return {
        name.replace(COMPILED_PREFIX, ""): value
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }


def _texts(content: object) -> dict[str, str]:
    entries = content.items() if isinstance(content, Mapping) else ()
    return {name: text for name, text in entries if isinstance(name, str) and isinstance(text, str)}


def _starts_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ZIP_START)) == ZIP_START


def _refusal(path: Path, error: Exception) -> ModelCorrupt:
    found = _NAMED_CODE.search(str(error))
    if found is None:
        return ModelCorrupt(
            f"{path} is damaged, or holds more than weights; nothing of it ran.",
            "Download or copy the file again.",
        )
    name = next(group for group in found.groups() if group)
    return ModelCorrupt(
        f"{path} was refused: it names code ({name}), and a file of weights needs none. Nothing of it ran.",
        "Get the file from a source you trust, or as safetensors.",
    )


def _damaged(path: Path) -> ModelCorrupt:
    return ModelCorrupt(
        f"{path} is damaged, incomplete, or not a checkpoint.", "Download or copy the file again."
    )

"""Download a known model from the hub: resumable, with checksums, and clear where there is no network."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.file_download import http_get

from engine.errors import Cancelled, DiskFull, EngineError, ModelCorrupt, ModelMissing
from engine.models.diffusers_folder import CONFIG_FILE, INDEX_FILE, SCHEDULER_FILE, WEIGHT_FILES
from engine.models.files import require_room, sha256_of
from engine.models.known import KnownModel

COMPONENTS = ("unet", "vae", "vocoder", "text_encoder")
SMALL_FILES = (
    INDEX_FILE,
    *(f"{component}/{CONFIG_FILE}" for component in COMPONENTS),
    f"scheduler/{SCHEDULER_FILE}",
)
TOKENIZER_FILES = ("tokenizer/vocab.json", "tokenizer/merges.txt")
# The download, and half of it again for the bundle in 16 bit.
ROOM_FACTOR = 1.5
# What a download that is cut off may lose, and how soon it sees that it is cancelled.
constants.DOWNLOAD_CHUNK_SIZE = 65_536

IsCancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of a repository; the hub keeps checksums of large files only."""

    path: str
    size_bytes: int
    sha256: str | None = None


def download(
    known: KnownModel,
    folder: Path,
    endpoint: str | None = None,
    cancelled: IsCancelled = lambda: False,
) -> None:
    """Bring a model's files into a folder, going on with what an earlier attempt left there.

    Raises ModelMissing with the way to do it by hand when the hub cannot be reached or has no such
    model, ModelCorrupt for a wrong checksum, DiskFull before the first byte, Cancelled between two pieces.
    """
    if known.repo is None:
        raise ModelMissing(f"{known.name} is not on the hub.", _by_hand(known))
    with _explained(known, folder):
        info = HfApi(endpoint=endpoint).model_info(known.repo, files_metadata=True)
        files = chosen_files([_remote_file(sibling) for sibling in info.siblings or []])
    left = [file for file in files if not _arrived(folder / file.path, file)]
    require_room(folder, round(ROOM_FACTOR * sum(file.size_bytes for file in left)))
    for file in left:
        with _explained(known, folder):
            url = hf_hub_url(known.repo, file.path, revision=info.sha, endpoint=endpoint)
            _fetch(url, folder / file.path, file, cancelled)


def chosen_files(files: list[RemoteFile]) -> list[RemoteFile]:
    """Return what is needed of a repository: of the same weights in several formats the safest one."""
    by_path = {file.path: file for file in files}
    wanted = [by_path.get(path) for path in (*SMALL_FILES, *TOKENIZER_FILES)]
    for component in COMPONENTS:
        formats = (f"{component}/{name}" for name in WEIGHT_FILES)
        wanted.append(next((by_path[path] for path in formats if path in by_path), None))
    return [file for file in wanted if file is not None]


def _remote_file(sibling: object) -> RemoteFile:
    path = getattr(sibling, "rfilename", "")
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ModelCorrupt(f"The hub offers a file outside the model's folder: {path}.")
    large = getattr(sibling, "lfs", None)
    return RemoteFile(
        path=path,
        size_bytes=getattr(sibling, "size", None) or 0,
        sha256=getattr(large, "sha256", None),
    )


def _arrived(path: Path, file: RemoteFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size_bytes


def _fetch(url: str, path: Path, file: RemoteFile, cancelled: IsCancelled) -> None:
    """Append to what an earlier attempt left of this very file, and rename it once it is whole.

    The hub's own download function begins each attempt anew.
    """
    part = path.with_name(f"{path.name}.{(file.sha256 or 'small')[:12]}.incomplete")
    part.parent.mkdir(parents=True, exist_ok=True)
    with _StoppableFile(part, cancelled) as stream:
        http_get(
            url,
            stream,
            resume_size=part.stat().st_size,
            expected_size=file.size_bytes,
            displayed_filename=path.name,
        )
    _require_checksum(part, file)
    os.replace(part, path)


class _StoppableFile(io.BufferedWriter):
    """A file that is appended to until somebody has had enough: the hub's function asks nobody."""

    def __init__(self, path: Path, cancelled: IsCancelled) -> None:
        super().__init__(io.FileIO(path, "ab"))
        self._cancelled = cancelled

    def write(self, data: Any, /) -> int:
        if self._cancelled():
            raise Cancelled("the download was cancelled; what has arrived is kept")
        return super().write(data)


def _require_checksum(path: Path, file: RemoteFile) -> None:
    if file.sha256 is not None and sha256_of(path) != file.sha256:
        path.unlink()
        raise ModelCorrupt(
            f"{file.path} arrived damaged: its checksum is not the hub's.", "Pull again; it was removed."
        )


@contextmanager
def _explained(known: KnownModel, folder: Path) -> Iterator[None]:
    """Say what to do by hand, whatever the network did."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise DiskFull(
                f"There is no room left in {folder}.", "Free some space and pull again."
            ) from error
        # The hub's client changes its transport, and so its exceptions, between releases.
        reason = str(error).split("\n")[0].rstrip(".") or type(error).__name__
        raise ModelMissing(
            f"{known.name} could not be downloaded: {reason}.", _by_hand(known, folder)
        ) from error


def _by_hand(known: KnownModel, folder: Path | None = None) -> str:
    original = (
        f"download {known.original.url} and run "
        f"`daw-bridge models import {known.original.file} --name {known.name}`"
    )
    if folder is None:
        return f"Please {original}."
    return (
        f"Pull again later: what has arrived is kept. Without network here, put the files of "
        f"{constants.ENDPOINT}/{known.repo} into {folder} and run "
        f"`daw-bridge models import {folder} --name {known.name}`, or {original}."
    )

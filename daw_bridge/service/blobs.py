"""Files of clients on other machines: chunks in, checked as a whole; chunks out."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path

from daw_bridge.messages.arguments import MAX_BLOB_BYTES
from daw_bridge.messages.service import BlobPut
from engine.errors import DiskFull, NotFound, SpecError, TooLarge

MAX_OPEN = 16
MAX_OPEN_OF_CLIENT = 4
# One that nothing came for in so long makes room for another.
STALE_S = 60.0
MAX_KEPT_BYTES = 2_000_000_000
MAX_HASHES = 64


@dataclass(slots=True)
class _Upload:
    part: Path
    count: int
    sha256: str
    touched_s: float
    come: set[int] = field(default_factory=set)

    def checked(self) -> str:
        """Return the path of the whole file; raises SpecError for another one than was promised.

        It reads the file, which takes a while, and touches nothing else: a thread may do it.
        """
        if sha256_of(self.part) != self.sha256:
            self.part.unlink(missing_ok=True)
            raise SpecError("the file that came has another SHA-256 than promised", "Send it again.")
        path = self.part.with_name(self.sha256)
        os.replace(self.part, path)
        return str(path)


class Uploads:
    """Files being sent, each as equal chunks but for the last; finished ones lie in a folder."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._numbers = itertools.count(1)
        self._open: dict[tuple[Hashable, str], _Upload] = {}

    def clear(self) -> None:
        """Remove what an earlier service was sent; nothing of it was promised."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, client: Hashable, request: BlobPut) -> tuple[int, _Upload | None]:
        """Take a chunk; return how many have come, and once all have the upload, which is to be checked.

        Raises:
            SpecError: a chunk of the wrong length, or one that does not agree with earlier ones.
            TooLarge: too many files at once, or too much in all.
            DiskFull: there is no room.
        """
        is_last = request.index == request.count - 1
        if not is_last and len(request.data) != MAX_BLOB_BYTES:
            raise SpecError(f"each chunk but the last has {MAX_BLOB_BYTES} bytes, got {len(request.data)}")
        upload = self._upload(client, request)
        upload.touched_s = self._clock()
        self._write(upload, request)
        upload.come.add(request.index)
        if len(upload.come) < upload.count:
            return len(upload.come), None
        return upload.count, self._open.pop((client, request.transfer_id))

    def forget(self, client: Hashable) -> None:
        """Drop what a client began to send and will not end."""
        for key in [key for key in self._open if key[0] == client]:
            self._open.pop(key).part.unlink(missing_ok=True)

    def _upload(self, client: Hashable, request: BlobPut) -> _Upload:
        key = (client, request.transfer_id)
        upload = self._open.get(key)
        if upload is None:
            return self._begun(key, request)
        if (upload.count, upload.sha256) != (request.count, request.sha256):
            raise SpecError(f"transfer {request.transfer_id} began with another count or sha256")
        return upload

    def _begun(self, key: tuple[Hashable, str], request: BlobPut) -> _Upload:
        self._make_room(key[0])
        if self._kept_bytes() + request.count * MAX_BLOB_BYTES > MAX_KEPT_BYTES:
            raise TooLarge("the service keeps too many sent files already", "Start it anew to remove them.")
        upload = _Upload(
            part=self.folder / f"{next(self._numbers)}.part",
            count=request.count,
            sha256=request.sha256,
            touched_s=self._clock(),
        )
        self._open[key] = upload
        return upload

    def _make_room(self, client: Hashable) -> None:
        """Forget what nobody goes on with; raises TooLarge where that is not enough."""
        now_s = self._clock()
        for key in [key for key, one in self._open.items() if now_s - one.touched_s > STALE_S]:
            self._open.pop(key).part.unlink(missing_ok=True)
        of_client = sum(key[0] == client for key in self._open)
        if len(self._open) >= MAX_OPEN or of_client >= MAX_OPEN_OF_CLIENT:
            raise TooLarge(f"{len(self._open)} files are being sent already", "Finish one of them first.")

    def _kept_bytes(self) -> int:
        try:
            with os.scandir(self.folder) as entries:
                return sum(entry.stat().st_size for entry in entries)
        except OSError:
            return 0

    def _write(self, upload: _Upload, request: BlobPut) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with upload.part.open("r+b" if upload.part.exists() else "w+b") as file:
                file.seek(request.index * MAX_BLOB_BYTES)
                file.write(request.data)
        except OSError as error:
            raise DiskFull(f"the file cannot be kept: {error.strerror or error}") from error


class Downloads:
    """Chunks of files, with the SHA-256 of the whole; the hash is taken once while a file stays as it is."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[tuple[str, int, int], str] = OrderedDict()

    def get(self, path: Path, index: int) -> tuple[int, str, bytes]:
        """Return the number of chunks, the file's SHA-256 and the bytes of one chunk.

        Raises:
            NotFound: the file has no such chunk, or cannot be read.
        """
        try:
            found = path.stat()
            count = max(1, -(-found.st_size // MAX_BLOB_BYTES))
            if index >= count:
                raise NotFound(f"{path.name} has {count} chunks, not {index + 1}")
            with path.open("rb") as file:
                file.seek(index * MAX_BLOB_BYTES)
                return count, self._hash(path, found), file.read(MAX_BLOB_BYTES)
        except OSError as error:
            raise NotFound(f"{path.name} cannot be read: {error.strerror or error}") from error

    def _hash(self, path: Path, found: os.stat_result) -> str:
        key = (str(path), found.st_size, found.st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = sha256_of(path)
            if len(self._hashes) > MAX_HASHES:
                self._hashes.popitem(last=False)
        return self._hashes[key]


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

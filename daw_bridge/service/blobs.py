"""Files of clients on other machines: chunks in, checked as a whole; chunks out."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path

from daw_bridge.messages.arguments import MAX_BLOB_BYTES
from daw_bridge.messages.service import BlobPut
from engine.errors import DiskFull, NotFound, SpecError, TooLarge

MAX_OPEN = 8
MAX_KEPT_BYTES = 2_000_000_000
MAX_HASHES = 64


@dataclass(slots=True)
class _Upload:
    part: Path
    count: int
    sha256: str
    come: set[int] = field(default_factory=set)


class Uploads:
    """Files being sent, each as equal chunks but for the last; finished ones lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: OrderedDict[tuple[Hashable, str], _Upload] = OrderedDict()

    def clear(self) -> None:
        """Remove what an earlier service was sent; nothing of it was promised."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, client: Hashable, request: BlobPut) -> tuple[int, str]:
        """Take a chunk; return how many have come, and the file's path once it is whole.

        Raises:
            SpecError: a chunk of the wrong length, or one that does not agree with earlier ones; a file whose
                SHA-256 is not the promised one, which is then forgotten.
            TooLarge: too many files at once, or too much in all.
            DiskFull: there is no room.
        """
        upload = self._upload(client, request)
        is_last = request.index == request.count - 1
        if not is_last and len(request.data) != MAX_BLOB_BYTES:
            raise SpecError(f"each chunk but the last has {MAX_BLOB_BYTES} bytes, got {len(request.data)}")
        self._write(upload, request)
        upload.come.add(request.index)
        if len(upload.come) < upload.count:
            return len(upload.come), ""
        return upload.count, self._finished((client, request.transfer_id), upload)

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
        if len(self._open) >= MAX_OPEN:
            raise TooLarge(f"{MAX_OPEN} files are being sent already", "Finish one of them first.")
        if self._kept_bytes() + request.count * MAX_BLOB_BYTES > MAX_KEPT_BYTES:
            raise TooLarge("the service keeps too many sent files already", "Start it anew to remove them.")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:24]
        upload = _Upload(part=self.folder / f"{name}.part", count=request.count, sha256=request.sha256)
        upload.part.unlink(missing_ok=True)
        self._open[key] = upload
        return upload

    def _kept_bytes(self) -> int:
        try:
            return sum(entry.stat().st_size for entry in os.scandir(self.folder))
        except OSError:
            return 0

    def _write(self, upload: _Upload, request: BlobPut) -> None:
        try:
            with upload.part.open("r+b" if upload.part.exists() else "w+b") as file:
                file.seek(request.index * MAX_BLOB_BYTES)
                file.write(request.data)
        except OSError as error:
            raise DiskFull(f"the file cannot be kept: {error.strerror or error}") from error

    def _finished(self, key: tuple[Hashable, str], upload: _Upload) -> str:
        del self._open[key]
        if sha256_of(upload.part) != upload.sha256:
            upload.part.unlink(missing_ok=True)
            raise SpecError("the file that came has another SHA-256 than promised", "Send it again.")
        path = upload.part.with_name(upload.sha256)
        os.replace(upload.part, path)
        return str(path)


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

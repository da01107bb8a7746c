"""Files of clients on other machines: chunks in, checked as a whole; chunks out."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from daw_bridge.errors import storage_errors
from daw_bridge.messages.arguments import MAX_BLOB_BYTES
from daw_bridge.messages.service import BlobPut
from engine.errors import NotFound, SpecError, TooLarge

MAX_OPEN = 16
MAX_OPEN_OF_CLIENT = 4
# One that nothing came for in so long makes room for another.
STALE_S = 60.0
MAX_KEPT_BYTES = 2_000_000_000
# A finished file that no job needs stays so long after its last use, or where there is no room only so long.
KEPT_S = 3600.0
FRESH_S = 600.0
# As long as a job that has ended may be done again, its files are needed.
RETRIED_S = 7 * 86_400.0
MAX_HASHES = 64
_FINISHED = re.compile("[0-9a-f]{64}")
_PART = re.compile(r"\d+\.part")

# The paths that jobs need: those that wait or run, and those that ended at most so many seconds ago.
Needed = Callable[[float], Collection[str]]


@dataclass(frozen=True, slots=True)
class _Finished:
    path: Path
    used_s: float
    size_bytes: int


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
        if path.is_file() and sha256_of(path) == self.sha256:
            # The same bytes, and perhaps the input of a job: it stays the file that it was.
            self.part.unlink()
            _note_use(path)
        else:
            os.replace(self.part, path)
        return str(path)


class Uploads:
    """Files being sent, each as equal chunks but for the last; finished ones lie in a folder.

    They outlive the service, since jobs of its journal need them. clock is never set back; now says what
    files' times are compared with.
    """

    def __init__(
        self,
        folder: Path,
        needed: Needed = lambda _: (),
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self._needed = needed
        self._clock = clock
        self._now = now
        self._numbers = itertools.count(1)
        self._open: dict[tuple[Hashable, str], _Upload] = {}

    def clear_parts(self) -> None:
        """Remove what an earlier service was sent only in part; call it once, before anything comes."""
        for entry in self._entries():
            if _PART.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                _remove(Path(entry.path))

    def tidy(self) -> int:
        """Remove the finished files that were not used for long and that no job needs; return how many."""
        old = [file for file in self._finished() if self._now() - file.used_s > KEPT_S]
        needed = self._needed_names(RETRIED_S) if old else frozenset()
        return sum(_remove(file.path) for file in old if file.path.name not in needed)

    def put(self, client: Hashable, request: BlobPut) -> tuple[int, _Upload | None]:
        """Take a chunk; return how many have come, and once all have the upload, which is to be checked.

        Raises:
            SpecError: a chunk of the wrong length, or one that does not agree with earlier ones.
            TooLarge: too many files at once, or too much in all.
            DiskFull, OutputError: there is no room, or the folder cannot be used.
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
        self._make_disk_room(request.count * MAX_BLOB_BYTES)
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

    def _make_disk_room(self, more_bytes: int) -> None:
        """Remove what was used longest ago, but not what jobs wait for; raises TooLarge if need be."""
        excess_bytes = self._kept_bytes() + more_bytes - MAX_KEPT_BYTES
        if excess_bytes <= 0:
            return
        needed = self._needed_names(0.0)
        for file in sorted(self._finished(), key=lambda file: file.used_s):
            is_fresh = self._now() - file.used_s <= FRESH_S
            if excess_bytes > 0 and not is_fresh and file.path.name not in needed and _remove(file.path):
                excess_bytes -= file.size_bytes
        if excess_bytes > 0:
            raise TooLarge("the service keeps too many sent files already", "Wait until jobs have ended.")

    def _needed_names(self, ended_within_s: float) -> frozenset[str]:
        # Their names tell the content, and however a path is written, it ends in one.
        return frozenset(Path(path).name for path in self._needed(ended_within_s))

    def _kept_bytes(self) -> int:
        with suppress(OSError):
            return sum(entry.stat(follow_symlinks=False).st_size for entry in self._entries())
        return 0

    def _finished(self) -> Iterator[_Finished]:
        for entry in self._entries():
            with suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                if _FINISHED.fullmatch(entry.name) and stat.S_ISREG(found.st_mode):
                    used_s = max(found.st_atime, found.st_mtime)
                    yield _Finished(Path(entry.path), used_s, found.st_size)

    def _entries(self) -> list[os.DirEntry[str]]:
        with suppress(OSError), os.scandir(self.folder) as entries:
            return list(entries)
        return []

    def _write(self, upload: _Upload, request: BlobPut) -> None:
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with upload.part.open("r+b" if upload.part.exists() else "w+b") as file:
                file.seek(request.index * MAX_BLOB_BYTES)
                file.write(request.data)


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


def _note_use(path: Path) -> None:
    """Let a file count as used just now; its other time tells jobs that it is the one they were given."""
    with suppress(OSError):
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def _remove(path: Path) -> bool:
    with suppress(OSError):
        path.unlink()
        return True
    return False


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

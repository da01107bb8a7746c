"""Audio that two processes see at once, and that is gone with them however they end.

On POSIX it is a file without a name, handed to the child as an open descriptor; on Windows a mapping with a
name, which the system forgets with its last user. Legend: N channels, S samples.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from engine.errors import OutOfMemory

_BYTES_A_SAMPLE = 4


class SharedAudio:
    """The parent's side: room for one sound at a time, as large as that needs."""

    def __init__(self) -> None:
        self.descriptor = -1 if sys.platform == "win32" else _nameless_file()
        self._count = 0

    def room(self, channels: int, samples: int) -> Room:
        """Return room for a sound; raises OutOfMemory."""
        size_bytes = max(1, channels * samples * _BYTES_A_SAMPLE)
        self._count += 1
        name = f"daw-bridge-{os.getpid()}-{id(self)}-{self._count}" if sys.platform == "win32" else ""
        self._reserve(size_bytes)
        return Room(self.descriptor, name, channels, samples)

    def empty(self) -> None:
        """Give the memory back; nobody may use a room afterwards."""
        if self.descriptor >= 0:
            os.ftruncate(self.descriptor, 0)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _reserve(self, size_bytes: int) -> None:
        """Refuse what is not there: whoever touches missing memory later is ended by the system."""
        if size_bytes > _available_bytes():
            message = f"there are no {size_bytes / 1e6:.0f} MB of memory for the sound in the effects"
            raise OutOfMemory(message, "Close other programs, or use a shorter region.")
        if self.descriptor >= 0:
            os.ftruncate(self.descriptor, size_bytes)


class Room:
    """A sound's samples, mapped into this process; a context, since they must be let go of."""

    def __init__(self, descriptor: int, name: str, channels: int, samples: int) -> None:
        self.name = name
        self._shape = (channels, samples)
        self._map = _mapped(descriptor, name, max(1, channels * samples * _BYTES_A_SAMPLE))
        self.audio_NS = np.frombuffer(self._map, np.float32, channels * samples).reshape(self._shape)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self.audio_NS
        # An error on its way keeps the frames that used the samples; with them the mapping goes.
        with contextlib.suppress(BufferError):
            self._map.close()


def _available_bytes() -> float:
    """Return how much memory programs can still get; without bounds where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        line = next(one for one in lines if one.startswith("MemAvailable:"))
        return 1024 * int(line.split()[1])
    return math.inf


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("daw-bridge-audio")
    with tempfile.TemporaryFile(prefix="daw-bridge-audio-") as file:
        return os.dup(file.fileno())


def _mapped(descriptor: int, name: str, size_bytes: int) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(-1, size_bytes, tagname=name)
    return mmap.mmap(descriptor, size_bytes)

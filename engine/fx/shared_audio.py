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

import numpy as np

from engine.errors import OutOfMemory

_BYTES_A_SAMPLE = 4
# A minute of stereo at 48 kHz, and a little more.
KEPT_BYTES = 32_000_000


class SharedAudio:
    """The parent's side: room for one sound at a time, as large as that needs."""

    def __init__(self) -> None:
        self.descriptor = -1 if sys.platform == "win32" else _nameless_file()
        self._count = 0
        self._kept = KeptRoom()

    def room(self, channels: int, samples: int) -> Room:
        """Return room for a sound, until `done`; raises OutOfMemory."""
        if self._kept.fits(channels, samples):
            return self._kept.room_for(self.descriptor, self._kept.name, channels, samples)
        self.empty()
        self._count += 1
        name = f"daw-bridge-{os.getpid()}-{id(self)}-{self._count}" if sys.platform == "win32" else ""
        self._reserve(max(1, channels * samples * _BYTES_A_SAMPLE))
        return self._kept.room_for(self.descriptor, name, channels, samples)

    def done(self) -> None:
        """Give the memory back, but for a little that the next sound may use."""
        if not self._kept.done():
            self.empty()

    def empty(self) -> None:
        """Give all memory back; nobody may use a room afterwards."""
        self._kept.close()
        if self.descriptor >= 0:
            os.ftruncate(self.descriptor, 0)

    def close(self) -> None:
        self._kept.close()
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


class KeptRoom:
    """The room of the last sound, kept for the next one of its size where it is small.

    New memory costs time with the first touch of each page, in both processes: a fifth of an easy chain's.
    """

    def __init__(self) -> None:
        self._room: Room | None = None

    @property
    def name(self) -> str:
        return "" if self._room is None else self._room.name

    def fits(self, channels: int, samples: int) -> bool:
        return self._room is not None and self._room.shape == (channels, samples)

    def room_for(self, descriptor: int, name: str, channels: int, samples: int) -> Room:
        if self._room is None or not self.fits(channels, samples) or self._room.name != name:
            self.close()
            self._room = Room(descriptor, name, channels, samples)
        return self._room

    def done(self) -> bool:
        """Let go of a large room; tells whether it was kept."""
        if self._room is not None and self._room.size_bytes <= KEPT_BYTES:
            return True
        self.close()
        return False

    def close(self) -> None:
        if self._room is not None:
            self._room.close()
            self._room = None


class Room:
    """A sound's samples, mapped into this process."""

    def __init__(self, descriptor: int, name: str, channels: int, samples: int) -> None:
        self.name = name
        self.shape = (channels, samples)
        self.size_bytes = max(1, channels * samples * _BYTES_A_SAMPLE)
        self._map = _mapped(descriptor, name, self.size_bytes)
        self.audio_NS = np.frombuffer(self._map, np.float32, channels * samples).reshape(self.shape)

    def close(self) -> None:
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

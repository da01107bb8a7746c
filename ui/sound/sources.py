"""Sound files read in blocks, and sounds made of them: a take in its place, and what differs.

Legend: N channels, S samples.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.errors import AudioIOError, AudioMissing, SpecError

Audio = NDArray[np.float32]

_FORMATS_HINT = "WAV, AIFF, FLAC, OGG and MP3 files work."
_GONE_HINT = "Put it back, or open another file."
_CHANGED_HINT = "Reload it to see it as it is now."


class SoundChanged(AudioIOError):
    """A file is not what it was when it was opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFacts:
    rate_hz: int
    channels: int
    length_samples: int

    @property
    def duration_s(self) -> float:
        return self.length_samples / self.rate_hz


class Source(Protocol):
    """Sound of any length, of which stretches are read; used by one thread at a time."""

    @property
    def facts(self) -> SoundFacts: ...

    def read(self, start: int, stop: int) -> Audio:
        """Return samples start..stop (N, S); zeros before the beginning and after the end."""
        ...

    def check(self) -> None:
        """Raise EngineError if the files are not what they were."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Stamp:
    size_bytes: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        found = path.stat()
        return cls(size_bytes=found.st_size, changed_ns=found.st_mtime_ns, inode=found.st_ino)


class FileSource:
    """A sound file, open until it is closed.

    Raises:
        AudioMissing: no such file.
        AudioIOError: not a sound file, or one without any sound.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        try:
            self._stamp = _Stamp.of(self._path)
            self._file = soundfile.SoundFile(os.fspath(self._path))
        except FileNotFoundError as error:
            raise AudioMissing(f"{path} does not exist", "Choose a file that does.") from error
        except (OSError, soundfile.SoundFileError) as error:
            raise AudioIOError(f"{path} cannot be read as sound", _FORMATS_HINT) from error
        self._facts = SoundFacts(
            rate_hz=self._file.samplerate, channels=self._file.channels, length_samples=self._file.frames
        )
        if self._facts.length_samples <= 0:
            self.close()
            raise AudioIOError(f"{path} holds no sound", "Choose a file that has some.")

    @property
    def facts(self) -> SoundFacts:
        return self._facts

    def read(self, start: int, stop: int) -> Audio:
        """Return samples start..stop; what cannot be told as a number is silent.

        Raises:
            AudioIOError: the file broke off or was closed.
        """
        read_NS = np.zeros((self._facts.channels, max(0, stop - start)), np.float32)
        first, past = max(0, start), min(stop, self._facts.length_samples)
        if first >= past:
            return read_NS
        try:
            self._file.seek(first)
            found_SN = self._file.read(past - first, dtype="float32", always_2d=True)
        except (OSError, soundfile.SoundFileError) as error:
            raise AudioIOError(f"{self._path} can no longer be read", _GONE_HINT) from error
        read_NS[:, first - start : first - start + len(found_SN)] = found_SN.T
        if not np.isfinite(read_NS).all():
            np.nan_to_num(read_NS, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return read_NS

    def check(self) -> None:
        """Raise AudioMissing or SoundChanged if the file is not what it was."""
        try:
            now = _Stamp.of(self._path)
        except OSError as error:
            raise AudioMissing(f"{self._path} is no longer there", _GONE_HINT) from error
        if now != self._stamp:
            raise SoundChanged(f"{self._path} was changed by another program", _CHANGED_HINT)

    def close(self) -> None:
        self._file.close()


class PlacedSource:
    """An original whose stretch from `at` on is replaced by a take.

    Raises:
        SpecError: the take has another rate, reaches out of the original, or has channels that do not fit.
    """

    def __init__(self, original: Source, take: Source, at: int = 0) -> None:
        self._original, self._take, self._at = original, take, at
        mine, other = original.facts, take.facts
        if mine.rate_hz != other.rate_hz:
            raise SpecError(
                f"the take has {other.rate_hz} Hz and the original {mine.rate_hz} Hz",
                "Compare sounds of one sample rate.",
            )
        if at < 0 or at + other.length_samples > mine.length_samples:
            raise SpecError(
                f"the take is {other.duration_s:.3f} s long and does not fit into the original "
                f"({mine.duration_s:.3f} s) at {at / mine.rate_hz:.3f} s",
                "Compare it with the sound it was made from.",
            )
        if mine.channels != other.channels and 1 not in {mine.channels, other.channels}:
            raise SpecError(
                f"the take has {other.channels} channels and the original {mine.channels}",
                "Compare sounds with the same number of channels.",
            )
        self._facts = SoundFacts(
            rate_hz=mine.rate_hz,
            channels=max(mine.channels, other.channels),
            length_samples=mine.length_samples,
        )

    @property
    def facts(self) -> SoundFacts:
        return self._facts

    def read(self, start: int, stop: int) -> Audio:
        end = self._at + self._take.facts.length_samples
        first, past = max(start, self._at), min(stop, end)
        if start >= first and stop <= past:
            return self._wide(self._take.read(start - self._at, stop - self._at))
        read_NS = self._wide(self._original.read(start, stop)).copy()
        if first < past:
            read_NS[:, first - start : past - start] = self._take.read(first - self._at, past - self._at)
        return read_NS

    def check(self) -> None:
        self._original.check()
        self._take.check()

    def close(self) -> None:
        """Close the take; the original belongs to whoever opened it."""
        self._take.close()

    def _wide(self, audio_NS: Audio) -> Audio:
        return np.broadcast_to(audio_NS, (self._facts.channels, audio_NS.shape[1]))


class DifferenceSource:
    """What a sound adds to an original of the same rate and length; closes neither."""

    def __init__(self, original: Source, other: Source) -> None:
        self._original, self._other = original, other

    @property
    def facts(self) -> SoundFacts:
        return self._other.facts

    def read(self, start: int, stop: int) -> Audio:
        return self._other.read(start, stop) - self._original.read(start, stop)

    def check(self) -> None:
        self._original.check()
        self._other.check()

    def close(self) -> None:
        """Leave both open: they belong to whoever opened them."""

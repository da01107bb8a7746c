"""Reading regions of audio files, and writing results whole or not at all.

Legend: N channels, S samples.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from engine.audio.grid import samples_at
from engine.audio.metadata import Metadata
from engine.audio.riff import missing_audio_bytes
from engine.errors import AudioIOError, AudioMissing, DiskFull, OutputError, SpecError, TooLarge
from engine.types import MAX_DURATION_S, MAX_RATE_HZ, MIN_RATE_HZ, TimeSpan

MAX_CHANNELS = 8
MIN_FILE_S = 0.01
# As much as CLAP hears at once.
EXCERPT_S = 10.24
_FREE_RESERVE_BYTES = 1_000_000
_FORMATS_HINT = "WAV, AIFF, FLAC, OGG and MP3 files work."
_SPACE_HINT = "Free some space or choose another folder."
_FOLDER_HINT = "Choose another folder, or make this one writable."
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_EXACT_IN_FLOAT32 = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "FLOAT", "ULAW", "ALAW")
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_SUFFIXES = {"WAV": ".wav", "WAVEX": ".wav", "FLAC": ".flac", "AIFF": ".aiff"}
_SAME_SUBTYPES = (*_BITS, "FLOAT", "DOUBLE")
# Codes whose decoded values are whole numbers of that many bits. What is none of these, as MP3, gets 24.
_DECODED = {"PCM_S8": "PCM_U8", "ALAC_16": "PCM_16", "ALAC_32": "PCM_32"} | dict.fromkeys(
    ("ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610", "VOX_ADPCM", "G721_32", "G723_24", "NMS_ADPCM_32"),
    "PCM_16",
)


def _no_context() -> np.ndarray:
    return np.zeros((0, 0), dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AudioClip:
    """A region of a file: channels x samples, float32 where that is exact, float64 elsewhere.

    before_NS and after_NS are what surrounds the region in the file, as far as it was asked for;
    first_sample is where in the file the region begins. Of a take that this program made, latents is what
    its file keeps of them (`engine.edit.take_latents`).
    """

    audio_NS: np.ndarray
    sample_rate_hz: int
    subtype: str = "PCM_24"
    container: str = "WAV"
    before_NS: np.ndarray = field(default_factory=_no_context)
    after_NS: np.ndarray = field(default_factory=_no_context)
    first_sample: int = 0
    metadata: Metadata = field(default_factory=Metadata)
    latents: bytes = b""

    @property
    def channels(self) -> int:
        return int(self.audio_NS.shape[0])

    @property
    def length_samples(self) -> int:
        return int(self.audio_NS.shape[1])

    @property
    def duration_s(self) -> float:
        return self.length_samples / self.sample_rate_hz

    @property
    def suffix(self) -> str:
        """Return the ending of a file in this clip's container."""
        return _SUFFIXES[self.container]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInfo:
    """What a file says of itself."""

    length_samples: int
    sample_rate_hz: int
    channels: int

    @property
    def duration_s(self) -> float:
        return self.length_samples / self.sample_rate_hz


def probe(path: str | Path) -> AudioInfo:
    """Read a file's header; raises AudioMissing and AudioIOError as read_clip does."""
    with _opened(Path(path)) as file:
        return AudioInfo(length_samples=file.frames, sample_rate_hz=file.samplerate, channels=file.channels)


def read_clip(path: str | Path, span: TimeSpan | None = None, *, context_s: float = 0.0) -> AudioClip:
    """Read a region, the whole file without a span, and up to context_s on both sides of it.

    Only that part of the file is read.

    Raises:
        AudioMissing: no such file.
        AudioIOError: not usable audio, or samples that are not finite.
        SpecError: the region is not within the file.
        TooLarge: the region is longer than one render may be.
    """
    with _opened(Path(path)) as file:
        start, stop = _region_samples(file, span, path)
        margin = samples_at(context_s, file.samplerate)
        first, past = max(0, start - margin), min(file.frames, stop + margin)
        audio_NS = _read(file, first, past, path)
        container, subtype = _written_format(file.format, file.subtype)
        return AudioClip(
            audio_NS=audio_NS[:, start - first : stop - first],
            sample_rate_hz=file.samplerate,
            subtype=subtype,
            container=container,
            before_NS=audio_NS[:, : start - first],
            after_NS=audio_NS[:, stop - first :],
            first_sample=start,
        )


def read_excerpt(path: str | Path, longest_s: float = EXCERPT_S) -> AudioClip:
    """Read a file's beginning, whatever its length; raises as read_clip does."""
    end_s = min(longest_s, probe(path).duration_s)
    return read_clip(path, TimeSpan(start_s=0.0, end_s=end_s))


def encode(clip: AudioClip) -> bytes:
    """Return the clip, without context, as a file of its container and subtype."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer,
        "w",
        samplerate=clip.sample_rate_hz,
        channels=clip.channels,
        subtype=clip.subtype,
        format=clip.container,
    ) as file:
        file.write(np.ascontiguousarray(_as_written(clip).T))
    pads = clip.container == "AIFF" and _BITS.get(clip.subtype) == 8 and clip.audio_NS.size % 2
    return _without_pad_frame(buffer.getvalue(), clip.length_samples) if pads else buffer.getvalue()


def bits_of(clip: AudioClip) -> int:
    """Return how many bits each sample has in the clip's file."""
    return _BITS.get(clip.subtype, 64 if clip.subtype == "DOUBLE" else 32)


def prepare_folder(folder: Path, needed_bytes: int = 0) -> None:
    """Make the folder and prove that it can be written to and has room.

    Raises:
        OutputError: it cannot be made or written to.
        DiskFull: less room than needed_bytes and a small reserve.
    """
    probe = folder / f".daw-bridge-{os.getpid()}.part"
    with _output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
        free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes + _FREE_RESERVE_BYTES:
        raise DiskFull(f"no room in {folder}: {needed_bytes / 1e6:.1f} MB are needed", _SPACE_HINT)


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files that appear together and whole, or not at all; each through NAME.part.

    Raises:
        OutputError: a target that cannot be written.
        DiskFull: no room, before or while writing.
    """
    parts = {path: path.with_name(path.name + ".part") for path in contents}
    for folder in {path.parent for path in contents}:
        prepare_folder(folder, sum(len(content) for content in contents.values()))
    try:
        for path, content in contents.items():
            with _output_errors(path):
                _write_through(parts[path], content)
        for path, part in parts.items():
            with _output_errors(path):
                part.replace(path)
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _as_written(clip: AudioClip) -> np.ndarray:
    """Return integers, left-aligned in 32 bits, for integer files: not every writer rounds floats alike."""
    bits = _BITS.get(clip.subtype)
    if bits is None:
        return clip.audio_NS
    top = 2 ** (bits - 1)
    steps_NS = np.rint(clip.audio_NS.astype(np.float64) * top)
    return np.clip(steps_NS, -top, top - 1).astype(np.int32) << (32 - bits)


def _without_pad_frame(aiff: bytes, length_samples: int) -> bytes:
    """Correct the lengths of an odd 8-bit AIFF, whose pad byte libsndfile 1.2 counts as audio."""
    common, sound = aiff.index(b"COMM"), aiff.index(b"SSND")
    content = bytearray(aiff)
    content[common + 10 : common + 14] = length_samples.to_bytes(4, "big")
    size = int.from_bytes(aiff[sound + 4 : sound + 8], "big")
    content[sound + 4 : sound + 8] = (size - 1).to_bytes(4, "big")
    return bytes(content)


def _write_through(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _output_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"no room left for {target}", _SPACE_HINT) from error
        reason = (error.strerror or "the system refused").lower()
        raise OutputError(f"cannot write to {target}: {reason}", _FOLDER_HINT) from error


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    _require_file(path)
    try:
        file = soundfile.SoundFile(str(path))
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
        raise AudioIOError(f"{path} is not audio that can be read", _FORMATS_HINT) from error
    with file:
        _require_whole(path)
        _require_supported(file, path)
        yield file


def _require_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise AudioIOError(f"{path} is a folder, not an audio file", _FORMATS_HINT)
        if not path.exists():
            raise AudioMissing(f"no such file: {path}", "Check the path.")
        if not path.is_file() or path.stat().st_size == 0:
            raise AudioIOError(f"{path} is empty or not a regular file", _FORMATS_HINT)
        with path.open("rb"):
            return
    except (OSError, ValueError) as error:
        raise AudioIOError(f"cannot open {path}", "Check the path and its permissions.") from error


def _require_whole(path: Path) -> None:
    try:
        with path.open("rb") as file:
            missing = missing_audio_bytes(file)
    except OSError as error:
        raise AudioIOError(f"cannot read {path}", "Check the path and its permissions.") from error
    if missing:
        raise AudioIOError(
            f"{path} is cut short: {missing} bytes are missing that its header promises",
            "Export or copy it again.",
        )


def _require_supported(file: soundfile.SoundFile, path: Path) -> None:
    if file.frames <= 0:
        raise AudioIOError(f"{path} holds no audio", "Record or export it again.")
    if not MIN_RATE_HZ <= file.samplerate <= MAX_RATE_HZ:
        raise AudioIOError(
            f"{path} has a sample rate of {file.samplerate} Hz",
            f"Rates from {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz work.",
        )
    if file.channels > MAX_CHANNELS:
        raise AudioIOError(f"{path} has {file.channels} channels", f"Up to {MAX_CHANNELS} channels work.")


def _region_samples(file: soundfile.SoundFile, span: TimeSpan | None, path: str | Path) -> tuple[int, int]:
    duration_s = file.frames / file.samplerate
    if span is None:
        start, stop = 0, file.frames
    else:
        start, stop = samples_at(span.start_s, file.samplerate), samples_at(span.end_s, file.samplerate)
        if stop > file.frames:
            raise SpecError(
                f"the region {span.start_s:g} to {span.end_s:g} s is outside {path}",
                f"The file is {duration_s:.3f} s long.",
            )
    if file.frames < MIN_FILE_S * file.samplerate:
        raise AudioIOError(
            f"the audio in {path} is shorter than one frame", f"At least {MIN_FILE_S * 1000:g} ms are needed."
        )
    if stop <= start:
        raise SpecError(
            f"the region in {path} is shorter than one sample", "Choose a longer one with --start and --end."
        )
    if stop - start > samples_at(MAX_DURATION_S, file.samplerate):
        raise TooLarge(
            f"{(stop - start) / file.samplerate:.3f} s of {path} are more than {MAX_DURATION_S:g} s",
            "Choose a shorter region with --start and --end.",
        )
    return start, stop


def _read(file: soundfile.SoundFile, first: int, past: int, path: str | Path) -> np.ndarray:
    dtype = "float32" if file.subtype in _EXACT_IN_FLOAT32 else "float64"
    try:
        file.seek(first)
        audio_SN = file.read(past - first, dtype=dtype, always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioIOError(f"{path} is damaged", "Export it again.") from error
    if len(audio_SN) != past - first:
        raise AudioIOError(
            f"{path} is cut short: {past - first} samples expected, {len(audio_SN)} there",
            "Export or copy it again.",
        )
    if not np.isfinite(audio_SN).all():
        raise AudioIOError(f"{path} holds samples that are not numbers (NaN or infinite)", "Export it again.")
    return np.ascontiguousarray(audio_SN.T)


def _written_format(container: str, subtype: str) -> tuple[str, str]:
    """Return the file format results are written in: the source's own, or a WAV that loses nothing of it."""
    if container in _SUFFIXES and subtype in _SAME_SUBTYPES:
        return container, subtype
    written = _DECODED.get(subtype, subtype)
    return "WAV", written if written in _SAME_SUBTYPES else "PCM_24"

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.audio import io
from engine.audio.io import AudioClip, encode, prepare_folder, probe, read_clip, read_excerpt, write_files
from engine.errors import AudioIOError, AudioMissing, DiskFull, EngineError, OutputError, SpecError, TooLarge
from engine.types import ErrorCode, TimeSpan

INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
FORMATS = [
    ("WAV", "PCM_U8"),
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "PCM_32"),
    ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"),
    ("FLAC", "PCM_S8"),
    ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
    ("AIFF", "PCM_S8"),
    ("AIFF", "PCM_16"),
    ("AIFF", "PCM_24"),
    ("AIFF", "PCM_32"),
    ("AIFF", "FLOAT"),
    ("AIFF", "DOUBLE"),
]


def random_samples(subtype: str, length: int, channels: int, seed: int) -> np.ndarray:
    """Return every value the subtype can hold, at random, as soundfile writes it without loss."""
    generator = np.random.default_rng(seed)
    if subtype in INTEGER_BITS:
        bits = INTEGER_BITS[subtype]
        values = generator.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (length, channels))
        return (values << (32 - bits)).astype(np.int32)
    return generator.normal(size=(length, channels)).astype("float32" if subtype == "FLOAT" else "float64")


def write(path: Path, samples: np.ndarray, rate_hz: int = 16_000, **format_: str) -> Path:
    soundfile.write(path, samples, rate_hz, **format_)
    return path


def tone(path: Path, seconds: float = 1.0, rate_hz: int = 16_000) -> Path:
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return write(path, 0.5 * np.sin(2 * np.pi * 440 * times_s), rate_hz)


@pytest.mark.parametrize(("container", "subtype"), FORMATS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    channels=st.integers(1, 8),
    rate_hz=st.sampled_from([8_000, 11_025, 44_100, 48_000, 96_000, 192_000]),
    length=st.integers(2_000, 4_000),
    seed=st.integers(0, 2**32 - 1),
)
def test_reading_and_writing_changes_no_bit(
    *, tmp_path: Path, container: str, subtype: str, channels: int, rate_hz: int, length: int, seed: int
) -> None:
    samples = random_samples(subtype, length, channels, seed)
    source = write(tmp_path / "source", samples, rate_hz, format=container, subtype=subtype)
    clip = read_clip(source, TimeSpan(start_s=0.0, end_s=length / rate_hz))
    copy = tmp_path / "copy"
    copy.write_bytes(encode(clip))
    info = soundfile.info(copy)
    assert (info.format, info.subtype, info.samplerate, info.channels) == (
        container,
        subtype,
        rate_hz,
        channels,
    )
    assert np.array_equal(soundfile.read(copy, dtype=samples.dtype, always_2d=True)[0], samples)


def test_a_region_is_cut_at_the_nearest_samples_with_its_context(tmp_path: Path) -> None:
    ramp = (np.arange(1000) * 2**16).astype(np.int32)
    path = write(tmp_path / "ramp.wav", ramp, 10_000, subtype="PCM_32")
    clip = read_clip(path, TimeSpan(start_s=0.03004, end_s=0.05006), context_s=0.004)
    as_index = clip.audio_NS[0] * 2**31 / 2**16
    assert np.array_equal(as_index, np.arange(300, 501))
    assert clip.before_NS.shape == clip.after_NS.shape == (1, 40)
    assert clip.before_NS[0, 0] * 2**15 == 260
    assert clip.after_NS[0, -1] * 2**15 == 540


def test_context_ends_where_the_file_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "short.wav", np.zeros((1000, 2)), 10_000)
    clip = read_clip(path, context_s=1.0)
    assert clip.audio_NS.shape == (2, 1000)
    assert clip.before_NS.shape == clip.after_NS.shape == (2, 0)


def test_lossy_and_unusual_sources_give_float_wav(tmp_path: Path) -> None:
    path = write(tmp_path / "voice.wav", np.zeros(8000), 8_000, subtype="ULAW")
    clip = read_clip(path)
    assert (clip.container, clip.subtype, clip.suffix) == ("WAV", "FLOAT", ".wav")


def test_an_excerpt_of_a_long_file_is_its_beginning(tmp_path: Path) -> None:
    path = tone(tmp_path / "long.wav", 12.0)
    assert read_excerpt(path, 2.0).length_samples == 32_000
    assert probe(path).duration_s == 12.0


def test_a_region_longer_than_one_render_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="more than 10.24 s") as caught:
        read_clip(tone(tmp_path / "long.wav", 12.0))
    assert "--start" in caught.value.hint


def cut_header(tmp_path: Path) -> Path:
    path = tmp_path / "cut.wav"
    path.write_bytes(tone(tmp_path / "whole.wav").read_bytes()[:20])
    return path


def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_text("not audio " * 100)
    return path


def empty_file(tmp_path: Path) -> Path:
    path = tmp_path / "empty.wav"
    path.touch()
    return path


def raw_file(tmp_path: Path) -> Path:
    path = tmp_path / "samples.raw"
    path.write_bytes(bytes(1000))
    return path


def no_samples(tmp_path: Path) -> Path:
    return write(tmp_path / "none.wav", np.zeros(0))


def too_short(tmp_path: Path) -> Path:
    return write(tmp_path / "short.wav", np.zeros(159))


def with_nan(tmp_path: Path) -> Path:
    samples = np.zeros(4000)
    samples[1234] = np.nan
    return write(tmp_path / "nan.wav", samples, subtype="FLOAT")


def with_infinity(tmp_path: Path) -> Path:
    samples = np.zeros(4000)
    samples[0] = -np.inf
    return write(tmp_path / "inf.wav", samples, subtype="DOUBLE")


def nine_channels(tmp_path: Path) -> Path:
    return write(tmp_path / "nine.wav", np.zeros((4000, 9)))


def slow_rate(tmp_path: Path) -> Path:
    return write(tmp_path / "slow.wav", np.zeros(4000), 7_999)


def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe.wav")
    return tmp_path / "pipe.wav"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder, "is a folder"),
        (text_file, "not audio"),
        (raw_file, "not audio"),
        (cut_header, "not audio"),
        (empty_file, "empty"),
        (fifo, "not a regular file"),
        (no_samples, "no audio"),
        (too_short, "shorter than one frame"),
        (with_nan, "not numbers"),
        (with_infinity, "not numbers"),
        (nine_channels, "9 channels"),
        (slow_rate, "7999 Hz"),
    ],
)
def test_unusable_files_are_refused_by_name(tmp_path: Path, make: Callable[[Path], Path], says: str) -> None:
    path = make(tmp_path)
    with pytest.raises(AudioIOError, match=says) as caught:
        read_clip(path)
    assert caught.value.code is ErrorCode.IO_FORMAT
    assert str(path) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["nowhere.wav", "nowhere/file.wav", "zero\0byte.wav"])
def test_a_missing_file_has_its_own_code(tmp_path: Path, name: str) -> None:
    with pytest.raises(AudioMissing) as caught:
        read_clip(tmp_path / name)
    assert caught.value.code is ErrorCode.IO_MISSING


def test_a_file_that_ends_before_its_header_says_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tone(tmp_path / "tone.wav")

    short = np.zeros((15_999, 1), dtype=np.float32)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: short)
    with pytest.raises(AudioIOError, match="16000 samples expected, 15999 there"):
        read_clip(path)


def test_a_wav_cut_in_half_gives_what_is_left_or_an_error_never_invented_samples(tmp_path: Path) -> None:
    whole = tone(tmp_path / "whole.wav")
    path = tmp_path / "half.wav"
    path.write_bytes(whole.read_bytes()[: 44 + 2 * 8000])
    clip = read_clip(path)
    assert np.array_equal(clip.audio_NS, read_clip(whole, TimeSpan(start_s=0.0, end_s=0.5)).audio_NS)


def test_a_damaged_header_never_crashes(tmp_path: Path) -> None:
    content = bytearray(tone(tmp_path / "whole.wav", 0.1).read_bytes())
    path = tmp_path / "damaged.wav"
    generator = np.random.default_rng(0)
    for _ in range(200):
        damaged = content.copy()
        for position in generator.integers(0, 44, 3):
            damaged[position] = generator.integers(0, 256)
        path.write_bytes(damaged)
        try:
            clip = read_clip(path)
        except EngineError:
            continue
        assert np.isfinite(clip.audio_NS).all()


@pytest.mark.parametrize("span", [(0.5, 1.01), (2.0, 3.0)])
def test_a_region_outside_the_file_is_a_wrong_argument(tmp_path: Path, span: tuple[float, float]) -> None:
    path = tone(tmp_path / "tone.wav")
    with pytest.raises(SpecError, match="outside") as caught:
        read_clip(path, TimeSpan(start_s=span[0], end_s=span[1]))
    assert caught.value.code is ErrorCode.BAD_ARGS
    assert "1.000 s long" in caught.value.hint


def test_only_the_region_of_a_huge_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.wav"
    frames = 2_000_000_000 // 2
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 36 + 2 * frames) + b"WAVEfmt ")
        file.write(struct.pack("<IHHIIHH", 16, 1, 1, 48_000, 96_000, 2, 16))
        file.write(b"data" + struct.pack("<I", 2 * frames))
        file.truncate(44 + 2 * frames)
        file.seek(44 + 2 * 48_000 * 20_000)
        file.write(struct.pack("<h", 16_384))
    clip = read_clip(path, TimeSpan(start_s=20_000.0, end_s=20_000.5), context_s=0.5)
    assert clip.audio_NS[0, 0] == 0.5
    assert clip.audio_NS.nbytes < 2**20


def test_files_appear_together(tmp_path: Path) -> None:
    write_files({tmp_path / "new" / "a.wav": b"a", tmp_path / "new" / "a.json": b"b"})
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.json", "a.wav"]


def failing_writer(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the second file's write fail as the system would."""
    calls: list[Path] = []
    real = io._write_through

    def write_through(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(content[:1])
            raise OSError(number, os.strerror(number), str(path))
        real(path, content)

    monkeypatch.setattr(io, "_write_through", write_through)


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOSPC, DiskFull, ErrorCode.DISK_FULL),
        (errno.EDQUOT, DiskFull, ErrorCode.DISK_FULL),
        (errno.EROFS, OutputError, ErrorCode.PATH_DENIED),
        (errno.EACCES, OutputError, ErrorCode.PATH_DENIED),
    ],
)
def test_a_failed_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[OutputError], code: ErrorCode
) -> None:
    failing_writer(monkeypatch, number)
    with pytest.raises(kind) as caught:
        write_files({tmp_path / "a.wav": b"aaa", tmp_path / "a.png": b"bbb"})
    assert caught.value.code is code
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_noticed_before_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io.shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_100))
    prepare_folder(tmp_path, 100)
    with pytest.raises(DiskFull, match="no room"):
        write_files({tmp_path / "a.wav": bytes(101)})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_denied(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        prepare_folder(tmp_path / "file" / "out")
    assert caught.value.code is ErrorCode.PATH_DENIED


def test_integer_files_clip_instead_of_wrapping(tmp_path: Path) -> None:
    clip = AudioClip(audio_NS=np.array([[1.5, -1.5] * 1000]), sample_rate_hz=48_000, subtype="PCM_16")
    path = tmp_path / "loud.wav"
    path.write_bytes(encode(clip))
    assert soundfile.read(path, dtype="int16")[0][:2].tolist() == [32767, -32768]

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.audio import io
from engine.audio.io import AudioClip, encode, prepare_folder, probe, read_clip, read_excerpt, write_files
from engine.audio.riff import missing_audio_bytes
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


@pytest.mark.parametrize(
    ("container", "subtype", "written"),
    [
        ("WAV", "ULAW", "PCM_16"),
        ("WAV", "ALAW", "PCM_16"),
        ("WAV", "IMA_ADPCM", "PCM_16"),
        ("AIFF", "ULAW", "PCM_16"),
        ("CAF", "ALAC_16", "PCM_16"),
        ("CAF", "PCM_24", "PCM_24"),
        ("CAF", "PCM_S8", "PCM_U8"),
        ("RF64", "PCM_24", "PCM_24"),
        ("W64", "FLOAT", "FLOAT"),
        ("AU", "DOUBLE", "DOUBLE"),
    ],
)
def test_what_results_cannot_be_written_as_becomes_a_wav_of_the_same_values(
    tmp_path: Path, container: str, subtype: str, written: str
) -> None:
    samples = np.random.default_rng(0).normal(0, 0.2, 9000)
    path = write(tmp_path / "source", samples, 8_000, format=container, subtype=subtype)
    clip = read_clip(path)
    assert (clip.container, clip.subtype, clip.suffix) == ("WAV", written, ".wav")
    copy = tmp_path / "copy.wav"
    copy.write_bytes(encode(clip))
    assert np.array_equal(soundfile.read(copy)[0], soundfile.read(path)[0])


LOSSY = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]


@pytest.mark.parametrize(("container", "subtype"), LOSSY)
def test_lossy_sources_give_24_bits(tmp_path: Path, container: str, subtype: str) -> None:
    path = write(tmp_path / "song", np.zeros(48_000), 48_000, format=container, subtype=subtype)
    assert (read_clip(path).container, read_clip(path).subtype) == ("WAV", "PCM_24")


@pytest.mark.parametrize(("container", "subtype"), LOSSY)
@pytest.mark.parametrize("rate_hz", [24_000, 48_000])
def test_a_region_of_a_lossy_file_is_the_same_part_of_the_whole(
    tmp_path: Path, container: str, subtype: str, rate_hz: int
) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (20 * rate_hz, 2))
    path = write(tmp_path / "song", samples, rate_hz, format=container, subtype=subtype)
    whole = soundfile.read(path)[0].T
    for start in (0, 1, 12_345, 3 * rate_hz + 17, 19 * rate_hz):
        span = TimeSpan(start_s=start / rate_hz, end_s=start / rate_hz + 0.5)
        clip = read_clip(path, span, context_s=0.1)
        lead = clip.before_NS.shape[1]
        read = np.concatenate([clip.before_NS, clip.audio_NS], axis=1)
        # What mpg123 rounds last depends on where it began: less than a step of the 24 bits that are written.
        most = 2**-24 if container == "MP3" else 0.0
        assert np.abs(read - whole[:, start - lead : start + rate_hz // 2]).max() <= most


def test_an_excerpt_of_a_long_file_is_its_beginning(tmp_path: Path) -> None:
    path = tone(tmp_path / "long.wav", 12.0)
    assert read_excerpt(path, 2.0).length_samples == 32_000
    assert probe(path).duration_s == 12.0


def test_a_region_longer_than_one_render_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="more than 600 s") as caught:
        read_clip(tone(tmp_path / "long.wav", 601.0, 8_000))
    assert "--start" in caught.value.hint


def test_a_region_of_one_sample_is_a_region(tmp_path: Path) -> None:
    path = tone(tmp_path / "tone.wav")
    clip = read_clip(path, TimeSpan(start_s=0.5, end_s=0.5 + 1 / 16_000), context_s=0.1)
    assert (clip.length_samples, clip.before_NS.shape[1], clip.after_NS.shape[1]) == (1, 1_600, 1_600)
    with pytest.raises(SpecError, match="shorter than one sample"):
        read_clip(path, TimeSpan(start_s=0.5, end_s=0.50001))


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


@pytest.mark.parametrize("missing", [1, 2, 9_999])
@pytest.mark.parametrize("format_", ["WAV", "WAVEX", "AIFF", "RF64"])
def test_a_file_that_lost_its_end_is_refused_by_name(tmp_path: Path, format_: str, missing: int) -> None:
    whole = write(tmp_path / "whole", np.zeros(16_000), format=format_, subtype="PCM_16")
    assert probe(whole).length_samples == 16_000
    path = tmp_path / "copied.wav"
    path.write_bytes(whole.read_bytes()[:-missing])
    for look in (probe, read_clip):
        with pytest.raises(AudioIOError, match=rf"copied\.wav is cut short: {missing} bytes"):
            look(path)


def test_what_comes_after_the_audio_may_be_cut(tmp_path: Path) -> None:
    path = tone(tmp_path / "tone.wav")
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 999) + b"INFO")
    assert probe(path).length_samples == 16_000


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000 - 36])
def test_a_writer_into_a_pipe_need_not_know_the_length(tmp_path: Path, size: int) -> None:
    content = bytearray(tone(tmp_path / "tone.wav").read_bytes())
    # Of a file that was never closed libsndfile expects 8 beside the 0.
    content[4:8] = struct.pack("<I", min(size + 36, 0xFFFFFFFF) if size else 8)
    content[40:44] = struct.pack("<I", size)
    path = tmp_path / "piped.wav"
    path.write_bytes(content)
    assert read_clip(path).length_samples == 16_000


@pytest.mark.parametrize("format_", ["RF64", "W64", "WAVEX", "CAF", "AU"])
def test_other_containers_go_on_as_they_are(tmp_path: Path, format_: str) -> None:
    path = write(tmp_path / "audio", np.zeros(16_000), format=format_, subtype="PCM_16")
    assert read_clip(path).length_samples == 16_000


def test_a_long_file_of_broadcasters_is_read(tmp_path: Path) -> None:
    content = write(tmp_path / "audio", np.zeros(16_000), format="RF64", subtype="PCM_16").read_bytes()
    whole, cut = (b"BW64" + content[4:end] for end in (None, -7))
    assert [missing_audio_bytes(BytesIO(one)) for one in (whole, cut)] == [0, 7]


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

"""Clips cut from files: nothing lost, nothing twice, one rate, one level, no silence.

N channels, S samples.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import AudioIOError, AudioMissing, SpecError
from engine.training.data.cutting import RETRIES, Cut, CutConfig, cut_file, piece_bounds, silent, stretch
from engine.training.data.manifest import SoundFile
from engine.types import TimeSpan
from tests.unit.recordings import hum, write_sound

SMALL = CutConfig(first_s=0.3, piece_s=0.1, padded_s=0.128, shortest_s=0.02, level=False)
A = SoundFile(path="a.wav")


@given(length=st.integers(0, 5000), piece=st.integers(1, 700), shortest=st.integers(0, 700))
def test_every_sample_is_in_exactly_one_piece(length: int, piece: int, shortest: int) -> None:
    bounds = piece_bounds(length, piece, min(shortest, piece))
    covered = [sample for start, stop in bounds for sample in range(start, stop)]
    assert covered == list(range(len(covered)))
    left_out = length - len(covered)
    assert left_out == 0 or (left_out < min(shortest, piece) and left_out == length % piece)
    assert all(stop - start == piece for start, stop in bounds[:-1])


@settings(max_examples=20)
@given(length=st.integers(200, 7000), piece=st.integers(160, 3000), seed=st.integers(0, 9))
def test_a_files_pieces_are_its_samples(
    length: int, piece: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    audio_S = np.random.default_rng(seed).integers(-9000, 9000, length).astype(np.int16)
    write_sound(folder / "a.wav", audio_S)
    piece_s = piece / 16_000
    config = CutConfig(first_s=30, piece_s=piece_s, padded_s=piece_s, shortest_s=0, level=False)
    pieces, silent_pieces = cut_file(folder, A, config)
    joined_S = np.concatenate([piece.audio_S for piece in pieces])
    assert silent_pieces == 0
    assert np.array_equal(joined_S[:length] * 32768, audio_S)
    assert not joined_S[length:].any()
    assert [round(one.start_s * 16_000) for one in pieces] == list(range(0, length, piece))


def test_only_the_first_seconds_are_used_and_short_rests_are_left_out(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", hum(0.9))
    assert len(cut_file(tmp_path, A, SMALL)[0]) == 3
    write_sound(tmp_path / "a.wav", hum(0.215))
    assert len(cut_file(tmp_path, A, SMALL)[0]) == 2
    write_sound(tmp_path / "a.wav", hum(0.225))
    assert len(cut_file(tmp_path, A, SMALL)[0]) == 3
    write_sound(tmp_path / "a.wav", hum(0.012))
    assert len(cut_file(tmp_path, A, SMALL)[0]) == 1


@pytest.mark.parametrize(("rate_hz", "to_hz"), [(44_100, 16_000), (8_000, 48_000), (48_000, 48_000)])
def test_channels_are_mixed_and_rates_converted(rate_hz: int, to_hz: int, tmp_path: Path) -> None:
    left_S, right_S = hum(0.2, 440.0, rate_hz), hum(0.2, 1000.0, rate_hz)
    write_sound(tmp_path / "a.wav", np.stack([left_S, right_S]), rate_hz)
    config = CutConfig(first_s=1, piece_s=0.2, padded_s=0.25, shortest_s=0, sample_rate_hz=to_hz, level=False)
    (piece,), _ = cut_file(tmp_path, A, config)
    wanted_S = (hum(0.2, 440.0, to_hz) + hum(0.2, 1000.0, to_hz)) / 2
    assert piece.audio_S.shape == (to_hz // 4,)
    inside = slice(to_hz // 50, len(wanted_S) - to_hz // 50)
    assert np.abs(piece.audio_S[: len(wanted_S)] - wanted_S)[inside].max() < 2e-3
    assert not piece.audio_S[len(wanted_S) :].any()


def test_levelled_clips_have_no_offset_and_a_peak_of_one_half(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", 0.02 * hum(0.1) + 0.25)
    config = CutConfig(first_s=1, piece_s=0.1, padded_s=0.128, shortest_s=0)
    (piece,), _ = cut_file(tmp_path, A, config)
    heard_S, padded_S = np.split(piece.audio_S, [1600])
    assert np.abs(heard_S).max() == pytest.approx(0.5, abs=1e-4)
    assert abs(heard_S.mean()) < 1e-4
    assert not padded_S.any()


def test_silent_pieces_are_left_out_and_counted(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", np.concatenate([np.full(1600, 0.2), hum(0.1), np.zeros(1600)]))
    pieces, silent_pieces = cut_file(tmp_path, A, SMALL)
    assert [piece.start_s for piece in pieces] == [0.1]
    assert silent_pieces == 2


@pytest.mark.parametrize(
    ("file", "duration_s", "span"),
    [
        (A, 50.0, (0.0, 30.0)),
        (A, 5.0, (0.0, 5.0)),
        (SoundFile(path="a.wav", start_s=30, end_s=40), 60.0, (30.0, 40.0)),
        (SoundFile(path="a.wav", start_s=30, end_s=40), 10.0, (0.0, 10.0)),
        (SoundFile(path="a.wav", start_s=2, end_s=50), 60.0, (2.0, 32.0)),
        (SoundFile(path="a.wav", start_s=3), 8.0, (3.0, 8.0)),
        (SoundFile(path="a.wav", start_s=9), 8.0, (0.0, 8.0)),
    ],
)
def test_the_stretch_that_is_meant_is_used_where_the_file_holds_it(
    file: SoundFile, duration_s: float, span: tuple[float, float]
) -> None:
    assert stretch(file, duration_s, 30.0) == TimeSpan(start_s=span[0], end_s=span[1])


def _crops(crops: int, seed: int = 0) -> CutConfig:
    return CutConfig(
        cut=Cut.CROPS, first_s=9, piece_s=0.1, padded_s=0.1, shortest_s=0, crops=crops, level=False, seed=seed
    )


def test_crops_are_windows_of_the_file_that_its_name_and_the_seed_choose(tmp_path: Path) -> None:
    audio_S = np.arange(16_000) / 32768
    write_sound(tmp_path / "a.wav", audio_S)
    pieces, _ = cut_file(tmp_path, A, _crops(5))
    again, _ = cut_file(tmp_path, A, _crops(5))
    others, _ = cut_file(tmp_path, A, _crops(5, seed=1))
    starts = [round(piece.start_s * 16_000) for piece in pieces]
    assert len(set(starts)) == 5
    for start, piece in zip(starts, pieces, strict=True):
        assert np.allclose(piece.audio_S, audio_S[start : start + 1600], atol=1e-6)
    assert [piece.start_s for piece in again] == [piece.start_s for piece in pieces]
    assert not {piece.start_s for piece in others} & {piece.start_s for piece in pieces}


def test_a_silent_crop_is_tried_again(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", np.concatenate([np.zeros(16_000), hum(1.0)]))
    pieces, silent_crops = cut_file(tmp_path, A, _crops(20))
    assert (len(pieces), silent_crops) == (20, 0)
    assert not any(silent(piece.audio_S) for piece in pieces)


def test_a_silent_file_gives_no_crop_after_so_many_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[np.ndarray] = []
    monkeypatch.setattr(
        "engine.training.data.cutting.silent", lambda audio_S: heard.append(audio_S) or silent(audio_S)
    )
    write_sound(tmp_path / "a.wav", np.zeros(16_000))
    assert cut_file(tmp_path, A, _crops(2)) == ([], 2)
    assert len(heard) == 2 * (1 + RETRIES)


def test_a_file_shorter_than_a_crop_is_padded_from_its_beginning(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", hum(0.05))
    (piece,), _ = cut_file(tmp_path, A, _crops(1))
    assert piece.start_s == 0
    assert np.allclose(piece.audio_S[:800], hum(0.05), atol=1e-4)
    assert not piece.audio_S[800:].any()


def test_files_that_cannot_be_read_raise(tmp_path: Path) -> None:
    with pytest.raises(AudioMissing):
        cut_file(tmp_path, A, SMALL)
    (tmp_path / "a.wav").write_bytes(b"RIFF and nothing else")
    with pytest.raises(AudioIOError):
        cut_file(tmp_path, A, SMALL)


@pytest.mark.parametrize(
    "fields",
    [
        {"sample_rate_hz": 44_100},
        {"piece_s": 0.0},
        {"piece_s": 11.0},
        {"padded_s": float("inf")},
        {"first_s": 5.0},
        {"shortest_s": -1.0},
        {"shortest_s": 12.0},
        {"crops": 0},
        {"first_s": float("nan")},
        {"first_s": float("inf")},
    ],
)
def test_clips_that_cannot_be_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(SpecError):
        CutConfig(**fields)

"""Levels at every zoom, against numbers worked out from the samples themselves.

Legend: N channels, S samples, C columns.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.unit.sound_sources import HeldSound
from ui.sound import peaks
from ui.sound.peaks import CHUNK_SAMPLES, PeakPyramid, chunk_levels, sample_columns, sketch
from ui.sound.sources import SoundFacts

# Short ones, and some on both sides of a chunk's end.
lengths = st.one_of(st.integers(1, 3000), st.integers(CHUNK_SAMPLES - 300, CHUNK_SAMPLES + 300))


def noise(length: int, channels: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-1, 1, (channels, length)).astype(np.float32)


def filled(audio_NS: NDArray[np.float32]) -> PeakPyramid:
    source = HeldSound(audio_NS)
    pyramid = PeakPyramid(source.facts)
    while (chunk := pyramid.next_chunk(0)) is not None:
        pyramid.put(chunk, chunk_levels(source, chunk, pyramid.bin_samples))
    return pyramid


@settings(max_examples=25)
@given(lengths, st.integers(1, 4), st.integers(1, 700), st.data())
def test_columns_are_the_levels_of_their_samples(
    length: int, channels: int, columns: int, data: st.DataObject
) -> None:
    audio_NS = noise(length, channels)
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    pyramid = filled(audio_NS)
    found = pyramid.columns(start, stop, columns)
    edges = np.linspace(start, stop, columns + 1)
    each = (stop - start) / columns
    fitting = [pyramid.bin_samples * 4**k for k in range(12) if pyramid.bin_samples * 4**k <= each]
    bins = -(-length // pyramid.bin_samples)
    size = pyramid.bin_samples
    for wider in fitting:
        if wider == pyramid.bin_samples or -(-bins * pyramid.bin_samples // (wider // 4)) > 4:
            size = wider
    for column in {0, columns // 2, columns - 1}:
        first = min(int(edges[column] // size), -(-length // size) - 1)
        past = max(first + 1, int(edges[column + 1] // size))
        part_NS = audio_NS[:, first * size : past * size].astype(np.float64)
        np.testing.assert_array_equal(found.low_NC[:, column], part_NS.min(axis=1))
        np.testing.assert_array_equal(found.high_NC[:, column], part_NS.max(axis=1))
        rms_N = np.sqrt(np.square(part_NS).mean(axis=1))
        np.testing.assert_allclose(found.rms_NC[:, column], rms_N, rtol=1e-4)


@given(st.integers(1, 2000), st.integers(1, 3), st.integers(1, 300))
def test_columns_of_samples_leave_no_sample_out(length: int, channels: int, columns: int) -> None:
    audio_NS = noise(length, channels)
    found = sample_columns(audio_NS, 0.0, float(length), columns)
    np.testing.assert_array_equal(found.low_NC.min(axis=1), audio_NS.min(axis=1))
    np.testing.assert_array_equal(found.high_NC.max(axis=1), audio_NS.max(axis=1))
    assert found.low_NC.shape == (channels, columns)


@settings(max_examples=6)
@given(st.integers(1, 3), st.randoms(use_true_random=False))
def test_chunks_may_come_in_any_order(channels: int, random: object) -> None:
    audio_NS = noise(2 * CHUNK_SAMPLES + 77, channels)
    source, order = HeldSound(audio_NS), [0, 1, 2]
    getattr(random, "shuffle")(order)  # noqa: B009 - hypothesis gives no type
    pyramid = PeakPyramid(source.facts)
    for chunk in order:
        pyramid.put(chunk, chunk_levels(source, chunk, pyramid.bin_samples))
    assert pyramid.is_whole
    whole, straight = (
        pyramid.columns(0, audio_NS.shape[1], 9),
        filled(audio_NS).columns(0, audio_NS.shape[1], 9),
    )
    np.testing.assert_array_equal(whole.low_NC, straight.low_NC)
    np.testing.assert_array_equal(whole.rms_NC, straight.rms_NC)


def test_what_is_not_known_yet_shows_the_sketch(monkeypatch: pytest.MonkeyPatch) -> None:
    audio_NS = noise(3 * CHUNK_SAMPLES, 1)
    audio_NS[:, CHUNK_SAMPLES:] *= 0.1
    monkeypatch.setattr(peaks, "_SKETCH_WHOLE_SAMPLES", CHUNK_SAMPLES)
    source = HeldSound(audio_NS)
    pyramid = PeakPyramid(source.facts)
    assert not np.isfinite(pyramid.columns(0, audio_NS.shape[1], 30).low_NC).any()
    pyramid.put_sketch(sketch(source))
    rough = pyramid.columns(0, audio_NS.shape[1], 30)
    assert (rough.high_NC[:, :10] > 0.9).all() and (rough.high_NC[:, 10:] < 0.11).all()
    pyramid.put(1, chunk_levels(source, 1, pyramid.bin_samples))
    better = pyramid.columns(0, audio_NS.shape[1], 30)
    np.testing.assert_array_equal(better.high_NC[:, :9], rough.high_NC[:, :9])
    part = audio_NS[0, CHUNK_SAMPLES : 2 * CHUNK_SAMPLES]
    assert better.high_NC[0, 10:20].max() == part.max()


def test_a_short_sound_is_sketched_by_one_look_at_the_whole() -> None:
    class Counted(HeldSound):
        looks = 0

        def read(self, start: int, stop: int) -> np.ndarray:
            self.looks += 1
            return super().read(start, stop)

    audio_NS = noise(2 * CHUNK_SAMPLES, 1)
    source = Counted(audio_NS)
    rough = sketch(source)
    assert source.looks == 1
    assert rough.low_NC.min() == audio_NS.min() and rough.high_NC.max() == audio_NS.max()


def test_the_chunk_nearest_to_what_is_seen_comes_first() -> None:
    source = HeldSound(noise(5 * CHUNK_SAMPLES, 1))
    pyramid = PeakPyramid(source.facts)
    order = []
    while (chunk := pyramid.next_chunk(3 * CHUNK_SAMPLES + 5)) is not None:
        pyramid.put(chunk, chunk_levels(source, chunk, pyramid.bin_samples))
        order.append(chunk)
    assert order[0] == 3 and set(order[1:3]) == {2, 4} and order[-1] == 0


@pytest.mark.parametrize("facts", [(48_000, 2, 3600), (192_000, 8, 36_000), (8_000, 1, 360_000)])
def test_memory_is_bounded_for_files_of_any_length(facts: tuple[int, int, int]) -> None:
    rate_hz, channels, duration_s = facts
    pyramid = PeakPyramid(SoundFacts(rate_hz=rate_hz, channels=channels, length_samples=rate_hz * duration_s))
    assert pyramid.nbytes <= 64e6
